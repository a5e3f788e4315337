"""The forest: adjusted hazard ratios regimen by regimen, the pooled one below, skipped regimens greyed with the reason."""

from __future__ import annotations

import math
from typing import Any

from oncoraft.report import whiskers
from oncoraft.report.small_cells import Guard
from oncoraft.report.survival_tables import CUT, PER_SD, guarded
from oncoraft.report.tables import (
    Column,
    Data,
    Figure,
    Row,
    Rows,
    Table,
    chance,
    interval,
    is_missing,
    p_value,
    span,
    tabulate,
    text,
    words,
)

MOST_SKIPPED = 12  # named in the forest; all of them stand in a table of their own
PREDICTION = ("prediction_lower", "prediction_upper")


def effect(records: Rows) -> tuple[str, str, str]:
    """Which adjusted ratio is drawn: of the two groups, or, where those can be estimated nowhere, per standard deviation."""
    return CUT if any(row[CUT[0]] for row in records) else PER_SD


def forest_rows(survival: dict[str, Any], guard: Guard) -> Rows:
    """Rows of the forest: shown regimens, the pooled ratio, then skipped regimens."""
    shown = guarded(survival["regimens"], guard)
    names = effect(survival["regimens"])
    blank = dict.fromkeys(
        (
            "cancer_type",
            "cases",
            "events",
            "adjusted",
            "lower",
            "upper",
            "likelihood_ratio_p",
            "q",
            *PREDICTION,
            "hazard_ratio",
            "raw_lower",
            "raw_upper",
            "weight",
            "note",
        )
    )
    most = max((row["events"] for row in survival["regimens"]), default=1) or 1
    rows = []
    for seen, row in zip(survival["regimens"], shown):
        adjusted = dict(zip(("adjusted", "lower", "upper"), (row[name] for name in names)))
        raw = {"hazard_ratio": row["hazard_ratio"], "raw_lower": row["lower"], "raw_upper": row["upper"]}
        keep = {key: row[key] for key in ("cancer_type", "cases", "events", "likelihood_ratio_p", "q")}
        why = row["not_adjusted"] or (None if adjusted["adjusted"] else row["no_ratio"]) or few_events(seen, survival["settings"])
        state = "tested" if row["is_tested"] else "shown, not tested"
        weight = math.sqrt(seen["events"] / most) if guard.smallest <= 1 or not isinstance(row["events"], str) else 0.0
        rows.append(blank | {"state": state, "regimen": row["regimen_name"], **keep, **adjusted, **raw, "weight": weight, "note": why})
    pooled = survival["summary"]["adjusted" if names is CUT else "adjusted_per_sd"]
    if pooled:
        told = {"adjusted": pooled["hazard_ratio"], "lower": pooled["lower"], "upper": pooled["upper"]} | {
            key: pooled[key] for key in PREDICTION
        }
        rows.append(blank | {"state": "pooled", "regimen": "Pooled", "cancer_type": f"{pooled['regimens']} tested", **told})
    skipped = survival["skipped"][:MOST_SKIPPED]
    counts = guard.rows([{key: row[key] for key in ("cases", "events")} for row in skipped], [("cases",), ("events",)])
    for row, told in zip(skipped, counts):
        rows.append(
            blank | {"state": "skipped", "regimen": row["regimen_name"], "cancer_type": row["cancer_type"], **told, "note": row["reason"]}
        )
    if more := len(survival["skipped"]) - len(skipped):
        rows.append(blank | {"state": "skipped", "regimen": f"and {more} more skipped"})
    return rows


def few_events(row: Row, settings: Row) -> str | None:
    """What the number of events does not allow: a test, or to find an effect of the published size."""
    if not row["is_tested"]:
        return f"fewer than {settings['minimum_events']} events" if row["events"] < settings["minimum_events"] else None
    return f"underpowered: fewer than {settings['powered_events']} events" if row["is_underpowered"] else None


def colour(row: Row) -> str:
    """Tested ones in colour, the pooled one apart, the others grey."""
    return {"tested": "high", "pooled": "low"}.get(row["state"], "grey")


WHISKER = whiskers.Whisker(
    "adjusted", "lower", "upper", 1.0, is_log=True, colour=colour, size=lambda row: 2.5 + 3.5 * (row["weight"] or 0), is_pooled=lambda row: row["state"] == "pooled"
)  # fmt: skip


def note(row: Row) -> str:
    """Why a regimen is not tested, or what the pooled interval says of a further one."""
    if row["state"] == "pooled":
        return f"a further one: {row['prediction_lower']:.2f} to {row['prediction_upper']:.2f}"
    return ": ".join(filter(None, [row["state"] if row["state"] != "tested" else "", row["note"]]))


def deaths(row: Row) -> str:
    """Deaths of cases."""
    return "" if is_missing(row["cases"]) else f"{words(row['events'])} / {words(row['cases'])}"


def forest(survival: dict[str, Any], guard: Guard, number: int) -> Table | None:
    """The forest as a table that draws, and as a drawing to download; None where no regimen is shown."""
    rows = forest_rows(survival, guard)
    if not any(not is_missing(row["adjusted"]) for row in rows):
        return None
    how = "low versus high score" if effect(survival["regimens"]) is CUT else "a standard deviation towards lower scores"
    data = Data(f"forest-{number}", [{key: value for key, value in row.items()} for row in rows])
    columns = [
        text("regimen", "regimen"),
        text("cancer type", "cancer_type"),
        Column("deaths / cases", deaths, "events"),
        whiskers.column("adjusted hazard ratio", rows, WHISKER),
        interval("(95 % interval)", "adjusted", digits=2),
        chance("gain, p", "likelihood_ratio_p"),
        chance("q", "q"),
        interval("raw HR (95 % interval)", "hazard_ratio", "raw_lower", "raw_upper", 2),
        Column("note", note, is_text=True),
    ]
    names = [f"{row['regimen']}, {row['cancer_type']}" if row["cancer_type"] else row["regimen"] for row in rows]
    told = [[span(row, "adjusted", digits=2), "" if is_missing(row["q"]) else p_value(row["q"]), note(row)] for row in rows]
    drawn = whiskers.figure(
        rows, names, told, ["adjusted HR (95 %)", "q", ""], WHISKER, f"Adjusted hazard ratio, {how}; right of 1 low scores die sooner"
    )
    caption = f"Adjusted hazard ratio, {how}: right of 1 low scores die sooner. Gain: p of the score beside the covariates; q over the tested ones. Raw: both groups as they are, without covariates. Boxes grow with deaths; grey: not tested. Diamond: random effects over the tested regimens; the line through it: where a further regimen would fall."
    return tabulate(data, columns, caption, figure=Figure(drawn, f"forest-{number}", data=data))
