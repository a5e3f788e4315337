"""What the report shows of the cohort: its flow, Table 1, labels and how definitions agree, and how the source rows were read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from oncoraft.report import cohort_figures
from oncoraft.report.collect import Run, read_json
from oncoraft.report.small_cells import COMPLEMENT, Guard
from oncoraft.report.tables import number, share, span, table

CATEGORIES = ("CR", "PR", "SD", "PD", "NED", "NE")
LEDGER = ["table", "status", "rows_read", "rows_kept", "rows_refused", "rows_duplicate"]
LEAKAGE = ("AUROC of a text model on rationales", "on prompts", "cases")
Rows = list[dict[str, Any]]


def label_rows(flow: dict[str, Any], guard: Guard) -> Rows:
    """Categories of every definition; each adds up to all cases."""
    rows = [{"definition": name} | {key: counts.get(key, 0) for key in CATEGORIES} for name, counts in flow["labels"].items()]
    for row in rows:
        row["all"] = sum(row[key] for key in CATEGORIES)
    return guard.rows(rows, [("all", *CATEGORIES)])


def quartiles(row: dict[str, Any], digits: int = 0) -> str:
    """Median and quartiles of a record that has them."""
    return f"{number(row['median'], digits)} ({number(row['lower_quartile'], digits)} to {number(row['upper_quartile'], digits)})"


def table_one(records: Rows, guard: Guard) -> Rows:
    """Table 1: a characteristic a row, a cancer type a column; counts with percentages, numbers as median and quartiles.

    Levels of a characteristic add up to their column's patients or cases, and cancer types to the column of all.
    """
    counts: dict[tuple[Any, ...], int] = {(row["characteristic"], row["level"], row["cancer_type"]): int(row["n"]) for row in records}
    columns = list(dict.fromkeys(row["cancer_type"] for row in records))
    levels: dict[str, list[Any]] = {}
    for row in records:
        if row["level"] not in levels.setdefault(row["characteristic"], []):
            levels[row["characteristic"]].append(row["level"])
    sums: list[list[tuple[Any, ...]]] = [
        [(name, level, "all"), *((name, level, one) for one in columns if one != "all")] for name in levels for level in levels[name]
    ]
    for row in records:  # a level against the rest of its whole, which the percentage tells
        key = (row["characteristic"], row["level"], row["cancer_type"])
        rest = (*key, "rest")
        counts[rest], counts[(*key, "of")] = int(row["of"] - row["n"]), int(row["of"])
        sums.append([(*key, "of"), key, rest])
    sums += [[(name, None, one, "whole"), *((name, level, one) for level in levels[name])] for name in levels for one in columns]
    for name in levels:
        for one in columns:
            counts[(name, None, one, "whole")] = sum(counts.get((name, level, one), 0) for level in levels[name])
    marks = guard.marks(counts, sums)
    rows: dict[tuple[str, str | None], dict[str, Any]] = {}
    for record in records:
        key = (record["characteristic"], record["level"], record["cancer_type"])
        name = record["characteristic"] + (f": {record['level']}" if record["level"] is not None else "")
        one = rows.setdefault(key[:2], {"characteristic": f"{name} ({record['unit']})"})
        told = quartiles(record) if "median" in record else f"{record['n']:,} ({record['share'] or 0:.0%})"
        one["all" if record["cancer_type"] == "all" else record["cancer_type"]] = marks.get(key, told)
    return [{"characteristic": one["characteristic"]} | {column: one.get(column, "–") for column in columns} for one in rows.values()]


def cancer_rows(records: Rows, guard: Guard) -> Rows:
    """Patients, cases, evaluable cases and responders by cancer type."""
    rows = [row | {"others": row["evaluable"] - row["responders"]} for row in records]
    shown = guard.rows(rows, [("patients",), ("cases",), ("cases", "evaluable"), ("evaluable", "responders", "others")])
    return [{key: row[key] for key in ("cancer_type", "patients", "cases", "evaluable", "responders")} for row in shown]


def balance_rows(records: Rows, guard: Guard) -> Rows:
    """Labels by drug class."""
    keep = ("drug_class", "cases", *CATEGORIES, "evaluable", "responders")
    rows = [{key: row[key] for key in keep} | {"response rate": share(row["responders"], row["evaluable"])} for row in records]
    sums = [("cases", *CATEGORIES), ("evaluable", "CR", "PR", "SD", "PD"), ("responders", "CR", "PR"), ("cases", "evaluable", "NED", "NE")]
    shown = guard.rows(rows, sums, of={"response rate": "responders"})
    return [row | ({"response rate": COMPLEMENT} if isinstance(row["evaluable"], str) else {}) for row in shown]


def doubt_rows(records: Rows, guard: Guard) -> Rows:
    """Labels whose sources contradict one another, or between whose scans lies local treatment, by category."""
    keep = ("category", "cases", "contradicted", "local_treatment", "surgery", "radiation", "immortal")
    rows = [{key: row[key] for key in keep} for row in records]
    return guard.rows(rows, [("cases", name) for name in keep[2:]])


def scan_rows(records: Rows, guard: Guard) -> Rows:
    """Imaging in the window, by cancer type; the first row is of all."""
    parts = ("no_scan", "one_scan", "two_scans", "more_scans")
    whole = next((place for place, row in enumerate(records) if row["cancer_type"] == "all"), None)
    shown = guard.rows(records, [("cases", *parts), ("only_indeterminate",)], total=whole)
    return [
        {
            "cancer type": row["cancer_type"],
            "cases": row["cases"],
            "no scan": row["no_scan"],
            "one": row["one_scan"],
            "two": row["two_scans"],
            "more": row["more_scans"],
            "days to first, median (quartiles)": quartiles(row["days_to_first"])
            if seen["cases"] - seen["no_scan"] >= guard.smallest
            else guard.mark,
            "Indeterminate reads": share(seen["indeterminate_reads"], seen["reads"])
            if min(seen["indeterminate_reads"], seen["reads"] - seen["indeterminate_reads"]) >= guard.smallest or guard.smallest <= 1
            else guard.mark,
            "cases with Indeterminate reads alone": row["only_indeterminate"],
        }
        for seen, row in zip(records, shown)
    ]


def agreement_rows(records: Rows, definition: str, guard: Guard) -> Rows:
    """How the definition that trains agrees with each other one, on cases evaluable by both; a kappa of 1 by construction is said, not printed."""
    rows = []
    for row in records:
        if definition in (row["first"], row["second"]):
            other = row["second"] if row["first"] == definition else row["first"]
            differ = row["both_evaluable"] - row["agree"]
            kappa = "– (the same labels)" if not differ else number(row["kappa"], 2)
            small = min(row["agree"], row["both_evaluable"]) < guard.smallest or 0 < differ < guard.smallest
            told = guard.mark if small and guard.smallest > 1 else share(row["agree"], row["both_evaluable"])
            rows.append({"other definition": other, "agree, of evaluable by both": told, "kappa": kappa})
    return rows


def cross_rows(counts: dict[str, dict[str, int]], guard: Guard) -> Rows:
    """Categories by the strict rule (rows) against those by the published one (columns); both margins stand in the table of categories."""
    columns = [name for name in CATEGORIES if any(name in row for row in counts.values())]
    names = [name for name in CATEGORIES if name in counts]
    rows: Rows = [{"strict, against published": name} | {key: counts[name].get(key, 0) for key in columns} for name in names]
    for row in rows:
        row["all"] = sum(row[key] for key in columns)
    margin = {key: sum(row[key] for row in rows) for key in [*columns, "all"]}
    rows.append({"strict, against published": "all"} | margin)
    return guard.rows(rows, [("all", *columns)], total=len(rows) - 1)


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
        found = read_json(results / model / "prompts" / design / "leakage.json")
        if found and found.get("not_estimated"):
            rows.append(
                {"model": model, "design": design}
                | dict.fromkeys(LEAKAGE, "–")
                | {"telling words": f"not estimated: {found['not_estimated']}"}
            )
        elif found:
            rows.append(
                {
                    "model": model,
                    "design": design,
                    LEAKAGE[0]: number(found["auroc_rationale"]),
                    LEAKAGE[1]: number(found["auroc_prompt"]),
                    LEAKAGE[2]: found["cases"],
                    "telling words": ", ".join(found["words_for_response"][:5] + found["words_against_response"][:5]),
                }
            )
    return rows


def selection_rows(results: Path, designs: Sequence[str]) -> Rows:
    """What presence of evidence and sequencing time alone tell of response and survival, by design and scope."""
    rows = []
    for design in designs:
        for row in (read_json(results / "selection" / design / "selection.json") or {}).get("models", []):
            rows.append(
                {
                    "design": design,
                    "a model that sees": row["model"],
                    "cases": "all" if row["scope"] == "all" else "sequenced by their index date",
                    "AUROC for response (95 % interval)": span(row, "auroc", "auroc_lower", "auroc_upper"),
                    "hazard ratio a standard deviation": span(row, "hazard_ratio", digits=2),
                    "flagged": bool(row["is_flagged"]),
                    "not estimated": row["reason"],
                }
            )
    return rows


def section(results: Path, runs: Sequence[Run], guard: Guard) -> dict[str, Any]:
    """All of the cohort, ready for the template.

    Args:
        results: results folder of one cohort.
        runs: the experiments that are shown.
        guard: what hides small cells.
    """
    flow = read_json(results / "cases" / "flow.json")
    ledger = pd.read_parquet(results / "tables" / "ledger.parquet")
    published = flow["published_rule"]
    never, said = published["responders_never_imaged"], published["responders"]
    is_small = guard.smallest > 1 and (min(never, said) < guard.smallest or 0 < said - never < guard.smallest)
    return {
        "flow": cohort_figures.flow(flow["steps"], guard),
        "definition": flow["definition"],
        "by_cancer_type": table(cancer_rows(flow["by_cancer_type"], guard)),
        "table_one": table(table_one(flow["table_one"], guard)),
        "balance": table(balance_rows(flow["label_balance"], guard)),
        "doubts": table(doubt_rows(flow["label_flags"], guard)),
        "scans": table(scan_rows(flow["scans"], guard)),
        "labels": table(label_rows(flow, guard)),
        "agreement": table(agreement_rows(flow["agreement"], flow["definition"], guard)),
        "cross": table(cross_rows(flow["strict_against_published"], guard)),
        "published": guard.mark if is_small else share(never, said),
        "truth": table(truth_rows(read_json(results / "cases" / "label_truth.json"))),
        "leakage": table(leakage_rows(results, runs)),
        "selection": table(selection_rows(results, list(dict.fromkeys(run.design for run in runs)))),
        "ledger": table([{str(key): value for key, value in row.items()} for row in ledger[LEDGER].to_dict("records")]),
    }
