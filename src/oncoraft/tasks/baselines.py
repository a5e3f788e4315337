"""Answers without a language model: `oncoraft task-baselines --train ... --heldout ... --out baselines.jsonl`, fold by fold.

majority: the most frequent training answer. by_site: the most frequent of the same primary site. tfidf: logistic regression on words and
pairs of words of the prompt. neighbour: the answer of the training case whose prompt is most alike. All are fitted on the very
training rows that the model is tuned on.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from oncoraft.foundation.errors import InputError
from oncoraft.foundation.jsonl import read_jsonl, write_jsonl
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.foundation.publishing import claim
from oncoraft.planning.edge import run, settings_record
from oncoraft.tasks.edge import task_parser, task_settings
from oncoraft.tasks.split import KEYS

log = logging.getLogger("oncoraft")
BASELINES = ("majority", "by_site", "tfidf", "neighbour")
BLOCK = 2048  # held-out cases compared with all training cases at a time


def most_frequent(answers: Sequence[str]) -> str:
    """The most frequent answer; of equals the first by the alphabet."""
    return min(Counter(answers).items(), key=lambda one: (-one[1], one[0]))[0]


def answered(train: Sequence[dict[str, Any]], held: Sequence[dict[str, Any]], seed: int) -> dict[str, list[str]]:
    """Baseline -> its answer to every held-out case.

    Args:
        train: rows with input, output, site.
        held: rows with input, site.
        seed: of the regression's solver.
    """
    outputs = [row["output"] for row in train]
    usual = most_frequent(outputs)
    by_site: dict[str, list[str]] = defaultdict(list)
    for row in train:
        by_site[row["site"]].append(row["output"])
    of_site = {site: most_frequent(answers) for site, answers in by_site.items()}
    found = {"majority": [usual] * len(held), "by_site": [of_site.get(row["site"], usual) for row in held]}
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"(?u)\b\w+\b")
    known, asked = words.fit_transform([row["input"] for row in train]), words.transform([row["input"] for row in held])
    if len(set(outputs)) > 1:
        model = LogisticRegression(C=10.0, max_iter=500, random_state=seed).fit(known, outputs)
        found["tfidf"] = [str(answer) for answer in model.predict(asked)]
    else:
        found["tfidf"] = [usual] * len(held)
    nearest: list[int] = []
    for start in range(0, asked.shape[0], BLOCK):
        # Rows are of length 1, so that the product is the cosine; the first of equals.
        nearest += np.asarray((asked[start : start + BLOCK] @ known.T).argmax(axis=1)).ravel().tolist()
    return found | {"neighbour": [outputs[place] for place in nearest]}


def main(arguments: Sequence[str] | None = None) -> int:
    """Answer the held-out cases of every fold."""
    parser = task_parser(
        "task-baselines",
        "in:  training and held-out files of every fold of a task, in the same order\n"
        "out: a JSON object a held-out case: case_id, and the answers of majority, by_site, tfidf and neighbour\n\n"
        "example:\n  oncoraft task-baselines --train fold-0/train.jsonl --heldout fold-0/heldout.jsonl --out baselines.jsonl --config config/tasks.yaml --task icd10",
    )
    parser.add_argument("--train", type=Path, nargs="+", required=True, metavar="FILE", help="training files, a fold each")
    parser.add_argument("--heldout", type=Path, nargs="+", required=True, metavar="FILE", help="held-out files of the same folds")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="JSONL to write")
    given = parser.parse_args(arguments)
    if len(given.train) != len(given.heldout):
        raise InputError("--heldout: expected as many files as --train", found=len(given.heldout))
    _, blocks = task_settings("task-baselines", given)
    record = given.out.with_name(given.out.name + ".manifest.json")
    claim(given.out, record, step="task-baselines")
    rows: list[dict[str, Any]] = []
    for train_file, held_file in zip(given.train, given.heldout, strict=True):
        train, held = read_jsonl(train_file, KEYS), read_jsonl(held_file, KEYS)
        answers = answered(train, held, blocks["task"].seed)
        for number, row in enumerate(held):
            known = {"case_id": row["case_id"], "patient_id": row["patient_id"], "fold": row["fold"]}
            rows.append(known | {name: answers[name][number] for name in BASELINES})
    with publishing(given.out, record, step="task-baselines") as (out, note):
        write_jsonl(out, rows)
        inputs, counts = [*given.train, *given.heldout], {"cases": len(rows), "folds": len(given.train)}
        written = manifest(
            "task-baselines", inputs=inputs, outputs={given.out: out}, settings=settings_record(given, blocks), counts=counts, beside=record
        )
        write_json(note, written)
    log.info("task-baselines: %d cases", len(rows))
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
