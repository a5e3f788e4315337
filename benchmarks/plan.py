"""How long the plan of the full reproduction takes: three models, five folds, every strategy; nothing is run.

`python benchmarks/plan.py [--runs 3]` prints wall and CPU seconds of `snakemake -n` (the engine's own start included), the number of
jobs. A study folder with all its files and base-model folders with their files are made up, so
that every rule has its inputs to look at.
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
    ablation = yaml.safe_load((ROOT / "config/ablation.yaml").read_text())
    strategies = STRATEGIES | published["strategies"] | ablation.get("strategies", {})
    config = folder / "all.yaml"
    config.write_text(yaml.safe_dump(published | {"study": "study", "strategies": strategies}))
    return config


def plan_once(folder: Path, config: Path) -> tuple[float, float, int]:
    """Wall seconds, CPU seconds and jobs of one dry run."""
    listing = ROOT / "src/oncoraft/reruns/listing.py"
    words = ["--snakefile", ROOT / "workflow/Snakefile", "--directory", folder, "--cores", "8", "--configfile", config]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run([sys.executable, "-P", listing, *map(str, words)], capture_output=True, text=True, env=os.environ, check=False)
    wall, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(done.stderr[-3000:])
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, cpu, len(done.stdout.splitlines())


def main() -> None:
    """Plan a few times, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3, help="dry runs; the median counts")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = make_up(folder)
        runs = [plan_once(folder, config) for _ in range(given.runs)]
    cpu = sorted(seconds for _, seconds, _ in runs)[len(runs) // 2]
    wall = sorted(seconds for seconds, _, _ in runs)[len(runs) // 2]
    print(json.dumps({"jobs": runs[0][2], "cpu_seconds": round(cpu, 2), "wall_seconds": round(wall, 2)}))


if __name__ == "__main__":
    main()
