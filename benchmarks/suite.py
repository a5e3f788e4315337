"""How long the tests take beside those of another checkout, by `make test`'s own command on both.

`python benchmarks/suite.py --other CHECKOUT` runs the other's tests, then this checkout's that bear one of the same names (the modules have
moved), then, with `--whole`, all of this checkout's. It prints seconds of wall and of processor time and how many tests each has. Each
checkout runs in its own `.venv`.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
COMMAND = (".venv/bin/python", "-m", "pytest", "-n", "2", "--dist", "loadgroup")
CHOOSER = '''"""Keep the tests whose names a file lists."""
import os, pathlib
NAMES = frozenset(pathlib.Path(os.environ["KEPT_TESTS"]).read_text().splitlines())
def pytest_collection_modifyitems(config, items):
    config.hook.pytest_deselected(items=[item for item in items if item.name not in NAMES])
    items[:] = [item for item in items if item.name in NAMES]
'''


def names(checkout: Path) -> list[str]:
    """Names of all tests of a checkout, without their modules."""
    words = [".venv/bin/python", "-m", "pytest", "--quiet", "--override-ini=addopts=", "--collect-only"]
    done = subprocess.run(words, cwd=checkout, capture_output=True, text=True, check=True)
    return [line.split("::", 1)[1].rsplit("::", 1)[-1] for line in done.stdout.splitlines() if "::" in line]


def timed(checkout: Path, *, kept: Path | None = None) -> tuple[float, float, str]:
    """Wall and processor seconds of a checkout's tests, and pytest's last line."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    words = [*COMMAND]
    if kept:
        (kept.parent / "kept_tests.py").write_text(CHOOSER)
        environment |= {"KEPT_TESTS": str(kept), "PYTHONPATH": str(kept.parent)}
        words += ["-p", "kept_tests"]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(words, cwd=checkout, capture_output=True, text=True, env=environment, check=False)
    wall, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, cpu, (done.stdout.strip().splitlines() or [done.stderr[-300:]])[-1]


def main() -> None:
    """Run the suites in turn, and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--other", type=Path, required=True, metavar="CHECKOUT", help="another checkout, set up by its `make setup`")
    parser.add_argument("--whole", action="store_true", help="all tests of this checkout too")
    given = parser.parse_args()
    other = given.other.resolve()
    with tempfile.TemporaryDirectory() as scratch:
        kept = Path(scratch) / "names"
        of_other, of_this = names(other), names(ROOT)
        kept.write_text("\n".join(of_other))
        same = set(of_other) & set(of_this)
        print(f"tests: {len(of_other)} there, {len(of_this)} here; of {len(set(of_other))} names {len(same)} are here")
        runs = {"other": timed(other), "same": timed(ROOT, kept=kept)} | ({"whole": timed(ROOT)} if given.whole else {})
    for name, (wall, cpu, last) in runs.items():
        print(f"{name}: {wall:.0f} s wall, {cpu:.0f} s of processor time; {last}")
        if name != "other":
            print(f"{name} ratio: {wall / runs['other'][0]:.2f} wall, {cpu / runs['other'][1]:.2f} CPU")


if __name__ == "__main__":
    main()
