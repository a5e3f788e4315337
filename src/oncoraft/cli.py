"""`oncoraft <step>`: finds the step's script and hands over. It imports nothing that the step does not need."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from typing import NoReturn

from oncoraft import __version__
from oncoraft.planning.imports import load, prepare
from oncoraft.planning.steps import STEPS


def usage() -> str:
    """The list of steps, in the order in which data flows."""
    width = max(map(len, STEPS))
    rows = "\n".join(f"  {name:<{width}}  {step.summary}" for name, step in STEPS.items())
    return (
        "usage: oncoraft <step> [arguments]\n\n"
        "From the tables of a cancer cohort to score-stratified survival curves. Each step reads files\n"
        "and writes files; the workflow (snakemake) calls the same steps in the same way.\n\n"
        f"{rows}\n\n"
        "`oncoraft <step> --help` explains a step; `oncoraft --version` prints the version."
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Dispatch to a step; status 2 with one line when there is no such step."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in {"-h", "--help"}:
        print(usage())
        return 0
    if words[0] == "--version":
        print(f"oncoraft {__version__}")
        return 0
    name = words[0]
    if name not in STEPS:
        near = get_close_matches(name, STEPS, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        print(f"error: no step named {name!r}{hint} (`oncoraft --help` lists them)", file=sys.stderr)
        return 2
    from oncoraft.planning.edge import run

    return run(load(STEPS[name].module).main, words[1:])


def entry() -> NoReturn:
    """The command: run, flush, leave with the status.

    The process leaves without the interpreter's own end: worker threads of native libraries that are still winding down on a busy
    machine can abort it there, and a job whose files are whole would count as failed.
    """
    # On some processors the last digits of a matrix product depend on how many threads share it (OpenBLAS 0.3.31, its kernels for AVX2):
    # with one a step's bytes follow from its inputs alone. It is read when numpy is loaded, here and in processes that a step starts.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    prepare(next(iter(sys.argv[1:]), ""))
    status = main()
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
