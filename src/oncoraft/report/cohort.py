"""What the report shows of the cohort: who was studied, who left and why, and Table 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from oncoraft.report.sections import Sources
from oncoraft.report.small_cells import Guard
from oncoraft.report.tables import Column, Data, Row, Rows, Table, count, is_missing, number, portion, tabulate, text, words


def losses(step: dict[str, Any], guard: Guard) -> Rows:
    """Who left before a step, a reason a row."""
    reasons = step.get("reasons") or [{"reason": step["reason"], "patients": step["excluded_patients"], "cases": step["excluded_cases"]}]
    unit = "cases" if reasons[0]["cases"] is not None else "patients"
    counts = {place: int(row[unit] or 0) for place, row in enumerate(reasons)}
    # The boxes tell the sum of the losses.
    marks = guard.marks(counts | {-1: sum(counts.values())}, [[-1, *counts]])
    return [{"lost": marks.get(place, lost), "unit": unit, "reason": reasons[place]["reason"]} for place, lost in counts.items() if lost]


def flow_rows(steps: list[dict[str, Any]], guard: Guard) -> Rows:
    """Steps with what is left, each followed by who left, a reason a row.

    A number whose distance to the one before is small would tell how many left, and is given as "more than".
    """
    rows: Rows = []
    before: dict[str, int | None] = {"patients": None, "cases": None}
    for step in steps:
        left: dict[str, Any] = {}
        for unit in before:
            now, last = step[unit], before[unit]
            if now is not None:
                is_told = last is not None and 0 < abs(last - now) < guard.smallest
                left[unit] = f"more than {last - guard.smallest:,}" if is_told and last is not None else guard.count(now)
                before[unit] = now
        blank = dict.fromkeys(("lost", "unit", "reason"))
        rows.append({"step": step["name"], "patients": left.get("patients"), "cases": left.get("cases"), **blank})
        rows += [{"step": step["name"], "patients": None, "cases": None, **lost} for lost in losses(step, guard)]
    return rows


def boxes(rows: Sequence[Row]) -> Rows:
    """The flow as drawn: a box a step, with the losses before it."""
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        box = found.setdefault(row["step"], {"name": row["step"], "left": "", "losses": []})
        if row["reason"] is None:
            box["left"] = ", ".join(f"{words(row[unit])} {unit}" for unit in ("patients", "cases") if row[unit] is not None)
        else:
            box["losses"].append(f"{words(row['lost'])} {row['unit']}: {row['reason']}")
    return list(found.values())


def flow(sources: Sources) -> dict[str, Any]:
    """From patients to analysed cases."""
    data = Data("flow", flow_rows(sources.flow["steps"], sources.guard))
    steps = boxes(data.rows)
    columns = [text("cancer type", "cancer_type"), count("patients", "patients"), count("cases", "cases")]
    columns += [portion("evaluable, of cases", "evaluable", "cases"), portion("responders, of evaluable", "responders", "evaluable")]
    cancers = Data("cancer-types", cancer_rows(sources.flow["by_cancer_type"], sources.guard))
    return {
        "brief": f"{steps[0]['left']} in the study; {steps[-1]['left']} {steps[-1]['name']}",
        "data": data,
        "steps": steps,
        "by_cancer_type": tabulate(cancers, columns, "Analysed cases by cancer type"),
    }


def cancer_rows(records: Rows, guard: Guard) -> Rows:
    """Patients, cases, evaluable cases and responders by cancer type."""
    rows = [row | {"others": row["evaluable"] - row["responders"]} for row in records]
    shown = guard.rows(rows, [("patients",), ("cases",), ("cases", "evaluable"), ("evaluable", "responders", "others")])
    return [{key: row[key] for key in ("cancer_type", "patients", "cases", "evaluable", "responders")} for row in shown]


def table_one_marks(records: Rows, guard: Guard) -> dict[Any, str]:
    """Which counts of Table 1 are hidden.

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
    return guard.marks(counts, sums)


POOLED = "other cancer types"


