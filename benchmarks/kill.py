"""Kill the demo twenty times at random points and compare what it leaves with an undisturbed run.

`python benchmarks/kill.py --work DIR [--kills 20] [--configfile config/config.yaml] [--undisturbed RESULTS]`. Struck in turn, in random
order: the trainer, the controller, every process of the run; by TERM and by KILL. Prints one line a blow and the verdict; status 1 where a file differs.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from tests.workflow.killing import blows, differences, hurt, unlock  # noqa: E402


def command_of(directory: Path, configfile: Path) -> list[str]:
    """The engine's command line for a run in a folder of its own."""
    words = ["--snakefile", ROOT / "workflow/Snakefile", "--directory", directory, "--cores", "2", "--configfile", configfile]
    return [sys.executable, "-m", "snakemake", *map(str, words)]


def main() -> int:
    """Run undisturbed, run under blows, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder for both runs; must not exist")
    parser.add_argument("--kills", type=int, default=20, help="blows")
    parser.add_argument("--seed", type=int, default=5, help="of their order and times")
    parser.add_argument("--latest", type=float, default=25.0, help="a blow falls 3 to this many seconds after its start")
    parser.add_argument("--configfile", type=Path, default=ROOT / "config/config.yaml", help="what is run")
    parser.add_argument("--undisturbed", type=Path, help="finished results of the same checkout and configuration; default: made first")
    given = parser.parse_args()
    run = given.work.resolve() / "killed"
    run.mkdir(parents=True)
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    calm = given.undisturbed
    if calm is None:
        calm = given.work.resolve() / "undisturbed" / "results"
        subprocess.run(command_of(calm.parent, given.configfile.resolve()), env=environment, check=True)
    command = command_of(run, given.configfile.resolve())
    started = time.monotonic()
    for number, blow in enumerate(blows(given.seed, given.kills, 3.0, given.latest), 1):
        print(f"{number:>3} {hurt(command, environment, run, blow)}", flush=True)
        unlock(command, environment, run)
    while subprocess.run(command, env=environment, check=False).returncode:
        time.sleep(10)  # a trainer that outlived its controller keeps a second one out of its fold until it has ended
    odd = differences(run / "results", calm)
    print("\n".join(odd))
    print(f"{given.kills} blows, {time.monotonic() - started:.0f} s: {len(odd)} files differ from the undisturbed run")
    return 1 if odd else 0


if __name__ == "__main__":
    raise SystemExit(main())
