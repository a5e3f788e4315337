"""Run the small workflow on the SLURM that `.ci/slurm` has brought up, hurt two of its jobs, and check what came of it.

The base model is built beforehand and given as a folder, so that training and inference ask for what a real base model needs: one
GPU, eight cores, 64 GB. Checked: the submission line of every rule against `submissions.txt`; that SLURM put CPU and GPU jobs into
their partitions with the memory and time asked for; that two trainings never held one GPU; that a training whose process is killed
is submitted again and goes on from its state; that one that SLURM requeues does so too; that the results are whole, and equal to
those of an undisturbed run on this machine.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from tests.workflow.killing import differences  # noqa: E402

GOLDEN = Path(__file__).with_name("submissions.txt")
GPU_RULES = {"train", "infer"}
SHIM = """#!/usr/bin/env bash
# Note each submission, then submit.
printf '%s\\n' "$(printf '%q ' "$@")" >> {log}
exec {real} "$@"
"""


class Fault(Exception):
    """A check that failed."""


def check(held: bool, said: str) -> None:
    """One check, told as it passes."""
    if not held:
        raise Fault(said)
    print(f"slurm: {said}", flush=True)


def configuration(work: Path) -> tuple[Path, Path]:
    """The small configuration as it is, and one that is given the base model as a folder and trains long enough to be hurt."""
    small = yaml.safe_load((ROOT / "tests/workflow/small.yaml").read_text())
    given = small | {"models": {"given": {"path": "results/pretraining/tiny/base"}}}
    given["training"] = small["training"] | {"epochs": 6, "checkpoint_every_steps": 2}
    paths = work / "small.yaml", work / "given.yaml"
    for path, values in zip(paths, (small, given), strict=True):
        path.write_text(yaml.safe_dump(values))
    return paths


def snakemake(directory: Path, *words: str | Path) -> list[str]:
    """The engine's command line."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "workflow/Snakefile", "--directory", directory, *words]
    return [str(word) for word in command]


def environment(work: Path) -> dict[str, str]:
    """Fake GPUs, no network, and the noting `sbatch` before the real one."""
    (work / "bin").mkdir()
    shim = work / "bin" / "sbatch"
    shim.write_text(SHIM.format(log=work / "submissions.log", real=shutil.which("sbatch")))
    shim.chmod(0o755)
    return os.environ | {
        "PATH": f"{work / 'bin'}:{os.environ['PATH']}",
        "ONCORAFT_FAKE_GPUS": "2",
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(ROOT / "src"),
    }


def jobs() -> dict[int, dict[str, str]]:
    """Every job that SLURM remembers: number -> its fields."""
    text = subprocess.run(["scontrol", "--oneliner", "--details", "show", "job"], capture_output=True, text=True, check=False).stdout
    found = {}
    for line in text.splitlines():
        fields = dict(word.split("=", 1) for word in line.split() if "=" in word)
        if "JobId" in fields:
            found[int(fields["JobId"])] = fields
    return found


def rule_of(job: dict[str, str]) -> str:
    """The rule of a job, from the comment that the plugin gives it."""
    match = re.match(r"rule_([a-z_]+?)(_wildcards.*)?$", job.get("Comment", ""))
    return match.group(1) if match else ""


def trainer_of(fold: int) -> int | None:
    """The process that trains a fold of this run; tests that run beside it train folds of theirs."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if words[1:4] == [b"-m", b"oncoraft", b"train"] and any(
            word.endswith(f"small/given/raft/kfold/fold-{fold}".encode()) for word in words
        ):
            return int(entry.name)
    return None


def disturb(run: Path, controller: subprocess.Popen[str]) -> tuple[dict[int, dict[str, str]], dict[str, Any]]:
    """Watch the run to its end: kill fold 0's trainer, have SLURM requeue fold 1's job, once each has saved a state."""
    seen: dict[int, dict[str, str]] = {}
    hurt: dict[str, Any] = {}
    states = run / "results/small/given/raft/kfold/state"
    while controller.poll() is None:
        for number, job in jobs().items():
            seen[number] = seen.get(number, {}) | {key: value for key, value in job.items() if value not in {"(null)", "N/A", ""}}
        saved = [any((states / f"fold-{fold}").rglob("step-*.json")) for fold in (0, 1)]
        if "killed" not in hurt and saved[0] and (process := trainer_of(0)):
            os.kill(process, signal.SIGKILL)
            hurt["killed"] = process
        if "requeued" not in hurt and saved[1] and trainer_of(1):
            running = [n for n, job in jobs().items() if job.get("Comment", "").endswith("_kfold_1") and job["JobState"] == "RUNNING"]
            for number in running[:1]:
                subprocess.run(["scontrol", "requeue", str(number)], check=True)
                hurt["requeued"] = number
        time.sleep(0.3)
    return seen, hurt


def submissions(log: Path) -> dict[str, set[str]]:
    """Rule -> the options of its submission lines that say what it asks for: names, paths and the wrapped command left out."""
    found: dict[str, set[str]] = {}
    for line in log.read_text().splitlines():
        words = shlex.split(line)
        rule = rule_of({"Comment": words[words.index("--comment") + 1]})
        kept, skipping = [], False
        for word in words:
            if skipping or word in {"--parsable", "--export=ALL"} or word.startswith("--wrap="):
                skipping = False
            elif word in {"--job-name", "--output", "--comment", "-D"}:
                skipping = True
            else:
                kept.append(word)
        found.setdefault(rule, set()).add(" ".join(kept))
    return found


def check_submissions(log: Path) -> None:
    """Every rule's submission line is the one on record."""
    golden = dict(line.split(": ", 1) for line in GOLDEN.read_text().splitlines())
    found = submissions(log)
    for rule in sorted(golden.keys() | found.keys()):
        if found.get(rule) != {golden.get(rule)}:
            raise Fault(f"{rule} to be submitted with {golden.get(rule)}, found {sorted(found.get(rule, []))}")
    print(f"slurm: {len(found)} rules were submitted with the lines on record", flush=True)


