"""What the report shows of the cohort: its flow, Table 1, labels and how definitions agree, and how the source rows were read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from oncoraft.report import cohort_figures
from oncoraft.report.collect import Run, read_json
from oncoraft.report.tables import number, share, table

CATEGORIES = ("CR", "PR", "SD", "PD", "NED", "NE")
LEDGER = ["table", "status", "rows_read", "rows_kept", "rows_refused", "rows_duplicate"]
Rows = list[dict[str, Any]]


def label_rows(flow: dict[str, Any]) -> Rows:
    """Categories of every definition."""
    return [{"definition": name} | {key: counts.get(key, 0) for key in CATEGORIES} for name, counts in flow["labels"].items()]


def quartiles(row: dict[str, Any], digits: int = 0) -> str:
    """Median and quartiles of a record that has them."""
    return f"{number(row['median'], digits)} ({number(row['lower_quartile'], digits)} to {number(row['upper_quartile'], digits)})"


def table_one(records: Rows) -> Rows:
    """Table 1: a characteristic a row, a cancer type a column; counts with percentages, numbers as median and quartiles."""
    rows: dict[tuple[str, str | None], dict[str, Any]] = {}
    for record in records:
        key = (record["characteristic"], record["level"])
        name = record["characteristic"] + (f": {record['level']}" if record["level"] is not None else "")
        one = rows.setdefault(key, {"characteristic": f"{name} ({record['unit']})"})
        told = quartiles(record) if "median" in record else f"{record['n']:,} ({record['share']:.0%})"
        one["all" if record["cancer_type"] == "all" else record["cancer_type"]] = told
    columns = list(dict.fromkeys(column for one in rows.values() for column in one))
    return [{column: one.get(column, "–") for column in columns} for one in rows.values()]


def balance_rows(records: Rows) -> Rows:
    """Labels by drug class."""
    keep = ("drug_class", "cases", *CATEGORIES, "evaluable", "responders")
    rows = [{key: row[key] for key in keep} for row in records]
    return [row | {"response rate": share(row["responders"], row["evaluable"])} for row in rows]


def scan_rows(records: Rows) -> Rows:
    """Imaging in the window, by cancer type."""
    return [
        {
            "cancer type": row["cancer_type"],
            "cases": row["cases"],
            "no scan": row["no_scan"],
            "one": row["one_scan"],
            "two": row["two_scans"],
            "more": row["more_scans"],
            "days to first, median (quartiles)": quartiles(row["days_to_first"]),
            "Indeterminate reads": share(row["indeterminate_reads"], row["reads"]),
            "cases with Indeterminate reads alone": row["only_indeterminate"],
        }
        for row in records
    ]


def agreement_rows(records: Rows, definition: str) -> Rows:
    """How the definition that trains agrees with each other one, on cases evaluable by both."""
    rows = []
    for row in records:
        if definition in (row["first"], row["second"]):
            other = row["second"] if row["first"] == definition else row["first"]
            kappa = number(row["kappa"], 2)
            rows.append(
                {"other definition": other, "agree, of evaluable by both": share(row["agree"], row["both_evaluable"]), "kappa": kappa}
            )
    return rows


def cross_rows(counts: dict[str, dict[str, int]]) -> Rows:
    """Categories by the strict rule (rows) against those by the published one (columns)."""
    columns = [name for name in CATEGORIES if any(name in row for row in counts.values())]
    return [
        {"strict, against published": name} | {key: counts[name].get(key, 0) for key in columns} for name in CATEGORIES if name in counts
    ]


def truth_rows(found: dict[str, Any] | None) -> Rows:
    """Labels against the twin's truth: agreement, and the AUROC that the definition's own noise costs a perfect model."""
    part_of = ("agreement", "sensitivity", "specificity")
    return [
        {
            "definition": row["definition"],
            "evaluable": row["evaluable"],
            **{name: number(row[name]) for name in part_of},
            "kappa": number(row["kappa"], 2),
            "oracle on true responses": number(row["auroc_truth_true_response"]),
            "oracle on this label": number(row["auroc_truth_label"]),
            "lost to label noise": number(row["auroc_lost"]),
        }
        for row in (found or {}).get("definitions", [])
    ]


def leakage_rows(results: Path, runs: Sequence[Run]) -> Rows:
    """What a text model reads of the label in rationales and in prompts, for every model and design that has a run."""
    rows = []
    for model, design in sorted({(run.model, run.design) for run in runs}):
        if found := read_json(results / model / "prompts" / design / "leakage.json"):
            rows.append(
                {
                    "model": model,
                    "design": design,
                    "AUROC of a text model on rationales": number(found["auroc_rationale"]),
                    "on prompts": number(found["auroc_prompt"]),
                    "cases": found["cases"],
                    "telling words": ", ".join(found["words_for_response"][:5] + found["words_against_response"][:5]),
                }
            )
    return rows


def section(results: Path, runs: Sequence[Run]) -> dict[str, Any]:
    """All of the cohort, ready for the template.

    Args:
        results: results folder of one cohort.
        runs: the experiments that are shown.
    """
    flow = read_json(results / "cases" / "flow.json")
    ledger = pd.read_parquet(results / "tables" / "ledger.parquet")
    published = flow["published_rule"]
    truth = truth_rows(read_json(results / "cases" / "label_truth.json"))
    leakage = leakage_rows(results, runs)
    return {
        "flow": cohort_figures.flow(flow["steps"]),
        "definition": flow["definition"],
        "by_cancer_type": table(flow["by_cancer_type"]),
        "table_one": table(table_one(flow["table_one"])),
        "balance": table(balance_rows(flow["label_balance"])),
        "scans": table(scan_rows(flow["scans"])),
        "labels": table(label_rows(flow)),
        "agreement": table(agreement_rows(flow["agreement"], flow["definition"])),
        "cross": table(cross_rows(flow["strict_against_published"])),
        "published": share(published["responders_never_imaged"], published["responders"]),
        "truth": table(truth) if truth else "",
        "leakage": table(leakage) if leakage else "",
        "ledger": table([{str(key): value for key, value in row.items()} for row in ledger[LEDGER].to_dict("records")]),
    }
