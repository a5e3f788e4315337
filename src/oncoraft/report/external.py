"""External validation: the trained models on another cohort, beside how they did at home, and what that cohort lacks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from oncoraft.report.collect import read_json
from oncoraft.report.label_validity import label_tables
from oncoraft.report.names import predictor_name
from oncoraft.report.sections import Sources
from oncoraft.report.small_cells import Guard
from oncoraft.report.tables import Data, Rows, count, decimals, interval, number, of, portion, records, tabulate, text

AREAS = [
    text("run", "run"),
    text("cohort", "second"),
    text("score", "score"),
    interval("at home", "home", "home_lower", "home_upper"),
    interval("in the second", "away", "away_lower", "away_upper"),
    interval("drop", "drop", "drop_lower", "drop_upper"),
    of("responders / cases", "responders", "cases"),
    count("patients", "patients"),
]
SINGLE = [text("run", "run"), text("cohort", "second"), text("model", "scope"), interval("AUROC (95 % interval)", "estimate")]
MEASURES = {
    "observed_to_expected": "observed : expected",
    "calibration_slope": "slope",
    "calibration_in_the_large": "in the large",
    "integrated_calibration_index": "integrated calibration index",
    "brier": "Brier",
    "scaled_brier": "scaled Brier",
    "expected_calibration_error": "expected calibration error",
}
CALIBRATION = [
    text("run", "run"),
    text("cohort", "second"),
    text("measure", "measure"),
    interval("before", "before", "before_lower", "before_upper"),
    interval("after", "after", "after_lower", "after_upper"),
    of("responders / cases", "responders", "cases"),
]
SURVIVAL = [
    text("run", "run"),
    text("cohort", "cohort"),
    interval("pooled adjusted HR, low against high score (95 % interval)", "hazard_ratio"),
    count("regimens tested", "tested"),
    of("deaths / cases", "events", "cases"),
]
WHO = [text("cohort", "second"), text("left out", "reason"), portion("patients", "patients", "all")]
FIELDS = [
    text("cohort", "second"),
    text("field", "field"),
    text("status", "status"),
    text("how", "how"),
    portion("cases there", "cases_with", "cases"),
    decimals("share at home", "share_at_home", 2),
]


def beside(file: Path) -> dict[str, Path]:
    """What is read with an external.json: metrics and survival of the run, overlap and mapping of the cohort."""
    run, cohort = file.parents[1], file.parents[4]
    return {
        "survival": run / "survival" / "survival.json",
        "overlap": cohort / "overlap" / "overlap.json",
        "mapping": cohort / "mapping" / "mapping.csv",
        "labels": cohort / "label_validity" / run.name / "labels.json",
    }


def files_of(file: Path) -> list[Path]:
    """Every file that a run of another cohort brings to the page."""
    return [file, *(path for path in beside(file).values() if path.is_file())]


def area_rows(told: dict[str, Any], guard: Guard) -> Rows:
    """A row a predictor: AUROC at home, away, and the drop."""
    found: dict[str, dict[str, Any]] = {}
    for row in told["records"]:
        name = {"home": "home", "away": "away", "home less away": "drop"}.get(row["scope"])
        if name is None or row["metric"] not in ("auroc", "auroc_drop"):
            continue
        mine = found.setdefault(row["predictor"], _named(told) | {"score": predictor_name(row["predictor"])})
        mine |= {name: row["estimate"], f"{name}_lower": row["lower"], f"{name}_upper": row["upper"]}
        if name == "away":
            mine |= {"responders": row["events"], "cases": row["n"], "patients": row["patients"]}
    rows = [found[name] for name in sorted(found, key=lambda name: not name.startswith("model"))]
    return guard.rows(rows, [("cases", "responders"), ("patients",)])


def single_rows(told: dict[str, Any]) -> Rows:
    """A row a fold's model, their mean, and the model that was trained on all of the first cohort."""
    kept = [
        row for row in told["records"] if row["metric"] in ("auroc", "auroc_gain") and row["scope"].startswith(("away, ", "final model"))
    ]
    return [_named(told) | row | {"scope": row["scope"].removeprefix("away, ")} for row in kept]


def calibration_rows(told: dict[str, Any], guard: Guard) -> Rows:
    """A row a measure, before and after recalibration, of the same cases."""
    found: dict[str, dict[str, Any]] = {}
    for row in told["records"]:
        if row["metric"] in MEASURES:
            name = row["scope"].split()[0]
            mine = found.setdefault(row["metric"], _named(told) | {"measure": MEASURES[row["metric"]]})
            mine |= {
                name: row["estimate"],
                f"{name}_lower": row["lower"],
                f"{name}_upper": row["upper"],
                "responders": row["events"],
                "cases": row["n"],
            }
    return guard.rows(list(found.values()), [("cases", "responders")])


