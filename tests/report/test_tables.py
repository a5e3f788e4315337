"""How numbers are written for people."""

from __future__ import annotations

import pytest

from oncoraft.report.tables import number


@pytest.mark.parametrize(("value", "written"), [(-0.0004, "0.000"), (-0.0006, "-0.001"), (0.0, "0.000"), (None, "–"), (float("nan"), "–")])
def test_what_rounds_to_nothing_has_no_sign(value: float | None, written: str) -> None:
    assert number(value) == written
