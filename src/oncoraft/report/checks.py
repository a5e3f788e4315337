"""Every check of the page as pass or flag: what was found, where the limit is, and why it is there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from oncoraft.report.collect import Run, read_json
from oncoraft.report.sections import Sources, suffix
from oncoraft.report.small_cells import Guard
from oncoraft.report.tables import Rows, share, span, words

POOLING_TOLERANCE = 0.01
SLOPE = (0.8, 1.25)
DOUBTED, LOCAL, EVALUABLE, ALPHA = 0.1, 0.25, 0.5, 0.05

# Why each limit is where it is; `docs/report.md` says the same at length, and a test holds the two together.
REASONS = {
    "Look-ahead audit": "No limit: one changed statement is a fault, since a record from after the index date then reached the model.",
    "Selection audit": "Flagged where presence of a kind of evidence or the time of sequencing alone tells the outcome beyond the limits of the step `selection`, set in the configuration.",
    "Folds disjoint": "No limit: one patient on both sides of a fold lets the model recognise him (Kapoor and Narayanan, Patterns 2023;4:100804).",
    "Contradictory sources": f"{DOUBTED:.0%}: our convention. In the release 12% of complete responses name a site on the day that reads no cancer; the strict rule takes these out, so that more than a tenth left says the rule did not bite.",
    "Local treatment between scans": f"{LOCAL:.0%}: our convention. A quarter of responders with surgery or radiation between the scans makes the response partly the work of the local treatment; `strict_local_excluded` is then to be read beside.",
    "Evaluable share": f"{EVALUABLE:.0%}: our convention. Below half, most cases have no response, and those that have one are a selected part; weighting to all cases is given beside.",
    "Pooling": f"{POOLING_TOLERANCE}: our convention, a tenth of the usual width of an interval. Scores of folds on different scales make pooling misstate the AUROC (Forman and Scholz, SIGKDD Explorations 2010;12:49-57).",
    "Calibration": f"{SLOPE[0]} to {SLOPE[1]}: our convention, symmetric on a ratio. The slope is 1 where scores are spread rightly, below 1 where they are too extreme (Van Calster et al., BMC Med 2019;17:230).",
    "Proportional hazards": f"p < {ALPHA} in any tested regimen; uncorrected, since a missed breach costs more than a false alarm (Grambsch and Therneau, Biometrika 1994;81:515-526). Periods and restricted means are given beside.",
    "Delayed entry": f"p < {ALPHA} in any tested regimen: later sequencing goes with the hazard, so that entry is not independent (Tsai, Biometrika 1990;77:169-177). The adjusted ratio is given beside.",
}


def check(passed: bool | None, what: str, text: str, link: str) -> dict[str, str]:
    """One line of the checks; None: it could not be made."""
    return {
        "state": "none" if passed is None else "pass" if passed else "flag",
        "what": what,
        "text": text,
        "link": link,
        "why": REASONS[what],
    }


def audits(results: Path, designs: Sequence[str]) -> list[dict[str, str]]:
    """What was asserted of the evidence: nothing from after the index date, and nothing that tells of being in the cohort."""
    audit = read_json(results / "prompts" / "audit.json")
    told = (
        "not run"
        if audit is None
        else f"records after the index date changed no evidence of {audit['cases']:,} cases, {audit['statements']:,} statements"
    )
    found = [check(None if audit is None else bool(audit["passed"]), "Look-ahead audit", told, "#audit")]
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


def on_both_sides(cases: pd.DataFrame) -> int:
    """Patients with cases in more than one part of a design: held out in one fold, they are trained on in another's training."""
    return int((cases.groupby("patient_id", observed=True)["fold"].nunique() > 1).sum())


def trained_and_held_out(sources: Sources, run: Run, cases: pd.DataFrame) -> tuple[int, int]:
    """Patients whom a fold's model trained on and is scored on, and how many folds left a list of those they trained on."""
    both, listed = 0, 0
    for fold in sorted(set(cases["fold"]) - {-1}):
        path = sources.results / run.model / run.strategy / run.design / f"fold-{fold}" / "training_patients.txt"
        if path.is_file():
            trained = set(path.read_text(encoding="utf-8").split("\n")) - {""}
            both += len(trained & set(cases.loc[cases["fold"] == fold, "patient_id"]))
            listed += 1
    return both, listed


