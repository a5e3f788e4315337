"""What the report shows of one experiment's discrimination: of every predictor, by cancer type, fold and subgroup, and numbers that others publish."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from oncoraft.report import figures, whiskers
from oncoraft.report.collect import Run
from oncoraft.report.names import predictor_name
from oncoraft.report.sections import Sources, suffix
from oncoraft.report.small_cells import COMPLEMENT, Guard, discreet
from oncoraft.report.tables import (
    Column,
    Data,
    Figure,
    Row,
    Rows,
    Table,
    count,
    interval,
    is_missing,
    number,
    of,
    portion,
    records,
    span,
    tabulate,
    text,
)

NOTHING = {"estimate": None, "lower": None, "upper": None}
# Of the predictor table: name in the data -> (metric, scope), each with its interval where it has one.
READINGS = {
    "auroc": ("auroc", "mean_of_folds"),
    "within_regimen": ("auroc_within_regimen", "mean_of_folds"),
    "pooled": ("auroc", "pooled"),
    "weighted": ("auroc", "inverse_probability_weighted"),
    "auprc": ("auprc", "mean_of_folds"),
    "prevalence": ("prevalence", "mean_of_folds"),
}
LEADS = {"lead": "auroc_difference", "lead_within": "auroc_within_regimen_difference"}
LATER = "era: index on or after sequencing"


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
    # A total stands beside other measures and other predictors too, so that hiding it in one place protects nothing.
    told = {
        (place, name) for (*_, kind), places in wholes.items() if kind is None for place in places for name in ("n", "events", "others")
    }
    marks = guard.marks(counts, sums, fixed={key for key in told if counts.get(key, 0) >= guard.smallest})
    shown = [dict(row) for row in rows]
    for place, row in enumerate(shown):
        if (place, "n") in marks or (place, "others") in marks:
            row["patients"] = row["patients"] if row["patients"] is None else COMPLEMENT
        row |= {name: marks[place, name] for name in ("n", "events") if (place, name) in marks}
        if (place, "others") in marks and (place, "events") not in marks and (place, "n") not in marks:
            row["events"] = COMPLEMENT
        row["patients"] = guard.count(row["patients"]) if not isinstance(row["patients"], str) else row["patients"]
    return [discreet(row, ("n", "events", "patients")) for row in shown]


def resamples_without_value(run: Run) -> list[str]:
    """What is said of the model's intervals in which not every resample counts."""
    told = {row["metric"]: row.get("flags") for row in run.metrics if row["predictor"] == "model" and row["scope"] == "mean_of_folds"}
    return [f"{metric}: {flags}" for metric, flags in told.items() if isinstance(flags, str) and "resamples" in flags]


def spread(name: str, record: Row | None) -> dict[str, Any]:
    """An estimate and its interval under names of their own."""
    found = record or NOTHING
    return {name: found["estimate"], f"{name}_lower": found["lower"], f"{name}_upper": found["upper"]}


def denominated(name: str, record: Row | None) -> dict[str, Any]:
    """The same with the cases and responders that it is of."""
    counts = (record or {}).get("n"), (record or {}).get("events")
    return spread(name, record) | dict(zip((f"{name}_cases", f"{name}_responders"), counts))


def record(run: Run, metric: str, scope: str, predictor: str = "model", **more: Any) -> dict[str, Any] | None:
    """The first record of the metrics with these fields."""
    wanted = {"predictor": predictor, "metric": metric, "scope": scope} | more
    return next((row for row in run.metrics if all(row[key] == value for key, value in wanted.items())), None)


def predictor_rows(run: Run) -> Rows:
    """Discrimination, a predictor a row: mean of folds with interval, the model's lead over it, other readings, denominators."""
    rows: Rows = []
    for name in dict.fromkeys(row["predictor"] for row in run.metrics):
        mean = run.metric(name, "auroc")
        if mean is None:
            continue
        row: dict[str, Any] = {"predictor": name}
        for key, (metric, scope) in READINGS.items():
            row |= spread(key, record(run, metric, scope, name))
        row |= denominated("later", record(run, "auroc", "subgroup", name, group=LATER))
        for key, metric in LEADS.items():
            row |= denominated(key, record(run, metric, "mean_of_folds", reference=name))
        rows.append(row | {"cases": mean["n"], "responders": mean["events"], "patients": mean["patients"]})
    return rows


def spans(title: str, name: str, digits: int = 3) -> Column:
    """An interval column of what `spread` wrote."""
    return interval(title, name, f"{name}_lower", f"{name}_upper", digits)


def own(row: Row) -> str:
    """The model in colour, what it is held against in grey."""
    return "high" if row["predictor"].startswith("model") else "grey"


def predictor_table(run: Run, number: int) -> Table:
    """Every predictor, its AUROC drawn, the best first."""
    rows = sorted(predictor_rows(run), key=lambda row: -(row["auroc"] if row["auroc"] is not None else -1))
    data = Data(f"predictors-{number}", rows)
    whisker = whiskers.whisker_of("auroc", colour=own)
    columns = [
        text("predictor", "predictor", predictor_name),
        whiskers.column("AUROC, mean of folds", rows, whisker),
        spans("(95 % interval)", "auroc"),
    ]
    columns += [spans("within regimen", "within_regimen"), spans("AUPRC", "auprc")]
    columns += [portion("responders", "responders", "cases"), count("cases", "cases")]
    known = [row for row in rows if not is_missing(row["auroc"])]
    names, told = [predictor_name(row["predictor"]) for row in known], [[span(row, "auroc", "auroc_lower", "auroc_upper")] for row in known]
    drawn = whiskers.figure(known, names, told, ["AUROC (95 % interval)"], whisker, "AUROC, mean of folds")
    caption = "Every predictor; intervals by resampling patients within folds"
    return tabulate(data, columns, caption, figure=Figure(drawn, f"predictors-{number}", data=data) if known else None)


