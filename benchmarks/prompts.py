"""Raw tables to rendered prompts at full size: ingest, cases, prompts; seconds and peak memory of each step.

    python benchmarks/prompts.py [--study STUDY] [--patients 24950] [--template full]

Without `--study` a twin of that many patients is written first, outside the measurement. Each step is a process of its own, held to
two cores. Wall time is noisy on a shared machine, so processor seconds stand beside it; against the target of 120 s and 4 GB count
the sum of wall times and the largest peak. The audit of 500 cases and the evidence file are measured too, not counted.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TARGET_SECONDS, TARGET_GIGABYTES = 120.0, 4.0
CORES = 2


def measure(words: list[str]) -> tuple[float, float, float]:
    """Run a step on two cores: wall seconds, processor seconds, peak gigabytes of its process.

    Raises:
        SystemExit: the step failed.
    """
    cores = sorted(os.sched_getaffinity(0))[:CORES]
    start = time.perf_counter()
    with tempfile.TemporaryFile("w+") as said:
        child = subprocess.Popen([sys.executable, "-m", "oncoraft", *words], stderr=said, preexec_fn=lambda: os.sched_setaffinity(0, cores))
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            said.seek(0)
            raise SystemExit(f"{words[0]} ended with {child.returncode}: {said.read()}")
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024**2


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", type=Path, help="study folder in cBioPortal's format")
    parser.add_argument("--patients", type=int, default=24_950, help="size of the twin that is made without --study")
    parser.add_argument("--template", default="full", choices=["full", "oncoraft", "compact"], help="template to render")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        study = given.study or scratch / "study"
        if given.study is None:
            words = ["twin", "--out", str(study), "--patients", str(given.patients)]
            subprocess.run([sys.executable, "-m", "oncoraft", *words], check=True, stderr=subprocess.DEVNULL)
        tables, cases, prompts = (str(scratch / folder) for folder in ("tables", "cases", "prompts.jsonl"))
        settings = json.dumps({"prompts": {"template": given.template}})
        steps = [
            ["ingest", str(study), "--out", tables],
            ["cases", tables, "--out", cases],
            ["prompts", tables, cases, "--out", prompts, "--settings", settings],
            ["evidence", tables, cases, "--out", str(scratch / "evidence.parquet")],
            ["audit", tables, cases, "--out", str(scratch / "audit.json")],
        ]
        print(f"{'step':<10} {'wall s':>8} {'cpu s':>8} {'peak GB':>8}")
        wall = processor = peak = 0.0
        for place, words in enumerate(steps):
            seconds, busy, memory = measure(words)
            print(f"{words[0]:<10} {seconds:>8.1f} {busy:>8.1f} {memory:>8.2f}", flush=True)
            if place < 3:
                wall, processor, peak = wall + seconds, processor + busy, max(peak, memory)
        counts = json.loads(Path(prompts + ".manifest.json").read_text(encoding="utf-8"))["counts"]
        verdict = "reached" if wall <= TARGET_SECONDS and peak <= TARGET_GIGABYTES else "missed"
        print(
            f"{'counted':<10} {wall:>8.1f} {processor:>8.1f} {peak:>8.2f}   target {TARGET_SECONDS:.0f} s, {TARGET_GIGABYTES:.0f} GB: {verdict}"
        )
        print(
            f"{counts['prompts']} prompts, median {counts['tokens_median']:.0f} tokens ({counts['tokens_counted_by']}), {counts['cut']} cut"
        )


if __name__ == "__main__":
    main()
