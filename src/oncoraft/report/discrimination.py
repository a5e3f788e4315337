"""What the report shows of one experiment's discrimination, calibration and utility."""

from __future__ import annotations

from typing import Any

from oncoraft.report import figures
from oncoraft.report.collect import Run
from oncoraft.report.names import predictor_name
from oncoraft.report.small_cells import COMPLEMENT, Guard
from oncoraft.report.tables import number, records, span, table, words

Rows = list[dict[str, Any]]
POOLED = ("calibration_slope", "calibration_in_the_large", "observed_to_expected", "integrated_calibration_index", "brier", "scaled_brier")
SCALES = {"as_delivered": "as delivered", "as_scored": "as delivered", "recalibrated": "recalibrated by the other folds"}
NOTHING = {"estimate": None, "lower": None, "upper": None}


def guarded(rows: Rows, guard: Guard) -> Rows:
    """Records of metrics with small counts marked: of cases, of responders, of others; groups of one kind add up to all cases."""
    if guard.smallest <= 1:
        return rows
    counts: dict[Any, int] = {}
    sums: list[list[Any]] = []
    wholes: dict[Any, list[Any]] = {}
    for place, row in enumerate(rows):
        if row["n"] is None or row["n"] != row["n"]:
            continue
        counts[place, "n"] = int(row["n"])
        if row["events"] is not None and row["events"] == row["events"]:
            counts |= {(place, "events"): int(row["events"]), (place, "others"): int(row["n"] - row["events"])}
        sums.append([(place, "n"), (place, "events"), (place, "others")])
        same = (row["predictor"], row["reference"], row["label"], row["metric"])
        kind = str(row["group"]).partition(": ")[0] if row["scope"] == "subgroup" else row["scope"]
        wholes.setdefault((*same, kind if row["group"] is not None else None), []).append(place)
    for (*same, kind), places in wholes.items():
        whole = wholes.get((*same, None), [])
        if kind is not None and whole:
            sums += [[(whole[0], name), *((place, name) for place in places)] for name in ("n", "events", "others")]
    marks = guard.marks(counts, sums)
    shown = [dict(row) for row in rows]
    for place, row in enumerate(shown):
        if (place, "n") in marks or (place, "others") in marks:
            row["patients"] = row["patients"] if row["patients"] is None else COMPLEMENT
        row |= {name: marks[place, name] for name in ("n", "events") if (place, name) in marks}
        if (place, "others") in marks and (place, "events") not in marks and (place, "n") not in marks:
            row["events"] = COMPLEMENT
        row["patients"] = guard.count(row["patients"]) if not isinstance(row["patients"], str) else row["patients"]
    return shown


def predictor_rows(run: Run) -> Rows:
    """Discrimination, a predictor a row: mean of folds with interval, the model's lead over it, other readings, denominators."""
    rows = []
    for name in dict.fromkeys(row["predictor"] for row in run.metrics):
        mean = run.metric(name, "auroc")
        if mean is not None:
            lead = next((row for row in run.metrics if row["metric"] == "auroc_difference" and row["reference"] == name), None)
            within, precision = (run.metric(name, metric) or NOTHING for metric in ("auroc_within_regimen", "auprc"))
            pooled, weighted = (run.metric(name, "auroc", scope) or NOTHING for scope in ("pooled", "inverse_probability_weighted"))
            later = group(run, name, "era: index on or after sequencing")
            rows.append(
                {
                    "predictor": predictor_name(name),
                    "AUROC, mean of folds (95 % interval)": span(mean, "estimate"),
                    "model less this one": span(lead, "estimate") if lead else "–",
                    "within regimen": span(within, "estimate"),
                    "index on or after sequencing": span(later, "estimate"),
                    "pooled": span(pooled, "estimate"),
                    "weighted to all cases": span(weighted, "estimate"),
                    "AUPRC": span(precision, "estimate"),
                    "prevalence": number((run.metric(name, "prevalence") or NOTHING)["estimate"]),
                    "cases": mean["n"],
                    "responders": mean["events"],
                }
            )
    return rows


def group(run: Run, predictor: str, name: str) -> dict[str, Any]:
    """AUROC of a predictor in one subgroup."""
    wanted = (predictor, "auroc", "subgroup", name)
    return next((row for row in run.metrics if (row["predictor"], row["metric"], row["scope"], row["group"]) == wanted), NOTHING)


