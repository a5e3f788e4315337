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
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from oncoraft.foundation.attempts import keeping_log
from oncoraft.foundation.errors import InputError, RetryLater
from oncoraft.foundation.input_file import require_file
from oncoraft.foundation.jsonl import parse_json
from oncoraft.foundation.ownership import refuse_over_inputs
from oncoraft.foundation.storage import refusal
from oncoraft.planning.config import Config
from oncoraft.planning.config_files import load_config, read_blocks
from oncoraft.planning.sources import code_digest
from oncoraft.planning.steps import STEPS

log = logging.getLogger("oncoraft")


# Arguments that name what a step writes, where it is not --out alone; every other path is an input.
OUTPUTS = {
    "twin": ("out", "truth"),
    "split": ("train", "heldout", "tuning", "all"),
    "infer": ("out", "tuning_out"),
    "rewards": ("out", "best"),
    "task-courses": ("out", "truth"),
    "task-prompts": ("out", "audit"),
    "task-split": ("train", "heldout"),
    "cell-prompts": ("out", "audit"),
    "cell-split": ("train", "heldout", "all"),
    "rate": ("out",),
}
OWN_STATE = "state"  # a folder that training fills by itself, whatever else is in it


class StepParser(argparse.ArgumentParser):
    """An argument parser that also knows which paths are written, and refuses what cannot be read or must not be written."""

    step = ""

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """The arguments, every path with a name.

        Raises:
            InputError: an input that is a pipe, a device or a socket; an output that is an input, or holds one.
        """
        given = super().parse_args(args, namespace)
        written: list[Path] = []
        read: list[Path] = []
        for name, value in vars(given).items():
            if isinstance(value, Path):
                # "." and ".." have no name of their own to put a manifest's beside.
                value = value if value.name not in {"", ".."} else value.resolve()
                setattr(given, name, value)
            paths = (
                [value] if isinstance(value, Path) else [one for one in value if isinstance(one, Path)] if isinstance(value, list) else []
            )
            if name != OWN_STATE:
                (written if name in OUTPUTS.get(self.step, ("out",)) else read).extend(paths)
        for path in read:
            if path.exists() and not path.is_dir():
                require_file(path)
        refuse_over_inputs(written, read)
        return given


def step_parser(step: str, epilog: str = "") -> argparse.ArgumentParser:
    """An argument parser for one step, with the two ways of giving settings already declared."""
    parser = StepParser(
        prog=f"oncoraft {step}",
        description=STEPS[step].summary,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.step = step
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
            given = parse_json(arguments.settings)
        except ValueError as error:
            raise InputError(f"--settings: expected JSON ({error})") from None
        if not isinstance(given, dict):
            raise InputError("--settings: expected a JSON object of blocks", found=type(given).__name__)
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


class Terminated(SystemExit):
    """SIGTERM where a step has no other use for it: the stack unwinds, and what is half-written is removed on the way."""


def _terminate(*_: object) -> None:
    raise Terminated(128 + signal.SIGTERM)


@contextmanager
def unwinding() -> Iterator[None]:
    """Within the block SIGTERM unwinds the stack instead of ending the process where it stands; steps may set their own handler inside."""
    # Python lets the main thread alone set handlers; one that a caller has set stays.
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def run(main: Callable[[Sequence[str] | None], int], arguments: Sequence[str] | None = None) -> int:
    """Run a step; bad input, a disk that refuses and an interruption become one line on standard error and an exit status."""
    start_log()
    try:
        with unwinding():
            return keeping_log(main)(arguments)
    except (InputError, RetryLater) as error:
        print(f"error: {error}", file=sys.stderr)
        return error.status
    except (KeyboardInterrupt, Terminated) as error:
        number = signal.SIGINT if isinstance(error, KeyboardInterrupt) else signal.SIGTERM
        print(f"error: stopped by {number.name}; nothing half-written was kept", file=sys.stderr)
        # The shells' convention for a process that a signal ended.
        return 128 + number
    except Exception as error:
        if (why := refusal(error)) is None:
            raise
        place = f"{error.filename}: " if isinstance(error, OSError) and error.filename else ""
        print(f"error: {place}expected to be able to read or write it ({why})", file=sys.stderr)
        return InputError.status
