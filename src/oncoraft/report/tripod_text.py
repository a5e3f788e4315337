"""What a run answers on its language model: what it is, how it was trained, what it read and wrote."""

from __future__ import annotations

from collections.abc import Callable

from oncoraft.model_card.text import is_probe, strategy_text
from oncoraft.report.collect import Run
from oncoraft.report.facts import Facts, dig
from oncoraft.report.names import predictor_name
from oncoraft.report.runs import training_rows
from oncoraft.report.tables import number, share
from oncoraft.report.tripod_answer import Answer
from oncoraft.report.tripod_data import missing_data, outcome
from oncoraft.report.tripod_methods import class_imbalance

RATIONALES = "prompts/rationales.jsonl.manifest.json"


def strategy(facts: Facts, run: Run) -> str | None:
    """What one run trained, in words; None where it trained nothing."""
    training = facts.fold(run)
    if not training or not training.get("settings"):
        return f"{run.name}: the base model as it is, nothing trained."
    told = strategy_text(training, " in the first fold")
    return f"{run.name}: {'; '.join(f'{what}: {words}' for what, words in told.items())}."


def model_building(facts: Facts) -> Answer:
    """Type of model, steps of building it, tuning, internal validation."""
    probes = ", ".join(run.name for run in facts.runs if is_probe(facts.fold(run) or {}))
    tuned = f"; the penalty of {probes} and the baselines' were" if probes else "; the baselines' were"
    text = facts.told(
        [
            *(strategy(facts, run) for run in facts.runs),
            f"No hyper-parameter was tuned on these data{tuned}, on the tuning patients of each fold.",
        ]
    )
    return Answer(text, "#methods", f"{facts.home(facts.first)}/fold-0/manifest.json")


def model_name(facts: Facts) -> Answer:
    """Name, version and last training date of the language model."""
    told = []
    for model in dict.fromkeys(run.model for run in facts.runs):
        config = facts.note(f"{model}/base/config.json")
        built = (
            f"built and pretrained by this run ({config['model_type']})"
            if config and config.get("model_type")
            else "a folder given to this run"
        )
        digests = {
            name: digest
            for run in facts.runs
            if run.model == model
            for name, digest in (facts.fold(run, "inputs") or {}).items()
            if name.endswith("config.json")
        }
        known = f", configuration SHA-256 {next(iter(digests.values()))[:12]}" if digests else ""
        told.append(f"{model}: {built}{known}")
    return Answer(
        f"{'; '.join(told)}. Dates of training are not recorded.",
        "#methods",
        f"{facts.home(facts.first)}/fold-0/manifest.json",
        is_partial=True,
    )


def generation(facts: Facts) -> Answer:
    """How text was generated: prompt, seed, temperature, length."""
    names = ("temperature", "top_p", "max_new_tokens", "seed", "score_in_text", "engine")
    found = {name: facts.inference(facts.first, name) for name in names}
    if found["seed"] is None:
        return Answer(None)
    texts = facts.note(f"{facts.home(facts.first)}/predictions.jsonl.manifest.json", "counts", "rationales")
    told = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in found.items())
    return Answer(
        f"{told}; {facts.count(texts)} texts written for held-out cases.",
        "#rationales",
        f"{facts.home(facts.first)}/predictions.jsonl.manifest.json",
    )


def output(facts: Facts) -> Answer:
    """What the model gives out; classes and thresholds, if any."""
    head = dig(facts.fold(facts.first, "settings"), "strategy", "score_weight")
    how = (
        "a score head's probability of response"
        if head
        else "the probability of the texts 1.0 and 0.7 among the four that a score may have"
    )
    return Answer(
        f"A number between 0 and 1, {how}, and a rationale as text. Discrimination and calibration use no threshold; survival groups are cut at the "
        "median score of the other folds.",
        "#discrimination",
        f"{facts.home(facts.first)}/predictions.jsonl",
    )


def thresholds(facts: Facts) -> Answer:
    """Classes, probabilities and thresholds."""
    frame = facts.first.comparability
    own = frame[frame["predictor"] == "model"] if not frame.empty else frame
    rules = own.drop_duplicates("rule") if not own.empty else own
    told = "; ".join(f"{row.rule}: {row.lowest_threshold:.2f} to {row.highest_threshold:.2f}" for row in rules.itertuples())
    return Answer(
        f"Classes only for comparison with published numbers, {told}." if told else None,
        "#discrimination",
        f"{facts.home(facts.first)}/metrics/comparability.csv",
    )


def predictions(facts: Facts) -> Answer:
    """How predictions were computed."""
    return Answer(
        "“oncoraft infer”: the score is read at the last token of the prompt, before any text is written; every held-out case once, by the fold that "
        "did not train on its patient. “oncoraft predict” scores a new case.",
        "#model-card",
        f"{facts.home(facts.first)}/predictions.jsonl",
    )


