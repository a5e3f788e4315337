"""What a run answers on results and their reading: participants, performance, limits, use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from oncoraft.report.facts import Facts
from oncoraft.report.names import PREDICTORS
from oncoraft.report.tables import number, span
from oncoraft.report.tripod_answer import Answer

FLOW = "cases/flow.json"


def metrics_file(facts: Facts) -> str:
    """The file of the first run's metrics."""
    return f"{facts.home(facts.first)}/metrics/metrics.json"


def flow(facts: Facts) -> Answer:
    """Flow of participants, with and without the outcome, follow-up."""
    first = facts.flow["steps"][0]
    rows = facts.flow["label_balance"]
    cases, known, responders = (sum(row[name] for row in rows) for name in ("cases", "evaluable", "responders"))
    times = [row["median_follow_up_months"] for row in facts.first.survival["regimens"] if row["median_follow_up_months"] is not None]
    follow = f" Median follow-up {min(times):.1f} to {max(times):.1f} months over the regimens shown." if times else ""
    return Answer(
        f"{facts.count(first['patients'])} patients in the study, {facts.count(cases)} cases, {facts.count(known)} evaluable, {facts.count(responders)} responders.{follow}",
        "#flow",
        FLOW,
    )


def characteristics(facts: Facts) -> Answer:
    """Characteristics, overall and by group, with missing data."""
    names = list(dict.fromkeys(row["characteristic"] for row in facts.flow["table_one"]))
    return Answer(f"Table 1: {len(names)} characteristics by cancer type ({', '.join(names)}).", "#table-one", FLOW)


def data_points(facts: Facts) -> Answer:
    """The data points and their distribution."""
    statements = facts.note("prompts/audit.json", "statements")
    cases = facts.note("prompts/audit.json", "cases")
    more = f" {statements:,} statements on {cases:,} audited cases;" if statements else ""
    return Answer(
        f"English text rendered from structured records;{more} characteristics of the patients in Table 1.",
        "#flow",
        "prompts/evidence.parquet",
    )


def split_comparison(facts: Facts) -> Answer:
    """Training and evaluation data side by side."""
    rows = [row for row in facts.flow["folds"] if row["design"] in facts.designs and row.get("responder_share") is not None]
    if not rows:
        return Answer(None)
    shares = [row["responder_share"] for row in rows]
    return Answer(
        f"Cases, responders and cancer types of every held-out fold; share of responders {min(shares):.3f} to {max(shares):.3f}.",
        "#checks",
        FLOW,
        is_partial=True,
    )


def trained_on(facts: Facts, counts: dict[str, Any]) -> str:
    """Cases that a fold was trained on. A linear probe counts as `cases` those that it scored, and no responders."""
    if "training_cases" in counts:
        return f"{facts.count(counts['training_cases'])} cases"
    return f"{facts.count(counts['cases'])} cases ({facts.count(counts['responders'])} responders)"


def events_per_analysis(facts: Facts) -> Answer:
    """Participants and events in each analysis."""
    told = []
    for run in facts.runs:
        mean = run.metric("model", "auroc")
        training = ", ".join(trained_on(facts, one["counts"]) for one in facts.folds(run))
        held = (
            f"held out {mean['n']:,} cases ({mean['events']:,} responders)"
            if mean and isinstance(mean["n"], int) and isinstance(mean["events"], int)
            else "held out: no number"
        )
        told.append(f"{run.name}: training by fold {training or 'nothing'}; {held}")
    return Answer(f"{'. '.join(told)}.", "#discrimination", f"{facts.home(facts.first)}/fold-0/manifest.json")


def model_access(facts: Facts) -> Answer:
    """The model itself, so that others can use it; restrictions."""
    limits = (
        "free to pass on as far as its base model is"
        if facts.is_twin
        else "bound to the terms of the data; a model of MSK-CHORD may not be passed on"
    )
    return Answer(
        f"Adapter and score head of every fold lie in the results; “oncoraft export” writes a model that loads by itself, with its card; {limits}.",
        "#model-card",
        f"{facts.home(facts.first)}/fold-0",
    )


def data_availability(facts: Facts) -> Answer:
    """Availability of the data."""
    if facts.is_twin:
        return Answer("“oncoraft twin” makes the same rows again from the seed on record.", "#data", "truth.parquet.manifest.json")
    if facts.note("tables/checks.json", "study", "release"):
        return Answer(
            "MSK-CHORD, cBioPortal, CC BY-NC-ND 4.0: neither its rows nor a model trained on it may be passed on.",
            "#data",
            "tables/checks.json",
        )
    return Answer(None)


def code_availability(facts: Facts) -> Answer:
    """Availability of the code."""
    version = facts.note("cases/labels.parquet.manifest.json", "versions", "oncoraft")
    return Answer(
        f"This workflow, version {version}, Apache-2.0; every manifest holds settings, code digest and versions." if version else None,
        "#methods",
        "cases/labels.parquet.manifest.json",
    )


