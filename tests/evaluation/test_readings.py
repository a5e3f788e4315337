"""Readings of scans come back from their file as they went in, whatever the ids look like to a spreadsheet."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from oncoraft.evaluation.curated import read_readings
from oncoraft.foundation.csv_file import write_csv


def test_ids_that_a_spreadsheet_would_run_come_back_as_they_were(tmp_path: Path) -> None:
    ids = ["-1", "=x", "+5", "@a", "007", "'quoted"]
    readings = pd.DataFrame({"patient_id": ids, "start_day": range(len(ids)), "reading": "stable"})
    write_csv(tmp_path / "curated.csv", readings)
    assert list(read_readings(tmp_path / "curated.csv")["patient_id"]) == ids
