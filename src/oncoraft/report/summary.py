"""The first screen: what was done on what, one conclusion computed from numbers, and every check as pass or flag."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from oncoraft.report.collect import Run, read_json
from oncoraft.report.names import PREDICTORS, predictor_name
from oncoraft.report.small_cells import Guard
from oncoraft.report.tables import number, share, span, words

POOLING_TOLERANCE = 0.01
SLOPE = (0.8, 1.25)  # a slope outside says that scores are spread too far or too little to be read as probabilities
DOUBTED = 0.1  # of the responders, the share with contradictory sources from which it is flagged
LOCAL = 0.25  # and with local treatment between the scans
EVALUABLE = 0.5  # of the cases, the share below which response is known of a selected part


def headline(runs: Sequence[Run]) -> dict[str, Any]:
    """The headline of every run: AUROC beside the baselines, what the score adds to the covariates, regimen by regimen."""
    result = []
    for one in runs:
        rows = [row for row in one.metrics if (row["metric"], row["scope"]) == ("auroc", "mean_of_folds") and row["estimate"] is not None]
        order = list(PREDICTORS)
        rows.sort(key=lambda row: order.index(row["predictor"]) if row["predictor"] in order else len(order))
        by_name = {row["predictor"]: row for row in rows}
        lift = None
        if {"oracle", "model"} <= set(by_name) and by_name["oracle"]["estimate"] != 0.5:
            lift = (by_name["model"]["estimate"] - 0.5) / (by_name["oracle"]["estimate"] - 0.5)
        keep = ["regimen_name", "cancer_type", "cases", "events", "adjusted_hazard_ratio", "adjusted_lower", "adjusted_upper"]
        keep += ["adjusted_per_sd_hazard_ratio", "adjusted_per_sd_lower", "adjusted_per_sd_upper"]
        keep += ["likelihood_ratio_p", "q", "hazard_ratio", "lower", "upper", "log_rank_p"]
        regimens = [{key: row[key] for key in keep} for row in one.survival["regimens"]]
        counts = one.survival["counts"] | {"significant": added(one)}
        verdict = one.verdict.get("sentence")
        result.append(
            {"run": one.name, "auroc": rows, "share_of_oracle_lift": lift, "counts": counts, "regimens": regimens, "verdict": verdict}
        )
    return {"runs": result}


def added(run: Run) -> int:
    """In how many tested regimens the score adds to the covariates: q of the likelihood-ratio test at or below alpha."""
    return sum(row["q"] is not None and row["q"] <= run.survival["settings"]["alpha"] for row in run.survival["regimens"])


def headline_rows(summary: dict[str, Any]) -> list[dict[str, Any]]:
    """The headline table: a model's own rows for each run, the runs by AUROC, then what they are held against, once for each design."""
    own: list[tuple[str, dict[str, Any]]] = []
    beside: dict[tuple[Any, ...], tuple[str, dict[str, Any]]] = {}
    for one in sorted((one for one in summary["runs"] if one["auroc"]), key=lambda one: -one["auroc"][0]["estimate"]):
        design = one["run"].rsplit(" · ", 1)[-1]
        for row in one["auroc"]:
            if row["predictor"].startswith("model"):
                own.append((one["run"], row))
            else:
                beside.setdefault((design, row["predictor"], row["estimate"], row["n"]), (f"any model · {design}", row))
    alone = len(summary["runs"]) == 1
    return [
        {
            "run": summary["runs"][0]["run"] if alone else run,
            "predictor": predictor_name(row["predictor"]),
            "AUROC (95 % interval)": span(row, "estimate"),
            "cases": row["n"],
            "responders": row["events"],
            "patients": row["patients"],
        }
        for run, row in [*own, *beside.values()]
    ]


def done(flow: dict[str, Any], runs: Sequence[Run], guard: Guard) -> str:
    """What was done on what, in a few sentences."""
    first = flow["steps"][0]
    last = next((step for step in reversed(flow["steps"]) if step["cases"] is not None and not step["name"].startswith("evaluable")), first)
    told = [
        f"{words(guard.count(first['patients']))} patients in the study, {words(guard.count(last['cases'] or 0))} treatment cases analysed."
    ]
    for run in runs:
        mean = run.metric("model", "auroc")
        found = (
            f"{words(mean['events'])} responders among {words(mean['n'])} evaluable held-out cases"
            if mean
            else "no evaluable held-out case"
        )
        told.append(f"{run.name}: {found}, {run.folds or 'no'} held-out {'fold' if run.folds == 1 else 'folds'}.")
    return " ".join(told)


def conclusion(runs: Sequence[Run]) -> str:
    """What the numbers say, a sentence a run."""
    told = []
    for run in runs:
        counts = run.survival["counts"]
        spoken = run.verdict.get("sentence") or "Whether the model beats the baselines could not be estimated."
        for name in sorted(PREDICTORS, key=len, reverse=True):
            spoken = spoken.replace(f"({name})", f"({PREDICTORS[name]})")
        survival = (
            f"Survival: the score adds to the covariates in {added(run)} of {counts['tested']} tested regimens"
            if counts["tested"]
            else "Survival: no regimen has enough events to be tested"
        )
        told.append(f"{run.name}. {spoken} {survival}.")
    return " ".join(told)


def check(passed: bool | None, what: str, text: str, link: str) -> dict[str, str]:
    """One line of the checks; None: it could not be made."""
    return {"state": "none" if passed is None else "pass" if passed else "flag", "what": what, "text": text, "link": link}


