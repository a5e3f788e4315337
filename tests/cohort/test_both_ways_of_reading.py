"""A file is read as a whole or in parts by its size alone: of corrupted studies both ways write the same, or refuse in the same words."""

from pathlib import Path

import pyarrow.parquet as parquet
import pytest

from oncoraft.cli import main as command
from oncoraft.cohort import parts, reader, repeats, spill, streamed
from oncoraft.cohort.ingest import main
from oncoraft.foundation.errors import InputError

from ..hostile.corruptions import corrupted_copy

SEED, STUDIES = 11, 12
MORE_THAN_ANY_FILE = 10**9


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    study = tmp_path_factory.mktemp("both") / "clean"
    assert command(["twin", "--patients", "60", "--seed", "9", "--processes", "1", "--out", str(study)]) == 0
    return study


def ingested(study: Path, out: Path, strictness: str) -> str | None:
    """The words of the refusal; None: tables were written."""
    settings = out.with_suffix(".yaml")
    settings.write_text(f"ingest:\n  strictness: {strictness}\n")
    try:
        assert main([str(study), "--out", str(out), "--config", str(settings)]) == 0
    except InputError as refused:
        return str(refused)
    return None


def assert_same(one: Path, other: Path) -> None:
    assert sorted(path.name for path in one.iterdir()) == sorted(path.name for path in other.iterdir())
    for path in sorted(one.iterdir()):
        if path.suffix == ".parquet":
            first, second = parquet.ParquetFile(path), parquet.ParquetFile(other / path.name)
            assert first.schema_arrow.equals(second.schema_arrow, check_metadata=True), path.name
            assert first.read().equals(second.read()), path.name
        elif path.name != "manifest.json":
            assert path.read_bytes() == (other / path.name).read_bytes(), path.name


@pytest.mark.parametrize("number", range(STUDIES))
def test_both_ways_of_reading_tell_the_same_of_a_corrupted_study(
    clean: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    study = tmp_path / "study"
    corrupted_copy(clean, study, SEED, number)
    strictness = "fail" if number % 4 == 3 else "refuse"
    monkeypatch.setattr(streamed, "LARGE", MORE_THAN_ANY_FILE)
    whole = ingested(study, tmp_path / "whole", strictness)
    for module, name, value in ((streamed, "LARGE", 0), (repeats, "MARKS", 300), (spill, "RANGE", 5_000), (reader, "PART", 4_000)):
        monkeypatch.setattr(module, name, value)
    # In turn: hardly any column counts as one whose texts repeat, or nearly each does.
    monkeypatch.setattr(parts, "SELDOM", (0.05, 0.75)[number % 2])
    monkeypatch.setattr(spill, "OFTEN", (0.9, 0.0)[number % 2])
    assert ingested(study, tmp_path / "parts", strictness) == whole
    if whole is None:
        assert_same(tmp_path / "whole", tmp_path / "parts")
