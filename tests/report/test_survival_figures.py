"""A panel draws adjusted curves where the run told them, and nothing where they could not be fitted."""

from __future__ import annotations

import pytest

from oncoraft.report.plot import Canvas, Scale
from oncoraft.report.survival_figures import curve

ROWS = [{"months": 3.0, "survival": 0.9, "lower": 0.8, "upper": 0.95}, {"months": 9.0, "survival": 0.5, "lower": 0.4, "upper": 0.6}]


def drawn(adjusted: list[float] | None) -> str:
    canvas = Canvas(100, 100)
    rows = [row | ({} if adjusted is None else {"adjusted_survival": adjusted[place]}) for place, row in enumerate(ROWS)]
    curve(canvas, rows, 0.0, Scale(0, 12, 10, 90), Scale(0, 1, 90, 10), "high")
    return str(canvas.svg("a panel"))


def test_the_adjusted_curve_is_dashed_beside_the_raw_one() -> None:
    assert drawn([0.85, 0.6]).count("stroke-dasharray") == 1


@pytest.mark.parametrize("adjusted", [None, [float("nan"), float("nan")], [0.85, float("nan")]])
def test_what_could_not_be_fitted_or_an_earlier_run_did_not_tell_is_not_drawn(adjusted: list[float] | None) -> None:
    assert "stroke-dasharray" not in drawn(adjusted)
    assert "nan" not in drawn(adjusted)
