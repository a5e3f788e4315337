"""The model card of a fine-tuned model: a README.md with the hub's metadata, written from what the run left behind.

One card for two readers: the folder that `oncoraft export` writes (one fold's model) and the report (a run of all its folds). What a run
has not left is said not to be known; a model that was exported before its metrics says that it is not evaluated yet. Fields of the
metadata: https://huggingface.co/docs/hub/model-cards. Counts below `SMALLEST` and counts of subgroups are not told: the folder may
travel, and small counts tell of people.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from oncoraft.model_card.card import UNKNOWN, Card

SMALLEST = 10
NOT_EVALUATED = "Not evaluated yet: no metrics of this run were at hand when the card was written."
GROUPS = ("sex", "age", "race", "stage", "line")
HUB_METRICS = {"auroc": "roc_auc", "auprc": "average_precision", "brier": "brier_score"}
SHOWN = {
    ("auroc", "mean_of_folds"): "AUROC, mean of held-out folds",
    ("auroc_within_regimen", "mean_of_folds"): "AUROC within regimen",
    ("auprc", "mean_of_folds"): "area under the precision-recall curve",
    ("brier", "as_delivered"): "Brier score as delivered",
    ("brier", "as_scored"): "Brier score as delivered",
    ("calibration_slope", "as_delivered"): "calibration slope as delivered",
    ("calibration_slope", "as_scored"): "calibration slope as delivered",
    ("observed_to_expected", "as_delivered"): "observed to expected as delivered",
    ("observed_to_expected", "as_scored"): "observed to expected as delivered",
}
INTENDED = "Research on cohorts of treated cancer patients: to order patients who start the same regimen by how likely a response is, and to study why."
NOT_FOR = (
    "Decisions on a patient. The score is prognostic within a regimen; it does not say which regimen to choose. It was not tested outside its "
    "source, nor in cancer types, regimens or years that the training data lack."
)
READ_BY_HEAD = (
    "The score is a probability, read by a head at the end of the prompt (`score_head.pt`), or from the text where a strategy has no head."
)
READ_BY_PROBE = "The score is a probability; coefficients and scales lie in each fold's `probe.json`."
LIMITS = (
    "one source, no external cohort",
    "response is judged from records of scans by rule, and cases without a scan in time are not judged",
    "the mean over folds tells of the method, not of one fold's weights",
    "groups named “too few cases” were not tested",
    "generated rationales may be wrong where they sound sure",
)


def plain(text: object) -> str:
    """Text of data as Markdown shows it literally: one line, no markup, nothing unseen."""
    line = " ".join("".join(letter if letter.isprintable() or letter in "\n\t" else "\ufffd" for letter in str(text)).split())
    return re.sub(r"([\\`*_\[\]<>|~&])", r"\\\1", line)


def licence(card: Card) -> dict[str, str]:
    """The hub's fields of the licence: the data's where they bind what was trained on them, else the base model's."""
    if card.is_synthetic is None:
        return {"license": "other", "license_name": "not-known"}
    if card.is_chord:
        return {"license": "cc-by-nc-nd-4.0"}
    if not card.is_synthetic:
        return {"license": "other", "license_name": "terms-of-the-study"}
    if card.is_base_built:
        return {"license": "apache-2.0"}
    return {"license": card.base_licence} if card.base_licence else {"license": "other", "license_name": "terms-of-the-base-model"}


def slug(text: str) -> str:
    """A name that the hub takes."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.") or "unnamed"


def metric(card: Card, name: str, scope: str, group: str | None = None) -> dict[str, Any] | None:
    """A record of the model's own."""
    wanted = ("model", name, scope, group)
    return next((row for row in card.metrics if (row["predictor"], row["metric"], row["scope"], row["group"]) == wanted), None)


def metadata(card: Card) -> dict[str, Any]:
    """The front matter: what the hub reads."""
    identifier = slug(card.study.get("identifier") or "unknown-study")
    tags = ["oncology", "treatment-response", "oncoraft", "not-for-clinical-use"]
    tags += ["synthetic-data"] if card.is_synthetic else []
    tags += ["lora"] if (card.training.get("settings") or {}).get("strategy", {}).get("adapter") else []
    results = []
    for name, scope in SHOWN:
        row = metric(card, name, scope)
        if row and row["estimate"] is not None and name in HUB_METRICS:
            args = {"lower": row["lower"], "upper": row["upper"], "interval": card.confidence}
            results.append({"type": HUB_METRICS[name], "value": row["estimate"], "name": SHOWN[name, scope], "args": args})
    found: dict[str, Any] = {"language": "en", **licence(card), "library_name": "transformers", "pipeline_tag": "text-generation"}
    found |= {"base_model": "/".join(slug(part) for part in card.base.split("/")), "datasets": [identifier], "tags": tags}
    if results:
        task = {"type": "text-classification", "name": "response to the regimen about to start"}
        dataset = {"type": identifier, "name": card.study.get("name") or identifier, "split": "held-out patients"}
        found["metrics"] = [one["type"] for one in results]
        found["model-index"] = [{"name": slug(card.name), "results": [{"task": task, "dataset": dataset, "metrics": results}]}]
    return found


