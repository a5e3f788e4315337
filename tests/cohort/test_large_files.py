"""A large file is read in parts and written by ranges of patients: everything that is told of it is as if it were read as a whole."""

from pathlib import Path
from random import Random

import pyarrow.parquet as parquet
import pytest

from oncoraft.cohort import ingestion, reader, repeats, spill, streamed
from oncoraft.cohort.ingest import main
from oncoraft.foundation import ranges
from oncoraft.foundation.errors import InputError
from oncoraft.twin.twin import main as twin

NO_ROWS = 10**9  # bytes of a file: more than any here


def spoilt(lines: list[str], draw: Random) -> list[str]:
    """Rows of a file with faults of all kinds, in a random order: some repeated, padded, quoted, cut, of strangers, or without a day."""
    draw.shuffle(lines)
    found = list(lines)
    for number in range(0, len(found), 7):
        cells = found[number].split("\t")
        kinds = [
            "\t".join(cells[:-1]),
            found[number] + "\t\t",
            "\t".join(["P-9999999", *cells[1:]]),
            "\t".join([*cells[:1], "soon", *cells[2:]]),
            "\t".join([cells[0], f'"{cells[1]}"', *cells[2:]]),
            "",
        ]
        found[number] = draw.choice(kinds)
    found += draw.sample(found, len(found) // 5)  # refused ones too
    return found


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, draw = tmp_path_factory.mktemp("study") / "study", Random(1)
    twin(["--out", str(folder), "--patients", "50", "--seed", "5", "--processes", "1"])
    for name in ("data_mutations", "data_timeline_treatment", "data_timeline_tumor_sites", "data_timeline_cea_labs", "data_cna_hg19"):
        (path,) = folder.glob(f"{name}.*")
        head, *lines = path.read_text(encoding="utf-8").splitlines()
        ends = "\r\n" if "treatment" in name else "\n"
        path.write_bytes((ends.join([head, *spoilt(lines, draw)])).encode())  # without an end to the last line
    return folder


def written(study: Path, out: Path) -> Path:
    assert main([str(study), "--out", str(out)]) == 0
    return out


@pytest.mark.parametrize(("part", "rows"), [(30_000, 32_768), (100_000, 10)])
def test_where_parts_of_a_file_and_ranges_end_changes_nothing(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: int, rows: int
) -> None:
    monkeypatch.setattr(ranges, "ROWS", rows)
    monkeypatch.setattr(ingestion, "ROWS", rows)
    monkeypatch.setattr(streamed, "LARGE", NO_ROWS)
    whole = written(study, tmp_path / "whole")
    for module, name, value in ((streamed, "LARGE", 0), (spill, "RANGE", 3_000), (repeats, "MARKS", 100)):
        monkeypatch.setattr(module, name, value)
    monkeypatch.setattr(reader, "PART", part)
    parts = written(study, tmp_path / "parts")
    for path in sorted(whole.iterdir()):
        if path.suffix == ".parquet":
            one, other = parquet.ParquetFile(path), parquet.ParquetFile(parts / path.name)
            assert one.schema_arrow.equals(other.schema_arrow, check_metadata=True), path.name
            assert one.read().equals(other.read()), path.name
            groups = [[file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)] for file in (one, other)]
            assert groups[0] == groups[1], path.name
        elif path.name != "manifest.json":
            assert path.read_bytes() == (parts / path.name).read_bytes()
    ledger = {line["table"]: line for line in parquet.read_table(parts / "ledger.parquet").to_pylist()}
    for name in ("mutations", "timeline_treatment", "timeline_tumor_sites", "cna_segments"):
        assert min(ledger[name][count] for count in ("rows_kept", "rows_refused", "rows_duplicate")) > 0, name
    assert not [path.name for path in parts.iterdir() if path.is_dir()]


@pytest.mark.parametrize(("fault", "expected"), [(b"x\ry\n", "LF or CR LF"), (b"x\xff\n", "UTF-8")])
def test_a_fault_in_a_late_part_is_told_with_its_line(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: bytes, expected: str
) -> None:
    monkeypatch.setattr(streamed, "LARGE", 0)
    monkeypatch.setattr(reader, "PART", 500)
    folder = tmp_path / "study"
    folder.mkdir()
    for path in study.glob("*.*"):
        (folder / path.name).write_bytes(path.read_bytes())
    file = folder / "data_timeline_progression.txt"
    text = file.read_bytes()
    file.write_bytes(text + (b"" if text.endswith(b"\n") else b"\n") + fault)
    line = file.read_bytes().count(b"\n")
    with pytest.raises(InputError, match=rf"progression\.txt, line {line}.*{expected}|{expected}.*line {line}"):
        main([str(folder), "--out", str(tmp_path / "tables")])
    assert not (tmp_path / "tables").exists()
