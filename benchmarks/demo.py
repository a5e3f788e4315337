"""The demo's processor time, from nothing to the report, this checkout beside another one: `--other CHECKOUT`.

    git worktree add /tmp/before COMMIT; python benchmarks/demo.py --other /tmp/before

Each demo is made in a scratch folder by the configuration of its own checkout, one after the other, on as many cores as `--cores` says. Told are the
CPU seconds (user and system) of the engine and all its jobs, the wall seconds, and of each the AUROC of the model, of the regimen prior
and of the truth: a cheaper demo has to keep their order.
"""

from __future__ import annotations

import argparse
import csv
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
SHOWN = ("model", "regimen_prior", "oracle")


def make(checkout: Path, folder: Path, cores: int) -> tuple[float, float]:
    """CPU and wall seconds of one checkout's demo."""
    words = ["--snakefile", checkout / "Snakefile", "--directory", folder, "--cores", cores, "--quiet", "all"]
    words += ["--configfile", checkout / "config/config.yaml", "--workflow-profile", "none"]
    environment = os.environ | {"PYTHONPATH": str(checkout / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run([sys.executable, "-m", "snakemake", *map(str, words)], env=environment, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, time.monotonic() - start


def ranks(folder: Path) -> dict[str, float]:
    """AUROC, the mean of the folds, of those that a demo has to keep in order."""
    [metrics] = folder.glob("results/demo/*/raft/kfold/metrics/metrics.csv")
    with metrics.open(encoding="utf-8", newline="") as stream:
        rows = [
            row for row in csv.DictReader(stream) if (row["metric"], row["scope"], row["label"]) == ("auroc", "mean_of_folds", "strict")
        ]
    return {row["predictor"]: float(row["estimate"]) for row in rows if row["predictor"] in SHOWN}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--other", type=Path, metavar="CHECKOUT", help="another checkout; left out: this one alone")
    parser.add_argument("--cores", type=int, default=2)
    given = parser.parse_args()
    seconds: dict[str, float] = {}
    for name, checkout in {"this": ROOT, "other": given.other}.items():
        if checkout is None:
            continue
        with tempfile.TemporaryDirectory() as folder:
            seconds[name], wall = make(checkout.resolve(), Path(folder), given.cores)
            found = ", ".join(f"{predictor} {value:.3f}" for predictor, value in ranks(Path(folder)).items())
        print(f"{name}: {seconds[name]:.0f} s of processor time, {wall:.0f} s of wall time; AUROC {found}", flush=True)
    if given.other is not None:
        print(f"ratio: {seconds['this'] / seconds['other']:.2f}")


if __name__ == "__main__":
    main()
