"""What a run answers on its aims and its data: participants, outcome, predictors, what is missing."""

from __future__ import annotations

from collections.abc import Callable

from oncoraft.report.facts import Facts
from oncoraft.report.tables import number
from oncoraft.report.tripod_answer import Answer

CASES, LABELS, FOLDS = (f"cases/{name}.parquet.manifest.json" for name in ("cases", "labels", "folds"))
FLOW = "cases/flow.json"


def kind_of_study(facts: Facts) -> Answer:
    """What kind of study, in whom, predicting what."""
    types = len(facts.flow["by_cancer_type"])
    models = ", ".join(dict.fromkeys(run.model for run in facts.runs))
    how = ", ".join(dict.fromkeys(run.strategy for run in facts.runs))
    return Answer(
        f"Fine-tuning ({how}) and internal evaluation of a language model ({models}) that predicts response to the regimen about to start, "
        f"definition “{facts.flow['definition']}”, in patients of {types} cancer {'type' if types == 1 else 'types'}"
        f"{'; synthetic patients' if facts.is_twin else ''}.",
        "#summary",
        FLOW,
    )


def intended_use(facts: Facts) -> Answer:
    """Whom the model is meant for, where in care, who uses it."""
    return Answer(
        "Research on cohorts of treated patients, by those who can read a prediction study. The score orders patients within a regimen; it does "
        "not say which regimen to choose, and no decision on a patient may rest on it.",
        "#model-card",
        is_partial=True,
    )


def aims(facts: Facts) -> Answer:
    """Aims: development, evaluation or both."""
    told = ", ".join(f"{run.design} ({run.folds} held-out {'fold' if run.folds == 1 else 'folds'})" for run in facts.runs)
    away = ", ".join(dict.fromkeys(path.parents[4].name for path in facts.sources.external))
    further = f"External evaluation, the models unchanged, in {away}." if away else "No external cohort."
    return Answer(f"Development by fine-tuning and internal evaluation on held-out patients: {told}. {further}", "#discrimination", FOLDS)


def data_source(facts: Facts) -> Answer:
    """Where the data come from and how representative they are."""
    study = facts.note("tables/checks.json", "study") or {}
    name = study.get("identifier") or "without identifier"
    if facts.is_twin:
        return Answer(
            f"Synthetic twin (study “{name}”), made from parameters; no row comes from a person (docs/twin.md).",
            "#data",
            "tables/checks.json",
        )
    known = study.get("release") or "no file of it is a known release"
    return Answer(
        f"Study “{name}” in cBioPortal's format: {known}. Representativeness is for the authors.",
        "#data",
        "tables/checks.json",
        is_partial=True,
    )


def dates(facts: Facts) -> Answer:
    """Calendar dates of inclusion and follow-up."""
    return Answer(
        "The source holds days from each patient's first sequencing and no calendar date.", "#data", "tables/checks.json", is_unknown=True
    )


def eligibility(facts: Facts) -> Answer:
    """Who was eligible."""
    steps = [step for step in facts.flow["steps"] if step["reason"] or step["name"]]
    told = "; ".join(f"{step['name']}: {facts.count(step['cases'] if step['cases'] is not None else step['patients'])}" for step in steps)
    return Answer(f"{told} (cases, or patients before there are cases); reasons beside each step.", "#flow", FLOW)


def treatments(facts: Facts) -> Answer:
    """Treatments received and how they were handled."""
    window, gap = (facts.setting(CASES, "regimens", name) for name in ("combination_window_days", "gap_days"))
    if window is None:
        return Answer(None)
    kinds = len({row["drug_class"] for row in facts.flow["label_balance"]})
    return Answer(
        f"Agents within {window} days are one regimen, {gap} days without any end it; each regimen that starts is a case. "
        f"{len(facts.flow['regimens']):,} pairs of regimen and cancer type, {kinds:,} drug classes; the regimen is part of the prompt.",
        "#flow",
        FLOW,
    )


