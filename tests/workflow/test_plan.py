"""What the workflow plans, and what it says before anything runs."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from oncoraft.planning.plan import Plan

from .conftest import ROOT, SMALL, planned, snakemake

RULES = "\n".join(file.read_text() for file in (ROOT / "workflow" / "rules").glob("*.smk"))


def test_both_entries_plan_the_same_jobs(tmp_path: Path) -> None:
    plans = [
        planned(snakemake("-n", "--configfile", SMALL, directory=tmp_path, snakefile=ROOT / name))
        for name in ("Snakefile", "workflow/Snakefile")
    ]
    assert plans[0] == plans[1]
    assert {
        "twin",
        "ingest",
        "regimens",
        "labels",
        "folds",
        "rationales",
        "render",
        "base_model",
        "train",
        "infer",
        "gather",
        "metrics",
    } <= set(plans[0])
    assert {"baselines", "survival", "report", "audit"} <= set(plans[0])


def test_the_reproduction_is_planned_without_data_or_weights_and_names_what_is_missing(tmp_path: Path) -> None:
    done = snakemake("-n", "--configfile", ROOT / "config/msk_chord.yaml", "--config", f"study={tmp_path}/study", directory=tmp_path)
    jobs = planned(done)
    assert jobs["train"] == 15
    assert "twin" not in jobs
    missing = [line for line in done.stderr.splitlines() if line.startswith("missing: ")]
    assert len(missing) == 4
    assert f"{tmp_path}/study: no such study folder" in missing[0]
    assert sum("no such base-model folder" in line for line in missing) == 3


def test_a_real_run_with_something_missing_stops_before_the_first_job_and_writes_nothing(tmp_path: Path) -> None:
    study = tmp_path / "study"
    study.mkdir()
    (study / "data_clinical_patient.txt").write_text("")
    done = snakemake("--configfile", ROOT / "config/msk_chord.yaml", "--config", f"study={study}", directory=tmp_path)
    assert done.returncode == 1
    assert f"{study}/data_clinical_sample.txt: missing; a study cannot be read without its clinical_sample table" in done.stderr
    assert "models/Qwen3-8B: no such base-model folder (configuration key `models.qwen3-8b.path`)" in done.stderr
    assert not list((tmp_path / "results").rglob("*.parquet"))


def test_an_incomplete_model_folder_is_told_by_what_it_lacks(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "config.json").write_text("{}")
    config = tmp_path / "config.yaml"
    config.write_text("cohort: x\nmodels: {real: {path: base}}\n")
    done = snakemake("-n", "--configfile", config, directory=tmp_path)
    assert "missing: base: lacks weights (*.safetensors) (configuration key `models.real.path`)" in done.stderr
    assert "lacks config.json" not in done.stderr


def test_an_incomplete_download_is_told_file_by_file(tmp_path: Path) -> None:
    for name in ("config.json", "tokenizer_config.json", "model-1.safetensors"):
        (tmp_path / name).write_text("{}")
    (tmp_path / "model.safetensors.index.json").write_text('{"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}')
    lines = Plan({"models": {"real": {"path": str(tmp_path)}}, "study": str(tmp_path)}).missing()
    assert [line.split(": ", 1)[1].split(" (configuration")[0] for line in lines if "lacks" in line] == [
        "lacks a tokenizer (tokenizer.json or tokenizer.model)",
        "lacks model-2.safetensors, which model.safetensors.index.json names",
    ]


def test_a_configuration_typo_ends_the_plan_with_file_line_and_nearest_key(tmp_path: Path) -> None:
    config = tmp_path / "typo.yaml"
    config.write_text(SMALL.read_text().replace("patients: 400", "patiens: 400"))
    done = snakemake("-n", "--configfile", config, directory=tmp_path)
    assert done.returncode == 1
    assert re.search(r"typo\.yaml, line 3: twin\.patiens: unknown key; did you mean 'patients'\?", done.stderr)


def test_every_rule_that_runs_a_step_has_all_its_directives() -> None:
    # One stands in a loop, without a name in its head.
    rules = re.split(r"\n(?=rule |    rule:\n)", RULES)
    named = [rule for rule in rules if re.match("(    )?rule[ :]", rule)]
    assert len(named) >= 20
    for rule in named:
        for directive in (
            "output:",
            "log:",
            "benchmark:",
            "conda:",
            "threads:",
            "resources:",
            "mem_mb=",
            "runtime=",
            "params:",
            "message:",
        ):
            assert directive in rule, rule.splitlines()[0] + " lacks " + directive
        assert len(re.findall(r"python -m oncoraft ", rule)) == 1
        if re.match(r"rule (train|infer|base_model):", rule):
            assert "gpu=" in rule


def test_parsing_imports_neither_torch_nor_pandas(tmp_path: Path) -> None:
    # In a process of its own, through the engine's own interface; benchmarks/plan.py tells what parsing takes.
    code = f"""
import sys
sys.argv = ["snakemake"]
from snakemake.api import SnakemakeApi
from snakemake.settings.types import ConfigSettings, OutputSettings, ResourceSettings
from pathlib import Path
with SnakemakeApi(OutputSettings(quiet=None)) as api:
    workflow = api.workflow(
        resource_settings=ResourceSettings(cores=1), config_settings=ConfigSettings(configfiles=[Path({str(ROOT / "config/config.yaml")!r})]),
        snakefile=Path({str(ROOT / "workflow/Snakefile")!r}), workdir=Path({str(tmp_path)!r}))
    workflow.list_rules()
print("RESULT", sorted(name for name in ("torch", "pandas", "oncoraft.planning.plan") if name in sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "RESULT ['oncoraft.planning.plan']" in done.stdout


@pytest.mark.parametrize("tool", ["lint"])
def test_the_engine_finds_nothing_to_complain_of(tool: str, tmp_path: Path) -> None:
    done = snakemake(f"--{tool}", directory=tmp_path)
    assert done.returncode in {0, 1}
    done = subprocess.run([sys.executable, "-m", "snakemake", f"--{tool}"], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr


def test_an_input_that_is_dated_in_the_future_is_named_before_anything_runs(tmp_path: Path) -> None:
    import os
    import time

    from oncoraft.planning.plan import Plan

    study = tmp_path / "study"
    study.mkdir()
    file = study / "data_clinical_patient.txt"
    file.write_text("PATIENT_ID\n")
    values = {"study": str(study), "models": {"tiny": {"build": {}}}}
    now = time.time()
    assert Plan(values).dated_ahead(now) == []
    os.utime(file, (now + 86_400, now + 86_400))
    (line,) = Plan(values).dated_ahead(now)
    assert line.startswith(f"{file}: dated in the future")
    assert "touch" in line
