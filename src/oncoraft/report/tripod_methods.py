"""What a run answers on its analysis: partition, measures, recalibration, balance, fairness."""

from __future__ import annotations

from collections.abc import Callable

from oncoraft.report.facts import Facts
from oncoraft.report.tables import number, words
from oncoraft.report.tripod_answer import Answer

FLOW = "cases/flow.json"


def partition(facts: Facts) -> Answer:
    """How the data were divided."""
    rows = [row for row in facts.flow["folds"] if row["design"] in facts.designs]
    told = [
        f"{design}: " + ", ".join(facts.count(row["patients"]) for row in rows if row["design"] == design) + " patients"
        for design in facts.designs
    ]
    return Answer(
        f"By patient, never by case, by a stable hash. Held out, fold by fold, in {'; '.join(told)}.", "#checks", "cases/folds.parquet"
    )


def predictor_form(facts: Facts) -> Answer:
    """Form in which predictors entered the model."""
    path = f"{facts.first.model}/prompts/prompts.jsonl.manifest.json"
    counts, budget = facts.note(path, "counts"), facts.setting(path, "prompts", "token_budget")
    if not counts:
        return Answer(None)
    return Answer(
        f"As text: {counts['prompts']:,} prompts, median {counts['tokens_median']:.0f} tokens, longest {counts['tokens_longest']:,} of a budget of {budget:,}; "
        f"in {facts.count(counts['cut'])} the least important statements were cut.",
        "#methods",
        path.replace(".manifest.json", ""),
    )


def heterogeneity_method(facts: Facts) -> Answer:
    """Heterogeneity between clusters: how it was examined."""
    return Answer(
        "AUROC by fold, cancer type and subgroup; hazard ratios by regimen, pooled by random effects with the interval that a further regimen would "
        "fall in. The source names no centre.",
        "#discrimination",
        f"{facts.home(facts.first)}/metrics/metrics.json",
    )


def measures(facts: Facts) -> Answer:
    """Measures and plots of performance, comparison of models."""
    names = sorted({row["metric"].replace("_", " ") for row in facts.first.metrics if row["reference"] is None})
    return Answer(
        f"{words(len(names))} measures: {', '.join(names)}; differences on the same resamples of patients.",
        "#discrimination",
        f"{facts.home(facts.first)}/metrics/metrics.json",
    )


def recalibration(facts: Facts) -> Answer:
    """Updating or recalibration."""
    scopes = {row["scope"] for row in facts.first.metrics}
    if "recalibrated" in scopes:
        return Answer(
            "Scores are shown as delivered and recalibrated by the other folds; the delivered score is the unaltered one.",
            "#calibration",
            f"{facts.home(facts.first)}/metrics/calibration.csv",
        )
    if "as_scored" in scopes:
        return Answer(
            "None: one fold has no other folds to recalibrate by.", "#calibration", f"{facts.home(facts.first)}/metrics/metrics.json"
        )
    return Answer(None)


def class_imbalance(facts: Facts) -> Answer:
    """Whether class imbalance was treated."""
    found = facts.first.metric("model", "prevalence")
    if not found or found["estimate"] is None:
        return Answer(None)
    return Answer(
        f"Not treated: neither loss nor sampling is weighted by class. Share of responders {number(found['estimate'])}.",
        "#discrimination",
        f"{facts.home(facts.first)}/metrics/metrics.json",
    )


def fairness(facts: Facts) -> Answer:
    """Approaches to fairness."""
    told = sorted(
        {
            str(row["group"]).partition(": ")[0]
            for row in facts.first.metrics
            if row["scope"] == "subgroup" and row["metric"] == "auroc" and row["estimate"] is not None
        }
        & {"sex", "race", "age"}
    )
    if not told:
        return Answer(None)
    return Answer(
        f"AUROC by {', '.join(told)}; nothing is done to make groups equal.",
        "#subgroups",
        f"{facts.home(facts.first)}/metrics/metrics.json",
        is_partial=True,
    )


def split_differences(facts: Facts) -> Answer:
    """Differences between training and evaluation data."""
    rows = [row for row in facts.flow.get("fold_balance", []) if row["design"] in facts.designs]
    if not rows:
        return Answer(None)
    told = "; ".join(
        f"{row['design']}: share of a cancer type by at most {number(row['largest_cancer_type_deviation'])}, of responders by {number(row['largest_responder_deviation'])}"
        for row in rows
    )
    return Answer(f"Same source, criteria, outcome and predictors; a held-out fold differs from all folds in {told}.", "#checks", FLOW)


def ethics(facts: Facts) -> Answer:
    """Approval and consent."""
    return Answer("Does not apply: no patient is real.", "#summary") if facts.is_twin else Answer(None)


ANSWERS: dict[str, Callable[[Facts], Answer]] = {
    one.__name__: one
    for one in (
        partition, predictor_form, heterogeneity_method, measures, recalibration, class_imbalance,
        fairness, split_differences, ethics,
    )
}  # fmt: skip