def fold_rows(sources: Sources) -> Rows:
    """For every design: patients, and those on both sides by the folds file; for every run: those on both sides of a model's training."""
    path = sources.results / "cases" / "folds.parquet"
    if not path.is_file():
        return []
    folds = pd.read_parquet(path, columns=["patient_id", "design", "fold"])
    folds["patient_id"] = folds["patient_id"].astype(str)
    rows: Rows = []
    for design in sources.designs:
        cases = folds[folds["design"] == design]
        both, listed = 0, 0
        for run in sources.runs:
            if run.design == design:
                found = trained_and_held_out(sources, run, cases)
                both, listed = both + found[0], listed + found[1]
        people = sources.guard.count(int(cases["patient_id"].nunique()))
        rows.append(
            {
                "design": design,
                "patients": people,
                "on_both_sides": on_both_sides(cases),
                "trained_and_held_out": both,
                "folds_listed": listed,
            }
        )
    return rows


def folds(sources: Sources) -> dict[str, str]:
    """Whether any patient is on both sides of any fold, by the folds file and by the lists of those trained on."""
    rows = fold_rows(sources)
    if not rows:
        return check(None, "Folds disjoint", "cases/folds.parquet is not at hand", "#methods")
    told = []
    for row in rows:
        listed = (
            f"; of those scored, {row['trained_and_held_out']} in the training lists of {row['folds_listed']} models"
            if row["folds_listed"]
            else ""
        )
        told.append(f"{row['design']}: {row['on_both_sides']} of {words(row['patients'])} patients in more than one part{listed}")
    passed = not any(row["on_both_sides"] or row["trained_and_held_out"] for row in rows)
    return check(passed, "Folds disjoint", ". ".join(told), "#methods")


def label_numbers(flow: dict[str, Any]) -> dict[str, int]:
    """Counts behind the checks of labels."""
    flags = [row for row in flow["label_flags"] if row["category"] in {"CR", "PR"}]
    cases, known = (sum(row[name] for row in flow["label_balance"]) for name in ("cases", "evaluable"))
    counts = {name: sum(row[name] for row in flags) for name in ("contradicted", "local_treatment")}
    return {"responders": sum(row["cases"] for row in flags), "cases": cases, "evaluable": known, **counts}


def of_labels(flow: dict[str, Any], guard: Guard) -> list[dict[str, str]]:
    """Of labels: contradictions, local treatment, and how many can be judged."""
    numbers = label_numbers(flow)
    responders, found = numbers["responders"], []
    for name, what, limit in (
        ("contradicted", "Contradictory sources", DOUBTED),
        ("local_treatment", "Local treatment between scans", LOCAL),
    ):
        count = numbers[name]
        small = guard.smallest > 1 and (
            0 < count < guard.smallest or 0 < responders - count < guard.smallest or responders < guard.smallest
        )
        text = guard.mark if small else share(count, responders)
        found.append(
            check(count <= limit * responders if responders else None, what, f"{text} responders (flagged above {limit:.0%})", "#doubts")
        )
    cases, known = numbers["cases"], numbers["evaluable"]
    text = f"{share(known, cases)} cases can be judged for response (flagged below {EVALUABLE:.0%}); survival uses all"
    found.append(check(known >= EVALUABLE * cases if cases else None, "Evaluable share", text, "#labels"))
    return found


def delivered_slope(run: Run) -> dict[str, Any] | None:
    """The calibration slope of the score as it leaves the model."""
    return run.metric("model", "calibration_slope", "as_delivered") or run.metric("model", "calibration_slope", "as_scored")


