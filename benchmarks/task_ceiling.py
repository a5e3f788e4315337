"""How much a text task on a twin's treatment cases gains from more training cases, beside what its law makes possible.

    python benchmarks/task_ceiling.py results/demo [--task drug_regimen] [--heldout 300] [--layout compact] [--further results/pretraining]

The held-out cases are those of the first fold, as the task takes them; the answerer is logistic regression on words and pairs of words, as in
`oncoraft task-baselines`. The law knows what the twin knew when it drew (`oncoraft task-law`). Of another twin, whose patients are others, `--further`
adds all cases to the training cases: what the prompts themselves can tell, where there is no end of cases.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from oncoraft.planning.config import TextTask
from oncoraft.tasks.baselines import answered
from oncoraft.tasks.declaration import Material, read_columns
from oncoraft.tasks.prompts import EVIDENCE, rendered
from oncoraft.tasks.registry import task_of
from oncoraft.tasks.scores import oracle_answers
from oncoraft.tasks.split import DESIGN, capped

SIZES = (600, 1200, 2400)
SEED = TextTask().seed


def prompts_of(home: Path, kind: str, layout: str) -> list[dict[str, Any]]:
    """Prompts with answers of all treatment cases of a twin."""
    task = task_of(kind)
    cases = task.find(Material(TextTask(kind=kind), home / "tables", home / "cases")).cases
    return rendered(task, cases, read_columns(home / "prompts/evidence.parquet", EVIDENCE, "evidence"), 1024, layout)[0]


def main() -> None:
    """Print shares of right answers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="a twin's results with tasks/law.parquet")
    parser.add_argument("--task", default="drug_regimen")
    parser.add_argument("--heldout", type=int, default=300)
    parser.add_argument("--layout", default="compact", choices=("compact", "statements"))
    parser.add_argument("--further", type=Path, help="results of another twin, with cases and evidence")
    given = parser.parse_args()
    home, task = given.results, task_of(given.task)
    rows = prompts_of(home, given.task, given.layout)
    folds = pd.read_parquet(home / "cases/folds.parquet")
    fold_of = folds[folds["design"] == DESIGN].set_index("case_id")["fold"].astype(int).to_dict()
    held = capped([row for row in rows if fold_of.get(row["case_id"]) == 0], given.heldout, SEED, "held out")
    train = [row for row in rows if fold_of.get(row["case_id"], 0) != 0]
    truth = [task.read(row["output"]) for row in held]

    def share(answers: list[str]) -> float:
        return round(float(np.mean([task.read(answer) == right for answer, right in zip(answers, truth)])), 3)

    print(
        json.dumps(
            {"task": given.task, "held_out": len(held), "law": share(oracle_answers(home / "tasks/law.parquet", given.task, held) or [])}
        )
    )
    sizes = [size for size in SIZES if size < len(train)] + [len(train)]
    if given.further:
        train += prompts_of(given.further, given.task, given.layout)
        sizes = [len(train)]
    for size in sizes:
        found = answered(capped(train, size, SEED, "training"), held, SEED)
        print(json.dumps({"training_cases": size} | {name: share(answers) for name, answers in found.items()}))


if __name__ == "__main__":
    main()