def number(row: dict[str, Any]) -> str:
    """An estimate with its interval."""
    return f"{row['estimate']:.3f}" + (f" ({row['lower']:.3f} to {row['upper']:.3f})" if row["lower"] is not None else "")


def count(value: Any) -> str:
    """A count of people, unless it is small."""
    return str(value) if isinstance(value, str) else UNKNOWN if value is None else f"<{SMALLEST}" if 0 < value < SMALLEST else f"{value:,}"


def results_text(card: Card) -> list[str]:
    """Metrics with intervals, subgroups, and what the score adds to survival."""
    mean = metric(card, "auroc", "mean_of_folds")
    if mean is None:
        return [NOT_EVALUATED]
    lines = [
        f"On {count(mean['n'])} held-out cases, {count(mean['events'])} of them responders; intervals of {card.confidence:.0%} by resampling patients."
    ]
    lines += ["", "| measure | estimate (interval) |", "|---|---|"]
    shown = [(label, metric(card, *key)) for key, label in SHOWN.items()]
    if card.fold is not None:
        shown.append(("AUROC of this fold's own held-out cases", metric(card, "auroc", "fold", str(card.fold))))
    lines += [f"| {label} | {number(row)} |" for label, row in shown if row and row["estimate"] is not None]
    leads = [
        row
        for row in card.metrics
        if row["metric"] == "auroc_difference" and row["scope"] == "mean_of_folds" and row["estimate"] is not None
    ]
    lines += [f"| AUROC less that of {plain(row['reference'].replace('_', ' '))} | {number(row)} |" for row in leads]
    lines += ["", "| subgroup | AUROC (interval) |", "|---|---|", *subgroups(card)]
    pooled = (card.survival.get("summary") or {}).get("adjusted")
    if pooled:
        ratio = f"{pooled['hazard_ratio']:.2f} ({pooled['lower']:.2f} to {pooled['upper']:.2f})"
        lines += ["", f"Adjusted hazard ratio of death, low against high score, pooled over {pooled['regimens']} regimens: {ratio}."]
    return lines


def subgroups(card: Card) -> list[str]:
    """AUROC by cancer type and by kind of patient; a group of too few is named and its number kept back."""
    lines = []
    for row in card.metrics:
        kind = str(row["group"]).partition(": ")[0] if row["scope"] == "subgroup" else row["scope"]
        if (row["predictor"], row["metric"]) == ("model", "auroc") and kind in ("cancer_type", *GROUPS):
            lines.append(f"| {plain(row['group'])} | {number(row) if row['estimate'] is not None else 'too few cases'} |")
    return lines or ["| none | |"]


def data_text(card: Card) -> str:
    """Where the data come from and what their licence allows."""
    name = card.study.get("identifier") or UNKNOWN
    if card.is_synthetic:
        return f"Study “{name}”: a synthetic twin, made from parameters. No patient is real; its numbers say nothing of patients."
    if card.is_synthetic is None:
        return "Not known: the results that this model was trained in were not at hand when the card was written."
    if card.is_chord:
        release = card.study.get("release") or "release not recognised"
        return f"MSK-CHORD ({name}; {release}), CC BY-NC-ND 4.0: no commercial use, and nothing derived from it may be passed on. That holds for these weights."
    return f"Study “{name}” in cBioPortal's format. Its terms bind what was trained on it; read them before the weights leave the machine."


def training_text(card: Card) -> dict[str, str]:
    """Strategy, hyper-parameters and compute, by what they are; empty where nothing was trained."""
    if not card.training.get("settings"):
        return {}
    counts = card.training["counts"]
    first = " in the first fold" if card.fold is None else ""
    told = strategy_text(card.training, first)
    if is_probe(card.training):
        # Nothing of a frozen base is trained, so that there are no tokens and no processes to tell of.
        told["training set"] = f"{count(counts['training_cases'])} cases{first}"
    else:
        memory = f", at most {card.memory_gib:.1f} GiB" if card.memory_gib else ""
        processes = f"{counts['processes']} process{'es' if counts['processes'] != 1 else ''}"
        told["training set"] = f"{count(counts['cases'])} cases of {count(counts['patients'])} patients{first}"
        told["training compute"] = f"{card.tokens:,} tokens in {card.hours:.2f} hours, {processes}{memory}"
    return told | {"versions": ", ".join(f"{name} {value}" for name, value in card.training.get("versions", {}).items())}


