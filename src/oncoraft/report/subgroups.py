"""What the report shows of one experiment by cancer type, fold and subgroup."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from oncoraft.report import whiskers
from oncoraft.report.collect import Run
from oncoraft.report.discrimination import each, spans, spread
from oncoraft.report.names import predictor_name
from oncoraft.report.sections import Sources
from oncoraft.report.small_cells import Guard
from oncoraft.report.tables import Column, Data, Figure, Row, Rows, Table, is_missing, of, span, tabulate, text, words


def breakdown_rows(run: Run, scope: str) -> Rows:
    """AUROC of every predictor in every fold or cancer type with its denominators, a predictor and group a row."""
    groups = {row["group"] for row in run.metrics if (row["predictor"], row["scope"]) == ("model", scope)}
    keep = ("estimate", "lower", "upper", "n", "events", "patients")
    return [
        {"predictor": row["predictor"], "group": row["group"]} | {name: row[name] for name in keep}
        for row in run.metrics
        if (row["metric"], row["scope"]) == ("auroc", scope) and row["group"] in groups
    ]


def breakdown_table(run: Run, scope: str, number: int, caption: str) -> Table:
    """AUROC of every predictor in every fold or cancer type, the groups side by side."""
    long = [row | {"group": row["group"] if scope == "cancer_type" else f"fold {row['group']}"} for row in breakdown_rows(run, scope)]
    rows: dict[str, dict[str, Any]] = {}
    for row in long:
        one = rows.setdefault(row["predictor"], {"predictor": row["predictor"]})
        one |= spread(row["group"], row) | {f"{row['group']} responders": row["events"], f"{row['group']} cases": row["n"]}
    columns = [text("predictor", "predictor", predictor_name)]
    for row in long:
        if row["predictor"] == "model":
            columns.append(Column(f"{row['group']} ({words(row['events'])} of {words(row['n'])})", _cell(row["group"]), row["group"]))
    blank = dict.fromkeys(key for one in rows.values() for key in one)
    return tabulate(Data(f"{scope.replace('_', '-')}-{number}", [blank | one for one in rows.values()]), columns, caption)


def _cell(group: str) -> Callable[[Row], str]:
    return lambda row: span(row, group, f"{group}_lower", f"{group}_upper", 2)


def subgroup_rows(run: Run) -> Rows:
    """The model in every subgroup, whatever was estimated of it; where there are too few, the reason."""
    rows: dict[str, dict[str, Any]] = {}
    for row in run.metrics:
        if (row["predictor"], row["scope"]) == ("model", "subgroup"):
            kind, _, level = str(row["group"]).partition(": ")
            one = rows.setdefault(row["group"], {"kind": kind, "level": level})
            one |= spread(row["metric"], row) | {"cases": row["n"], "responders": row["events"], "note": row["flags"] or None}
    blank = dict.fromkeys(key for one in rows.values() for key in one)
    return [blank | one for one in rows.values()]


def subgroup_table(run: Run, number: int) -> Table:
    """AUROC of the model by subgroup, drawn; and its calibration, where that is estimated."""
    rows = subgroup_rows(run)
    data = Data(f"subgroups-{number}", rows)
    whisker = whiskers.whisker_of("auroc")
    columns = [text("subgroup", "level"), whiskers.column("AUROC", rows, whisker), spans("(95 % interval)", "auroc")]
    for name, title in (("calibration_slope", "calibration slope"), ("observed_to_expected", "observed : expected")):
        columns += [spans(title, name, 2)] if any(name in row for row in rows) else []
    columns += [
        of("responders / cases", "responders", "cases"),
        text("note", "note", lambda note: "" if is_missing(note) else str(note)),
    ]
    known = [row for row in rows if not is_missing(row["auroc"])]
    names, told = [f"{row['kind']}: {row['level']}" for row in known], [[span(row, "auroc", "auroc_lower", "auroc_upper")] for row in known]
    drawn = whiskers.figure(known, names, told, ["AUROC (95 % interval)"], whisker, "AUROC of the model") if known else None
    return tabulate(data, columns, "The model by subgroup", "kind", Figure(drawn, f"subgroups-{number}", data=data) if drawn else None)


def of_groups(run: Run, guard: Guard, number: int) -> dict[str, Any]:
    """The same by cancer type, fold and subgroup."""
    return {
        "cancer_type_table": breakdown_table(run, "cancer_type", number, "AUROC by cancer type (responders of evaluable cases)"),
        "fold_table": breakdown_table(run, "fold", number, "AUROC by fold (responders of evaluable cases)"),
        "subgroup_table": subgroup_table(run, number),
    }


def section(sources: Sources) -> dict[str, Any]:
    """Subgroups."""
    groups = sum((row["predictor"], row["metric"], row["scope"]) == ("model", "auroc", "subgroup") for row in sources.runs[0].metrics)
    return each(sources, of_groups) | {"brief": f"{groups} subgroup{'' if groups == 1 else 's'}"}
