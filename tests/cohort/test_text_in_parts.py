"""The text of a file is looked at a part at a time: faults stand on the same line wherever parts end."""

from pathlib import Path

import pytest

from oncoraft.cohort import reader
from oncoraft.foundation.errors import InputError

ROWS = "A\tB\n" + "one\ttwö\r\n" * 30


@pytest.mark.parametrize("part", [1, 7, 64, 8 << 20])
@pytest.mark.parametrize(("fault", "expected"), [(b"x\ry\tz\n", "LF or CR LF"), (b"x\xff\tz\n", "UTF-8")])
def test_a_fault_is_told_with_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: int, fault: bytes, expected: str) -> None:
    monkeypatch.setattr(reader, "PART", part)
    path = tmp_path / "data.txt"
    path.write_bytes(ROWS.encode() + fault + b"one\ttwo\n")
    with pytest.raises(InputError, match="expected") as told:
        reader.read_rows(path)
    assert expected in str(told.value)
    assert "line 32" in str(told.value)
    path.write_bytes(ROWS.encode())
    assert len(reader.read_rows(path).source_line) == 30
