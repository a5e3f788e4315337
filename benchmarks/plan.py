"""How long the plan of the full reproduction takes: three models, five folds, seven strategies; nothing is run.

`python benchmarks/plan.py [--runs 3] [--other CHECKOUT]` prints wall and CPU seconds of `snakemake -n` (the engine's own start included) and
the number of jobs. A study folder with all its files and base-model folders with their files are made up, so that every rule has its inputs
to look at. Another checkout plans the same configuration, in turn.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
MODEL_FILES = (
    "config.json",
    "model-00001-of-00002.safetensors",
    "model-00002-of-00002.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
)
STRATEGIES = {
    "raft": {},
    "graded": {"score_loss": "mse"},
    "head-only": {"language_model_weight": 0},
    "lm-only": {"score_weight": 0},
    "frozen": {"adapter": False, "language_model_weight": 0},
    "zero-shot": {"adapter": False, "language_model_weight": 0, "score_weight": 0},
    "few-shot": {"adapter": False, "language_model_weight": 0, "score_weight": 0, "examples": 4},
}


def make_up(folder: Path) -> Path:
    """A study and three base models as empty files, and the configuration that names them and every strategy."""
    sys.path.insert(0, str(ROOT / "src"))
    from oncoraft.planning.plan import Plan

    (folder / "study").mkdir()
    for name in Plan.study_file_names():
        (folder / "study" / name).touch()
    published = yaml.safe_load((ROOT / "config/msk_chord.yaml").read_text())
    for model in published["models"].values():
        path = folder / model["path"]
        path.mkdir(parents=True)
        for name in MODEL_FILES:
            (path / name).touch()
    config = folder / "all.yaml"
    config.write_text(yaml.safe_dump(published | {"study": "study", "strategies": STRATEGIES | published["strategies"]}))
    return config


def plan_once(checkout: Path, folder: Path, config: Path) -> tuple[float, float, int]:
    """CPU seconds, wall seconds and jobs of one dry run."""
    listing = checkout / "src/oncoraft/reruns/listing.py"
    words = ["--snakefile", checkout / "workflow/Snakefile", "--directory", folder, "--cores", "8", "--configfile", config]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run([sys.executable, "-P", listing, *map(str, words)], capture_output=True, text=True, env=os.environ, check=False)
    wall, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(done.stderr[-3000:])
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu, wall, len(done.stdout.splitlines())


def main() -> None:
    """Plan a few times, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3, help="dry runs; the median counts")
    parser.add_argument("--other", type=Path, metavar="CHECKOUT", help="another checkout beside this one")
    given = parser.parse_args()
    checkouts = {"this": ROOT} | ({"other": given.other.resolve()} if given.other else {})
    runs: dict[str, list[tuple[float, float, int]]] = {name: [] for name in checkouts}
    with tempfile.TemporaryDirectory() as scratch:
        folders = {name: Path(scratch) / name for name in checkouts}
        for folder in folders.values():
            folder.mkdir()
        configs = {name: make_up(folder) for name, folder in folders.items()}
        for _ in range(given.runs):
            for name, checkout in checkouts.items():
                runs[name].append(plan_once(checkout, folders[name], configs[name]))
    for name, found in runs.items():
        cpu, wall, jobs = sorted(found)[len(found) // 2]
        print(json.dumps({"checkout": name, "jobs": jobs, "cpu_seconds": round(cpu, 2), "wall_seconds": round(wall, 2)}))
    if given.other:
        ratio, each = ratios(runs)
        print(f"ratio: {ratio:.2f}; a job: {each:.2f}")


def ratios(runs: dict[str, list[tuple[float, float, int]]]) -> tuple[float, float]:
    """CPU seconds of this checkout's plan, and of a job in it, over those of the other; the median over rounds."""
    pairs = list(zip(runs["this"], runs["other"], strict=True))
    middle = len(pairs) // 2
    return sorted(a[0] / b[0] for a, b in pairs)[middle], sorted(a[0] / a[2] / (b[0] / b[2]) for a, b in pairs)[middle]


if __name__ == "__main__":
    main()
