"""The workflow in other hands: as a module of another workflow, and planned in full."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from .conftest import ROOT, SMALL

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


@pytest.mark.slow
def test_the_full_plan_of_three_models_five_folds_and_every_strategy_takes_at_most_ten_seconds() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "plan.py"), "--runs", "1"], capture_output=True, text=True, env=os.environ, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    figures = json.loads(done.stdout)
    assert figures["jobs"] > 500
    assert figures["cpu_seconds"] <= 10


def test_the_rule_graph_in_the_documents_is_that_of_the_workflow() -> None:
    from oncoraft.reruns.rulegraph import PICTURE, picture

    assert (ROOT / PICTURE).read_text() == picture(), "run: python -m oncoraft.reruns.rulegraph"