def audits(results: Path, designs: Sequence[str]) -> list[dict[str, str]]:
    """What was asserted of the evidence: nothing from after the index date, and nothing that tells of being in the cohort."""
    audit = read_json(results / "prompts" / "audit.json")
    found = [
        check(
            None if audit is None else bool(audit["passed"]),
            "Look-ahead audit",
            "not run"
            if audit is None
            else f"records after the index date changed no evidence of {audit['cases']:,} cases, {audit['statements']:,} statements",
            "#methods",
        )
    ]
    for design in designs:
        selection = read_json(results / "selection" / design / "selection.json")
        if not selection or selection.get("not_estimated"):
            reason = (selection or {}).get("not_estimated", "not run")
            found.append(check(None, "Selection audit", f"{design}: {reason}", "#selection"))
            continue
        flagged = ", ".join(selection["flagged"]) or "none"
        areas = [row for row in selection["models"] if row["scope"] == "all" and row["auroc"] is not None]
        told = (
            "; ".join(f"{row['model']} alone: AUROC {span(row, 'auroc', 'auroc_lower', 'auroc_upper', 2)}" for row in areas) or "no AUROC"
        )
        bad = bool(selection["flagged"]) or any(row["is_flagged"] for row in selection["models"])
        found.append(check(not bad, "Selection audit", f"{design}: kinds of evidence flagged: {flagged}; {told}", "#selection"))
    return found


def of_cohort(flow: dict[str, Any], designs: Sequence[str], guard: Guard) -> list[dict[str, str]]:
    """Of folds and labels."""
    by_patients = {design: sum(row["patients"] for row in flow["folds"] if row["design"] == design) for design in designs}
    people = max((step["patients"] for step in flow["steps"] if step["cases"] is not None), default=0)
    disjoint = all(count <= people for count in by_patients.values())
    told = ", ".join(f"{design}: {words(guard.count(count))} patients over its folds" for design, count in by_patients.items())
    flags = [row for row in flow["label_flags"] if row["category"] in {"CR", "PR"}]
    responders = sum(row["cases"] for row in flags)
    found = [check(disjoint, "Folds disjoint", f"{told}, no patient in two", "#methods")]
    for name, what, limit in (
        ("contradicted", "Contradictory sources", DOUBTED),
        ("local_treatment", "Local treatment between scans", LOCAL),
    ):
        count = sum(row[name] for row in flags)
        small = guard.smallest > 1 and (
            0 < count < guard.smallest or 0 < responders - count < guard.smallest or responders < guard.smallest
        )
        text = guard.mark if small else share(count, responders)
        found.append(
            check(count <= limit * responders if responders else None, what, f"{text} responders (flagged above {limit:.0%})", "#doubts")
        )
    cases, known = (sum(row[name] for row in flow["label_balance"]) for name in ("cases", "evaluable"))
    text = f"{share(known, cases)} cases can be judged for response (flagged below {EVALUABLE:.0%}); survival uses all"
    found.append(check(known >= EVALUABLE * cases if cases else None, "Evaluable share", text, "#labels"))
    return found


def of_run(run: Run, suffix: str) -> list[dict[str, str]]:
    """Of one experiment: pooling, calibration, and what survival assumes."""
    found = []
    mean, pooled = run.metric("model", "auroc"), run.metric("model", "auroc", "pooled")
    # Folds of another kind differ by design, and so do their scores.
    if mean and pooled and run.design.startswith("kfold") and None not in (mean["estimate"], pooled["estimate"]):
        gap = abs(mean["estimate"] - pooled["estimate"])
        text = f"{run.name}: pooled AUROC differs from the mean of folds by {gap:.3f} (flagged above {POOLING_TOLERANCE})"
        found.append(check(gap <= POOLING_TOLERANCE, "Pooling", text, f"#discrimination{suffix}"))
    slope = run.metric("model", "calibration_slope", "as_delivered") or run.metric("model", "calibration_slope", "as_scored")
    if slope and slope["estimate"] is not None:
        text = f"{run.name}: slope of the score as delivered {span(slope, 'estimate', digits=2)} (flagged outside {SLOPE[0]} to {SLOPE[1]})"
        found.append(check(SLOPE[0] <= slope["estimate"] <= SLOPE[1], "Calibration", text, f"#calibration{suffix}"))
    tested = [row for row in run.survival["regimens"] if row["is_tested"]]
    for name, what in (("proportional_hazards_p", "Proportional hazards"), ("entry_time_p", "Delayed entry")):
        judged = [row[name] for row in tested if row[name] is not None]
        failed = sum(p < 0.05 for p in judged)
        text = f"{run.name}: p < 0.05 in {failed} of {len(judged)} tested regimens that could be judged"
        found.append(check(failed == 0 if judged else None, what, text, f"#assumptions{suffix}"))
    return found


def checks(results: Path, flow: dict[str, Any], runs: Sequence[Run], guard: Guard) -> list[dict[str, str]]:
    """Every check of the page."""
    designs = list(dict.fromkeys(one.design for one in runs))
    found = [*audits(results, designs), *of_cohort(flow, designs, guard)]
    for place, run in enumerate(runs, 1):
        found += of_run(run, "" if place == 1 else f"-{place}")
    return found


def comparison_rows(results: Path, designs: Sequence[str]) -> list[dict[str, Any]]:
    """Runs against one another, pair by pair, from comparisons/; a pair of which nothing could be estimated has a row that says why."""
    nothing = {"difference": None, "lower": None, "upper": None, "bootstrap_p": None}
    return [
        {
            "design": design,
            "first": pair["first"],
            "second": pair["second"],
            "measure": row["metric"],
            "difference (95 % interval)": span(row, "difference"),
            "p (bootstrap)": number(row["bootstrap_p"]),
            "cases": row["n"],
        }
        for design in designs
        for pair in read_json(results / "comparisons" / design / "comparison.json") or []
        for row in pair["differences"] or [nothing | {"metric": f"not estimated: {pair['not_estimated']}", "n": pair["n"]}]
    ]
