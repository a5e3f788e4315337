"""What the report shows of one experiment's survival: what the score adds, what it is held against, what it assumes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from oncoraft.report import survival_figures, survival_tables
from oncoraft.report.collect import Run
from oncoraft.report.forest import forest
from oncoraft.report.names import ANCHORS, ENDPOINTS
from oncoraft.report.sections import Sources, suffix
from oncoraft.report.small_cells import Guard
from oncoraft.report.survival_subgroups import subgroup_forest
from oncoraft.report.tables import Data, Rows, count, interval, number, records, span, tabulate, text

MEDIAN_CUT = "groups cut, in each fold, at the median score of the other folds, of the regimen where they hold 50 such cases, else of the cancer type or of all"
FIXED_CUT = "groups cut at a score of 0.5, since one fold has no others to take a median from"
NAMED = 5  # regimens in a sentence; all of them stand in the forest
PUBLISHED = "46 of 50, 0.38 to 0.61"  # OncoRAFT, 2025
BY_CANCER = "By cancer type, first case of each patient, the regimen a stratum"
BY_ENDPOINT = [
    text("endpoint", "endpoint"),
    count("tested regimens", "tested"),
    count("the score adds in", "added"),
    interval("pooled adjusted HR (95 % interval)", "hazard_ratio"),
    interval("a further regimen", "hazard_ratio", "prediction_lower", "prediction_upper"),
]
SKIPPED = [
    text("regimen", "regimen_name"),
    text("cancer type", "cancer_type"),
    count("cases", "cases"),
    count("events", "events"),
    text("why", "reason"),
]


def skipped_rows(records: Rows, guard: Guard) -> Rows:
    """Regimens that were attempted and not shown; one of few people is told without its numbers."""
    return guard.rows(
        [{key: row[key] for key in ("regimen_name", "cancer_type", "cases", "events", "reason")} for row in records],
        [("cases",), ("events",)],
    )


def adding(run: Run) -> list[str]:
    """Tested regimens in which the score adds to the covariates: q of the likelihood-ratio test at or below alpha."""
    alpha = run.survival["settings"]["alpha"]
    return [
        f"{row['regimen_name']}, {row['cancer_type']}" for row in run.survival["regimens"] if row["q"] is not None and row["q"] <= alpha
    ]


def added(run: Run) -> int:
    """How many these are."""
    return len(adding(run))


def added_sentence(run: Run) -> str:
    """The same in words, the first few by name."""
    tested, names = run.survival["counts"]["tested"], adding(run)
    if not tested:
        return "no regimen has enough events to be tested"
    more = f"; and {len(names) - NAMED} more" if len(names) > NAMED else ""
    which = f": {'; '.join(names[:NAMED])}{more}" if names else ""
    return f"the score adds to the covariates in {len(names)} of {tested} tested regimens{which}"


def pooled_sentence(summary: dict[str, Any]) -> str:
    """The adjusted ratio over the tested regimens, with the interval that a further one would fall in."""
    told = []
    for name, how in (("adjusted", "low against high score"), ("adjusted_per_sd", "a standard deviation towards lower scores")):
        if one := summary[name]:
            further = f"a further regimen would fall between {number(one['prediction_lower'], 2)} and {number(one['prediction_upper'], 2)}"
            told.append(
                f"{span(one, 'hazard_ratio', digits=2)}, {how}, over {one['regimens']} tested regimens, {further} ({one['method']})"
            )
    return (
        f"Pooled adjusted hazard ratio: {'; '.join(told)}."
        if told
        else "Fewer than three tested regimens have an adjusted ratio, so none is pooled."
    )


def published_numbers(run: Run) -> dict[str, Any]:
    """By the published way: how many regimens have its ratio, in how many its Wald p is below alpha with the ratio below 1, and the reach of the ratios."""
    known = [row for row in run.survival["regimens"] if row["published_hazard_ratio"] is not None]
    alpha, ratios = run.survival["settings"]["alpha"], [row["published_hazard_ratio"] for row in known]
    parted = sum(row["published_p"] < alpha and row["published_hazard_ratio"] < 1 for row in known)
    return {"regimens": len(known), "parted": parted, "lowest": min(ratios, default=None), "highest": max(ratios, default=None)}


def published_sentence(run: Run) -> str:
    """The same in words, beside what was published in 2025."""
    found = published_numbers(run)
    way = "The published way (cut at the median of the evaluated set, no delayed entry, no covariates, regimens of 200 cases or more)"
    if not found["regimens"]:
        return f"{way} takes no regimen of this cohort; published: {PUBLISHED}."
    reach = f"{number(found['lowest'], 2)} to {number(found['highest'], 2)}"
    return (
        f"{way} tells high scores to live longer (p < {run.survival['settings']['alpha']}) in {found['parted']} of {found['regimens']} "
        f"regimens, hazard ratios {reach}; published: {PUBLISHED}. These are high against low, so that below 1 high scores live longer; "
        "they hold what age, stage and extent tell as well, which the adjusted ratios do not."
    )


def curve_rule(guard: Guard) -> str:
    """Where curves start and end."""
    least = max(10, guard.smallest)
    return f"Curves start where 10 of both groups are under observation, and say survival given that this month was reached; they end where fewer than {least} of a group are."


def no_survival(run: Run) -> str | None:
    """Why nothing can be said of survival, or None."""
    survival = run.survival
    if survival["regimens"] or survival["cancer_types"]:
        return None
    reasons = pd.Series([row["reason"] for row in survival["skipped"]], dtype=str).value_counts()
    why = ", ".join(f"{count} with {reason}" for reason, count in reasons.items()) or "no regimen has a case with follow-up"
    return f"none of {survival['counts']['attempted']} regimens has enough events: {why}"


def summary_data(run: Run, number: int) -> Data:
    """Counts and pooled ratios, a row a number that a sentence tells."""
    rows: Rows = [{"what": name, "value": value} for name, value in run.survival["counts"].items()]
    rows.append({"what": "score adds to the covariates (q)", "value": added(run)})
    for name in ("adjusted", "adjusted_per_sd"):
        rows += [{"what": f"{name} {key}", "value": value} for key, value in (run.survival["summary"][name] or {}).items()]
    rows += [{"what": f"published way: {name}", "value": value} for name, value in published_numbers(run).items()]
    return Data(f"survival-summary-{number}", rows)


def endpoint_rows(survival: dict[str, Any]) -> Rows:
    """The headline's endpoint and the others: in how many regimens the score adds, and the pooled adjusted ratio."""
    nothing = dict.fromkeys(("hazard_ratio", "lower", "upper", "prediction_lower", "prediction_upper"))
    alpha = survival["settings"]["alpha"]
    return [
        {"endpoint": ENDPOINTS[one["endpoint"]], "anchor": ANCHORS[one["anchor"]], "tested": one["counts"]["tested"]}
        | {"added": sum(row["q"] is not None and row["q"] <= alpha for row in one["regimens"])}
        | {name: (one["summary"]["adjusted"] or nothing)[name] for name in nothing}
        for one in (survival, *survival["further_endpoints"])
    ]


