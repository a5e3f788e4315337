"""What the report shows of one experiment's survival: what the score adds, what it is held against, what it assumes."""

from __future__ import annotations

from typing import Any

import pandas as pd

from oncoraft.report import survival_figures
from oncoraft.report.collect import Run
from oncoraft.report.names import predictor_name
from oncoraft.report.small_cells import Guard
from oncoraft.report.survival_figures import CUT, FIELDS, median
from oncoraft.report.tables import number, p_value, span, table

Rows = list[dict[str, Any]]
MEDIAN_CUT = "groups cut, in each fold, at the median score of the other folds, of the regimen where they hold 50 such cases, else of the cancer type or of all"
FIXED_CUT = "groups cut at a score of 0.5, since one fold has no others to take a median from"
COUNTS = [
    ("cases", "n_high", "n_low"),
    ("events", "events_high", "events_low"),
    ("cases", "events", "alive"),
    ("n_high", "events_high", "alive_high"),
    ("n_low", "events_low", "alive_low"),
    ("cases", "delayed_entry_cases", "entered_at_once"),
]
SHOWN_COUNTS = ("cases", "events", "n_high", "n_low", "events_high", "events_low", "delayed_entry_cases")


def guarded(records: Rows, guard: Guard) -> Rows:
    """Records of regimens with small counts marked; what is computed from them is hidden with them."""
    if guard.smallest <= 1:
        return records
    rest = [
        row
        | {f"alive{one}": row[f"n{one}" if one else "cases"] - row[f"events{one}"] for one in ("", "_high", "_low")}
        | {"entered_at_once": row["cases"] - row["delayed_entry_cases"]}
        for row in records
    ]
    shown = guard.rows(rest, COUNTS, of={"censored_share": "alive", "patients": "cases"})
    for row in shown:
        row["patients"] = row["patients"] if isinstance(row["patients"], str) else guard.count(row["patients"])
        for name in ("alive", "alive_high", "alive_low", "entered_at_once"):
            row.pop(name)
    return shown


def regimen_rows(records: Rows, guard: Guard) -> Rows:
    """The adjusted increment, then the raw ratio and test, the naive analysis and the published way beside them."""
    return [
        {
            "regimen": row["regimen_name"],
            "cancer type": row["cancer_type"],
            "cases": row["cases"],
            "high / low": f"{row['n_high']} / {row['n_low']}",
            "events": row["events"],
            "median high; low (months)": f"{median(seen, 'high')}; {median(seen, 'low')}",
            "adjusted HR low vs high": span(row, *CUT, digits=2),
            "adjusted HR per SD lower": span(row, *FIELDS, digits=2),
            "gain over covariates, p": p_value(row["likelihood_ratio_p"]),
            "q": p_value(row["q"]),
            "raw HR": span(row, "hazard_ratio", digits=2),
            "without delayed entry": span(row, "naive_hazard_ratio", "naive_lower", "naive_upper", 2),
            "published way, high vs low": span(row, "published_hazard_ratio", "published_lower", "published_upper", 2),
            "why no ratio": row["not_adjusted"] or (None if row["adjusted_hazard_ratio"] else row["no_ratio"]),
        }
        for seen, row in zip(records, guarded(records, guard))
    ]


def comparator_rows(records: Rows) -> Rows:
    """Raw hazard ratios of the model, of the baselines' scores and of disease extent on the same cases, and the model's within strata of disease extent."""
    names = list(dict.fromkeys(one["predictor"] for row in records for one in row["comparators"]))
    rows = []
    for row in records:
        ratios = {one["predictor"]: span(one, "hazard_ratio", digits=2) for one in row["comparators"]}
        rows.append(
            {
                "regimen": f"{row['regimen_name']}, {row['cancer_type']}",
                "model": span(row, "hazard_ratio", digits=2),
                "model within disease extent": span(row, "within_extent_hazard_ratio", "within_extent_lower", "within_extent_upper", 2),
                **{predictor_name(name): ratios.get(name, "–") for name in names},
                "concordance, clinical": number(row["concordance_clinical"]),
                "with the score": number(row["concordance_with_score"]),
            }
        )
    return rows


def periods(row: dict[str, Any], guard: Guard) -> str:
    """Hazard ratios of the periods, where hazards are not proportional; a period of few events is not told."""
    told = []
    for one in row["hazard_ratio_by_period"]:
        until = "on" if one["to_months"] is None else f"to {one['to_months']:.0f}"
        few = isinstance(guard.count(one["events"]), str)
        told.append(f"month {one['from_months']:.0f} {until}: {guard.mark + ' events' if few else span(one, 'hazard_ratio', digits=2)}")
    return "; ".join(told)