def of_run(run: Run, ending: str) -> list[dict[str, str]]:
    """Of one experiment: pooling, calibration, and what survival assumes."""
    found = []
    mean, pooled = run.metric("model", "auroc"), run.metric("model", "auroc", "pooled")
    # Folds of another kind differ by design, and so do their scores.
    if mean and pooled and run.design.startswith("kfold") and None not in (mean["estimate"], pooled["estimate"]):
        gap = abs(mean["estimate"] - pooled["estimate"])
        text = f"{run.name}: pooled AUROC differs from the mean of folds by {gap:.3f} (flagged above {POOLING_TOLERANCE})"
        found.append(check(gap <= POOLING_TOLERANCE, "Pooling", text, f"#discrimination{ending}"))
    slope = delivered_slope(run)
    if slope and slope["estimate"] is not None:
        text = f"{run.name}: slope of the score as delivered {span(slope, 'estimate', digits=2)} (flagged outside {SLOPE[0]} to {SLOPE[1]})"
        found.append(check(SLOPE[0] <= slope["estimate"] <= SLOPE[1], "Calibration", text, f"#calibration{ending}"))
    for name, what in (("proportional_hazards_p", "Proportional hazards"), ("entry_time_p", "Delayed entry")):
        failed, judged = below_alpha(run, name)
        text = f"{run.name}: p < {ALPHA} in {failed} of {judged} tested regimens that could be judged"
        found.append(check(failed == 0 if judged else None, what, text, f"#assumptions{ending}"))
    return found


def below_alpha(run: Run, name: str) -> tuple[int, int]:
    """In how many tested regimens a p is below alpha, of how many that have one."""
    judged = [row[name] for row in run.survival["regimens"] if row["is_tested"] and row[name] is not None]
    return sum(p < ALPHA for p in judged), len(judged)


def checks(sources: Sources) -> list[dict[str, str]]:
    """Every check of the page."""
    found = [*audits(sources.results, sources.designs), folds(sources), *of_labels(sources.flow, sources.guard)]
    for place, run in enumerate(sources.runs, 1):
        found += of_run(run, suffix(place))
    return found


def tell(check: str, of: str, **values: Any) -> Rows:
    """Numbers of a check, a row each."""
    return [{"check": check, "of": of, "what": name, "value": value} for name, value in values.items()]


def audit_numbers(sources: Sources) -> Rows:
    """The numbers of the audits."""
    audit = read_json(sources.results / "prompts" / "audit.json") or {}
    rows = tell("Look-ahead audit", "cohort", cases=audit.get("cases"), statements=audit.get("statements"))
    for design in sources.designs:
        for row in (read_json(sources.results / "selection" / design / "selection.json") or {}).get("models", []):
            if row["scope"] == "all":
                values = {name: row[name] for name in ("auroc", "auroc_lower", "auroc_upper")}
                rows += tell("Selection audit", f"{design}, {row['model']}", **values)
    return rows


def run_numbers(run: Run) -> Rows:
    """The numbers of the checks of an experiment."""
    mean, pooled = run.metric("model", "auroc"), run.metric("model", "auroc", "pooled")
    known = mean and pooled and None not in (mean["estimate"], pooled["estimate"])
    rows = tell("Pooling", run.name, distance=abs(mean["estimate"] - pooled["estimate"]) if known and mean and pooled else None)
    slope = delivered_slope(run) or {}
    rows += tell("Calibration", run.name, **{name: slope.get(name) for name in ("estimate", "lower", "upper")})
    for name, what in (("proportional_hazards_p", "Proportional hazards"), ("entry_time_p", "Delayed entry")):
        failed, judged = below_alpha(run, name)
        rows += tell(what, run.name, below_alpha=failed, judged=judged)
    return rows


def numbers(sources: Sources) -> Rows:
    """The numbers that the checks tell, a row each, small counts marked."""
    guard = sources.guard
    rows = audit_numbers(sources)
    for row in fold_rows(sources):
        rows += tell("Folds disjoint", row["design"], **{key: value for key, value in row.items() if key != "design"})
    counts = label_numbers(sources.flow)
    few = guard.smallest > 1 and counts["responders"] < guard.smallest
    for name, value in counts.items():
        rows += tell("Labels", "cohort", **{name: guard.mark if few and name not in {"cases", "evaluable"} else guard.count(value)})
    limits = {"pooling": POOLING_TOLERANCE, "slope_lower": SLOPE[0], "slope_upper": SLOPE[1], "contradicted": DOUBTED}
    rows += tell("limits", "cohort", **limits, local_treatment=LOCAL, evaluable=EVALUABLE, alpha=ALPHA)
    return [*rows, *(row for run in sources.runs for row in run_numbers(run))]
