"""Every command in the documents runs, and every option that they name exists."""

from __future__ import annotations

import importlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from oncoraft.planning.steps import STEPS

from .conftest import ROOT, SMALL, planned

DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "config").glob("*.yaml"))]
BIN = Path(sys.executable).parent


def commands(document: Path) -> list[str]:
    """Command lines of a document: lines of fenced blocks, or indented comments of a configuration file, and inline code."""
    if not document.is_file():
        return []
    text = document.read_text(encoding="utf-8")
    if document.suffix == ".yaml":
        found = re.findall(r"^#   (\S.*)$", text, re.M)
    else:
        blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.S | re.M)
        found = [line for block in blocks for line in block.splitlines()] + re.findall(
            r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.S | re.M)
        )
    words = (".venv/bin/", "make ", "snakemake ")
    # What follows three spaces or a comment sign explains the command.
    return [re.split(r"   |  #", line)[0].strip() for line in found if line.startswith(words)]


ALL = sorted({(document.name, command) for document in DOCUMENTS for command in commands(document)})


def environment() -> dict[str, str]:
    return os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}


def run(words: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False)


def test_the_documents_hold_commands() -> None:
    assert len(ALL) >= 10


@pytest.mark.parametrize("command", sorted({command for _, command in ALL if "snakemake " in command and "--report" not in command}))
def test_workflow_commands_plan(command: str, tmp_path: Path) -> None:
    line = command.split(" [")[0].replace("PATH", str(tmp_path / "study"))
    words = shlex.split(line.replace(".venv/bin/", "").replace("--profile my-site", ""))
    if "workflow/profiles/slurm" in line:
        pytest.importorskip("snakemake_executor_plugin_slurm")
    done = run([sys.executable, "-m", *words, "-n", "--quiet"])
    assert done.returncode == 0, done.stdout + done.stderr


def scripts() -> list[str]:
    """Fenced blocks of the README that call steps by hand."""
    blocks = re.findall(r"^```\n(.*?)^```", (ROOT / "README.md").read_text(encoding="utf-8"), re.S | re.M)
    return [block for block in blocks if ".venv/bin/oncoraft" in block]


@pytest.mark.slow
@pytest.mark.xdist_group("small-run")
@pytest.mark.parametrize("script", scripts())
def test_commands_by_hand_run_as_they_stand(script: str, small_run: Path, tmp_path: Path) -> None:
    # The demo of the README is the small run here; what is written goes to a folder of the test's own.
    here = tmp_path / "run"
    shutil.copytree(small_run, here)
    for there, mine in (("results/demo/tiny-qwen3", "results/small/tiny"), ("results/demo", "results/small"), ("/tmp/", f"{tmp_path}/")):
        script = script.replace(there, mine)
    script = script.replace("oncoraft why", f"oncoraft why --configfile {SMALL}").replace(
        ".venv/bin/oncoraft", f"{sys.executable} -m oncoraft"
    )
    done = subprocess.run(["bash", "-euc", script], cwd=here, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_make_knows_every_target_that_is_named() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    named = {command.split()[1] for _, command in ALL if command.startswith("make ")}
    assert named <= targets
    assert {"reproduce", "test"} <= named
    # The tests are run whole by the continuous integration; the demo is the small run with other settings, and these lines.
    assert "make test" in (ROOT / ".ci" / "run").read_text()
    lines = run(["make", "--dry-run", "--always-make", "reproduce"]).stdout
    assert "bin/snakemake --cores all --workflow-profile workflow/profiles/default" in lines
    assert "bin/oncoraft headline results/demo/report" in lines


SYNOPSES = re.findall(r"^oncoraft (\S+)(.*?)(?:->.*)?$", (ROOT / "docs" / "artefacts.md").read_text(), re.M)


def test_every_step_has_a_synopsis() -> None:
    assert {step for step, _ in SYNOPSES} == set(STEPS)


@pytest.mark.parametrize("step", sorted(STEPS))
def test_help_names_every_option_of_the_synopsis_and_gives_an_example(step: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        importlib.import_module(STEPS[step].module).main(["--help"])
    assert stopped.value.code == 0
    said = capsys.readouterr().out
    options = {option for name, rest in SYNOPSES if name == step for option in re.findall(r"--[a-z-]+", rest)}
    assert not {option for option in options if option not in said}
    assert f"oncoraft {step}" in said
    assert "example" in said


def test_the_page_waits_for_no_more_than_a_model_needs_and_then_makes_what_judges_it(tmp_path: Path) -> None:
    commands = re.findall(r'--made-by "(.*?)"', run(["make", "--dry-run", "--always-make", "page"]).stdout)
    plans = []
    for command in commands:
        engine = command.split(" && ")[0].removeprefix(".venv/bin/").replace("results/.quick", str(tmp_path))
        plans.append(planned(run(shlex.split(engine.replace("--quiet rules", "--dry-run")))))
    model, judged = plans
    assert (model["train"], model["split"], model["audit"]) == (1, 1, 1)
    assert not set(model) & {"infer", "recalibrate_kfold", "gather", "baselines", "metrics", "followup", "survival"}
    # From nothing: the second has all of the first in it.
    assert (judged["train"], judged["infer"], judged["recalibrate_kfold"], judged["metrics"], judged["survival"]) == (2, 2, 1, 1, 1)
    assert all(judged[name] >= count for name, count in model.items())
