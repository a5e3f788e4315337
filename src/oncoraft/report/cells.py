"""Single cells: every design with its predictors, what cells of one donor on both sides are worth, levels, the map, marker genes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from oncoraft.planning.config import LEAKING
from oncoraft.report.cells_map import draw_map
from oncoraft.report.collect import read_json
from oncoraft.report.sections import Sources
from oncoraft.report.tables import Data, Figure, Rows, Table, count, decimals, interval, number, of, records, tabulate, text
from oncoraft.report.whiskers import column, figure, whisker_of

NAMES = {
    "logistic_regression": "logistic regression",
    "boosted_trees": "boosted trees",
    "signature": "signature of the training fold",
    "donor_mean": "mean of the donor",
    "data_set_prior": "data-set prior",
    "oracle": "oracle of the twin",
    "oracle_of_expression": "oracle that does not know the drug",
}
DESIGNS = {
    "pooled_by_donor": "pooled, folds of donors",
    "pooled_by_cell": "pooled, folds of cells (leaks: cells of one donor on both sides)",
    "leave_dataset_out": "data sets left out",
    "leave_drug_out": "drugs left out",
    "leave_tissue_out": "tissues left out",
}
SHORT = {"pooled_by_donor": "by donor", LEAKING: "by cell (leaks)", "leave_dataset_out": "data set out"}
LEVELS = {
    "data_set": "data set",
    "cancer": "cancer",
    "tissue": "tissue",
    "therapy_class": "class of therapy",
    "regimen": "regimen",
    "drug": "drug",
}
BY_LEVEL = ("logistic_regression", "oracle_of_expression")  # beside the models
SHOWN = ("n", "events"), ("donors",)
OVERALL = [
    text("score", "name"),
    interval("AUROC (95 % interval)", "auroc", "auroc_lower", "auroc_upper"),
    interval("less data-set prior", "difference", "difference_lower", "difference_upper"),
    decimals("average precision", "auprc"),
    decimals("F1", "f1"),
    of("sensitive / cases", "events", "n"),
    count("donors", "donors"),
]
LEVEL = [
    text("level", "group"),
    text("score", "name"),
    interval("AUROC (95 % interval)", "estimate"),
    of("sensitive / cases", "events", "n"),
    count("donors", "donors"),
    text("note", "flags"),
]
FLOW = [text("step", "step"), count("cells", "cells")]
FOLDS = [
    text("design", "design"),
    text("held out", "held_out"),
    count("training cases", "training_cases"),
    count("training donors", "training_donors"),
    count("held-out cases", "heldout_cases"),
    count("held-out donors", "heldout_donors"),
    count("donors on both sides", "donors_on_both_sides"),
]
MARKERS = [
    text("gene", "gene"),
    interval("change of the log odds without it", "change"),
    count("cases", "cases"),
    count("donors", "donors"),
]


def predictor(name: str) -> str:
    """A predictor in words."""
    return NAMES.get(name, name.replace("/", " · "))


def overall(sources: Sources, told: dict[str, Any]) -> Rows:
    """A row a predictor of one design."""
    found: dict[str, dict[str, Any]] = {}
    keys = {"auroc": "auroc", "auprc": "auprc", "f1": "f1", "auroc_difference": "difference"}
    for row in told["records"]:
        if row["scope"] == "mean_of_folds":
            empty = dict.fromkeys([f"{key}{end}" for key in keys.values() for end in ("", "_lower", "_upper")])
            mine = found.setdefault(
                row["predictor"], {"design": told["design"], "predictor": row["predictor"], "name": predictor(row["predictor"]), **empty}
            )
            key = keys[row["metric"]]
            mine |= {key: row["estimate"], f"{key}_lower": row["lower"], f"{key}_upper": row["upper"]}
            if key == "auroc":
                mine |= {name: row[name] for name in ("n", "events", "donors")}
    rows = sources.guard.rows(list(found.values()), SHOWN)
    return [row | {"heading": DESIGNS[told["design"]]} for row in rows]


def levels(sources: Sources, told: dict[str, Any]) -> Rows:
    """A row a level and predictor of one design: the models, the regression, and the oracle of a twin."""
    wanted = {*told["models"], *BY_LEVEL}
    rows = [
        row | {"name": predictor(row["predictor"]), "kind": LEVELS[row["scope"]]}
        for row in told["records"]
        if row["scope"] in LEVELS and row["predictor"] in wanted
    ]
    # Levels of one kind add up to the cases of a predictor.
    guarded: Rows = []
    for kind in LEVELS.values():
        guarded += sources.guard.rows([row for row in rows if row["kind"] == kind], SHOWN)
    return [
        {key: row[key] for key in ("kind", "group", "predictor", "name", "estimate", "lower", "upper", "n", "events", "donors", "flags")}
        for row in guarded
    ]


def gap(stem: str, rows: Rows) -> Table | None:
    """AUROC of every predictor by design, those of one predictor below one another; None without the leaking design."""
    if not any(row["design"] == LEAKING for row in rows):
        return None
    order = {name: place for place, name in enumerate(dict.fromkeys(row["predictor"] for row in rows))}
    known = [row for row in rows if row["auroc"] is not None and row["design"] in SHORT]
    if not known:
        return None
    whisker = whisker_of("auroc", colour=lambda row: "low" if row["design"] == LEAKING else "high")
    columns = ("predictor", "name", "design", "auroc", "auroc_lower", "auroc_upper", "n", "events", "donors")
    shown = [
        {key: row[key] for key in columns} | {"short": SHORT[row["design"]]}
        for row in sorted(known, key=lambda row: order[row["predictor"]])
    ]
    names = [f"{row['name']}, {row['short']}" for row in shown]
    told = [[f"{number(row['auroc'])} ({number(row['auroc_lower'])} to {number(row['auroc_upper'])})"] for row in shown]
    drawn = Figure(figure(shown, names, told, ["AUROC"], whisker, "AUROC"), f"{stem}-gap")
    heads = [
        text("design", "short"),
        interval("AUROC (95 % interval)", "auroc", "auroc_lower", "auroc_upper"),
        column("AUROC", shown, whisker),
    ]
    caption = "What cells of one donor on both sides are worth (orange): AUROC by cell, by donor, and with data sets left out"
    return tabulate(Data(f"{stem}-gap", shown), heads, caption, group="name", figure=drawn)


def marker_table(sources: Sources, name: str) -> Table | None:
    """Genes by removal, as the first model with a score head reads them."""
    files = sorted(sources.results.glob(f"*/cells/{name}/*/*/markers.csv"))
    if not files:
        return None
    rows = records(pd.read_csv(files[0], keep_default_na=False, na_values=[""]))
    rows = [row | {key: sources.guard.count(int(row[key])) for key in ("cases", "donors")} for row in rows]
    has_truth = bool(rows) and "truth" in rows[0]
    columns = [*MARKERS, text("programme of the twin", "truth")] if has_truth else MARKERS
    model, strategy, design = files[0].parents[4].name, files[0].parents[1].name, files[0].parent.name
    caption = f"Genes whose removal from the sentence moves the score of {model} · {strategy} ({DESIGNS[design]}, fold 0); below zero: its presence speaks for response"
    return tabulate(Data(f"cells-{name}-markers", rows), columns, caption)


def flow_rows(sources: Sources, flow: dict[str, Any]) -> Rows:
    """Cells from the files to those that are analysed; losses and what is left add up to the first row."""
    rows = [{"step": row["step"], "cells": abs(row["cells"])} for row in flow["steps"]]
    # The first is the total of the others.
    order = [*rows[1:], rows[0]]
    guarded = sources.guard.rows(order, [("cells",)], total=len(order) - 1)
    return [guarded[-1], *guarded[:-1]]


def fold_rows(sources: Sources, told: dict[str, Any]) -> Rows:
    """A row a design and fold."""
    rows = [row | {"design": DESIGNS[name]} for name, design in told.items() for row in design["folds"]]
    names = ("training_cases", "training_donors", "heldout_cases", "heldout_donors", "donors_on_both_sides")
    return [row | {name: sources.guard.count(row[name]) for name in names} for row in rows]


def of_cohort(sources: Sources, home: Path) -> dict[str, Any]:
    """One single-cell cohort."""
    name = home.name
    stem, flow = f"cells-{name}", read_json(home / "cases" / "flow.json")
    told = {path.parents[1].name: read_json(path) for path in sorted(home.glob("*/scores/metrics.json"))}
    ordered = [told[design] for design in DESIGNS if design in told]
    rows = [row for one in ordered for row in overall(sources, one)]
    first = next((one for one in ordered if not one["leaks"]), ordered[0])
    folds = read_json(home / "cases" / "folds.json")
    points = home / "expression" / "map.csv"
    return {
        "title": name,
        "anchor": stem,
        "unit": flow["unit"],
        "genes": tabulate(
            Data(f"{stem}-genes", flow["genes"]),
            [text("file", "file"), *(count(key.replace("_", " "), key) for key in flow["genes"][0] if key != "file")],
            "Genes of each file, what became of them, and how many all files have",
        ),
        "flow": tabulate(Data(f"{stem}-flow", flow_rows(sources, flow)), FLOW, "Cells from the files to those that are analysed"),
        "overall": tabulate(
            Data(f"{stem}-auroc", rows), OVERALL, "How well scores part sensitive from resistant cases, by design", group="heading"
        ),
        "gap": gap(stem, rows),
        "levels": tabulate(
            Data(f"{stem}-levels", levels(sources, first)), LEVEL, f"AUROC within levels; {DESIGNS[first['design']]}", group="kind"
        ),
        "folds": tabulate(Data(f"{stem}-folds", fold_rows(sources, folds)), FOLDS, "Who trains and who is held out") if folds else None,
        "maps": draw_map(stem, pd.read_csv(points, dtype={"patient_id": str, "data_set": str}))
        if sources.shows_individuals and points.is_file()
        else [],
        "markers": marker_table(sources, name),
    }


def section(sources: Sources) -> dict[str, Any] | None:
    """Single cells; nothing where there are none."""
    homes = sorted({path.parents[2] for path in sources.results.glob("cells/*/*/scores/metrics.json")})
    if not homes:
        return None
    return {
        "brief": f"{len(homes)} single-cell cohort{'s' if len(homes) > 1 else ''}, folds of donors beside folds of cells",
        "cohorts": [of_cohort(sources, home) for home in homes],
    }
