"""Each of the fifteen faults names code, tests and scenarios that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROWS = [line.split(" | ") for line in (ROOT / "docs" / "validity.md").read_text(encoding="utf-8").splitlines() if line.startswith("| V")]


def test_every_fault_has_a_row() -> None:
    assert [row[0] for row in ROWS] == [f"| V{number}" for number in range(1, 16)]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][2:])
def test_what_a_row_names_exists(row: list[str]) -> None:
    code, held = (re.findall(r"`([^`]+)`", row[place]) for place in (3, 4))
    assert code
    assert held
    for name in code:
        assert (ROOT / "src" / "oncoraft" / name).is_file(), name
    for name in held:
        assert (ROOT / name if "/" in name else ROOT / "tests" / "cases" / "scenarios" / f"{name}.txt").is_file(), name
