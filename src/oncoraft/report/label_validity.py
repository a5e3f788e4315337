"""Curated response beside the rule on scans: agreement, kappa, confusion, and AUROC of the models under each label."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from oncoraft.report.small_cells import Guard, discreet
from oncoraft.report.tables import Data, Rows, count, interval, noted, tabulate, text

MEASURES = {
    "agreement": "share that agrees",
    "kappa": "Cohen's kappa, response or none",
    "kappa_categories": "Cohen's kappa, four categories",
    "kappa_linear": "kappa, four categories, by how far apart",
}
CATEGORIES = ("PD", "SD", "PR", "CR", "NED", "NE")
AGREEMENT = [
    text("cohort", "second"),
    text("cases", "scope"),
    text("rule", "definition"),
    text("measure", "measure"),
    interval("estimate (95 % interval)", "estimate"),
    count("cases", "n"),
    count("patients", "patients"),
]
JUDGED = [
    text("cohort", "second"),
    text("cases", "scope"),
    text("rule", "definition"),
    count("cases", "cases"),
    count("both judge", "both"),
    count("rule alone", "rule_only"),
    count("people alone", "curated_only"),
    count("neither", "neither"),
]
CONFUSION = [
    text("cohort", "second"),
    text("cases", "scope"),
    text("rule \\ people", "rule"),
    *(count(name, name) for name in CATEGORIES),
    count("all", "all"),
]
AREAS = [
    text("run", "run"),
    text("cohort", "second"),
    text("cases", "scope"),
    text("label", "under"),
    interval("AUROC (95 % interval)", "estimate"),
    count("cases", "n"),
]


def judged_rows(name: str, told: Mapping[str, Any], guard: Guard) -> Rows:
    """A row a comparison, of the definition that trains: who could judge."""
    rows = [
        {"second": name, "scope": one["scope"], "definition": told["label"], **one["counts"][told["label"]]} for one in told["comparisons"]
    ]
    return [guard.rows([row], [("cases", "both", "rule_only", "curated_only", "neither")])[0] for row in rows]


def agreement_rows(name: str, told: Mapping[str, Any], guard: Guard) -> Rows:
    """A row a measure; of definitions other than the one that trains kappa alone."""
    rows = [
        {"second": name, **row, "measure": MEASURES[row["measure"]]}
        for one in told["comparisons"]
        for row in one["agreement"]
        if row["definition"] == told["label"] or row["measure"] == "kappa"
    ]
    return [discreet(guard.rows([row], [("n",), ("patients",)])[0], ("n", "patients")) for row in rows]


def confusion_rows(name: str, told: Mapping[str, Any], guard: Guard) -> Rows:
    """A row a category of the rule, and all, with what people say in columns."""
    rows: Rows = []
    for one in told["comparisons"]:
        cells = {(row["rule"], row["curated"]): row["cases"] for row in one["confusion"]}
        table = [{"rule": rule, **{people: cells.get((rule, people), 0) for people in CATEGORIES}} for rule in CATEGORIES]
        table.append({"rule": "all", **{people: sum(row[people] for row in table) for people in CATEGORIES}})
        table = [row | {"all": sum(row[people] for people in CATEGORIES)} for row in table]
        shown = guard.rows(table, [("all", *CATEGORIES)], total=len(table) - 1)
        rows += [{"second": name, "scope": one["scope"], **row} for row in shown]
    return rows


def area_rows(name: str, told: Mapping[str, Any], guard: Guard) -> Rows:
    """A row a run and label, and the difference."""
    rows = [{"second": name, **row, "under": UNDER[row["under"]]} for one in told["comparisons"] for row in one["auroc"]]
    return [discreet(guard.rows([row], [("n",), ("patients",)])[0], ("n", "patients")) for row in rows]


UNDER = {"rule": "rule on scans", "curated": "curated response", "rule less curated": "rule less curated"}


def label_tables(told: Mapping[tuple[str, Path], Mapping[str, Any] | None], guard: Guard) -> dict[str, Any]:
    """The tables of the section, by name; empty where no second cohort has curated response.

    Args:
        told: name of a second cohort and its labels.json -> what that holds.
        guard: what hides small cells.
    """
    known = {name: one for (name, _), one in told.items() if one is not None}
    of = {
        key: [row for name, one in known.items() for row in rows(name, one, guard)]
        for key, rows in (("judged", judged_rows), ("agreement", agreement_rows), ("confusion", confusion_rows), ("areas", area_rows))
    }
    return {
        "labels_judged": tabulate(
            Data("external-labels-judged", of["judged"]), JUDGED, "Cases that the rule on scans and people could judge"
        ),
        "labels_agreement": tabulate(
            Data("external-labels-agreement", of["agreement"]),
            AGREEMENT + noted(of["agreement"]),
            "Agreement of the rule on scans with curated response, cases that both judge",
        ),
        "labels_confusion": tabulate(
            Data("external-labels-confusion", of["confusion"]),
            CONFUSION,
            "Categories by the rule on scans (rows) and by people (columns), all cases",
        ),
        "labels_areas": tabulate(
            Data("external-labels-auroc", of["areas"]),
            AREAS + noted(of["areas"]),
            "AUROC of the models under each label, on the same cases",
        ),
        "labels_not_compared": [f"{name}: {one['not_compared']}" for name, one in known.items() if one["not_compared"]],
    }
