"""The steps of the workflow: which module runs each, and which configuration blocks it reads.

This table is the one place that joins a command name, a script and its settings. The workflow
takes from it what a rule depends on, `oncoraft --help` what it prints, and a test that a step
reads no block that it does not declare. It imports nothing.
"""

from __future__ import annotations

from typing import NamedTuple


class Step(NamedTuple):
    """One command: the module that runs it, the blocks it reads, one line of help."""

    module: str
    blocks: tuple[str, ...]
    summary: str


STEPS: dict[str, Step] = {
    "twin": Step("oncoraft.twin.twin", ("twin",), "Write a synthetic study folder in MSK-CHORD's released layout."),
    "convert": Step("oncoraft.cohort.convert", (), "Bring a cohort in another layout or clock into MSK-CHORD's, with a mapping report."),
    "ingest": Step("oncoraft.cohort.ingest", ("ingest",), "Read a study folder into typed Parquet, every row accounted for."),
    "overlap": Step("oncoraft.cohort.overlap", ("external",), "Who of a second cohort may be judged: not those whom the first has seen."),
    "export-meds": Step(
        "oncoraft.cohort.meds_export", ("labels",), "Write tables and labels as a MEDS data set, its clock declared relative."
    ),
    "regimens": Step(
        "oncoraft.cases.regimens", ("regimens", "cohort_filter"), "Group dated agents into regimens and number the lines of therapy."
    ),
    "labels": Step("oncoraft.cases.labels", ("labels",), "Judge response to each regimen from the scans in its window."),
    "followup": Step("oncoraft.cases.followup", ("followup",), "Follow each case from its index date, with delayed entry at sequencing."),
    "folds": Step("oncoraft.cases.folds", ("folds",), "Assign patients to folds, disjoint and frozen."),
    "outside-folds": Step(
        "oncoraft.cases.outside_folds", ("folds",), "Parts of a cohort that no model is trained on, for score groups cut on other patients."
    ),
    "pool": Step(
        "oncoraft.cases.pool",
        ("folds", "pooling"),
        "Cases of several cohorts as one, with folds by patient and with a cohort left out at a time.",
    ),
    "flow": Step("oncoraft.cases.flow", ("labels",), "Count the cohort from patients to analysed cases."),
    "label-truth": Step("oncoraft.cases.label_truth", (), "Compare every label definition with the true responses of a twin."),
    "cases": Step(
        "oncoraft.cases.build",
        ("regimens", "cohort_filter", "labels", "followup", "folds"),
        "Regimens, labels, follow-up, folds and flow in one call, as the five steps would write them.",
    ),
    "evidence": Step("oncoraft.evidence.evidence", ("evidence",), "Collect what was known of each case at its index date."),
    "audit": Step("oncoraft.prompts.audit", ("evidence", "prompts", "audit"), "Prove that nothing after the index date reaches a prompt."),
    "rationales": Step(
        "oncoraft.rationales.rationales", ("rationales", "labels"), "Write and verify the clinical rationale of each labelled case."
    ),
    "mapping": Step("oncoraft.evidence.mapping", (), "What a cohort has of every field: mapped, approximated (how), or absent."),
    "render": Step("oncoraft.prompts.render", ("prompts",), "Render evidence into prompts within the token budget."),
    "prompts": Step(
        "oncoraft.prompts.build",
        ("evidence", "prompts"),
        "Evidence and rendering in one call: tables and cases in, prompts out.",
    ),
    "split": Step("oncoraft.prompts.split", ("split", "labels"), "Write the training and held-out JSONL files of one fold."),
    "export-jsonl": Step(
        "oncoraft.prompts.export_jsonl", (), "Write a fold's file in the published JSONL format, where its lines refer to their prompts."
    ),
    "final-cases": Step(
        "oncoraft.prompts.final_cases", ("split", "labels"), "Every labelled case of a cohort as a training file: no fold is held out."
    ),
    "outside-cases": Step(
        "oncoraft.prompts.outside_cases",
        ("labels", "external", "split"),
        "Every case of a second cohort for models of another, none of whose patients they have seen.",
    ),
    "pool-prompts": Step("oncoraft.prompts.pool_prompts", (), "The prompts of several cohorts as one file."),
    "control": Step(
        "oncoraft.prompts.control",
        ("prompts", "split"),
        "Write a fold's files for a negative control: permuted labels, drugs alone, or drugs of another regimen.",
    ),
    "tokens": Step("oncoraft.prompts.tokens", ("labels",), "Turn prompts and answers into token ids once, shared by all folds."),
    "leakage": Step(
        "oncoraft.prompts.leakage",
        ("audit", "labels"),
        "Look for the label in rationales with a text model, beside the same model on prompts.",
    ),
    "base-model": Step("oncoraft.models.tiny", ("model",), "Build and pretrain a tiny base model on a corpus of prompts and answers."),
    "train": Step(
        "oncoraft.training.train",
        ("strategy", "adapter", "training"),
        "Fine-tune one fold: language-modelling loss on the rationale, classification loss on the score head.",
    ),
    "preferences": Step(
        "oncoraft.alignment.pairs",
        ("strategy", "training", "alignment", "preferences"),
        "Pairs of answers to a fold's training cases, ranked by rewards or chosen by clinicians.",
    ),
    "dpo": Step(
        "oncoraft.alignment.dpo",
        ("strategy", "training", "alignment", "dpo"),
        "Go on from a trained fold by preferences: direct preference optimisation.",
    ),
    "grpo": Step(
        "oncoraft.alignment.grpo",
        ("strategy", "training", "alignment", "grpo"),
        "Go on from a trained fold by rewards of sampled answers: group-relative policy optimisation.",
    ),
    "rewards": Step(
        "oncoraft.alignment.reward_table",
        ("alignment", "evaluation"),
        "Rewards of held-out answers before and after alignment, with intervals.",
    ),
    "infer": Step(
        "oncoraft.inference.infer", ("inference", "strategy"), "Score one shard of the held-out cases and write their rationales."
    ),
    "embed": Step(
        "oncoraft.inference.embed", ("inference",), "Read every prompt with a frozen base model: one vector a case, at a stated point."
    ),
    "probe": Step(
        "oncoraft.models.probe",
        ("strategy",),
        "Fit logistic regression on a fold's embeddings, its penalty chosen on tuning patients, and score.",
    ),
    "recalibrate": Step(
        "oncoraft.inference.recalibrate", (), "Fit probabilities and a threshold on the scores of a fold's tuning patients."
    ),
    "gather": Step("oncoraft.inference.gather", (), "Join the shards; every held-out case exactly once."),
    "average": Step(
        "oncoraft.inference.average", (), "Join what several fold models say of the same cases: their mean, and each one's score."
    ),
    "export": Step("oncoraft.models.export", ("inference",), "Merge a fold's adapter into its base: a model folder with a score head."),
    "predict": Step("oncoraft.inference.predict", ("inference",), "Score one case, or a few, with a model folder, and say why."),
    "page": Step(
        "oncoraft.page.page",
        ("inference", "evidence", "prompts", "report"),
        "Serve a local web page of one case: score, reasons, where it stands.",
    ),
    "baselines": Step(
        "oncoraft.evaluation.baselines", ("baselines", "labels"), "Fit the baselines on the same folds and score the same held-out cases."
    ),
    "apply-baselines": Step(
        "oncoraft.evaluation.applied_baselines",
        ("baselines", "labels"),
        "Fit the baselines on one cohort's folds and score another cohort's cases.",
    ),
    "metrics": Step(
        "oncoraft.evaluation.metrics",
        ("evaluation", "labels"),
        "Discrimination with patient-cluster bootstrap intervals, beside the baselines.",
    ),
    "external": Step(
        "oncoraft.evaluation.external",
        ("evaluation", "labels", "external"),
        "How models of one cohort do in another: discrimination beside home, calibration before and after recalibration.",
    ),
    "label-validity": Step(
        "oncoraft.evaluation.label_validity",
        ("evaluation", "labels"),
        "Curated response beside the rule on scans: agreement, kappa, and AUROC under each, of a cohort and of patients of two.",
    ),
    "grid": Step(
        "oncoraft.evaluation.grid",
        ("evaluation", "labels"),
        "Models, strategies, cohorts and designs in one table, ranked with the ranking's uncertainty, and the cost of each.",
    ),
    "compare": Step(
        "oncoraft.evaluation.compare", ("evaluation", "labels"), "Compare runs pair by pair on the cases that both have scored."
    ),
    "survival": Step("oncoraft.survival.stratify", ("survival", "labels"), "Stratify survival by score per regimen, with delayed entry."),
    "selection": Step(
        "oncoraft.survival.selection",
        ("selection", "labels"),
        "Audit what being in the cohort tells of the outcome: kinds of evidence and sequencing time alone.",
    ),
    "task-courses": Step(
        "oncoraft.twin.radiation_courses", ("radiation",), "Make up dose, fractions and modality of a twin's radiation, by a stated law."
    ),
    "task-law": Step("oncoraft.twin.task_law", ("twin",), "Say what a twin's law makes likeliest of the text tasks: their ceiling."),
    "task-cases": Step("oncoraft.tasks.find_cases", ("task", "radiation"), "Find the cases of a text task, each with its answer."),
    "task-prompts": Step("oncoraft.tasks.prompts", ("task",), "Write the prompts of a text task, and search each for its own answer."),
    "task-split": Step("oncoraft.tasks.split", ("task",), "Write the training and held-out files of one fold of a text task."),
    "task-baselines": Step("oncoraft.tasks.baselines", ("task",), "Answer the held-out cases of a text task without a language model."),
    "task-choices": Step(
        "oncoraft.inference.choices", ("inference", "strategy"), "Weigh every answer that a fold has trained on for each held-out case."
    ),
    "task-scores": Step(
        "oncoraft.tasks.scores", ("task",), "Measure the answers of base and tuned model beside the baselines, with paired tests."
    ),
    "twin-cells": Step(
        "oncoraft.cells.twin", ("cell_study",), "Write synthetic single-cell data sets with a known programme of response, as AnnData."
    ),
    "cell-cases": Step(
        "oncoraft.cells.find_cases",
        ("cell_study",),
        "Read files of AnnData in chunks: quality, cases and the most expressed genes of each.",
    ),
    "cell-prompts": Step(
        "oncoraft.cells.prompts", ("cell_study",), "Write the sentence of every cell as a prompt, and search it for the response."
    ),
    "cell-folds": Step(
        "oncoraft.cells.folds", ("cell_study",), "Assign cells to folds by donor, data set, drug, tissue, and by cell as published."
    ),
    "cell-split": Step("oncoraft.cells.split", ("cell_study",), "Write the training and held-out files of one fold of a design of cells."),
    "cell-expression": Step(
        "oncoraft.cells.expression", ("cell_study",), "Sum the counts of every case, and draw the cases on a map by principal components."
    ),
    "cell-baselines": Step(
        "oncoraft.cells.baselines", ("cell_study",), "Score held-out cells by regression, boosted trees, a signature and priors."
    ),
    "cell-model": Step(
        "oncoraft.training.cell_model",
        ("cell_model", "strategy", "adapter", "training"),
        "Train a model of cells on one fold, frozen or by LoRA, and score its held-out cases.",
    ),
    "cell-scores": Step(
        "oncoraft.evaluation.cell_scores", ("cell_study",), "Measure models and baselines of one design of cells, with intervals by donor."
    ),
    "cell-removals": Step(
        "oncoraft.cells.removals", ("cell_study",), "Write held-out sentences with one gene taken out, to see what moves the score."
    ),
    "cell-markers": Step(
        "oncoraft.cells.markers", ("cell_study",), "How far the removal of each gene moves the score, with intervals by donor."
    ),
    "rate": Step("oncoraft.tasks.rate", (), "Make blinded sheets of answers for clinicians, and read the filled ones back."),
    "report": Step("oncoraft.report.report", ("report",), "Draw every table and figure into one offline HTML page."),
    "headline": Step("oncoraft.report.headline", (), "Print the headline table of a finished report."),
    "why": Step("oncoraft.reruns.why", (), "What would run again, why, and what it has cost before."),
    "verify": Step("oncoraft.reruns.verify", (), "Check a results tree against its manifests, without the engine's records."),
    "crate": Step("oncoraft.reruns.crate", (), "Describe a finished run as an RO-Crate: files, digests, versions, seeds."),
}
