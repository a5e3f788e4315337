"""What both methods share: a fold is opened, its training goes on or starts, the score head is fitted again, a fold is published.

What is written has the layout of `oncoraft train`, so that everything that follows is the same. The trainer's state lies in STATE_DIR:
a killed job goes on where it stopped, to the same bytes.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from oncoraft.alignment.policy import adapter_weights, open_policy
from oncoraft.alignment.refit import compared, prompt_states, refitted
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.lease import hold_devices
from oncoraft.foundation.provenance import canonical_json, file_digest, manifest, publishing, text_digest, write_json
from oncoraft.foundation.publishing import claim
from oncoraft.inference.opening import check_fold_model, trained_files
from oncoraft.models.base import context_of_folder, device_for, load_tokenizer
from oncoraft.models.cases import Case, encode, read_rows
from oncoraft.models.fold_model import HEAD_FILE, score_logit
from oncoraft.models.model_folder import read_score_head
from oncoraft.models.tokens import StoredTokens
from oncoraft.planning.edge import read_settings, settings_record, step_parser
from oncoraft.training.checkpoints import States, locked, run_key
from oncoraft.training.launch import launched, run_on_every_gpu
from oncoraft.training.loop import ending_with_75, go_through
from oncoraft.training.processes import Processes, joined
from oncoraft.training.train import LATER, WRITTEN, write_fold
from oncoraft.training.trainer import Entry, Trainer, new_optimizer

log = logging.getLogger("oncoraft")
ALIGNED = (*WRITTEN, "alignment.json")


@dataclass(frozen=True)
class Start:
    """What a method begins with: the fold's cases, the model that learns and a copy of where it started.

    Args:
        texts: case -> (instruction, input) of its prompt.
        reference: the starting adapter's weights by name.
    """

    given: argparse.Namespace
    blocks: dict[str, Any]
    trainer: Trainer
    tokenizer: Any
    cases: list[Case]
    texts: dict[str, tuple[str, str]]
    reference: dict[str, torch.Tensor]


@dataclass(frozen=True)
class Prepared:
    """What each step learns from, how one is taken, and how many optimiser steps that is."""

    items: list[list[Any]]
    take: Callable[[list[Any]], Entry]
    updates_per_step: int


def labelled(rows_of: Path, cases: Sequence[Case]) -> None:
    """Whether every case has the label that the rewards and the head need.

    Raises:
        InputError: a case without one, or labels of one class alone.
    """
    for number, case in enumerate(cases, 1):
        if case.responder is None or case.score is None:
            raise InputError("expected a label (`responder` and `score`) of every training case", file=rows_of, line=number)
    if len({case.responder for case in cases}) < 2:
        raise InputError(f"expected responders and non-responders; all {len(cases)} cases are of one class", file=rows_of)


def align_fold(
    method: str,
    given: argparse.Namespace,
    blocks: dict[str, Any],
    prepare: Callable[[Start], Prepared],
    device: torch.device,
    processes: Processes,
) -> None:
    """Read, go on or start, align, refit the head, publish."""
    strategy, settings = blocks["strategy"], blocks[method]
    training = blocks["training"].model_copy(update={"learning_rate": settings.learning_rate})
    rows, tokenizer = read_rows(given.train), load_tokenizer(given.base)
    stored = StoredTokens(given.tokens) if given.tokens else None
    cases = encode(rows, tokenizer, context_of_folder(given.base) - 1, stored=stored)
    labelled(given.train, cases)
    model, head = open_policy(given.base, given.fold_model, strategy, device, settings.score_head == "learns")
    trainer = Trainer(model, head, None, None, strategy, training, None, processes)  # type: ignore[arg-type]
    texts = {row["case_id"]: (row["instruction"], row["input"]) for row in rows}
    start = Start(given, blocks, trainer, tokenizer, cases, texts, adapter_weights(model))
    steps = prepare(start)
    learning_head = head if settings.score_head == "learns" else None
    trainer.optimizer, trainer.schedule = new_optimizer(model, learning_head, training, len(steps.items) * steps.updates_per_step)
    record = settings_record(given, blocks)
    states = States(given.state, key_of(given, record))
    if (state := states.last()) is not None:
        trainer.restore(state)
        if processes.is_first:
            log.info("%s: going on after step %d", method, trainer.step)
    go_through(trainer, steps.items, len(steps.items), steps.take, lambda state: states.save(trainer.step, state))
    told = refit(trainer, cases, start.reference, given.fold_model / HEAD_FILE, settings.refit)
    if processes.is_first:
        publish(method, given, trainer, cases, record, told)
        # After the outputs stand; the last state stays until the run has ended well (docs/reruns.md).
        states.finish(trainer.step, trainer.state())
        log.info("%s: %d steps, last loss %.3f", method, trainer.step, trainer.log[-1]["loss"])


def refit(trainer: Trainer, cases: list[Case], reference: dict[str, torch.Tensor], starting: Path, wanted: bool) -> dict[str, Any]:
    """Fit the head again, if that is wanted, and tell how its scores moved with and without it."""
    assert trainer.head is not None
    before = read_score_head(starting, trainer.model.config.hidden_size).to(trainer.device)
    for module in before.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    with torch.no_grad():
        first = torch.sigmoid(score_logit(before, prompt_states(trainer, cases, reference)))
    states = prompt_states(trainer, cases)
    heads = {"unrefitted": (trainer.head, states)}
    if wanted:
        trainer.head = refitted(trainer.head, states, first)
        heads["refitted"] = (trainer.head, states)
    return compared(heads, first, [bool(case.responder) for case in cases])


def key_of(given: argparse.Namespace, record: dict[str, Any]) -> str:
    """A digest of everything that defines a run: that of supervised training, and where it starts."""
    strategy_files = sorted(path for path in given.fold_model.iterdir() if path.is_file())
    files = {path.name: file_digest(path) for path in strategy_files}
    pairs = [file_digest(path) for path in pair_files(given)]
    return text_digest(canonical_json({"run": run_key(given.train, given.base, record), "start": files, "pairs": pairs}))


def pair_files(given: argparse.Namespace) -> list[Path]:
    """The file of pairs, for the method that has one."""
    found = getattr(given, "pairs", None)
    return [found] if found else []


def publish(
    method: str, given: argparse.Namespace, trainer: Trainer, cases: list[Case], record: dict[str, Any], told: dict[str, Any]
) -> None:
    """Write the fold's folder, whole or not at all."""
    counts: dict[str, Any] = {"cases": len(cases), "patients": len({case.patient_id for case in cases})}
    counts |= {"responders": sum(bool(case.responder) for case in cases), "steps": trainer.step, "processes": trainer.processes.count}
    with publishing(given.out, step=method, folders=[given.out], keeping=LATER, own=ALIGNED) as (folder,):
        write_fold(folder, trainer, cases)
        write_json(folder / "alignment.json", {"method": method, "score_head": told, "last_step": trainer.log[-1]})
        outputs = {given.out / path.name: path for path in sorted(folder.iterdir())}
        inputs = [given.train, given.base, *pair_files(given)]
        inputs += [given.fold_model / name for name in (*trained_files(trainer.strategy), "manifest.json")]
        note = manifest(method, inputs=inputs, outputs=outputs, settings=record, counts=counts, beside=given.out / "manifest.json")
        write_json(folder / "manifest.json", note)


