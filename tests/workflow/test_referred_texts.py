"""The small run once more with fold files that refer to their prompts: the same results."""

from __future__ import annotations

from pathlib import Path

import pytest

from oncoraft.foundation.jsonl import read_jsonl
from oncoraft.models.cases import read_rows
from oncoraft.prompts.export_jsonl import main as export_jsonl

from .finished_run import FinishedRun

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("small-run")]
FOLDS = "tiny/prompts/kfold"


def test_a_run_whose_fold_files_refer_to_their_prompts_predicts_what_one_with_copies_does(
    finished_run: FinishedRun, tmp_path: Path
) -> None:
    run = finished_run.copy(tmp_path / "run")
    run.setting(split={"texts": "referred"})
    done = run.execute("--until", "gather")
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    for name in ("predictions.jsonl", "fold-0/recalibration.json", "fold-1/score_head.pt"):
        path = Path("tiny/raft/kfold", name)
        assert (run.results / path).read_bytes() == (finished_run.results / path).read_bytes(), name
    copied = sorted((finished_run.results / FOLDS).rglob("fold-?/*.jsonl"))
    assert len(copied) == 6
    for path in copied:
        referred = run.results / path.relative_to(finished_run.results)
        assert not any("input" in row for row in read_jsonl(referred))
        assert read_rows(referred, may_be_empty=True) == read_rows(path, may_be_empty=True)
        assert export_jsonl([str(referred), "--out", str(tmp_path / "published.jsonl")]) == 0
        assert (tmp_path / "published.jsonl").read_bytes() == path.read_bytes()
    # A finished run may be moved: what its files refer to goes with them.
    run.results.rename(tmp_path / "moved")
    assert read_rows(tmp_path / "moved" / FOLDS / "fold-0/heldout.jsonl") == read_rows(
        finished_run.results / FOLDS / "fold-0/heldout.jsonl"
    )