def text_quality(facts: Facts) -> Answer:
    """Measures of the quality of the text."""
    area = facts.first.metric("model_from_text", "auroc")
    counts = facts.note(RATIONALES, "counts")
    told = [
        f"Score that the model wrote into its text: AUROC {number(area['estimate'])}." if area else None,
        f"Training texts accepted by the verifiers: {share(counts['accepted'], counts['rationales'])}; mean scores "
        + ", ".join(f"{name.replace('_', ' ')} {value:.2f}" for name, value in counts["mean_score"].items())
        + ". Generated texts are not graded."
        if counts
        else None,
    ]
    return Answer(facts.told(told), "#rationales", RATIONALES, is_partial=True)


def annotation(facts: Facts) -> Answer:
    """How text was annotated."""
    counts = facts.note(RATIONALES, "counts")
    if not counts:
        return Answer(None)
    seen = "sees" if counts["teacher_sees_label"] else "does not see"
    return Answer(
        f"No person annotated text. {facts.count(counts['rationales'])} training rationales by the {counts['teacher']} teacher, which {seen} the label; "
        f"{facts.count(counts['fallback'])} fell back to the template.",
        "#rationales",
        RATIONALES,
    )


def annotator_agreement(facts: Facts) -> Answer:
    """Number of annotators and their agreement."""
    kappas = [row["kappa"] for row in facts.flow["agreement"] if row["kappa"] is not None]
    between = f" Labels by rule: kappa between definitions {min(kappas):.2f} to {max(kappas):.2f}." if kappas else ""
    return Answer(f"No annotators.{between}", "#labels", "cases/flow.json")


def annotators(facts: Facts) -> Answer:
    """Who or what annotated."""
    counts, model = facts.note(RATIONALES, "counts"), facts.setting(RATIONALES, "rationales", "endpoint_model")
    return Answer(f"The {counts['teacher']} teacher{f' ({model})' if model else ''}." if counts else None, "#rationales", RATIONALES)


def prompt_design(facts: Facts) -> Answer:
    """How the prompt was designed and chosen."""
    path = f"{facts.first.model}/prompts/prompts.jsonl.manifest.json"
    template, file = (facts.setting(path, "prompts", name) for name in ("template", "instruction_file"))
    if template is None:
        return Answer(None)
    return Answer(
        f"Template “{template}” with {'an instruction file of its own' if file else 'the instruction that belongs to it'}; one prompt for all cases, not chosen by results.",
        "#methods",
        path,
    )


def tuning(facts: Facts) -> Answer:
    """Instructions, data and interface of tuning; who evaluated."""
    trained = [run.name for run in facts.runs if (told := facts.fold(run)) and not is_probe(told)]
    if not trained:
        return Answer("Nothing was trained.", "#methods")
    return Answer(
        f"{', '.join(trained)}: instruction and case in, score and rationale out; evaluated by the numbers of this page, by no person.",
        "#methods",
        f"{facts.first.model}/prompts",
    )


def summarisation(facts: Facts) -> Answer:
    """Preparation of data before they are summarised."""
    return Answer("Does not apply: no text is summarised; facts are rendered from tables.", "#methods")


def compute(facts: Facts) -> Answer:
    """Compute that was needed."""
    told = []
    for run in facts.runs:
        if rows := training_rows(facts.sources, run):
            tokens, minutes = sum(row["tokens"] for row in rows), sum(row["minutes"] for row in rows)
            processes = facts.fold(run, "counts", "processes")
            each = f", {processes} processes each" if processes and processes > 1 else ""
            told.append(f"{run.name}: {tokens:,} tokens in {minutes:.1f} minutes over {len(rows)} folds{each}")
    return Answer(f"Training: {'; '.join(told)}." if told else None, "#compute", f"{facts.home(facts.first)}/fold-0/training_log.jsonl")


def missing_and_imbalance(facts: Facts) -> Answer:
    """Missing and imbalanced data; what was left out."""
    parts = [missing_data(facts), class_imbalance(facts)]
    return Answer(facts.told([part.text for part in parts]), parts[0].page, parts[0].file)


def outcome_and_predictions(facts: Facts) -> Answer:
    """The outcome, how predictions were computed, the measures."""
    parts = [outcome(facts), predictions(facts)]
    return Answer(facts.told([part.text for part in parts]), parts[0].page, parts[1].file)


def comparators(facts: Facts) -> Answer:
    """Comparison with other models, people, benchmarks."""
    names = list(dict.fromkeys(row["reference"] for row in facts.first.metrics if row["reference"]))
    if not names:
        return Answer(None)
    return Answer(
        f"On the same held-out cases and resamples: {', '.join(predictor_name(name) for name in names)}. No comparison with people.",
        "#summary",
        f"{facts.home(facts.first)}/metrics/metrics.json",
    )


ANSWERS: dict[str, Callable[[Facts], Answer]] = {
    one.__name__: one
    for one in (
        model_building, model_name, generation, output, thresholds, predictions, text_quality, annotation, annotator_agreement, annotators,
        prompt_design, tuning, summarisation, compute, missing_and_imbalance, outcome_and_predictions, comparators,
    )
}  # fmt: skip
