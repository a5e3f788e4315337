"""The command-line edge that the steps of a text task share: which task, and its settings."""

from __future__ import annotations

import argparse
from typing import Any

from oncoraft.foundation.errors import InputError
from oncoraft.planning.edge import read_settings, step_parser
from oncoraft.tasks.declaration import Task
from oncoraft.tasks.registry import task_of


def task_parser(step: str, epilog: str) -> argparse.ArgumentParser:
    """A parser that also knows which task of a configuration file is meant."""
    parser = step_parser(step, epilog)
    parser.add_argument("--task", metavar="NAME", help="task of the configuration file; left out: its first")
    return parser


def task_settings(step: str, given: argparse.Namespace) -> tuple[Task, dict[str, Any]]:
    """The declaration of the task, and the blocks that the step reads.

    Raises:
        InputError: neither a configuration with tasks nor settings, or settings without a kind.
    """
    if not given.settings and not given.config:
        raise InputError("--config: expected a configuration file with tasks, or --settings")
    blocks = read_settings(step, given, **({"task": given.task} if given.task else {}))
    kind = blocks["task"].kind
    if kind is None:
        raise InputError("task.kind: expected the kind of the task")
    return task_of(kind), blocks