def performance(facts: Facts) -> Answer:
    """Performance with intervals, subgroups included."""
    told = []
    for run in facts.runs:
        area, slope = (
            run.metric("model", "auroc"),
            run.metric("model", "calibration_slope", "as_delivered") or run.metric("model", "calibration_slope", "as_scored"),
        )
        if area and area["estimate"] is not None:
            groups = sum(
                row["scope"] == "subgroup" and row["estimate"] is not None and row["predictor"] == "model" and row["metric"] == "auroc"
                for row in run.metrics
            )
            beside = f", calibration slope {span(slope, 'estimate', digits=2)}" if slope and slope["estimate"] is not None else ""
            told.append(f"{run.name}: AUROC {span(area, 'estimate')}{beside}; {groups} subgroups with intervals")
    return Answer(f"{'. '.join(told)}." if told else None, "#discrimination", metrics_file(facts))


def heterogeneity(facts: Facts) -> Answer:
    """Heterogeneity between clusters: results."""
    areas = [
        row["estimate"]
        for row in facts.first.metrics
        if (row["predictor"], row["metric"], row["scope"]) == ("model", "auroc", "cancer_type") and row["estimate"] is not None
    ]
    pooled = facts.first.survival["summary"]["adjusted"]
    told = [
        f"AUROC by cancer type {min(areas):.3f} to {max(areas):.3f}." if areas else None,
        f"Adjusted hazard ratio over {pooled['regimens']} regimens {span(pooled, 'hazard_ratio', digits=2)}, a further one {number(pooled['prediction_lower'], 2)} to "
        f"{number(pooled['prediction_upper'], 2)}."
        if pooled
        else None,
    ]
    return Answer(facts.told(told), "#discrimination", metrics_file(facts))


def recalibration_results(facts: Facts) -> Answer:
    """Results after updating."""
    before, after = (facts.first.metric("model", "calibration_slope", scope) for scope in ("as_delivered", "recalibrated"))
    if not before or not after:
        return Answer("No model was updated.", "#calibration")
    return Answer(
        f"Calibration slope {span(before, 'estimate', digits=2)} as delivered, {span(after, 'estimate', digits=2)} recalibrated; no model was updated.",
        "#calibration",
        metrics_file(facts),
    )


def interpretation(facts: Facts) -> Answer:
    """Interpretation, fairness included."""
    told = []
    for run in facts.runs:
        if sentence := run.verdict.get("sentence"):
            for name in sorted(PREDICTORS, key=len, reverse=True):
                sentence = sentence.replace(f"({name})", f"({PREDICTORS[name]})")
            told.append(f"{run.name}: {sentence}")
    return Answer(
        facts.told([*told, facts.first.survival["statement"]]),
        "#summary",
        f"{facts.home(facts.first)}/metrics/verdict.json",
        is_partial=True,
    )


def limitations(facts: Facts) -> Answer:
    """Limitations and what they do to bias and generality."""
    cases, known = (sum(row[name] for row in facts.flow["label_balance"]) for name in ("cases", "evaluable"))
    late = sum(row["delayed_entry_cases"] for row in facts.first.survival["regimens"])
    source = "one source, judged elsewhere too" if facts.sources.external else "one source, no external cohort"
    kept = "a synthetic population, whose laws are known" if facts.is_twin else source
    share = f"{known / cases:.0%} of the cases can be judged for response" if cases else "no case"
    return Answer(
        f"{kept}; {share}; {facts.count(late)} cases of the regimens shown entered after their index date; what is flagged stands among the checks.",
        "#checks",
        FLOW,
        is_partial=True,
    )


def poor_input(facts: Facts) -> Answer:
    """Input that is poor or missing at the time of use."""
    cut = facts.note(f"{facts.first.model}/prompts/prompts.jsonl.manifest.json", "counts", "cut")
    beyond = f" (so {facts.count(cut)} times here)" if cut is not None else ""
    return Answer(
        f"A fact that is missing is left out of the prompt; beyond the token budget the least important ones are cut{beyond}; a malformed case is refused.",
        "#methods",
        f"{facts.first.model}/prompts/prompts.jsonl",
        is_partial=True,
    )


def user_interaction(facts: Facts) -> Answer:
    """What users have to do and to know."""
    return Answer(
        "None beyond writing the case as “oncoraft predict --help” asks; the reader has to know what a prognostic score is not.",
        "#model-card",
        is_partial=True,
    )


def data_difficulties(facts: Facts) -> Answer:
    """Known difficulties of the data: coverage, gaps, bias."""
    told = []
    for design in facts.designs:
        selection = facts.note(f"selection/{design}/selection.json")
        if selection and not selection.get("not_estimated"):
            told.append(f"{design}: kinds of evidence that tell of being in the cohort: {', '.join(selection['flagged']) or 'none'}")
    flagged = sum(row["contradicted"] for row in facts.flow["label_flags"])
    return Answer(
        f"Sources of a label contradict one another in {facts.count(flagged)} cases. {'; '.join(told)}", "#selection", FLOW, is_partial=True
    )


ANSWERS: dict[str, Callable[[Facts], Answer]] = {
    one.__name__: one
    for one in (
        flow, characteristics, data_points, split_comparison, events_per_analysis, model_access, data_availability, code_availability, performance,
        heterogeneity, recalibration_results, interpretation, limitations, poor_input, user_interaction, data_difficulties,
    )
}  # fmt: skip