def survival_rows(sources: Sources, told: dict[str, Any], survival: dict[str, Any] | None, guard: Guard) -> Rows:
    """The pooled adjusted hazard ratio at home and in the second cohort."""
    home = next((run.survival for run in sources.runs if (run.model, run.strategy, run.design) == _run(told)), None)
    rows = []
    for cohort, one in ((told["home"], home), (told["away"], survival)):
        if one is not None:
            pooled = one["summary"]["adjusted"] or dict.fromkeys(("hazard_ratio", "lower", "upper"))
            counts = {
                "tested": one["counts"]["tested"],
                "events": one["counts"]["events_analysed"],
                "cases": one["counts"]["cases_analysed"],
            }
            rows.append(
                {"run": " · ".join(_run(told)), "cohort": cohort}
                | {key: pooled[key] for key in ("hazard_ratio", "lower", "upper")}
                | counts
            )
    return guard.rows(rows, [("cases", "events")])


def overlap_rows(name: str, told: dict[str, Any] | None, guard: Guard) -> Rows:
    """Who of the second cohort was left out, and why; the rest may be judged."""
    if told is None:
        return []
    rows = [{"second": name, "reason": one["reason"], "patients": one["patients"], "all": told["patients"]} for one in told["left_out"]]
    rows.append({"second": name, "reason": "nobody has seen them: judged", "patients": told["kept"], "all": told["patients"]})
    # With the whole beside them, so that no part can be computed.
    whole: dict[str, Any] = {"patients": told["patients"]}
    return guard.rows([*rows, whole], [("patients",)], total=len(rows))[:-1]


def field_rows(name: str, file: Path, home: Path, guard: Guard) -> Rows:
    """Fields that the second cohort lacks or approximates, first those that it lacks."""
    if not file.is_file():
        return []
    told = records(pd.read_csv(file))
    there = {row["field"]: row for row in records(pd.read_csv(home))} if home.is_file() else {}
    rows: list[dict[str, Any]] = [
        {"second": name, **row, "share_at_home": _share(there.get(row["field"]), guard)} for row in told if row["status"] != "mapped"
    ]
    ordered = sorted(rows, key=lambda row: row["status"] != "absent")
    return [row | guard.rows([row], [("cases", "cases_with")])[0] for row in ordered]


def _share(row: dict[str, Any] | None, guard: Guard) -> float | str | None:
    """Share of the cases at home that tell a field, hidden with the count that it would give away."""
    if row is None or not row["cases"]:
        return None
    shown = guard.rows([row], [("cases", "cases_with")])[0]["cases_with"]
    return shown if isinstance(shown, str) else row["cases_with"] / row["cases"]


def _run(told: dict[str, Any]) -> tuple[str, str, str]:
    return told["model"], told["strategy"], told["design"]


def _named(told: dict[str, Any]) -> dict[str, Any]:
    return {"run": " · ".join(_run(told)), "second": told["away"]}


def section(sources: Sources) -> dict[str, Any] | None:
    """External validation; nothing where no model left home."""
    if not sources.external:
        return None
    guard = sources.guard
    told = {file: read_json(file) for file in sources.external}
    areas = [row for one in told.values() for row in area_rows(one, guard)]
    seconds = {one["away"]: beside(file) for file, one in told.items()}
    home = sources.results / "mapping" / "mapping.csv"
    survival = [row for file, one in told.items() for row in survival_rows(sources, one, read_json(beside(file)["survival"]), guard)]
    who = [row for name, paths in seconds.items() for row in overlap_rows(name, read_json(paths["overlap"]), guard)]
    fields = [row for name, paths in seconds.items() for row in field_rows(name, paths["mapping"], home, guard)]
    first = areas[0]
    labels = label_tables({(name, paths["labels"]): read_json(paths["labels"]) for name, paths in seconds.items()}, guard)
    return {
        **labels,
        "brief": f"{first['run']}, {first['second']}: AUROC {number(first['away'])}, at home {number(first['home'])}",
        "areas": tabulate(
            Data("external-auroc", areas),
            AREAS,
            "AUROC (95 % interval) of models and baselines of the first cohort, at home (mean of folds) and in the second, unchanged (mean of all folds' fits)",
        ),
        "single": tabulate(
            Data("external-single-models", [row for one in told.values() for row in single_rows(one)]),
            SINGLE,
            "Each fold's model singly, and the final model where one was trained on all of the first cohort, over all cases of the second",
        ),
        "calibration": tabulate(
            Data("external-calibration", [row for one in told.values() for row in calibration_rows(one, guard)]),
            CALIBRATION,
            "Calibration in the second cohort: as the models' own tuning patients left it, and recalibrated on other patients of the second cohort",
        ),
        "not_recalibrated": [f"{one['away']}: {one['not_recalibrated']}" for one in told.values() if one["not_recalibrated"]],
        "recalibration_warnings": [
            f"{one['away']}: {one['recalibration_warning']}" for one in told.values() if one.get("recalibration_warning")
        ],
        "survival": tabulate(Data("external-survival", survival), SURVIVAL, "Survival by score, at home and in the second cohort"),
        "who": tabulate(Data("external-patients", who), WHO, "Who of the second cohort was judged"),
        "fields": tabulate(
            Data("external-fields", fields), FIELDS, "Fields that the second cohort lacks or approximates; no prompt claims what is absent"
        ),
    }