def assumption_rows(records: Rows, horizon: int, guard: Guard) -> Rows:
    """Proportional hazards and independent entry, with what follows where they fail; restricted means beside."""
    rows = []
    for seen, row in zip(records, guarded(records, guard)):
        at = next((one for one in row["survival_at"] if one["months"] == horizon), None)
        mean = span(at, "restricted_mean_difference", "restricted_mean_lower", "restricted_mean_upper", 1) if at else "–"
        share = row["censored_share"]
        few = guard.smallest > 1 and 0 < seen["restricted_cases"] < guard.smallest
        rows.append(
            {
                "regimen": f"{row['regimen_name']}, {row['cancer_type']}",
                "adjusted for": ", ".join(name.replace("_", " ") for name in row["adjusted_for"]) or row["not_adjusted"],
                "proportional hazards, p": p_value(row["proportional_hazards_p"]),
                "raw HR by period": periods(row, guard) or "–",
                f"restricted mean to {horizon} months, high less low": mean,
                "delayed entry": row["delayed_entry_cases"],
                "entry time, p": p_value(row["entry_time_p"]),
                "dependent entry": row["entry_time_note"],
                "HR adjusted for entry": span(row, "entry_adjusted_hazard_ratio", "entry_adjusted_lower", "entry_adjusted_upper", 2),
                "HR, index on or after sequencing": guard.mark
                if few
                else span(row, "restricted_hazard_ratio", "restricted_lower", "restricted_upper", 2),
                "median follow-up (months)": number(row["median_follow_up_months"], 1),
                "censored": share if isinstance(share, str) else f"{share:.0%}",
            }
        )
    return rows


def curve_figures(run: Run, guard: Guard) -> list[dict[str, Any]]:
    """Kaplan–Meier figures with captions; a regimen without a curve in either group is told so by the table."""
    curves, figures = guard.curves(run.curves), []
    for seen, row in zip(run.survival["regimens"], guarded(run.survival["regimens"], guard)):
        drawn = survival_figures.kaplan_meier(seen, curves, row, guard)
        if drawn is not None:
            begins = row["curve_from_months"]
            start = f"Curves from month {begins:.1f}, conditional on reaching it. " if begins else ""
            entered = f"{row['delayed_entry_cases']} of {row['cases']} cases entered late."
            caption = f"{row['regimen_name']}, {row['cancer_type']}. {start}{entered}"
            figures.append({"svg": drawn, "caption": caption})
    return figures


def skipped_rows(records: Rows, guard: Guard) -> Rows:
    """Regimens that were attempted and not shown; one of few people is told without its numbers."""
    return guard.rows(
        [{key: row[key] for key in ("regimen_name", "cancer_type", "cases", "events", "reason")} for row in records],
        [("cases",), ("events",)],
    )


def pooled_sentence(summary: dict[str, Any]) -> str:
    """The adjusted ratio over the tested regimens, with the interval that a further one would fall in."""
    told = []
    for name, how in (("adjusted", "low against high score"), ("adjusted_per_sd", "a standard deviation towards lower scores")):
        if one := summary[name]:
            further = f"a further regimen would fall between {number(one['prediction_lower'], 2)} and {number(one['prediction_upper'], 2)}"
            told.append(f"{how}: {span(one, 'hazard_ratio', digits=2)} over {one['regimens']} tested regimens; {further} ({one['method']})")
    return (
        f"Pooled adjusted hazard ratio, {'. '.join(told)}."
        if told
        else "Fewer than three tested regimens have an adjusted ratio, so none is pooled."
    )


def curve_rule(guard: Guard) -> str:
    """Where curves start and end."""
    least = max(10, guard.smallest)
    return f"Curves start where 10 of both groups are under observation, and say survival given that this month was reached; they end where fewer than {least} of a group are."


def section(run: Run, guard: Guard) -> dict[str, Any]:
    """Survival of one experiment, ready for the template."""
    survival = run.survival
    records: Rows = survival["regimens"]
    reasons = pd.Series([row["reason"] for row in survival["skipped"]], dtype=str).value_counts()
    nothing = not records and not survival["cancer_types"]
    why = ", ".join(f"{count} with {reason}" for reason, count in reasons.items()) or "no regimen has a case with follow-up"
    return {
        "no_survival": f"none of {survival['counts']['attempted']} regimens has enough events: {why}" if nothing else None,
        "statement": survival["statement"],
        "direction": survival["direction"],
        "counts": survival["counts"],
        "cut": MEDIAN_CUT if run.folds > 1 else FIXED_CUT,
        "forest": survival_figures.forest(survival, guard),
        "pooled": pooled_sentence(survival["summary"]),
        "regimen_table": table(regimen_rows(records, guard)),
        "comparator_table": table(comparator_rows(records), "Raw hazard ratios, low against high, on the same cases"),
        "assumption_table": table(assumption_rows(records, min(survival["settings"]["horizons_months"]), guard)),
        "curves": curve_figures(run, guard),
        "curve_rule": curve_rule(guard),
        "cancer_survival": table(regimen_rows(survival["cancer_types"], guard)),
        "skipped_table": table(skipped_rows(survival["skipped"], guard)),
    }
