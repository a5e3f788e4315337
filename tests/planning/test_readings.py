"""Source files are read once for each content; what is kept is never out of date, and never in anybody's way."""

from __future__ import annotations

from pathlib import Path

import pytest

from oncoraft.planning import readings
from oncoraft.planning.readings import Readings, read

ONE = b'"""Doc."""\nfrom oncoraft.stage import step\nDATA_FILES = ("a.csv",)\n'


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    (tmp_path / ".snakemake").mkdir()
    return tmp_path / ".snakemake/sources.json"


def test_what_was_read_before_is_not_read_again(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Readings(kept)
    found = first.of(ONE, "oncoraft")
    assert found == read(ONE, "oncoraft") == (("oncoraft.stage", "oncoraft.stage.step"), ("a.csv",), found.digest)
    first.keep()
    monkeypatch.setattr(readings, "read", None)
    assert Readings(kept).of(ONE, "oncoraft") == found


def test_another_content_is_read_whatever_the_clocks_say(kept: Path) -> None:
    first = Readings(kept)
    before = first.of(ONE, "oncoraft")
    first.keep()
    after = Readings(kept).of(ONE.replace(b"a.csv", b"b.csv"), "oncoraft")
    assert after.data == ("b.csv",)
    assert after.digest != before.digest


@pytest.mark.parametrize("damage", ["", "{", "[1, 2]", '{"x": 3}', '{"x": [1]}'])
def test_a_damaged_record_costs_time_only(kept: Path, damage: str) -> None:
    kept.write_text(damage)
    found = Readings(kept)
    assert found.of(ONE, "oncoraft") == read(ONE, "oncoraft")
    found.keep()
    assert Readings(kept).of(ONE, "oncoraft") == read(ONE, "oncoraft")


def test_where_the_engine_keeps_nothing_nothing_is_written(tmp_path: Path) -> None:
    found = Readings(tmp_path / ".snakemake/sources.json")
    found.of(ONE, "oncoraft")
    found.keep()
    assert list(tmp_path.iterdir()) == []


def test_readings_of_files_as_they_were_are_let_go(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readings, "MOST", 3)
    old = Readings(kept)
    for number in range(3):
        old.of(b"x = %d" % number, "oncoraft")
    old.keep()
    new = Readings(kept)
    new.of(ONE, "oncoraft")
    new.keep()
    assert list(Readings(kept).known) == []
    again = Readings(kept)
    again.of(ONE, "oncoraft")
    assert len(again.known) == 1
