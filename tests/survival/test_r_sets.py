"""Numbers of R 4.2.2 (survival 3.5-3) on two sets of its package that no Python package here ships, to 1e-6.

`veteran.csv` is the lung cancer trial of Kalbfleisch and Prentice (1980); `mgus2.csv` has the months to plasma cell malignancy (event 1) or death before
it (event 2) of Kyle and others' 1,384 patients (New England Journal of Medicine 2002;346:564).
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from oncoraft.survival.cox import cox, fit_cox
from oncoraft.survival.curves import cumulative_incidence, kaplan_meier
from oncoraft.survival.proportional import proportionality
from oncoraft.survival.risk_sets import Subjects, log_rank, log_rank_of_groups

SETS = Path(__file__).parent / "r_sets"
CELLS = ("squamous", "smallcell", "adeno", "large")


@pytest.fixture(scope="module")
def veteran() -> tuple[Subjects, pd.DataFrame]:
    rows = pd.read_csv(SETS / "veteran.csv")
    return Subjects(np.zeros(len(rows)), rows["time"].to_numpy(float), rows["status"].to_numpy()), rows


def test_veteran_by_treatment_and_by_cell_type(veteran) -> None:
    subjects, rows = veteran
    tested = rows["trt"].to_numpy() == 2
    found = cox(subjects, tested)
    assert (found.coefficient, found.p) == (pytest.approx(0.01774257, abs=1e-8), pytest.approx(0.92177, abs=5e-6))
    assert log_rank(subjects, tested) == (pytest.approx(0.008227343, abs=1e-9), pytest.approx(0.92773, abs=5e-6))
    cells = log_rank_of_groups(subjects, pd.Categorical(rows["celltype"], CELLS).codes)
    assert (cells.chi2, cells.degrees, cells.p) == (pytest.approx(25.40370, abs=5e-6), 3, pytest.approx(1.2712e-5, abs=5e-10))
    # Survival of the tested rests at 1/2 between 52 and 53 days.
    assert kaplan_meier(subjects.where(tested)).median() == 52.5


def test_veteran_proportional_hazards_of_three_covariates_and_all_together(veteran) -> None:
    subjects, rows = veteran
    x = rows[["trt", "karno", "prior"]].to_numpy(float)
    found = proportionality(subjects, x, fit_cox(subjects, x, ["trt", "karno", "prior"]).coefficients)
    assert found.each == pytest.approx([0.288402, 12.138150, 2.168396], abs=1e-6)
    assert found.together == pytest.approx(18.073156, abs=1e-6)


def test_veteran_full_model(veteran) -> None:
    subjects, rows = veteran
    table = rows[["trt", "karno", "diagtime", "age", "prior"]].assign(**{name: rows["celltype"] == name for name in CELLS[1:]})
    found = fit_cox(subjects, table.to_numpy(float), list(table)).hazard_ratio("karno")
    assert found is not None
    assert found.coefficient == pytest.approx(-0.03281533, abs=1e-8)


def test_cumulative_incidence_of_mgus2_with_death_as_competing() -> None:
    rows = pd.read_csv(SETS / "mgus2.csv")
    event = rows["event"].to_numpy()
    subjects = Subjects(np.zeros(len(rows)), rows["months"].to_numpy(float), event > 0)
    for cause, expected in ((1, [0.0341037, 0.0637222, 0.0998137]), (2, [0.320367, 0.531818, 0.724028])):
        times, share = cumulative_incidence(subjects, event == cause)
        assert share[np.searchsorted(times, (60, 120, 240), "right") - 1] == pytest.approx(expected, abs=5e-7)
    alive = kaplan_meier(subjects).survival[-1]
    assert sum(cumulative_incidence(subjects, event == cause)[1][-1] for cause in (1, 2)) == pytest.approx(1 - alive)


def test_nobody_who_dies_has_no_incidence() -> None:
    times, share = cumulative_incidence(Subjects(np.zeros(2), np.ones(2), np.zeros(2, dtype=bool)), np.zeros(2, dtype=bool))
    assert len(times) == len(share) == 0
