"""What the answers of a task are worth: `oncoraft task-scores prompts.jsonl --base ... --tuned ... --baselines ... --out FOLDER`.

Every answerer is measured on the same held-out cases: the base model, the tuned one, what each says when it may only choose, its head over choices, the baselines,
and on a twin the law that the answers were drawn from. Intervals resample patients. The tuned model is tested against each other answerer
one-sided, on means over each patient, since cases of one patient are not independent.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from oncoraft.foundation.csv_file import write_csv
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.jsonl import read_jsonl, write_jsonl
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.foundation.publishing import claim
from oncoraft.planning.edge import run, settings_record
from oncoraft.tasks.baselines import BASELINES
from oncoraft.tasks.declaration import Task
from oncoraft.tasks.edge import task_parser, task_settings
from oncoraft.tasks.measures import ROUGE, classes_table, interval, normalised, resampled_means, rouge, share_of
from oncoraft.tasks.signed_rank import signed_rank

log = logging.getLogger("oncoraft")
MODELS = {"base": "rationale", "tuned": "rationale", "base_choice": "answer", "tuned_choice": "answer"}  # option -> key of its answer
HEAD = "head_answer"  # key of what the head over choices says, in the files of --tuned-choice
TESTED, LAW = "tuned", "oracle"
SHARE = "share of the law"  # of the task's own measure: an answerer's mean over that of the law of a twin
FILES = ("metrics.json", "metrics.csv", "classes.csv", "tests.csv", "answers.jsonl")
Answers = Mapping[str, Sequence[str]]


def read_answers(paths: Sequence[Path], key: str, cases: Sequence[str]) -> list[str]:
    """Answers in the order of the cases.

    Raises:
        InputError: a case twice, one that is not held out, or one without an answer.
    """
    found: dict[str, str] = {}
    known = set(cases)
    for path in paths:
        for number, row in enumerate(read_jsonl(path, ("case_id", key), once="case_id"), 1):
            if row["case_id"] not in known:
                raise InputError("expected a held-out case of the task", file=path, line=number, column="case_id", found=row["case_id"])
            if row["case_id"] in found:
                raise InputError("expected one answer a case", file=path, line=number, column="case_id", found=row["case_id"])
            if not isinstance(row[key], str):
                raise InputError("expected a written answer", file=path, line=number, column=key)
            found[row["case_id"]] = row[key]
    if absent := [case for case in cases if case not in found]:
        raise InputError(f"expected an answer of every held-out case; {len(absent)} have none, the first", file=paths[0], found=absent[0])
    return [found[case] for case in cases]


def measured(task: Task, truth: Sequence[str], answers: Sequence[str]) -> tuple[pd.DataFrame, list[Any]]:
    """What each answer is worth, a column a measure, (cases, measures), and the answers as they were read.

    Args:
        task: whose parser and measures hold.
        truth, answers: texts.

    Raises:
        InputError: a right answer that the task's own parser cannot read.
    """
    right, given = [task.read(text) for text in truth], [task.read(text) for text in answers]
    if None in right:
        raise InputError(f"task {task.kind}: expected right answers that its parser reads", found=truth[right.index(None)])
    columns: dict[str, Any] = {
        name: [0.0 if answer is None else value(one, answer) for one, answer in zip(right, given)] for name, value in task.measures.items()
    }
    columns["text, normalised"] = [float(normalised(one) == normalised(answer)) for one, answer in zip(truth, answers)]
    columns["text, as it stands"] = [float(one == answer.strip()) for one, answer in zip(truth, answers)]
    columns["read"] = [float(answer is not None) for answer in given]
    return pd.DataFrame(columns | rouge(truth, answers)), given


def score(
    task: Task, rows: Sequence[dict[str, Any]], answers: Answers, resamples: int, seed: int
) -> tuple[list[dict[str, Any]], pd.DataFrame, pd.DataFrame]:
    """Records of every answerer and measure, classes, and tests.

    Args:
        task: its declaration.
        rows: held-out cases with patient_id and output.
        answers: answerer -> its answers, in the order of the rows.
        resamples, seed: of the bootstrap.
    """
    truth, patients = [row["output"] for row in rows], [row["patient_id"] for row in rows]
    counted = {"n": len(rows), "patients": len(set(patients))}
    records: list[dict[str, Any]] = []
    classes: list[pd.DataFrame] = []
    values: dict[str, pd.DataFrame] = {}
    for name, texts in answers.items():
        worth, given = measured(task, truth, texts)
        values[name] = worth
        draws = resampled_means(worth.to_numpy(), patients, resamples, seed)
        unread = {"unread": int(len(worth) - worth["read"].sum())}
        for place, measure in enumerate(worth):
            lower, upper = interval(draws[:, place])
            bounds = {"estimate": float(worth[measure].mean()), "lower": lower, "upper": upper}
            records.append({"answerer": name, "measure": measure} | bounds | counted | unread)
        if task.category is not None:
            right = [task.category(task.read(text)) for text in truth]
            table, means = classes_table(right, [None if one is None else task.category(one) for one in given])
            classes.append(table.assign(answerer=name))
            for measure, estimate in means.items():
                records.append(
                    {"answerer": name, "measure": measure, "estimate": estimate, "lower": None, "upper": None} | counted | unread
                )
    headline = next(iter(task.measures))
    if LAW in values:
        law = values[LAW][headline].to_numpy()
        for name in (name for name in values if name != LAW):
            found: Sequence[float | None] = share_of(values[name][headline].to_numpy(), law, patients, resamples, seed) or (None,) * 3
            told: dict[str, Any] = dict(zip(("estimate", "lower", "upper"), found, strict=True))
            unread = {"unread": int(len(rows) - values[name]["read"].sum())}
            records.append({"answerer": name, "measure": SHARE} | told | counted | unread)
    tests = paired_tests(values, patients, [headline, ROUGE[0]], resamples, seed)
    return records, pd.concat(classes) if classes else pd.DataFrame(columns=["class", "answerer"]), tests


def paired_tests(
    values: Mapping[str, pd.DataFrame], patients: Sequence[str], measures: Sequence[str], resamples: int, seed: int
) -> pd.DataFrame:
    """The tuned model against each other answerer: difference with its interval, and the one-sided test on patients' means."""
    rows = []
    for other in (name for name in values if name != TESTED):
        for measure in measures:
            apart = (values[TESTED][measure] - values[other][measure]).to_numpy()
            lower, upper = interval(resampled_means(apart[:, None], patients, resamples, seed)[:, 0])
            means = pd.Series(apart).groupby(np.asarray(patients, dtype=object)).mean()
            test = asdict(signed_rank(means.tolist()))
            known = {
                "first": TESTED,
                "second": other,
                "measure": measure,
                "difference": float(apart.mean()),
                "lower": lower,
                "upper": upper,
            }
            rows.append(known | {"cases": len(apart), "patients": test.pop("n"), "test": test.pop("name")} | test)
    return pd.DataFrame(rows)


