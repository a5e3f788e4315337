"""The forest of subgroups: what the score adds to the covariates in patients of one kind."""

from __future__ import annotations

from typing import Any

from oncoraft.report import whiskers
from oncoraft.report.small_cells import Guard
from oncoraft.report.tables import Data, Figure, Rows, Table, chance, interval, is_missing, of, p_value, span, tabulate, text

RATIO = ("adjusted_per_sd_hazard_ratio", "adjusted_per_sd_lower", "adjusted_per_sd_upper")
WHISKER = whiskers.Whisker(*RATIO, 1.0, is_log=True)


def rows_of(survival: dict[str, Any], guard: Guard) -> Rows:
    """A level a row, small counts marked; those of a kind add up. An earlier run has none."""
    kinds: dict[str, Rows] = {}
    for row in survival.get("subgroups", ()):
        kinds.setdefault(row["kind"], []).append(row | {"alive": row["cases"] - row["events"]})
    shown = [row for rows in kinds.values() for row in guard.rows(rows, [("cases", "events", "alive")])]
    return [{key: value for key, value in row.items() if key != "alive"} for row in shown]


def subgroup_forest(survival: dict[str, Any], guard: Guard, number: int) -> Table | None:
    """The forest as a table that draws, and as a drawing to download; None where there is no ratio."""
    rows = rows_of(survival, guard)
    known = [row for row in rows if not is_missing(row[RATIO[0]])]
    if not known:
        return None
    data = Data(f"survival-subgroups-{number}", rows)
    what = "Adjusted hazard ratio, a standard deviation towards lower scores"
    names = [f"{row['kind']}: {row['level']}" for row in known]
    told = [[span(row, *RATIO, digits=2), p_value(row["heterogeneity_p"])] for row in known]
    drawn = whiskers.figure(known, names, told, ["HR (95 %)", "levels alike, p"], WHISKER, f"{what}; right of 1 low scores die sooner")
    columns = [text("subgroup", "level"), of("events / cases", "events", "cases"), whiskers.column("adjusted hazard ratio", rows, WHISKER)]
    columns += [
        interval("(95 % interval)", *RATIO, digits=2),
        chance("p", "adjusted_per_sd_p"),
        chance("levels alike, p", "heterogeneity_p"),
    ]
    columns += [text("note", "not_adjusted", lambda why: "" if is_missing(why) else str(why))]
    caption = f"{what}, by subgroup: each patient's first case of the level, cancer type and regimen being strata; not corrected for the number of subgroups"
    return tabulate(data, columns, caption, "kind", Figure(drawn, f"survival-subgroups-{number}", data=data))