def data_preparation(facts: Facts) -> Answer:
    """Preparation and quality checks of the data."""
    rows = facts.ledger[["rows_read", "rows_kept", "rows_refused", "rows_duplicate"]].fillna(0).sum().astype(int)
    return Answer(
        f"{rows['rows_read']:,} source rows read, {rows['rows_kept']:,} kept, {rows['rows_refused']:,} refused, {rows['rows_duplicate']:,} repeated; "
        "every refused row is on record with its reason, whoever it belongs to.",
        "#data",
        "tables/ledger.parquet",
    )


def outcome(facts: Facts) -> Answer:
    """The outcome: definition, time window, way of judging it."""
    lag, window = (facts.setting(LABELS, "labels", name) for name in ("lag_days", "window_days"))
    if window is None:
        return Answer(None)
    return Answer(
        f"Response by definition “{facts.flow['definition']}”: judged from scans in ({lag}, {window}] days from the regimen's start "
        f"(docs/labels.md); {len(facts.flow['labels'])} definitions are computed and compared.",
        "#labels",
        FLOW,
    )


def outcome_assessors(facts: Facts) -> Answer:
    """Who judged outcomes that need judgement."""
    flagged = sum(row["contradicted"] for row in facts.flow["label_flags"])
    return Answer(
        f"No person judged outcomes for this run: a rule reads the scans on record; the sources contradict one another in {facts.count(flagged)} cases. "
        "Who wrote those records the source does not say.",
        "#labels",
        FLOW,
        is_partial=True,
    )


def predictor_choice(facts: Facts) -> Answer:
    """How candidate predictors were chosen."""
    template = facts.setting(f"{facts.first.model}/prompts/prompts.jsonl.manifest.json", "prompts", "template")
    shown = f" The template “{template}” decides which of them are shown." if template else ""
    return Answer(
        f"An allow-list of dated facts, fixed beforehand (docs/evidence.md); nothing is selected by the outcome.{shown}",
        "#methods",
        "prompts/evidence.parquet",
    )


def predictors(facts: Facts) -> Answer:
    """Each predictor: definition and time of measurement."""
    audit = facts.note("prompts/audit.json")
    if not audit:
        return Answer(None)
    verdict = "changed nothing" if audit["passed"] else "changed evidence: the audit failed"
    return Answer(
        f"{audit['statements']:,} statements of {audit['cases']:,} audited cases, each dated on or before the index date; deleting, shuffling, "
        f"replacing and adding later records {verdict}.",
        "#checks",
        "prompts/audit.json",
    )


def sample_size(facts: Facts) -> Answer:
    """How the size of the study came about and whether it suffices."""
    counts = facts.first.survival["counts"]
    weak = sum(bool(row.get("is_underpowered")) for row in facts.first.survival["regimens"])
    return Answer(
        f"Every eligible case is used; no calculation was made beforehand. Of {counts['attempted']} regimens {counts['tested']} have enough events to be "
        f"tested; {weak} of {counts['shown']} shown are marked underpowered.",
        "#survival",
        f"{facts.home(facts.first)}/survival/survival.json",
        is_partial=True,
    )


def missing_data(facts: Facts) -> Answer:
    """Handling of missing data; what was left out and why."""
    cases, known = (sum(row[name] for row in facts.flow["label_balance"]) for name in ("cases", "evaluable"))
    weighted = facts.first.metric("model", "auroc", "inverse_probability_weighted")
    beside = f" AUROC weighted by the probability of being evaluable: {number(weighted['estimate'])}." if weighted else ""
    return Answer(
        f"What is not on record is not stated in the prompt, and nothing is imputed. Response cannot be judged in {facts.count(cases - known)} of {facts.count(cases)} "
        f"cases: they are left out of discrimination and kept in survival.{beside}",
        "#labels",
        FLOW,
    )


ANSWERS: dict[str, Callable[[Facts], Answer]] = {
    one.__name__: one
    for one in (
        kind_of_study, intended_use, aims, data_source, dates, eligibility,
        treatments, data_preparation, outcome, outcome_assessors, predictor_choice, predictors,
        sample_size, missing_data,
    )
}  # fmt: skip