def other_areas(run: Run, number: int) -> Table:
    """AUROC read in other ways."""
    keep = ("predictor", "auroc", "later", "pooled", "weighted", "cases", "responders")
    rows = [{key: value for key, value in row.items() if key.startswith(keep)} for row in predictor_rows(run)]
    columns = [
        text("predictor", "predictor", predictor_name),
        spans("mean of folds", "auroc"),
        spans("index on or after sequencing", "later"),
    ]
    columns += [of("of them, responders / cases", "later_responders", "later_cases")]
    columns += [spans("pooled over folds", "pooled"), spans("weighted to all cases", "weighted")]
    columns += [of("responders / cases", "responders", "cases")]
    return tabulate(Data(f"other-areas-{number}", rows), columns, "The same AUROC, read in other ways")


def leads(run: Run, number: int) -> Table | None:
    """The model's lead over every other predictor on the same cases, over all and within regimen."""
    rows = [row for row in predictor_rows(run) if not is_missing(row["lead"])]
    if not rows:
        return None
    data = Data(
        f"leads-{number}", [{key: value for key, value in row.items() if key == "predictor" or key.startswith("lead")} for row in rows]
    )
    columns: list[Column] = [text("model less", "predictor", predictor_name)]
    drawn = None
    for name, title in (("lead", "AUROC over all cases"), ("lead_within", "AUROC within regimen")):
        whisker = whiskers.whisker_of(name, 0, colour=lambda row: "grey" if row["predictor"] == "oracle" else "high")
        columns += [whiskers.column(title, rows, whisker), spans("(95 % interval)", name)]
        columns += [of("responders / cases", "lead_responders", "lead_cases")] if name == "lead_within" else []
        if drawn is None:
            names = [f"model less {predictor_name(row['predictor'])}" for row in rows]
            told = [
                [span(row, "lead", "lead_lower", "lead_upper"), span(row, "lead_within", "lead_within_lower", "lead_within_upper")]
                for row in rows
            ]
            drawn = whiskers.figure(rows, names, told, ["over all cases", "within regimen"], whisker, "difference of AUROC, over all cases")
    caption = f"Lead of {run.name} over each baseline on the same cases; right of zero the model is ahead"
    return tabulate(data, columns, caption, figure=Figure(drawn, f"leads-{number}", data=data) if drawn else None)


def comparability_table(run: Run, number: int) -> Table:
    """Accuracy, precision, recall, specificity and F1 at two thresholds: numbers that others publish."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    measures: dict[str, None] = {}
    notes: dict[tuple[str, str], list[str]] = {}
    for row in records(run.comparability):
        keep = {name: row[name] for name in ("predictor", "rule", "lowest_threshold", "highest_threshold")}
        of_all = run.metric(row["predictor"], "auroc", "pooled") or run.metric(row["predictor"], "auroc") or {"n": None, "events": None}
        keep |= {"cases": of_all["n"], "responders": of_all["events"]}  # small counts are marked in these
        rows.setdefault((row["predictor"], row["rule"]), keep).update(spread(row["measure"], row))
        measures[row["measure"]] = None
        if isinstance(flags := row.get("flags"), str) and flags:
            notes.setdefault((row["predictor"], row["rule"]), []).append(f"{row['measure']}: {flags}")
    for key, told in notes.items():
        rows[key] = discreet(rows[key] | {"flags": "; ".join(told)}, ("cases", "responders"))

    def threshold(row: Row) -> str:
        low, high = number_(row["lowest_threshold"]), number_(row["highest_threshold"])
        return f"{row['rule']} ({low})" if low == high else f"{row['rule']} ({low} to {high})"

    columns = [text("predictor", "predictor", predictor_name), Column("threshold", threshold, is_text=True)]
    columns += [*(spans(measure, measure, 2) for measure in measures), of("responders / cases", "responders", "cases")]
    columns += [text("note", "flags")] if notes else []
    blank = dict.fromkeys(key for one in rows.values() for key in one)
    return tabulate(Data(f"comparability-{number}", [blank | one for one in rows.values()]), columns, "Numbers that others publish")


def number_(value: float | None) -> str:
    """A threshold."""
    return number(value, 2)


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


def each(sources: Sources, show: Callable[[Run, Guard, int], dict[str, Any]]) -> dict[str, Any]:
    """A section that says the same of every experiment: its name and place, why nothing could be measured, and what `show` finds."""
    told = [
        {"name": run.name, "number": place, "suffix": suffix(place), "not_measured": not_measured(run)} | show(run, sources.guard, place)
        for place, run in enumerate(sources.runs, 1)
    ]
    return {"runs": told}


def brief(runs: Sequence[Run], metric: str, what: str, scope: str = "mean_of_folds", digits: int = 3) -> str:
    """One number of the first experiment, for the heading of a section."""
    found = record(runs[0], metric, scope)
    return f"{what} {span(found, 'estimate', digits=digits)}" if found and not is_missing(found["estimate"]) else "not estimated"


def measured(run: Run, guard: Guard, number: int) -> dict[str, Any]:
    """How well the scores part responders from others; `run.metrics` are guarded already."""
    return {
        "metrics": Data(f"metrics-{number}", run.metrics),
        "resamples": resamples_without_value(run),
        "metric_table": predictor_table(run, number),
        "other_areas": other_areas(run, number),
        "roc": figures.roc(run, number),
        "comparability_table": comparability_table(run, number),
    }


def section(sources: Sources) -> dict[str, Any]:
    """Discrimination."""
    return each(sources, measured) | {"brief": brief(sources.runs, "auroc", "AUROC")}
