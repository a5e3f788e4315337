"""The ICD-10 code of a registered diagnosis, from its words."""

from __future__ import annotations

import re
from collections import Counter

import pandas as pd

from oncoraft.tasks.declaration import Found, Material, Task, case_frame
from oncoraft.tasks.diagnoses import COLUMNS, named
from oncoraft.tasks.icd10 import SPELLED, agree, first_code, icd10_of_description


def find(material: Material) -> Found:
    """Diagnoses of the cohort's cancers whose codes decide on one."""
    rows = named(material.table("timeline_diagnosis", COLUMNS))
    of_cohort = rows.dropna(subset=["cancer_type"])
    mapped = {words: icd10_of_description(words) for words in of_cohort["dx_description"].unique()}
    codes = of_cohort["dx_description"].map(lambda words: mapped[words].code)
    unmapped = Counter(mapped[words].reason for words in of_cohort.loc[codes.isna(), "dx_description"])
    told = of_cohort.assign(answer=codes, index_day=of_cohort["start_day"], diagnosis_day=of_cohort["start_day"]).dropna(subset=["answer"])
    # Two diagnoses of one day cannot be told apart by what is known on that day.
    several = told.groupby(["patient_id", "index_day"])["answer"].transform("nunique") > 1
    one = told[~several].drop_duplicates(["patient_id", "index_day"])
    left_out = {
        "of a cancer that is none of the cohort's": len(rows) - len(of_cohort),
        **{f"not mapped: {reason}": count for reason, count in sorted(unmapped.items())},
        "several codes on one day": int(several.sum()),
        "the same diagnosis again on its day": int((~several).sum()) - len(one),
    }
    return Found(case_frame(pd.DataFrame(one[["patient_id", "index_day", "cancer_type", "diagnosis_day", "answer"]])), left_out)


def forms(answer: str) -> list[re.Pattern[str]]:
    """Every spelling of a code of a site or a histology, whichever it is: the source writes them into the diagnosis itself."""
    return [SPELLED]


TASK = Task(
    kind="icd10",
    title="ICD-10 code",
    instruction="Which ICD-10 code (WHO, up to four characters) does this diagnosis have? Answer with the code alone, like C00.0.",
    source="tables",
    find=find,
    fields=("histology", "primary_site", "extent", "sex", "age_at_index"),
    read=first_code,
    measures={
        "code": lambda truth, answer: float(agree(truth, answer, 5)),
        "first four characters": lambda truth, answer: float(agree(truth, answer, 4)),
        "category (three characters)": lambda truth, answer: float(agree(truth, answer, 3)),
    },
    category=str,
    forms=forms,
    scrub=True,
    has_law=True,
    note="Words of the site decide on the code nearly one to one: the most frequent answer by site is the baseline to beat.",
)