def is_probe(training: dict[str, Any]) -> bool:
    """Whether a fold, by its manifest, is a frozen base that a logistic regression reads."""
    return bool((training.get("settings") or {}).get("strategy", {}).get("probe"))


def strategy_text(training: dict[str, Any], first: str) -> dict[str, str]:
    """How a strategy was trained, by the manifest of a fold.

    Args:
        training: the manifest, its settings and counts.
        first: words behind what holds of this fold alone.
    """
    settings = training["settings"]
    if is_probe(training):
        return probe_text(settings["strategy"]["probe"], training["counts"], first)
    method = settings["strategy"].get("method", "supervised")
    return supervised_text(settings) if method == "supervised" else aligned_text(settings, method)


def probe_text(read_at: str, counts: dict[str, Any], first: str) -> dict[str, str]:
    """How a linear probe was fitted."""
    return {
        "body": "frozen",
        "score head": f"none: logistic regression on what the base makes of a prompt, read at {read_at.replace('_', ' ')}",
        "penalty": f"C = {counts['strength']:g}{first}, of least log loss on the {count(counts['tuning_cases'])} cases of the tuning patients",
    }


def supervised_text(settings: dict[str, Any]) -> dict[str, str]:
    """How a strategy was trained on the teacher's answers."""
    how, train, adapter = settings["strategy"], settings["training"], settings["adapter"]
    lora = f"LoRA, rank {adapter['rank']}, alpha {adapter['alpha']:g}, on {', '.join(adapter['target_modules'])}"
    return {
        "body": lora if how["adapter"] else "frozen",
        "score head": "yes" if how["score_weight"] else "none",
        "loss": f"{how['language_model_weight']:g} × language model + {how['score_weight']:g} × score ({how['score_loss']})",
        "optimiser": f"{train['epochs']} epochs, global batch {train['global_batch_size']}, learning rate {train['learning_rate']:g}, head "
        f"{train['score_head_learning_rate']:g}, seed {train['seed']}",
    }


def aligned_text(settings: dict[str, Any], method: str) -> dict[str, str]:
    """How a strategy went on from another, by preferences or rewards."""
    block, alignment = settings[method], settings["alignment"]
    rewards = ", ".join(f"{name} {weight:g}" for name, weight in alignment["rewards"].items() if weight)
    return {
        "body": f"the adapter of “{settings['strategy']['from']}” of the same fold",
        "score head": f"its score head, {'fitted again to the starting scores' if block['refit'] else 'as it was'}",
        "loss": f"{method}: {alignment['samples']} answers a prompt, rewards {rewards}",
        "optimiser": f"{block['epochs']} epochs, {block['prompts_per_step']} prompts a step, learning rate {block['learning_rate']:g}, seed {alignment['seed']}",
    }


def what_text(card: Card) -> str:
    """What the model does, in a sentence."""
    label = f"definition “{card.definition}”" if card.definition else "a definition that is not on record"
    asked = f"how likely a patient is to respond to the regimen about to start ({label})"
    if is_probe(card.training):
        return f"{card.base}, frozen, and a logistic regression that tells from its vectors {asked}."
    return f"{card.base}, fine-tuned to say {asked}, and why."


def front_matter(card: Card) -> str:
    """The metadata as the hub reads them."""
    return yaml.safe_dump(metadata(card), sort_keys=False, allow_unicode=True, width=120)


def model_card(card: Card) -> str:
    """The card as Markdown, its metadata in front."""
    which = f", fold {card.fold}" if card.fold is not None else ""
    training = [f"- {name}: {plain(text)}" for name, text in training_text(card).items()]
    parts = [
        f"---\n{front_matter(card)}---",
        f"# {plain(card.name)}{which}",
        "> Research only; not for clinical decisions.",
        f"{plain(what_text(card))} {READ_BY_PROBE if is_probe(card.training) else READ_BY_HEAD}",
        f"## Data and licence\n\n{plain(data_text(card))}",
        f"## Intended use\n\n{INTENDED}\n\nNot for: {NOT_FOR[0].lower()}{NOT_FOR[1:]}",
        "## How to ask it\n\n```\noncoraft predict --model THIS_FOLDER --case case.jsonl\n```\n\nThe weights load with `transformers` alone.",
        "## Results\n\n" + "\n".join(results_text(card)),
        "## Limits\n\n" + "\n".join(f"- {one}" for one in LIMITS),
        "## Training\n\n" + ("\n".join(training) or "Nothing was trained, or the manifest of the training was not at hand."),
    ]
    return "\n\n".join(parts) + "\n"