def oracle_answers(path: Path, kind: str, rows: Sequence[dict[str, Any]]) -> list[str] | None:
    """The likeliest answers by the law of a twin; None where the law says nothing of the task.

    Raises:
        InputError: it says nothing of one of the cases.
    """
    truth = pd.read_parquet(path)
    if kind not in truth:
        return None
    truth = truth.dropna(subset=[kind])
    told = dict(zip(zip(truth["patient_id"].astype(str), truth["start_day"].astype(int)), truth[kind]))
    # A case is named by its patient and its day: P-0000001_-25, and of treatment cases P-0000001_+84.
    asked = [(row["patient_id"], int(row["case_id"].rpartition("_")[2])) for row in rows]
    if absent := [row["case_id"] for row, key in zip(rows, asked) if key not in told]:
        raise InputError(f"expected a truth of every case; {len(absent)} have none, the first", file=path, found=absent[0])
    return [str(told[key]) for key in asked]


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = task_parser(
        "task-scores",
        "in:  a task's prompts with their answers, and what base model, tuned model and baselines answered on its held-out cases\n"
        f"out: {', '.join(FILES)} and manifest.json\n\n"
        "example:\n  oncoraft task-scores prompts.jsonl --base base/shard-0.jsonl --tuned tuned/shard-0.jsonl --baselines baselines.jsonl --out scores --config config/tasks.yaml --task icd10",
    )
    parser.add_argument("prompts", type=Path, metavar="PROMPTS", help="prompts.jsonl written by `oncoraft task-prompts`")
    for name in MODELS:
        needed = name in {"base", "tuned"}
        what = name.replace("_choice", " model, choosing") if not needed else f"{name} model"
        parser.add_argument(
            f"--{name.replace('_', '-')}", type=Path, nargs="+", required=needed, metavar="FILE", help=f"answers of the {what}"
        )
    parser.add_argument("--baselines", type=Path, required=True, metavar="FILE", help="baselines.jsonl of the task")
    parser.add_argument(
        "--truth", type=Path, metavar="FILE", help="likeliest answers of a twin, written by `oncoraft task-courses` or `oncoraft task-law`"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="folder to write")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Score one task."""
    given = parse(arguments)
    task, blocks = task_settings("task-scores", given)
    claim(*(given.out / name for name in (*FILES, "manifest.json")), step="task-scores", home=given.out)
    block = blocks["task"]
    baselines = {row["case_id"]: row for row in read_jsonl(given.baselines, ("case_id", *BASELINES), once="case_id")}
    rows = [row for row in read_jsonl(given.prompts, ("case_id", "patient_id", "output"), once="case_id") if row["case_id"] in baselines]
    cases = [row["case_id"] for row in rows]
    if len(cases) != len(baselines):
        raise InputError("expected baselines of the task's own cases", file=given.baselines, found=f"{len(baselines) - len(cases)} others")
    answers: dict[str, Sequence[str]] = {}
    for name, key in MODELS.items():
        if paths := getattr(given, name):
            answers[name] = read_answers(paths, key, cases)
    if block.strategy == "raft" and given.tuned_choice:
        answers["tuned_head"] = read_answers(given.tuned_choice, HEAD, cases)
    answers |= {name: [baselines[case][name] for case in cases] for name in BASELINES}
    if given.truth and (oracle := oracle_answers(given.truth, task.kind, rows)) is not None:
        answers[LAW] = oracle
    records, classes, tests = score(task, rows, answers, block.bootstrap, block.seed)
    publish(
        given,
        blocks,
        task,
        (records, classes, tests),
        [row | {"answers": {name: answers[name][n] for name in answers}} for n, row in enumerate(rows)],
    )
    best = {row["answerer"]: row["estimate"] for row in records if row["measure"] == next(iter(task.measures))}
    log.info("task-scores: %s, %d cases: %s", task.kind, len(rows), {name: round(value, 3) for name, value in best.items()})
    return 0


def publish(given: argparse.Namespace, blocks: dict[str, Any], task: Task, found: Any, rows: list[dict[str, Any]]) -> None:
    """Write the folder."""
    records, classes, tests = found
    paths = [given.out / name for name in FILES]
    record = given.out / "manifest.json"
    told = ("case_id", "patient_id", "output", "answers")
    with publishing(*paths, record, step="task-scores", home=given.out) as (out, table, out_classes, out_tests, out_rows, note):
        write_json(
            out, {"task": task.kind, "title": task.title, "headline": next(iter(task.measures)), "note": task.note, "records": records}
        )
        write_csv(table, pd.DataFrame(records))
        write_csv(out_classes, classes)
        write_csv(out_tests, tests)
        write_jsonl(out_rows, [{name: row[name] for name in told} for row in rows])
        outputs = dict(zip(paths, (out, table, out_classes, out_tests, out_rows), strict=True))
        inputs = [given.prompts, given.baselines, *([given.truth] if given.truth else [])]
        inputs += [path for name in MODELS for path in getattr(given, name) or []]
        counts = {"cases": len(rows), "patients": len({row["patient_id"] for row in rows}), "records": len(records)}
        write_json(
            note,
            manifest("task-scores", inputs=inputs, outputs=outputs, settings=settings_record(given, blocks), counts=counts, beside=record),
        )


if __name__ == "__main__":
    raise SystemExit(run(main))