def aligning_parser(step: str, example: str) -> Any:
    """The command line that both methods share."""
    parser = step_parser(step, example)
    parser.add_argument("train", type=Path, metavar="TRAIN", help="training file written by `oncoraft split`")
    parser.add_argument("--base", type=Path, required=True, metavar="MODEL_DIR", help="base-model folder")
    parser.add_argument("--fold-model", type=Path, required=True, metavar="START_DIR", help="fold of the strategy to start from")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLD_DIR", help="folder for adapter, score head and log")
    parser.add_argument("--state", type=Path, required=True, metavar="STATE_DIR", help="folder for the trainer's state while it runs")
    parser.add_argument("--tokens", type=Path, metavar="FILE", help="token ids written by `oncoraft tokens`, read instead of tokenising")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads")
    parser.add_argument("--gpus", type=int, default=0, help="GPUs to use, a process each; 0: CPU")
    return parser


def align(
    method: str,
    given: argparse.Namespace,
    prepare: Callable[[Start], Prepared],
    again: Callable[[Sequence[str] | None], int],
    arguments: Sequence[str] | None,
) -> int:
    """Align one fold; status 75 after SIGTERM, with the state saved.

    Args:
        method: dpo or grpo.
        given: the command line.
        prepare: says what each step learns from.
        again: the step's own entry, called in every process where there are several GPUs.
        arguments: as the entry was called with them.

    Raises:
        InputError: a strategy of another method, or see the readers.
    """
    blocks = read_settings(method, given)
    if blocks["strategy"].method != method:
        raise InputError(f"expected a strategy of method {method}", column="strategy.method", found=blocks["strategy"].method)
    if blocks["training"].shard:
        raise InputError(f"expected false: {method} does not work on a base model in parts", column="training.shard")
    if blocks["training"].fp8_base:
        raise InputError(f"expected false: {method} writes and learns with the base as it is", column="training.fp8_base")
    check_fold_model(given.fold_model, blocks["strategy"])
    held = hold_devices(given.gpus)
    if given.gpus > 1 and not launched():
        return run_on_every_gpu(again, arguments, given.gpus)
    torch.set_num_threads(given.threads)
    device = device_for(held)
    with ending_with_75(), joined(device.type == "cuda") as processes, ExitStack() as stack:
        if processes.is_first:
            claim(given.out, step=method, folders=[given.out], keeping=LATER, own=ALIGNED)
            stack.enter_context(locked(given.state))
        align_fold(method, given, blocks, prepare, device, processes)
    return 0
