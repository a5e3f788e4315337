"""A handful of events: whatever is too far out to be a number is null, in every file, and the step ends."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from oncoraft.survival.cox import CoxFit

from .test_stratify import survival, write_study, write_tables


def test_a_limit_beyond_any_number_is_no_estimate() -> None:
    fit = CoxFit(("x",), np.array([1.0]), np.array([[400.0**2]]), -1.0, -1.0, {}, (), np.zeros(1))
    assert fit.hazard_ratio("x") is None
    assert replace(fit, covariance=np.array([[4.0]])).hazard_ratio("x").interval[1] < np.inf


def test_cohorts_of_a_few_cases_are_written_with_finite_numbers_alone(tmp_path: Path) -> None:
    few = json.dumps({"survival": {"minimum_events_shown": 5, "minimum_events": 5, "minimum_group": 2, "horizons_months": [1, 12]}})
    for seed in range(4):
        folder = tmp_path / str(seed)
        tables = write_study(folder, seed=seed)
        tables["predictions"] = tables["predictions"].iloc[: 16 + 8 * seed]
        write_tables(folder, tables)
        assert survival(folder, "--settings", few) == 0
        json.loads((folder / "survival" / "survival.json").read_text(), parse_constant=lambda word: 1 / 0)
        for file in sorted((folder / "survival").glob("*.csv")):
            numbers = pd.read_csv(file).select_dtypes("number").to_numpy(float)
            assert not np.isinf(numbers).any(), file.name
