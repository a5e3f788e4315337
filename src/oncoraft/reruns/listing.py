"""List the jobs that the engine would run, as data: one JSON object a line on standard output.

Run by file name, so that the workflow imports the package of its own checkout: `python -P listing.py [--all] -- SNAKEMAKE ARGUMENTS`.
It is a dry run of the engine's own command line; the engine announces each job as a record of its log (the events that logger
plugins receive), which a filter on that logger keeps. Nothing is written, and nothing of this package is imported.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import sys
from pathlib import Path
from typing import Any

FIELDS = ("rule_name", "wildcards", "input", "output", "log", "benchmark", "reason", "shellcmd", "threads")


class JobRecords(logging.Filter):
    """Keeps what the engine says of each planned job and of each problem; lets every record through."""

    def __init__(self) -> None:
        super().__init__()
        self.jobs: list[dict[str, Any]] = []

    def filter(self, record: logging.LogRecord) -> bool:
        """Remember a job's record."""
        if str(getattr(record, "event", "")) == "job_info":
            job = {name: _plain(getattr(record, name, None)) for name in FIELDS}
            job["resources"] = _resources(getattr(record, "resources", None))
            self.jobs.append(job)
        return True


def _plain(value: Any) -> Any:
    """Lists, mappings and texts of JSON out of the engine's own kinds of them."""
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, dict):
        return {str(key): str(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [str(entry) for entry in value]
    return str(value)


def _resources(resources: Any) -> dict[str, int | str]:
    """Named resources of a job; those that are only known when it starts are left out."""
    named = dict(resources.items()) if resources is not None else {}
    # `_cores` and `_nodes` are the engine's own.
    return {str(name): value for name, value in named.items() if isinstance(value, int | str) and not str(name).startswith("_")}


def main(words: list[str]) -> int:
    """Dry-run the engine with these arguments and print the jobs; the engine's own words go to standard error.

    Args:
        words: the engine's arguments; `--all` before them lists every job of the plan, current or not.
    """
    # To go through the engine's modules and jobs for reference cycles takes a sixth of a listing, and finds nothing to let go.
    gc.disable()
    from snakemake import cli
    from snakemake.logging import logger

    everything = words[:1] == ["--all"]
    records = JobRecords()
    logger.addFilter(records)
    screen, sys.stdout = sys.stdout, sys.stderr
    try:
        cli.main([*(words[1:] if everything else words), "--dry-run", *(["--forceall"] if everything else [])])
        status = 0
    except SystemExit as ended:
        status = int(ended.code or 0)
    finally:
        sys.stdout = screen
    for job in records.jobs:
        # Target rules have no command: they are no jobs.
        if job["shellcmd"]:
            print(json.dumps(job, sort_keys=True))
    return status


if __name__ == "__main__":
    sys.argv[0] = str(Path(sys.argv[0]).with_name("snakemake"))
    status = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    # To let go of some hundred thousand objects one by one, as the interpreter does at its end, takes a tenth of a listing.
    os._exit(status)
