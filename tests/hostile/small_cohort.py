"""A cohort of few patients through every step that needs no model: predictions stand in for those of a trained one."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd

from oncoraft.cli import main
from oncoraft.foundation.jsonl import read_jsonl, write_jsonl

MODEL, RUNS = "tiny", ("raft", "lm_only")


def few_patients(clean: Path, study: Path, patients: int) -> Path:
    """A copy of a study of which only the first treated patients are left."""
    shutil.copytree(clean, study)
    rows = (study / "data_timeline_treatment.txt").read_text().splitlines()[1:]
    kept = set(sorted({row.split("\t")[0] for row in rows})[:patients])
    for path in sorted(study.glob("data_*")):
        lines = path.read_text().split("\n")
        if path.name == "data_cna.txt":
            cells = [line.split("\t") for line in lines if line]
            columns = [0, *(at for at, name in enumerate(cells[0]) if name[:9] in kept)]
            lines = ["\t".join(row[at] for at in columns) for row in cells]
        found = [re.search(r"P-\d{7}", line) for line in lines]
        is_matrix = path.name == "data_cna.txt"
        path.write_text("\n".join(line for line, one in zip(lines, found) if is_matrix or one is None or one.group(0) in kept))
    for path in sorted((study / "case_lists").glob("*.txt")):
        fields = [line.split(": ", 1) for line in path.read_text().splitlines()]
        ids = [one for one in fields[-1][1].split("\t") if one[:9] in kept]
        assert fields[-1][0] == "case_list_ids"
        path.write_text("".join(f"{name}: {text}\n" for name, text in [*fields[:-1], ["case_list_ids", "\t".join(ids)]]))
    return study


def step(name: str, *words: object, **settings: object) -> None:
    """Run a step; it must not refuse."""
    assert main([name, *map(str, words), *(["--settings", json.dumps(settings)] if settings else [])]) == 0, name


def tables_to_prompts(study: Path, results: Path, folds: int) -> None:
    """The steps up to the prompts."""
    tables, cases, texts = results / "tables", results / "cases", results / "prompts"
    step("ingest", study, "--out", tables)
    step("regimens", tables, "--out", cases)
    step("labels", tables, cases)
    step("followup", tables, cases)
    step("folds", cases, folds={"folds": folds})
    step("flow", tables, cases)
    step("evidence", tables, cases, "--out", texts / "evidence.parquet")
    step("audit", tables, cases, "--out", texts / "audit.json", audit={"cases": 3})
    step("rationales", texts / "evidence.parquet", cases, "--out", texts / "rationales.jsonl")
    step("render", texts / "evidence.parquet", cases, "--out", results / MODEL / "prompts" / "prompts.jsonl")


def predicted(results: Path, folds: int, *, is_split: bool) -> None:
    """Scores by chance for every held-out case, gathered where there are files of held-out cases to gather by."""
    home, texts = results / MODEL / "prompts", results / "prompts"
    held_out = [home / "kfold" / f"fold-{fold}" / "heldout.jsonl" for fold in range(folds)]
    table = pd.read_parquet(results / "cases" / "folds.parquet")
    table = table[table["design"] == "kfold"]
    words = [home / "prompts.jsonl", texts / "rationales.jsonl", results / "cases"]
    if is_split:
        for fold, path in enumerate(held_out):
            step("split", *words, "--design", "kfold", "--fold", fold, "--train", path.with_name("train.jsonl"), "--heldout", path)
            assert {row["case_id"] for row in read_jsonl(path)} == set(table.loc[table["fold"] == fold, "case_id"])
    step("leakage", *words, "--out", home / "kfold" / "leakage.json")
    draw = np.random.default_rng(1)
    for run in RUNS:
        logit = draw.normal(size=len(table))
        scores = {
            "logit": logit,
            "score": 1 / (1 + np.exp(-logit)),
            "score_from_text": None,
            "rationale": "",
            "finish_reason": "not_sampled",
        }
        rows = table[["case_id", "patient_id", "fold"]].assign(**scores).to_dict("records")
        home = results / MODEL / run / "kfold"
        home.mkdir(parents=True)
        write_jsonl(home / "shard.jsonl" if is_split else home / "predictions.jsonl", rows)
        if is_split:
            step("gather", home / "shard.jsonl", "--heldout", *held_out, "--out", home / "predictions.jsonl")


def measured(results: Path) -> Path:
    """The steps after prediction; the page at their end."""
    cases, evidence = results / "cases", results / "prompts" / "evidence.parquet"
    beside, quick = results / "baselines" / "kfold" / "predictions.parquet", {"bootstrap": 100}
    step("baselines", cases, evidence, "--out", beside)
    homes = [results / MODEL / run / "kfold" for run in RUNS]
    for home in homes[:1]:
        predictions = home / "predictions.jsonl"
        words = [predictions, cases, "--baselines", beside]
        step("metrics", *words, "--evidence", evidence, "--out", home / "metrics", evaluation=quick)
        step("survival", predictions, cases, evidence, "--baselines", beside, "--out", home / "survival")
    step("selection", cases, evidence, "--out", results / "selection" / "kfold")
    step("compare", *homes, "--cases", cases, "--out", results / "comparisons" / "kfold" / "comparison.json", evaluation=quick)
    step("report", results, "--out", results / "report" / "index.html")
    return results / "report" / "index.html"
