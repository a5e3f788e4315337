"""Alignment in one command: preferences, then rewards, from what raft has trained; and exactly what a change of its settings reruns."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
import yaml

from oncoraft.report.jobs import NOT_MEASURED, job_rows

from .conftest import ROOT
from .finished_run import FinishedRun, changed, count

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("small-run")]

SMALL = {
    "alignment": {"cases": 6, "samples": 3, "max_new_tokens": 8},
    "preferences": {"least_margin": 0.0},
    "dpo": {"epochs": 1, "prompts_per_step": 2},
    "grpo": {"updates_per_batch": 1, "prompts_per_step": 3},
    "inference": {"rationales": 3, "temperature": 0.6, "top_p": 0.9},  # as in the finished run
}
PER_RUN = {"infer": 4, "recalibrate_kfold": 1, "gather": 1, "metrics": 1, "survival": 1, "rewards": 1}
BOTH = {name: 2 * jobs for name, jobs in PER_RUN.items()} | {"compare": 1, "report": 1}


@pytest.fixture(scope="module")
def aligned(finished_run: FinishedRun, tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    """The finished small run with `config/alignment.yaml` on top, made small, run."""
    folder = tmp_path_factory.mktemp("alignment")
    run = finished_run.copy(folder / "copy")
    (folder / "small.yaml").write_text(yaml.safe_dump(SMALL))
    run.overlays += [ROOT / "config/alignment.yaml", folder / "small.yaml"]
    assert count(run.jobs()) == {"preferences": 2, "dpo": 2, "grpo": 2} | BOTH, "raft is finished and must not run again"
    done = run.execute("--quiet", "all")
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    return run


def test_an_aligned_fold_has_the_files_of_a_trained_one_and_its_own_account(aligned: FinishedRun) -> None:
    for strategy in ("dpo", "grpo"):
        fold = aligned.results / "tiny" / strategy / "kfold/fold-0"
        assert {"adapter_model.safetensors", "score_head.pt", "training_log.jsonl"} <= {path.name for path in fold.iterdir()}
        told = json.loads((fold / "alignment.json").read_text())
        assert told["method"] == strategy
        assert told["score_head"]["refitted_mean_difference"] <= told["score_head"]["unrefitted_mean_difference"] + 1e-6


def test_rewards_before_and_after_stand_side_by_side(aligned: FinishedRun) -> None:
    for strategy in ("dpo", "grpo"):
        found = pd.read_csv(aligned.results / "tiny" / strategy / "kfold/rewards.csv").set_index("reward")
        assert found.loc["reward", "n"] == 6  # three held-out cases of each fold
        assert {"factual", "form", "length", "calibration"} <= set(found.index)


def test_everything_is_current_and_verifies(aligned: FinishedRun) -> None:
    assert aligned.jobs() == []
    done = aligned.oncoraft("verify", "results")
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_job_that_left_a_result_was_measured(aligned: FinishedRun) -> None:
    assert NOT_MEASURED not in {row["kind"] for row in job_rows(aligned.results)}


def test_a_setting_of_one_method_reruns_that_method_and_what_follows(aligned: FinishedRun, tmp_path: Path) -> None:
    last = {"grpo": 2, **PER_RUN, "compare": 1, "report": 1}
    assert changed(aligned, tmp_path, grpo={"kl_weight": 0.5}) == last
    assert changed(aligned, tmp_path, dpo={"beta": 0.3}) == {"dpo": 2, "grpo": 2} | BOTH  # grpo goes on from dpo
    assert changed(aligned, tmp_path, preferences={"least_margin": 0.01}) == {"preferences": 2, "dpo": 2, "grpo": 2} | BOTH


def test_a_weight_of_a_reward_reruns_alignment_and_nothing_before(aligned: FinishedRun, tmp_path: Path) -> None:
    found = changed(aligned, tmp_path, alignment={"rewards": {"factual": 4.0}})
    assert found == {"preferences": 2, "dpo": 2, "grpo": 2} | BOTH