def breakdown_rows(run: Run, scope: str) -> Rows:
    """AUROC of every predictor in every fold or cancer type, with the responders among the cases in the heading."""
    rows: dict[str, dict[str, Any]] = {}
    model = {
        row["group"]: f"{words(row['events'])} of {words(row['n'])}"
        for row in run.metrics
        if (row["predictor"], row["scope"]) == ("model", scope)
    }
    for row in run.metrics:
        if (row["metric"], row["scope"]) == ("auroc", scope) and row["group"] in model:
            one = rows.setdefault(row["predictor"], {"predictor": predictor_name(row["predictor"])})
            name = row["group"] if scope == "cancer_type" else f"fold {row['group']}"
            one[f"{name} ({model[row['group']]})"] = (
                span(row, "estimate", digits=2) if row["lower"] is not None else number(row["estimate"])
            )
    columns = list(dict.fromkeys(key for one in rows.values() for key in one))
    return [{column: one.get(column, "–") for column in columns} for one in rows.values()]


def subgroup_rows(run: Run) -> Rows:
    """AUROC of the model in every subgroup; where there are too few, the reason."""
    return [
        {
            "subgroup": row["group"],
            "AUROC (95 % interval)": span(row, "estimate"),
            "cases": row["n"],
            "responders": row["events"],
            "note": row["flags"] or None,
        }
        for row in run.metrics
        if (row["predictor"], row["metric"], row["scope"]) == ("model", "auroc", "subgroup")
    ]


def calibration_rows(run: Run) -> Rows:
    """Calibration of the scores as delivered and, where there are other folds, recalibrated by them; a predictor and scale a row."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for row in run.metrics:
        if row["scope"] in SCALES and row["metric"] in POOLED:
            blank = {"predictor": predictor_name(row["predictor"]), "scores": SCALES[row["scope"]]} | dict.fromkeys(POOLED, "–")
            one = found.setdefault((row["predictor"], SCALES[row["scope"]]), blank)
            one[row["metric"]] = span(row, "estimate") if row["lower"] is not None else number(row["estimate"])
            one |= {"cases": row["n"], "responders": row["events"]}
    return list(found.values())


def comparability_rows(run: Run) -> Rows:
    """Accuracy, precision, recall, specificity and F1 at two thresholds: numbers that others publish."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for row in records(run.comparability):
        low, high = number(row["lowest_threshold"], 2), number(row["highest_threshold"], 2)
        blank = {
            "predictor": predictor_name(row["predictor"]),
            "threshold": f"{row['rule']} ({low})" if low == high else f"{row['rule']} ({low} to {high})",
        }
        rows.setdefault((row["predictor"], row["rule"]), blank)[row["measure"]] = span(row, "estimate", digits=2)
    columns = list(dict.fromkeys(key for one in rows.values() for key in one))
    return [{column: one.get(column, "–") for column in columns} for one in rows.values()]


def not_measured(run: Run) -> str | None:
    """Why nothing can be said of discrimination, or None."""
    mean = run.metric("model", "auroc")
    if mean is None:
        return "no held-out case that is evaluable has a score"
    if mean["estimate"] is None:
        cases, events = mean["n"] or 0, mean["events"] or 0
        if isinstance(cases, str) or isinstance(events, str):
            return "too few evaluable cases have a score"
        return mean["flags"] or f"{events:,} of {cases:,} evaluable cases are responders; an area needs both classes in a fold"
    return None


def section(run: Run, guard: Guard) -> dict[str, Any]:
    """Discrimination of one experiment, ready for the template; `run.metrics` are guarded already."""
    reason = not_measured(run)
    scaled = any(row["scope"] == "recalibrated" for row in run.metrics)
    return {
        "name": run.name,
        "not_measured": reason,
        "leads": None if reason else figures.leads(run),
        "predictors": figures.predictors(run),
        "roc": figures.roc(run),
        "tornado": figures.tornado(run),
        "calibration": figures.calibration(run)
        if guard.smallest <= 1 or run.calibration.empty or run.calibration["n"].min() >= guard.smallest
        else None,
        "distribution": figures.distribution(run) if guard.smallest <= 1 else None,
        "decision": figures.decision(run),
        "metric_table": table(predictor_rows(run)),
        "cancer_type_table": table(breakdown_rows(run, "cancer_type"), "AUROC by cancer type (responders of evaluable cases)"),
        "fold_table": table(breakdown_rows(run, "fold"), "AUROC by fold (responders of evaluable cases)"),
        "subgroup_table": table(subgroup_rows(run), "AUROC of the model by subgroup"),
        "calibration_table": table(calibration_rows(run), "Calibration, 95 % intervals"),
        "comparability_table": table(comparability_rows(run), "Numbers that others publish"),
        "scores": "scores recalibrated by the other folds" if scaled else "scores as they are, since one fold has no others",
    }
