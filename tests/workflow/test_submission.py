"""What each rule of the full reproduction asks of a SLURM cluster, through the slurm profile: golden, rule by rule.

The submission lines that the plugin makes of this are held by `tests/slurm/submissions.txt`, on a real SLURM (`.ci/slurm`).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from snakemake.cli import parse_args

from .conftest import ROOT

PROFILES = ROOT / "workflow" / "profiles"
SLURM = yaml.safe_load((PROFILES / "slurm" / "profile.yaml").read_text())
RULE_FILES = "\n".join(file.read_text() for file in sorted((ROOT / "workflow" / "rules").glob("*.smk")))

# rule -> partition, minutes, MB, cores, GPUs
GOLDEN: dict[str, tuple[str, int, int, int, int]] = {
    "ingest": ("cpu", 30, 4000, 2, 0),
    "regimens": ("cpu", 30, 4000, 1, 0),
    "labels": ("cpu", 30, 4000, 1, 0),
    "followup": ("cpu", 30, 4000, 1, 0),
    "folds": ("cpu", 30, 4000, 1, 0),
    "flow": ("cpu", 30, 4000, 1, 0),
    "evidence": ("cpu", 30, 4000, 1, 0),
    "audit": ("cpu", 30, 4000, 1, 0),
    "rationales": ("cpu", 30, 4000, 2, 0),
    "render": ("cpu", 30, 4000, 1, 0),
    "tokens": ("cpu", 30, 4000, 2, 0),
    "leakage": ("cpu", 30, 4000, 1, 0),
    "split": ("cpu", 30, 4000, 1, 0),
    "train": ("gpu", 2880, 64000, 8, 1),
    "infer": ("gpu", 1440, 64000, 8, 1),
    "recalibrate_kfold": ("cpu", 30, 4000, 1, 0),
    "gather": ("cpu", 30, 4000, 1, 0),
    "baselines": ("cpu", 30, 4000, 1, 0),
    "metrics": ("cpu", 30, 4000, 1, 0),
    "compare": ("cpu", 30, 4000, 1, 0),
    "survival": ("cpu", 30, 4000, 1, 0),
    "selection": ("cpu", 30, 4000, 1, 0),
    "report": ("cpu", 30, 4000, 1, 0),
}


# The same of text tasks, asked of the published reproduction's model: of cases of their own and of the treatment cases, with a head and without.
TASKS = {"icd10": {"strategy": "raft", "choices": "trie"}, "drug_regimen": {"choices": "scored"}, "modality": {}, "radiation_regimen": {}}
GOLDEN_TASKS: dict[str, tuple[str, int, int, int, int]] = {
    **dict.fromkeys(("task_cases", "task_folds", "task_evidence", "task_lookahead", "task_prompts"), ("cpu", 30, 4000, 1, 0)),
    **dict.fromkeys(("task_split", "task_baselines", "task_scores"), ("cpu", 30, 4000, 1, 0)),
    "task_train": ("gpu", 2880, 64000, 8, 1),
    "task_train_raft": ("gpu", 2880, 64000, 8, 1),
    "task_infer": ("gpu", 1440, 64000, 8, 1),
    "task_choices": ("gpu", 1440, 64000, 8, 1),
}

# The same of single cells: language models with an adapter, a head or both, and a model of cells on two GPUs.
CELLS = {
    "cells": {
        "lung": {
            "files": ["a.h5ad"],
            "designs": {"pooled_by_donor": 4, "leave_dataset_out": 2},
            "strategies": ["raft", "lm", "head"],
            "cell_models": ["former"],
            "cell_strategies": ["head"],
        }
    },
    "cell_models": {"former": {"path": "former", "vocabulary": "tokens.json", "gpus": 2}},
    "strategies": {"raft": {}, "lm": {"score_weight": 0}, "head": {"adapter": False, "language_model_weight": 0}},
}
GOLDEN_CELLS: dict[str, tuple[str, int, int, int, int]] = {
    **dict.fromkeys(("cell_cases", "cell_folds", "cell_prompts", "cell_split", "cell_expression"), ("cpu", 30, 4000, 1, 0)),
    **dict.fromkeys(("cell_baselines", "cell_scores", "cell_removals", "cell_markers"), ("cpu", 30, 4000, 1, 0)),
    **dict.fromkeys(("cell_train", "cell_train_adapter", "cell_train_head"), ("gpu", 2880, 64000, 8, 1)),
    **dict.fromkeys(("cell_infer", "cell_infer_removals"), ("gpu", 1440, 64000, 8, 1)),
    "cell_model": ("gpu", 1440, 32000, 8, 2),
}


def profile_options() -> list[str]:
    """The resources of the profile as options: the profile itself wants the plugin, which is not in this environment."""
    defaults = [f"{name}={value}" for name, value in SLURM["default-resources"].items()]
    special = [f"{rule}:{name}={value}" for rule, values in SLURM["set-resources"].items() for name, value in values.items()]
    return ["--default-resources", *defaults, "--set-resources", *special]


def requests(folder: Path, *configuration: str | Path) -> dict[str, set[tuple[Any, ...]]]:
    """Rule -> what its jobs ask for (partition, minutes, MB, cores, GPUs), of a configuration planned in an empty folder."""
    words = ["--snakefile", ROOT / "workflow/Snakefile", "--directory", folder, "--cores", "64", *profile_options()]
    done = subprocess.run(
        [sys.executable, "-P", str(ROOT / "src/oncoraft/reruns/listing.py"), "--all", *map(str, [*words, *configuration])],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, set[tuple[Any, ...]]] = {}
    for job in map(json.loads, done.stdout.splitlines()):
        resources = job["resources"]
        assert resources["nodes"] == 1
        line = (resources["slurm_partition"], resources["runtime"], resources["mem_mb"], job["threads"], resources.get("gpu", 0))
        found.setdefault(job["rule_name"], set()).add(line)
    return found


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[tuple[Any, ...]]]:
    """What the jobs of the published reproduction ask for."""
    folder = tmp_path_factory.mktemp("study")
    return requests(folder, "--configfile", ROOT / "config/msk_chord.yaml", "--config", f"study={folder}")


def test_every_rule_asks_for_what_it_needs_and_every_job_of_it_for_the_same(asked: dict[str, set[tuple[Any, ...]]]) -> None:
    assert asked == {rule: {line} for rule, line in GOLDEN.items()}


def test_text_tasks_ask_for_what_they_need_and_add_nothing_to_the_rest(asked: dict[str, set[tuple[Any, ...]]], tmp_path: Path) -> None:
    (tmp_path / "courses.csv").write_text("patient_id\n")
    (tmp_path / "tasks.yaml").write_text(yaml.safe_dump({"tasks": TASKS, "radiation": {"courses": "courses.csv"}}))
    files = [ROOT / "config/msk_chord.yaml", tmp_path / "tasks.yaml"]
    found = requests(tmp_path, "--configfile", *files, "--config", f"study={tmp_path}")
    assert found == asked | {rule: {line} for rule, line in GOLDEN_TASKS.items()}
    declared = {line.split()[1].rstrip(":") for line in RULE_FILES.splitlines() if line.startswith("rule task_")}
    assert set(GOLDEN_TASKS) == declared - {"task_courses", "task_law"} | {"task_train_raft"}  # of a twin alone


def test_single_cells_ask_for_what_they_need_and_add_nothing_to_the_rest(asked: dict[str, set[tuple[Any, ...]]], tmp_path: Path) -> None:
    (tmp_path / "former").mkdir()
    for name in ("a.h5ad", "tokens.json", "former/config.json"):
        (tmp_path / name).write_text("{}")
    (tmp_path / "cells.yaml").write_text(yaml.safe_dump(CELLS))
    files = [ROOT / "config/msk_chord.yaml", tmp_path / "cells.yaml"]
    found = requests(tmp_path, "--configfile", *files, "--config", f"study={tmp_path}")
    assert {rule: lines for rule, lines in found.items() if rule.startswith("cell_")} == {
        rule: {line} for rule, line in GOLDEN_CELLS.items()
    }
    # The strategies that cells need are trained on treatment cases too: rules of the same body.
    assert set(found) - set(asked) - set(GOLDEN_CELLS) == {"train_adapter", "train_head"}
    declared = {line.split()[1].rstrip(":") for line in RULE_FILES.splitlines() if line.startswith("rule cell_")}
    declared |= {line.split()[4] for line in RULE_FILES.splitlines() if line.startswith("use rule cell_")}
    # A twin's files are made up, and a tiny model is built, where no files are given.
    assert set(GOLDEN_CELLS) == declared - {"cell_twin", "cell_corpus", "cell_base_model"}


def submission_line(partition: str, minutes: int, megabytes: int, cores: int, gpus: int) -> str:
    """The options that the plugin was seen to make of a request, on a real SLURM."""
    tasks = f"--cpus-per-task={cores} --gpus={gpus}" if gpus else f"--ntasks=1 --cpus-per-task={cores}"
    requeue = " --requeue" if SLURM["slurm-requeue"] else ""
    return f"-p {partition} -t {minutes} --mem {megabytes} --nodes={SLURM['default-resources']['nodes']}{requeue} {tasks}"


def test_the_lines_on_record_are_those_of_the_rules(asked: dict[str, set[tuple[Any, ...]]], tmp_path: Path) -> None:
    """So that a change of resources is seen here, and not first where a SLURM can be brought up. A study needs no twin; the small run does."""
    record = dict(line.split(": ", 1) for line in (ROOT / "tests/slurm/submissions.txt").read_text().splitlines())
    of_twin = requests(tmp_path, "--configfile", ROOT / "tests/workflow/small.yaml")
    wanted = asked | {rule: of_twin[rule] for rule in ("twin", "label_truth")}
    del wanted["compare"]  # the small run holds one experiment, and so nothing to compare
    assert record == {rule: submission_line(*next(iter(lines))) for rule, lines in wanted.items()}


def test_the_profile_sends_every_rule_with_a_gpu_to_the_partition_that_has_them(asked: dict[str, set[tuple[Any, ...]]]) -> None:
    with_gpu = {rule for rule, lines in asked.items() if any(line[-1] for line in lines)}
    assert with_gpu == {"train", "infer"}
    assert with_gpu <= set(SLURM["set-resources"])
    declared = {line.split()[1].rstrip(":") for line in RULE_FILES.splitlines() if line.startswith(("rule ", "use rule "))}
    named = declared | {line.split()[4] for line in RULE_FILES.splitlines() if line.startswith("use rule ")}
    assert set(SLURM["set-resources"]) <= named, "the profile names a rule that does not exist"


@pytest.mark.parametrize("name", ["default", "gpu", "slurm"])
def test_every_setting_of_a_profile_has_its_reason_above_it(name: str) -> None:
    lines = (PROFILES / name / "profile.yaml").read_text().splitlines()
    for number, line in enumerate(lines):
        if line and not line.startswith((" ", "#")):
            above = lines[number - 1].strip()
            inside = lines[number + 1].strip() if number + 1 < len(lines) else ""
            assert above.startswith("#") or inside.startswith("#") or line.startswith(("cores:", "jobs:", "executor:", "set-resources:")), (
                line
            )


def test_the_default_profile_is_taken_by_a_bare_call_in_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    _, options = parse_args(["-n", "--configfile", "config/msk_chord.yaml"])
    default = yaml.safe_load((PROFILES / "default" / "profile.yaml").read_text())
    assert options.keep_going is default["keep-going"] is True
    assert options.max_checksum_file_size == default["max-checksum-file-size"]


@pytest.mark.parametrize("name", ["gpu", "slurm"])
def test_the_default_profile_overrides_nothing_of_another_profile(name: str) -> None:
    default, other = (yaml.safe_load((PROFILES / one / "profile.yaml").read_text()) for one in ("default", name))
    assert {key for key in set(default) & set(other) if default[key] != other[key]} == set()


def test_no_profile_weakens_what_partial_reruns_stand_on() -> None:
    for name in ("default", "gpu", "slurm"):
        profile = yaml.safe_load((PROFILES / name / "profile.yaml").read_text())
        assert not {"rerun-triggers", "keep-incomplete", "touch", "ignore-incomplete"} & set(profile)
        assert profile["rerun-incomplete"] is True
    assert "\n    retries:" not in RULE_FILES, "retries in a rule multiply on a cluster"
    assert "keep-incomplete" not in RULE_FILES


def test_every_shell_line_hands_over_to_its_step_so_that_signals_reach_it() -> None:
    lines = [line.strip() for line in RULE_FILES.splitlines() if "python -m oncoraft" in line]
    assert len(lines) >= 20
    assert all(line.startswith('"exec python -m oncoraft ') for line in lines)


def test_gpus_are_what_the_engine_granted_never_a_constant() -> None:
    for line in RULE_FILES.splitlines():
        if "--gpus" in line:
            assert "--gpus {resources.gpu}" in line


def test_the_plan_does_not_change_with_the_working_folder_of_the_caller(tmp_path: Path) -> None:
    """`--directory` and a caller elsewhere: the same jobs, and all paths relative to the run."""
    words = ["--snakefile", str(ROOT / "workflow/Snakefile"), "--cores", "2", "--configfile", str(ROOT / "tests/workflow/small.yaml")]
    plans = []
    for caller, directory in ((tmp_path, tmp_path), (ROOT, tmp_path), (Path("/"), tmp_path)):
        done = subprocess.run(
            [sys.executable, "-P", str(ROOT / "src/oncoraft/reruns/listing.py"), *words, "--directory", str(directory)],
            capture_output=True,
            text=True,
            cwd=caller,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        jobs = [json.loads(line) for line in done.stdout.splitlines()]
        plans.append(sorted((job["rule_name"], *job["input"], *job["output"]) for job in jobs))
    assert plans[0] == plans[1] == plans[2]
    assert all(not path.startswith("/") for _, *paths in plans[0] for path in paths)
