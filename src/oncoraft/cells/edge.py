"""The command-line edge that the steps of a single-cell cohort share: which one of a configuration file, and its settings."""

from __future__ import annotations

import argparse
from typing import Any

from oncoraft.foundation.errors import InputError
from oncoraft.planning.edge import read_settings, step_parser


def cell_parser(step: str, epilog: str) -> argparse.ArgumentParser:
    """A parser that also knows which single-cell cohort of a configuration file is meant."""
    parser = step_parser(step, epilog)
    parser.add_argument("--cells", metavar="NAME", help="entry of `cells` in the configuration file; left out: its first")
    return parser


def cell_settings(step: str, given: argparse.Namespace) -> dict[str, Any]:
    """The blocks that the step reads, `cell_study` among them.

    Raises:
        InputError: neither a configuration with such cohorts nor settings.
    """
    if not given.settings and not given.config:
        raise InputError("--config: expected a configuration file with cells, or --settings")
    return read_settings(step, given, **({"cell_study": given.cells} if given.cells else {}))