def each(sources: Sources, show: Any) -> dict[str, Any]:
    """A section that says the same of every experiment's survival."""
    told = []
    for place, run in enumerate(sources.runs, 1):
        about = {"name": run.name, "number": place, "suffix": suffix(place), "no_survival": no_survival(run)}
        told.append(about | ({} if about["no_survival"] else show(run, sources.guard, place)))
    return {"runs": told}


def regimens(run: Run, guard: Guard, number: int) -> dict[str, Any]:
    """What the score adds, regimen by regimen, and over all."""
    survival = run.survival
    return {
        "statement": survival["statement"],
        "direction": survival["direction"],
        "counts": survival["counts"],
        "endpoint": ENDPOINTS[survival["endpoint"]],
        "anchor": ANCHORS[survival["anchor"]],
        "endpoints": tabulate(
            Data(f"endpoints-{number}", endpoint_rows(survival)),
            BY_ENDPOINT,
            "Every endpoint, each with a false-discovery family of its own",
        ),
        "cut": MEDIAN_CUT if run.folds > 1 else FIXED_CUT,
        "summary": summary_data(run, number),
        "data": Data(f"regimens-{number}", survival_tables.plain_fields(survival["regimens"], guard)),
        "forest": forest(survival, guard, number),
        "pooled": pooled_sentence(survival["summary"]),
        "published": published_sentence(run),
        "groups": survival_tables.groups(survival["regimens"], guard, f"score-groups-{number}", "Both score groups, without adjustment"),
        "readings": survival_tables.readings(
            survival["regimens"], guard, f"other-ratios-{number}", "The hazard ratio, computed in other ways"
        ),
        "comparators": survival_tables.comparators(survival["regimens"], guard, number),
        "cancer_groups": survival_tables.groups(
            survival["cancer_types"], guard, f"cancer-type-groups-{number}", f"{BY_CANCER}: both score groups"
        ),
        "cancers": survival_tables.readings(survival["cancer_types"], guard, f"cancer-type-ratios-{number}", f"{BY_CANCER}: hazard ratios"),
        "subgroups": subgroup_forest(survival, guard, number),
        "skipped": tabulate(Data(f"skipped-{number}", skipped_rows(survival["skipped"], guard)), SKIPPED, "Skipped regimens"),
    }


def section(sources: Sources) -> dict[str, Any]:
    """Survival by regimen."""
    return each(sources, regimens) | {"brief": added_sentence(sources.runs[0])}


def curves(run: Run, guard: Guard, number: int) -> dict[str, Any]:
    """Kaplan–Meier curves, numbers at risk and survival at the horizons."""
    data = Data(f"curves-{number}", records(guard.curves(run.curves)))
    risk = Data(f"at-risk-{number}", survival_tables.at_risk_rows(run.survival["regimens"], guard))
    return {
        "curves": survival_figures.gallery(run, data, guard, number),
        "at_risk": risk,
        "rule": curve_rule(guard),
        "horizons": survival_tables.horizons(run.survival["regimens"], guard, number),
    }


def curve_section(sources: Sources) -> dict[str, Any]:
    """Survival curves."""
    shown = each(sources, curves)
    drawn: Sequence[Any] = shown["runs"][0].get("curves", [])
    return shown | {"brief": f"{len(drawn)} regimens drawn"}


def assumptions(run: Run, guard: Guard, number: int) -> dict[str, Any]:
    """Proportional hazards and independent entry, with what follows where they fail."""
    found = run.survival["regimens"]
    return {
        "assumptions": survival_tables.assumptions(found, guard, number),
        "periods": survival_tables.periods(found, guard, number),
        "covariates": survival_tables.covariates(found, guard, number),
        "adjusted_for": survival_tables.adjusted_for(found, number),
    }


def assumption_section(sources: Sources) -> dict[str, Any]:
    """Assumptions."""
    return each(sources, assumptions)
