"""The command-line edge that every step shares: arguments in, one line out when the input is bad.

A step's module has a `main(arguments)` that parses with `step_parser`, reads its settings with
`read_settings`, and is run by `run`. Settings come either from a configuration file (`--config`,
by hand) or as the JSON that a workflow rule passes (`--settings`).
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from oncoraft.foundation.attempts import keeping_log
from oncoraft.foundation.errors import InputError, RetryLater
from oncoraft.planning.config import Config
from oncoraft.planning.config_files import load_config, read_blocks
from oncoraft.planning.sources import code_digest
from oncoraft.planning.steps import STEPS

log = logging.getLogger("oncoraft")


def step_parser(step: str, epilog: str = "") -> argparse.ArgumentParser:
    """An argument parser for one step, with the two ways of giving settings already declared."""
    parser = argparse.ArgumentParser(
        prog=f"oncoraft {step}",
        description=STEPS[step].summary,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    blocks = ", ".join(STEPS[step].blocks)
    if blocks:
        given = parser.add_mutually_exclusive_group()
        given.add_argument("--config", type=Path, metavar="FILE", help=f"configuration file; this step reads: {blocks}")
        given.add_argument("--settings", metavar="JSON", help="the same blocks as JSON, as a workflow rule passes them")
    else:
        parser.add_argument("--settings", metavar="JSON", help=argparse.SUPPRESS)
    return parser


def read_settings(step: str, arguments: argparse.Namespace, **choice: str) -> dict[str, Any]:
    """The configuration blocks that `step` declares, typed, defaults filled in.

    Args:
        step: a key of `STEPS`.
        arguments: parsed by `step_parser`.
        choice: which entry of a mapping is meant, e.g. `models="tiny-qwen3"`, when a file is given.

    Returns:
        block name -> frozen model; a block that the step did not declare is not there.
    """
    if getattr(arguments, "settings", None):
        try:
            given = json.loads(arguments.settings)
        except json.JSONDecodeError as error:
            raise InputError(f"--settings: expected JSON ({error})") from None
        planned = given.pop("code", None)
        if planned is not None and planned != code_digest(step):
            raise RetryLater("the sources changed after this run was planned; start it again, so that its record says what ran")
        return read_blocks(STEPS[step].blocks, given)
    config = load_config(arguments.config) if getattr(arguments, "config", None) else Config()
    return config.blocks(STEPS[step].blocks, **choice)


def settings_record(arguments: argparse.Namespace, blocks: dict[str, Any]) -> dict[str, Any]:
    """Settings as a manifest records them: every block in full, and the code digest if a rule gave one."""
    record: dict[str, Any] = {name: block.model_dump(mode="json") for name, block in sorted(blocks.items())}
    if getattr(arguments, "settings", None):
        record["code"] = json.loads(arguments.settings).get("code")
    return record


def start_log() -> None:
    """What a step says goes to standard error with the time; ONCORAFT_LOG sets the level."""
    level = os.environ.get("ONCORAFT_LOG", "INFO")
    logging.basicConfig(level=level, stream=sys.stderr, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")


def run(main: Callable[[Sequence[str] | None], int], arguments: Sequence[str] | None = None) -> int:
    """Run a step; bad input becomes one line on standard error and its exit status."""
    start_log()
    try:
        return keeping_log(main)(arguments)
    except (InputError, RetryLater) as error:
        print(f"error: {error}", file=sys.stderr)
        return error.status
