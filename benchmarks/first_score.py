"""From `make page` with no model at all to the score of one's own case: this checkout beside another, each in folders of its own.

    git worktree add ../other COMMIT && ln -s "$PWD/.venv" ../other/.venv
    python benchmarks/first_score.py --other ../other

A case is sent as soon as the page is open, as somebody would who has typed it meanwhile, and is answered when there is a model. The commands are
those of each checkout's own Makefile. Both run at the same time, so that a busy machine disturbs both alike (alone: `--only ours`). Seconds count
from the start of the page; processor seconds are those of the page, of what it has started and of what that has ended. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psutil

from oncoraft.page.demo import DEMO

HERE = Path(__file__).parents[1]


def command_of(checkout: Path, work: Path) -> list[str]:
    """What `make page` starts where no demo has been made, with its results in another folder and no browser."""
    said = subprocess.run(["make", "--dry-run", "page"], cwd=checkout, capture_output=True, text=True, check=True).stdout
    found = re.search(r"else (\S*oncoraft page .*); fi", said.replace("\\\n", " "))
    assert found is not None
    line = found[1].replace(" --open", " --port 0")
    line = line.replace("results/.quick", str(work / "quick")).replace("results/models", str(work / "models"))
    return shlex.split(line)


def processor_seconds(process: psutil.Process) -> float:
    """Of a process, of those that it has started, and of those that have ended."""
    total = 0.0
    for one in (process, *process.children(recursive=True)):
        try:
            times = one.cpu_times()
        except psutil.NoSuchProcess:  # ended since it was listed: counted with its parent
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


def first_score(checkout: Path) -> dict[str, Any]:
    """Seconds and processor seconds until the first score, and until what judges the model is there too."""
    with tempfile.TemporaryDirectory() as work:
        environment = os.environ | {"PYTHONPATH": str(checkout / "src"), "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
        began = time.perf_counter()
        page = subprocess.Popen(command_of(checkout, Path(work)), cwd=checkout, env=environment, stdout=subprocess.PIPE, text=True)
        watched = psutil.Process(page.pid)
        try:
            assert page.stdout is not None
            found = re.search(r"http://\S+", page.stdout.readline())
            assert found is not None
            with httpx.Client(base_url=found.group().rstrip("/"), timeout=3600, trust_env=False) as client:
                told: dict[str, Any] = {"open": time.perf_counter() - began}
                answer = client.post("/api/score", json={"entries": DEMO[0]["entries"]}).raise_for_status().json()
                told |= {"score": answer["score"], "first_score": time.perf_counter() - began, "processor": processor_seconds(watched)}
                print(checkout, told, file=sys.stderr, flush=True)
                while client.get("/api/health").json()["models"][0].get("follows"):
                    time.sleep(0.5)
                return told | {"judged": time.perf_counter() - began, "processor_judged": processor_seconds(watched)}
        finally:
            page.terminate()
            page.wait()


def main() -> None:
    """Both sides."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--other", type=Path, help="another checkout, with its .venv")
    parser.add_argument("--only", choices=["ours", "other"])
    given = parser.parse_args()
    sides = {"ours": HERE} | ({"other": given.other.resolve()} if given.other else {})
    sides = {name: path for name, path in sides.items() if given.only in {None, name}}
    with ThreadPoolExecutor(len(sides)) as pool:
        found = dict(zip(sides, pool.map(first_score, sides.values())))
    if len(found) == 2:
        ours, other = found["ours"], found["other"]
        found["ratio"] = {name: ours[name] / other[name] for name in ("first_score", "processor", "judged", "processor_judged")}
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
