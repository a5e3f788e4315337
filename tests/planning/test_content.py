"""Content decides, whatever the clocks say; and files that did not change are read once."""

import os
from pathlib import Path

import pytest

from oncoraft.planning import content
from oncoraft.planning.content import Content, sampled_digest


def test_a_file_of_the_same_size_and_time_with_another_content_is_another(tmp_path: Path) -> None:
    file, kept = tmp_path / "data.txt", tmp_path / "kept.json"
    file.write_text("one")
    facts = file.stat()
    first = Content(kept).of([file])
    other = tmp_path / "other"
    other.write_text("two")
    os.utime(other, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    other.replace(file)
    assert Content(kept).of([file]) != first
    file.write_text("one")
    os.utime(file, (0, 0))
    assert Content(kept).of([file]) == first


def test_files_of_one_name_in_several_folders_all_count_and_moving_them_together_changes_nothing(tmp_path: Path) -> None:
    for cohort in ("CRC", "NSCLC"):
        (tmp_path / "here" / cohort).mkdir(parents=True)
        (tmp_path / "here" / cohort / "patients.csv").write_text(cohort)

    def digest(home: str) -> str:
        return Content(tmp_path / "kept.json").of((tmp_path / home).rglob("*.csv"))

    first = digest("here")
    (tmp_path / "here").rename(tmp_path / "there")
    assert digest("there") == first
    for cohort in ("CRC", "NSCLC"):
        file = tmp_path / "there" / cohort / "patients.csv"
        file.write_text("other")
        assert digest("there") != first
        file.write_text(cohort)
    assert digest("there") == first


def test_a_file_that_stands_unchanged_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, kept = tmp_path / "data.txt", tmp_path / "kept.json"
    file.write_text("one")
    first = Content(kept).of([file])
    monkeypatch.setattr(content, "file_digest", lambda path: pytest.fail("read again"))
    assert Content(kept).of([file]) == first


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"a": 1}', '{"a": ["x"]}'])
def test_a_damaged_record_costs_another_reading_and_nothing_else(tmp_path: Path, damage: str) -> None:
    file, kept = tmp_path / "data.txt", tmp_path / "kept.json"
    file.write_text("one")
    first = Content(kept).of([file])
    kept.write_text(damage)
    assert Content(kept).of([file]) == first


def test_names_count_and_absent_files_do_not(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).write_text("same")
    found = Content(tmp_path / "kept.json")
    assert found.of([tmp_path / "a"]) != found.of([tmp_path / "b"])
    assert found.of([tmp_path / "a", tmp_path / "absent"]) == found.of([tmp_path / "a"])
    assert found.of([]) == found.of([tmp_path / "absent"]) == ""


def test_of_a_large_file_its_size_and_its_ends_and_what_lies_between_count(tmp_path: Path) -> None:
    file = tmp_path / "weights"
    size = content.BLOCK_BYTES * 300
    data = bytearray(os.urandom(size))
    seen = set()
    for place in (None, 0, size // 2, size - 1):
        if place is not None:
            data[place : place + content.BLOCK_BYTES * 2] = bytes(min(content.BLOCK_BYTES * 2, size - place))
        file.write_bytes(data)
        seen.add(sampled_digest(file, size))
    assert len(seen) == 4
