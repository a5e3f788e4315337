"""The cases behind the pictures: one row a case with its regimen, response, follow-up; and which regimens are pictured."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from oncoraft.report.response import MONTH

COLUMNS = ["case_id", "patient_id", "cancer_type", "regimen", "regimen_name", "index_day", "stop_day", "drug_class", "is_investigational"]
COURSE_TABLES = ("cases", "labels", "followup")
PICTURED = 3  # regimens


def courses(results: Path, definition: str) -> pd.DataFrame | None:
    """Cases with what came of them; None where a table of them is not at hand.

    Args:
        results: results folder of one cohort.
        definition: of response.

    Returns:
        COLUMNS and category, responder (null where not evaluable), months_on_regimen, last_months (death or last contact), is_dead,
        progression_months (null: none seen before the follow-up ended, or not followed for it), is_ongoing (on the regimen at last contact),
        window_start_days, window_end_days.
    """
    if not all((results / "cases" / f"{name}.parquet").is_file() for name in COURSE_TABLES):
        return None
    cases = pd.read_parquet(results / "cases" / "cases.parquet", columns=COLUMNS)
    labels = pd.read_parquet(
        results / "cases" / "labels.parquet",
        columns=["case_id", "category", "responder", "window_start_days", "window_end_days"],
        filters=[("definition", "=", definition)],
    )
    followed = pd.read_parquet(results / "cases" / "followup.parquet", columns=["case_id", "endpoint", "exit_days", "event"])
    ends = {
        name: followed[followed["endpoint"] == name].set_index("case_id")[["exit_days", "event"]].add_prefix(f"{name}_")
        for name in ("os", "rwpfs")
    }
    table = cases.merge(labels, on="case_id", how="left").join(ends["os"], on="case_id").join(ends["rwpfs"], on="case_id")
    days_on = (table["stop_day"] - table["index_day"] + 1).astype(float)
    last, dead = table["os_exit_days"].astype(float), table["os_event"].eq(True)
    progressed = table["rwpfs_event"].eq(True) & ~(dead & table["rwpfs_exit_days"].ge(table["os_exit_days"]).eq(True))
    return table.assign(
        months_on_regimen=days_on.clip(upper=last.where(last.notna(), days_on)) / MONTH,
        last_months=last / MONTH,
        is_dead=dead,
        progression_months=(table["rwpfs_exit_days"].astype(float) / MONTH).where(progressed),
        is_ongoing=days_on.ge(last) & ~dead,
    )


def pictured(cases: pd.DataFrame, smallest: int) -> list[tuple[str, str]]:
    """The regimens that are pictured, (cancer type, regimen): those of most evaluable cases, one of each cancer type before a second of it.

    Args:
        cases: from `with_course`.
        smallest: evaluable cases that a regimen must have.
    """
    judged = cases[~cases["is_investigational"] & cases["responder"].notna()]
    sizes = judged.groupby(["cancer_type", "regimen"], sort=True).size().reset_index(name="cases")
    sizes = sizes[sizes["cases"] >= max(smallest, 2)].sort_values(["cases", "cancer_type", "regimen"], ascending=[False, True, True])
    sizes = sizes.assign(again=sizes.groupby("cancer_type").cumcount()).sort_values("again", kind="stable")
    return list(sizes[["cancer_type", "regimen"]].head(PICTURED).itertuples(index=False, name=None))
