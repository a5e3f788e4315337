"""Whether and when radiation begins after a treatment case's index date: all that the released radiation table can answer."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from oncoraft.tasks.courses import joined_starts
from oncoraft.tasks.declaration import Found, Material, Task
from oncoraft.tasks.declared import drug_regimen

COLUMNS = ("case_id", "patient_id", "index_day", "cancer_type", "diagnosis_day", "gene_panel")
SOON = 30  # days; a course planned together with the systemic treatment begins within about a month
# With capitals: a tiny model's tokenizer has pieces for these that it has read; `no` is one that it never read (docs/tasks.md).
NO, SOON_ANSWER, LATER = "No", "Soon", "Later"
READING = re.compile(r"^\W*(no|soon|later)\b", re.IGNORECASE)


def find(material: Material) -> Found:
    """Treatment cases that were followed to the horizon or to death, or saw a course begin before.

    The index date is among the days asked for: what begins on it is not known yet (`known.py`). Who died before the horizon without a course
    has none; to leave him out would leave those who die early in only where they were radiated.
    """
    cases = material.treatment_cases(COLUMNS)
    courses = joined_starts(material.table("timeline_radiation", ("patient_id", "start_day")), material.gap_days)
    lives = (
        material.table("clinical_patient", ("patient_id", "os_days", "is_deceased")).drop_duplicates("patient_id").set_index("patient_id")
    )
    horizon = material.settings.horizon_days
    ahead = cases[["case_id", "patient_id", "index_day"]].merge(
        courses[["patient_id", "index_day"]].rename(columns={"index_day": "starts"}), on="patient_id"
    )
    wait = ahead["starts"] - ahead["index_day"]
    first = ahead.assign(wait=wait)[(wait >= 0) & (wait <= horizon)].groupby("case_id")["wait"].min()
    days = cases["case_id"].map(first)
    end = cases["patient_id"].map(lives["os_days"]).astype("float64") - cases["index_day"]
    is_dead = cases["patient_id"].map(lives["is_deceased"]).astype(object).eq(True)  # null: not told
    answer = np.select([days <= SOON, days.notna(), (end >= horizon) | is_dead], [SOON_ANSWER, LATER, NO], "")
    told = cases.assign(answer=pd.Series(answer, index=cases.index, dtype=object).replace("", None))
    left_out = {f"alive, followed for less than {horizon} days, no course begun": int(told["answer"].isna().sum())}
    return Found(told.dropna(subset=["answer"]).sort_values("case_id", ignore_index=True), left_out)


def read(answer: str) -> str | None:
    """The first word, where it is one of the answers."""
    found = READING.match(answer)
    return found[1].lower() if found else None


TASK = Task(
    kind="radiation_start",
    title="Start of radiation",
    instruction=f"Does a radiation course begin from today on? Answer {NO}, {SOON_ANSWER} (within {SOON} days) or {LATER}.",
    source="cohort",
    find=find,
    fields=("cancer_type", "drug", *drug_regimen.TASK.fields[1:]),
    read=read,
    measures={"start": lambda truth, answer: float(truth == answer)},
    category=str,
    forms=lambda answer: [re.compile(r"radiation (?:course )?(?:begins|will|in \d+ days)", re.IGNORECASE)],
    has_law=True,
    note="Rows of the source are starts, not courses: starts closer than radiation.gap_days count once. Later means up to the horizon; the index date counts.",
)
