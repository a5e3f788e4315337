"""Atomic publishing and manifests."""

from pathlib import Path

import pytest

from oncoraft.foundation.provenance import canonical_json, file_digest, manifest, publishing
from oncoraft.foundation.stable import stable_fraction, stable_seed


def test_files_appear_only_when_all_is_written(tmp_path: Path) -> None:
    a, b = tmp_path / "out" / "a", tmp_path / "out" / "b"
    with publishing(a, b) as (first, second):
        first.write_text("1")
        second.write_text("2")
        assert not a.exists()
    assert (a.read_text(), b.read_text()) == ("1", "2")
    assert sorted(path.name for path in a.parent.iterdir()) == ["a", "b"]


def test_a_failure_leaves_nothing_and_keeps_what_was_there(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_text("old")

    def fail() -> None:
        with publishing(kept, tmp_path / "new") as (first, _):
            first.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert kept.read_text() == "old"


def test_a_folder_is_replaced_whole(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "stale").write_text("x")
    with publishing(folder) as (temporary,):
        temporary.mkdir()
        (temporary / "fresh").write_text("y")
    assert [path.name for path in folder.iterdir()] == ["fresh"]


def test_a_manifest_is_the_same_wherever_the_tree_stands(tmp_path: Path) -> None:
    records = []
    for place in ("here", "there"):
        root = tmp_path / place
        (root / "in").mkdir(parents=True)
        (root / "in" / "x").write_text("content")
        out = root / "out" / "y"
        out.parent.mkdir()
        out.write_text("result")
        records.append(
            manifest("flow", inputs=[root / "in"], outputs={out: out}, settings={}, counts={"n": 1}, beside=root / "out" / "manifest.json")
        )
    assert records[0] == records[1]
    assert records[0]["inputs"] == {"../in/x": file_digest(tmp_path / "here" / "in" / "x")}
    assert list(records[0]["outputs"]) == ["y"]


def test_canonical_json_does_not_depend_on_key_order_but_on_which_key_has_which_value() -> None:
    assert canonical_json({"b": 1, "a": 2}) == canonical_json({"a": 2, "b": 1})
    assert canonical_json({"rank": 8, "alpha": 16}) != canonical_json({"rank": 16, "alpha": 8})


def test_stable_numbers_are_those_of_any_other_machine() -> None:
    # sha256 of "17", 0x1f, "P-0000001": first eight bytes big-endian over 2**64, computed once with coreutils sha256sum
    assert stable_fraction(17, "P-0000001") == pytest.approx(int("1e0eeca59dae22c3", 16) / 2**64, abs=0)
    assert stable_seed(1, "train", 0) != stable_seed(1, "train", 1)
    assert 0 <= stable_seed("x") < 2**32
