"""A MEDS data set as other tools hand it on: shards in folders, rows in any order, times in other units; and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from oncoraft.cohort.meds_reader import read_meds
from oncoraft.foundation.errors import InputError

DAY = pd.Timestamp("1970-01-01")


def event(table: str | None, row: int, column: str, text: str | None, day: int | None) -> dict[str, object]:
    time = pd.NaT if day is None else DAY + pd.Timedelta(days=day)
    return {
        "subject_id": row + 1, "time": time, "code": "X", "text_value": text, "patient_id": f"0{row}", "source_table": table, "source_row": row, "source_column": column,
    }  # fmt: skip


EVENTS = {
    "train": [
        event("timeline_treatment", 0, "agent", "CETUXIMAB", -40),
        event("timeline_treatment", 0, "start_day", None, -40),
        event("clinical_patient", 0, "gender", "Female", None),
        event(None, -1, "", None, 400),
    ],
    "held_out": [event("timeline_treatment", 1, "start_day", None, 30_000), event("timeline_treatment", 1, "agent", "FOLFOX", 30_000)],
}


def data_set(home: Path, events: dict[str, list[dict[str, object]]], unit: str = "us") -> Path:
    (home / "metadata").mkdir(parents=True)
    (home / "metadata" / "dataset.json").write_text(json.dumps({"etl_name": "oncoraft", "time_is_relative": True}))
    for shard, rows in events.items():
        (home / "data" / shard).mkdir(parents=True)
        frame = pd.DataFrame(rows).astype({"time": f"datetime64[{unit}]"})
        frame.to_parquet(home / "data" / shard / "0.parquet", index=False)
    return home


@pytest.mark.parametrize("unit", ["us", "ms", "ns"])
def test_shards_in_folders_rows_in_any_order_and_other_units_are_the_same_tables(unit: str, tmp_path: Path) -> None:
    made = read_meds(data_set(tmp_path, EVENTS, unit))
    assert made.tables["timeline_treatment"][["PATIENT_ID", "START_DATE", "AGENT"]].to_numpy().tolist() == [
        ["00", "-40", "CETUXIMAB"],
        ["01", "30000", "FOLFOX"],
    ]
    assert made.tables["clinical_patient"]["GENDER"].to_list() == ["Female"]


def test_a_subject_in_two_shards_is_refused_in_one_line(tmp_path: Path) -> None:
    again = EVENTS | {"tuning": EVENTS["held_out"]}
    with pytest.raises(InputError, match="expected every subject in one file and each value once; 2 stand twice, the first"):
        read_meds(data_set(tmp_path, again))
