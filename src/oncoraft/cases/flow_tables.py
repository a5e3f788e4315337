"""Tables of the flow: baseline characteristics by cancer type, label balance by drug class, scans in the windows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from oncoraft.cases.scans import assessment_days, case_frame, numbered
from oncoraft.planning.config import Labels

CATEGORIES = ("CR", "PR", "SD", "PD", "NED", "NE")
# Patients: column of clinical_patient, what it is called. The age is that at the data cut or death; the stage is the highest ever
# recorded: they describe the cohort and are never shown to a model.
OF_PATIENTS = (
    ("gender", "Sex"),
    ("race", "Race"),
    ("stage_highest_recorded", "Highest stage recorded"),
    ("smoking_predictions_3_classes", "Smoking"),
    ("prior_med_to_msk", "Treatment elsewhere before"),
    ("os_status", "Status at last contact"),
)
OF_CASES = (
    ("setting", "Setting"),
    ("line", "Line of therapy in its setting"),
    ("drug_class", "Drug class"),
    ("gene_panel", "Gene panel"),
    ("began", "Began"),
)
SMALL_CLASS_SHARE = 0.01  # drug classes below this share of cases are pooled in the table of characteristics


def share(part: float, whole: float) -> float | None:
    """A fraction, or None of nothing."""
    return float(part / whole) if whole else None


def quartiles(values: pd.Series) -> dict[str, float | None]:
    """Quartiles, None where there is nothing."""
    found = values.dropna().quantile([0.25, 0.5, 0.75])
    return {name: (None if np.isnan(value) else float(value)) for name, value in zip(("lower_quartile", "median", "upper_quartile"), found)}


def by_type(frame: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """The whole, called `all`, then each cancer type in order."""
    yield "all", frame
    for name in sorted(frame["cancer_type"].dropna().unique()):
        yield str(name), frame[frame["cancer_type"] == name]


def table_one(patients: pd.DataFrame, cases: pd.DataFrame) -> list[dict[str, Any]]:
    """Characteristics of treated patients and of their cases, by cancer type and altogether, one row a level."""
    own = cases[["patient_id", "cancer_type"]].drop_duplicates("patient_id")
    people = own.merge(patients, on="patient_id", validate="one_to_one")
    rates = cases["drug_class"].value_counts(normalize=True)
    classes = {name: name if rate >= SMALL_CLASS_SHARE else "less frequent combinations" for name, rate in rates.items()}
    described = cases[["cancer_type", "setting", "gene_panel"]].assign(
        line=cases["line_of_therapy"].clip(upper=4).map({1: "1", 2: "2", 3: "3", 4: "4 or later"}),
        drug_class=cases["drug_class"].map(classes),
        began=cases["is_before_sequencing"].map({True: "before sequencing", False: "on or after sequencing"}),
    )
    rows: list[dict[str, Any]] = []
    for name, part in by_type(people):
        rows.append(
            {"characteristic": "Patients", "level": None, "cancer_type": name, "unit": "patients", "n": len(part), "of": len(people)}
        )
        for column, unit, title in (
            ("current_age_deid", "years", "Age at data cut or death"),
            ("os_days", "days", "Follow-up from sequencing"),
        ):
            values = part[column]
            more: dict[str, Any] = {"unit": unit, "n": int(values.notna().sum()), "of": len(part), **quartiles(values)}
            rows.append({"characteristic": title, "level": None, "cancer_type": name, **more})
        rows += levels(part, OF_PATIENTS, name, "patients")
    for name, part in by_type(described):
        rows += levels(part, OF_CASES, name, "cases")
    return [row | {"share": share(row["n"], row["of"])} for row in rows]


def levels(part: pd.DataFrame, columns: tuple[tuple[str, str], ...], cancer_type: str, unit: str) -> Iterator[dict[str, Any]]:
    """Counts of every level of some columns; a missing value is a level."""
    for column, title in columns:
        counts = Counter({str(level): int(count) for level, count in part[column].value_counts().items()})
        counts["not recorded"] += int(part[column].isna().sum())
        for level, count in sorted((+counts).items()):
            yield {"characteristic": title, "level": level, "cancer_type": cancer_type, "unit": unit, "n": count, "of": len(part)}


def label_balance(chosen: pd.DataFrame) -> list[dict[str, Any]]:
    """Categories and responders of the definition that trains, by drug class, the most frequent first."""
    rows = []
    for name, part in chosen.groupby("drug_class", observed=True):
        count = part["category"].value_counts()
        evaluable, responders = int(part["responder"].notna().sum()), int(part["responder"].eq(True).sum())
        rows.append(
            {
                "drug_class": name,
                "cases": len(part),
                **{category: int(count.get(category, 0)) for category in CATEGORIES},
                "evaluable": evaluable,
                "responders": responders,
                "responder_share": share(responders, evaluable),
                "immortal": int(part["is_immortal"].sum()),
            }
        )
    return sorted(rows, key=lambda row: (-row["cases"], row["drug_class"]))


def label_flags(chosen: pd.DataFrame) -> list[dict[str, Any]]:
    """How many labels of each category rest on a contradicted day, or follow local treatment; of the definition that trains."""
    rows = []
    for category in CATEGORIES:
        part = chosen[chosen["category"] == category]
        local = part["local_treatment_between"]
        rows.append(
            {
                "category": category,
                "cases": len(part),
                "contradicted": int(part["is_contradicted"].sum()),
                "local_treatment": int((local != "").sum()),
                "surgery": int(local.str.contains("surgery").sum()),
                "radiation": int(local.str.contains("radiation").sum()),
                "immortal": int(part["is_immortal"].sum()),
            }
        )
    return rows


def scans_in_windows(cases: pd.DataFrame, patients: pd.DataFrame, progression: pd.DataFrame, settings: Labels) -> pd.DataFrame:
    """Of each case: cancer_type, and of the days with a verdict in its configured window those that are informative (`scans`), those
    that are not (`indeterminate`), and the `first` informative one (null: none)."""
    ordered = cases.reset_index(drop=True)
    _, tables = numbered(ordered["patient_id"], {"cases": ordered, "patients": patients, "progression": progression})
    frame = case_frame(tables["cases"], tables["patients"], settings)
    days = assessment_days(frame, tables["progression"], settings, int(frame["nominal_days"].max()))
    days = days[days["day"] <= frame["nominal_days"].to_numpy()[days["case"]]]
    informative = (days["yes"] | days["no"]).to_numpy()
    frame["cancer_type"] = ordered["cancer_type"]
    frame["scans"] = np.bincount(days["case"][informative], minlength=len(frame))
    frame["indeterminate"] = np.bincount(days["case"][~informative], minlength=len(frame))
    frame["first"] = days[informative].groupby("case")["day"].min().reindex(frame.index)
    return frame[["cancer_type", "scans", "indeterminate", "first"]]


def scan_counts(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Days with a verdict in the configured windows, by cancer type: how many, how soon, how many Indeterminate.

    An Indeterminate day has no informative read; time to first scan is to the first informative day.

    Args:
        frame: from `scans_in_windows`.
    """
    rows = []
    for name, part in by_type(frame):
        reads, vague = int((part["scans"] + part["indeterminate"]).sum()), int(part["indeterminate"].sum())
        rows.append(
            {
                "cancer_type": name,
                "cases": len(part),
                "no_scan": int((part["scans"] == 0).sum()),
                "one_scan": int((part["scans"] == 1).sum()),
                "two_scans": int((part["scans"] == 2).sum()),
                "more_scans": int((part["scans"] > 2).sum()),
                "days_to_first": quartiles(part["first"]),
                "reads": reads,
                "indeterminate_reads": vague,
                "indeterminate_share": share(vague, reads),
                "only_indeterminate": int(((part["scans"] == 0) & (part["indeterminate"] > 0)).sum()),
            }
        )
    return rows