def of_few_together(records: Rows, smallest: int) -> Rows:
    """Table 1 with the cancer types of few patients or cases in one column, with the next larger one if they are few together.

    The percentages of a column tell its size; the sizes of all others, less that of the whole, would tell the size of a small one.
    Medians of several types are not known, and left out.
    """
    sizes: dict[str, dict[str, int]] = {}
    for row in records:
        if row["unit"] in ("patients", "cases") and row["cancer_type"] != "all":
            size = row["n"] if row["characteristic"] == "Patients" else row["of"]
            sizes.setdefault(row["cancer_type"], {})[row["unit"]] = int(size)
    ordered = sorted(sizes, key=lambda name: min(sizes[name].values()))
    few = [name for name in ordered if min(sizes[name].values()) < smallest]
    while few and len(few) < len(ordered) and any(0 < size < smallest for size in _together(sizes, few).values()):
        few.append(ordered[len(few)])
    if not few:
        return records
    whole = _together(sizes, few)
    pooled: dict[Any, dict[str, Any]] = {}
    for row in records:
        if row["cancer_type"] in few and "median" not in row:
            of = row["of"] if row["characteristic"] == "Patients" else whole[row["unit"]]
            one = pooled.setdefault((row["characteristic"], row["level"]), row | {"cancer_type": POOLED, "n": 0, "of": of})
            one["n"] += row["n"]
    return [row for row in records if row["cancer_type"] not in few] + [row | {"share": row["n"] / row["of"]} for row in pooled.values()]


def _together(sizes: dict[str, dict[str, int]], names: Sequence[str]) -> dict[str, int]:
    """The patients and the cases of several cancer types."""
    # A patient of two cancers is counted with the first, so that a type may have cases alone.
    return {unit: sum(sizes[name].get(unit, 0) for name in names) for unit in ("patients", "cases")}


NUMBERS = ("n", "share", "median", "lower_quartile", "upper_quartile")


def table_one_rows(records: Rows, guard: Guard) -> Rows:
    """Table 1: a level of a characteristic a row; of each cancer type its count and share, or median and quartiles."""
    marks = table_one_marks(records, guard)
    rows: dict[tuple[str, str | None], dict[str, Any]] = {}
    for record in records:
        key = (record["characteristic"], record["level"], record["cancer_type"])
        unit = record["unit"]
        one = rows.setdefault(key[:2], {"characteristic": f"{record['characteristic']} ({unit})", "level": record["level"]})
        hidden = marks.get(key)
        for name in NUMBERS:
            if name in record and not ("median" in record and name in {"n", "share"}):
                one[f"{record['cancer_type']} {name}"] = record[name] if hidden is None else hidden
    return list(rows.values())


def characteristic_cell(row: Row, cancer: str) -> str:
    """A cell of Table 1: a count with its percentage, or a median with its quartiles."""
    n, median = row.get(f"{cancer} n"), row.get(f"{cancer} median")
    if not is_missing(median):
        quartiles = [row[f"{cancer} {name}_quartile"] for name in ("lower", "upper")]
        return median if isinstance(median, str) else f"{number(median, 0)} ({number(quartiles[0], 0)}–{number(quartiles[1], 0)})"
    share = row.get(f"{cancer} share")
    return words(n) if is_missing(n) or isinstance(n, str) or is_missing(share) else f"{n:,} ({share:.0%})"


def table_one(records: Rows, guard: Guard) -> Table:
    """Table 1, a cancer type a column."""
    records = of_few_together(records, guard.smallest)
    cancers = list(dict.fromkeys(row["cancer_type"] for row in records))
    columns = [text("level", "level", lambda level: "" if is_missing(level) else words(level))]
    columns += [Column(one, lambda row, one=one: characteristic_cell(row, one)) for one in cancers]  # type: ignore[misc]
    caption = (
        "Patients as recorded by the data cut, cases at their index date: count (share of those in the column), or median (quartiles); a patient "
        "of two cancers is counted with the first"
    )
    return tabulate(Data("table-one", table_one_rows(records, guard)), columns, caption, group="characteristic")


def characteristics(sources: Sources) -> dict[str, Any]:
    """Table 1."""
    return {"table_one": table_one(sources.flow["table_one"], sources.guard)}
