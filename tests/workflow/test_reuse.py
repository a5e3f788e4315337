"""The workflow in other hands: as a module of another workflow, and planned in full."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from oncoraft.planning.plan import Plan

from .conftest import ROOT, SMALL

KEPT = (
    "rules_of_tasks",
    "kept_files",
    "kept_of_models",
    "kept_of_judged",
    "kept_of_pooled",
    "kept_of_scores",
    "kept_of_cells",
)  # functions that list what a finished run holds
MODULE = f"""
configfile: {str(SMALL)!r}

module oncoraft:
    snakefile: {str(ROOT / "workflow" / "Snakefile")!r}
    config: config

use rule * from oncoraft as oncoraft_*

rule summary:
    default_target: True
    input: rules.oncoraft_all.input.report
    output: "summary.txt"
    shell: "wc -c {{input}} > {{output}}"
"""


def test_another_workflow_takes_it_as_a_module_from_any_folder(tmp_path: Path) -> None:
    (tmp_path / "Snakefile").write_text(MODULE)
    done = subprocess.run(
        [sys.executable, "-P", str(ROOT / "src/oncoraft/reruns/listing.py"), "--cores", "2"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    rules = Counter(json.loads(line)["rule_name"] for line in done.stdout.splitlines())
    assert rules["summary"] == 1
    assert rules["oncoraft_train"] == 2
    assert rules["oncoraft_infer"] == 4
    assert all(name == "summary" or name.startswith("oncoraft_") for name in rules)


def test_every_rules_files_are_asked_for_so_that_a_deleted_one_is_made_again() -> None:
    """The engine by itself remakes a missing file only where something that has to run reads it."""
    files = {file.name: file.read_text() for file in (ROOT / "workflow" / "rules").glob("*.smk")}
    declared = set(re.findall(r"^(?:rule|use rule \w+ as) (\w+)", "\n".join(files.values()), re.M))
    kept = "".join(files["common.smk"].split(f"def {name}")[1].split("\ndef ")[0] for name in KEPT)
    further = {"bpc": {"role": "validate", "reader": "genie_bpc"}}
    plan = Plan({"models": {"tiny": {"build": {}}}, "cohorts": further})
    of_cohort = {name for cohort in plan.cohorts for name in plan.rules_of_cohort(cohort)}
    asked = of_cohort | set(re.findall(r"rules\.(\w+)", kept)) | {"report"}
    # What a strategy trains has names of its own, one list for the rules and for this.
    assert "plan.fold_model_names" in kept
    # Of raft a task's training leaves a head too: a rule of the same body.
    assert {name for name in declared if not name.startswith(("train", "cell_train"))} | {"task_train_raft"} == asked


@pytest.mark.slow
def test_three_models_five_folds_and_every_strategy_are_one_plan() -> None:
    # How long it takes is told by benchmarks/plan.py; a busy machine must fail no test.
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "plan.py"), "--runs", "1"], capture_output=True, text=True, env=os.environ, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    assert json.loads(done.stdout)["jobs"] > 500


def test_the_rule_graph_in_the_documents_is_that_of_the_workflow() -> None:
    from oncoraft.reruns.rulegraph import PICTURE, picture

    assert (ROOT / PICTURE).read_text() == picture(), "run: python -m oncoraft.reruns.rulegraph"