def check_placement(seen: dict[int, dict[str, str]]) -> None:
    """SLURM's own account of the jobs: partition, memory, time, cores and GPUs."""
    for number, job in seen.items():
        wanted = ("gpu", "62.50G", "gpu:1", 8) if rule_of(job) in GPU_RULES else ("cpu", "4000M", "", None)
        found = (job["Partition"], job["MinMemoryNode"], job.get("JOB_GRES", ""), int(job["NumCPUs"]) if wanted[3] else None)
        if found != wanted:
            raise Fault(f"job {number} ({rule_of(job)}) to be given {wanted}, found {found}")
    limits = {rule_of(job): job["TimeLimit"] for job in seen.values()}
    wanted_limits = ("2-00:00:00", "1-00:00:00", "00:30:00")
    check((limits["train"], limits["infer"], limits["labels"]) == wanted_limits, "jobs have the time that they asked for")
    gpu = sum(job["Partition"] == "gpu" for job in seen.values())
    check(gpu >= 7, f"{gpu} GPU jobs and {len(seen) - gpu} CPU jobs went to their partitions with the memory, cores and GPUs asked for")


def check_recovery(run: Path, seen: dict[int, dict[str, str]], hurt: dict[str, Any]) -> None:
    """The killed training was submitted once more, the requeued one kept its number; both went on from their state."""
    logs = run / "results/small/given/raft/kfold/logs"
    trained = {number: job for number, job in seen.items() if rule_of(job) == "train"}
    check(set(hurt) == {"killed", "requeued"}, f"one training was killed ({hurt.get('killed')}), one requeued (job {hurt.get('requeued')})")
    check(len(trained) == 3, "the killed training was submitted once more, the requeued one was not")
    check(trained[hurt["requeued"]].get("Restarts") == "1", "SLURM restarted the requeued job under its number")
    for fold in (0, 1):
        check("going on after step" in (logs / f"train-{fold}.log").read_text(), f"fold {fold} went on from its saved state")


def main(work: Path) -> None:
    """Everything, in order."""
    small, given = configuration(work)
    env = environment(work)
    run, undisturbed = work / "run", work / "undisturbed"
    base = ["--cores", "2", "--configfile", small, "--quiet", "all", "--", "results/pretraining/tiny/base/manifest.json"]
    subprocess.run(snakemake(run, *base), env=env, check=True)
    print("slurm: the base model is built; submitting the rest", flush=True)
    shutil.copytree(run, undisturbed)
    quick = ["--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "2", "--slurm-no-account"]
    words = ["--profile", ROOT / "workflow/profiles/slurm", "--configfile", given, *quick, "--latency-wait", "20"]
    with (work / "controller.log").open("w") as log:
        controller = subprocess.Popen(snakemake(run, *words), env=env, stdout=log, stderr=log, text=True)
        seen, hurt = disturb(run, controller)
    if controller.returncode:
        raise Fault("the run to finish; the end of its log:\n" + (work / "controller.log").read_text()[-3000:])
    check_submissions(work / "submissions.log")
    check_placement(seen)
    check_recovery(run, seen, hurt)
    # The jobs were given eight cores of a machine that has fewer; the sums that they made depend on how many there were.
    threads = [f"{rule}={min(8, os.cpu_count() or 1)}" for rule in sorted(GPU_RULES)]
    calm = ["--cores", "8", "--resources", "gpu=2", "--set-threads", *threads, "--configfile", given, "--quiet", "all"]
    subprocess.run(snakemake(undisturbed, *calm), env=env, check=True)
    odd = differences(run / "results", undisturbed / "results")
    check(not odd, "the results are those of an undisturbed run on this machine" + (f": {odd[:12]}" if odd else ""))


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]))
    except Fault as fault:
        print(f"slurm: FAILED, expected: {fault}", file=sys.stderr)
        raise SystemExit(1) from None
