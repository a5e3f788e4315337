"""What alignment did: rewards of held-out answers before and after, the score head before and after its refit, the best-rewarded answers."""

from __future__ import annotations

from typing import Any

import pandas as pd

from oncoraft.foundation.jsonl import read_jsonl
from oncoraft.report.collect import Run, read_json
from oncoraft.report.sections import Sources
from oncoraft.report.tables import Data, Rows, count, decimals, interval, records, tabulate, text

REWARDS = [
    text("run", "run"),
    text("reward", "reward"),
    decimals("before", "before"),
    decimals("after", "after"),
    interval("after less before (95 % interval)", "difference"),
    count("cases", "n"),
    count("patients", "patients"),
]
HEADS = [
    text("run", "run"),
    count("fold", "fold"),
    decimals("AUROC at the start", "starting_auroc"),
    decimals("AUROC as it came out", "unrefitted_auroc"),
    decimals("AUROC refitted", "refitted_auroc"),
    decimals("mean change of a probability as it came out", "unrefitted_mean_difference"),
    decimals("refitted", "refitted_mean_difference"),
    count("training cases", "cases"),
]
SHOWN = 10  # best-rewarded answers of each run


def home(sources: Sources, run: Run) -> Any:
    """The folder of a run."""
    return sources.results / run.model / run.strategy / run.design


def reward_rows(sources: Sources, run: Run) -> Rows:
    """A row a reward, the weighted mean of all first; none where the run was not aligned."""
    path = home(sources, run) / "rewards.csv"
    if not path.is_file():
        return []
    names = {"reward": "all, weighted"}
    shown = ("before", "after", "difference", "lower", "upper")
    return [
        {"run": run.name, "reward": names.get(row["reward"], row["reward"])}
        | {name: row.get(name) for name in shown}
        | {name: sources.guard.count(int(row[name])) for name in ("n", "patients")}
        for row in records(pd.read_csv(path))
    ]


def head_rows(sources: Sources, run: Run) -> Rows:
    """A row a fold: the score head on its training cases."""
    rows = []
    for path in sorted(home(sources, run).glob("fold-*/alignment.json")):
        told = read_json(path)["score_head"]
        row = {"run": run.name, "fold": int(path.parent.name.removeprefix("fold-"))} | told
        rows.append({column.key: row.get(column.key) for column in HEADS} | {"cases": sources.guard.count(told["cases"])})
    return rows


def section(sources: Sources) -> dict[str, Any] | None:
    """Alignment; nothing where no run was aligned."""
    rows = [row for run in sources.runs for row in reward_rows(sources, run)]
    if not rows:
        return None
    heads = [row for run in sources.runs for row in head_rows(sources, run)]
    best = {run.name: best_rewarded(sources, run) for run in sources.runs}
    first = rows[0]
    return {
        "brief": f"{first['run']}: mean reward {first['before']:.3f} before, {first['after']:.3f} after",
        "rewards": tabulate(Data("rewards", rows), REWARDS, "Rewards of held-out answers before and after alignment, the same cases"),
        "heads": tabulate(Data("refitted-heads", heads), HEADS, "The score head on the training cases of each fold"),
        "best": {name: answers for name, answers in best.items() if answers},
    }


def best_rewarded(sources: Sources, run: Run) -> list[dict[str, Any]]:
    """The answers that the rewards like best, where texts may be shown."""
    path = home(sources, run) / "best_rewarded.jsonl"
    if not path.is_file() or not (sources.shows_rationales or sources.is_twin):
        return []
    return [{"reward": row["reward"], "text": row["rationale"]} for row in read_jsonl(path)[:SHOWN]]
