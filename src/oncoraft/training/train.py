"""Fine-tune one fold: `oncoraft train train.jsonl --base MODEL_DIR --out FOLD_DIR --state STATE_DIR`.

The trainer's state lies in STATE_DIR, keyed by everything that defines the run, so that a killed job goes on where it
stopped and never goes on from another experiment's state.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from peft.helpers import disable_input_dtype_casting

from oncoraft.foundation.errors import InputError
from oncoraft.foundation.jsonl import write_jsonl
from oncoraft.foundation.lease import hold_devices
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.foundation.publishing import claim
from oncoraft.foundation.stable import stable_seed
from oncoraft.models.base import causal_of, context_of_folder, device_for, keep_freed_memory, load_base, load_tokenizer
from oncoraft.models.cases import Case, encode, read_rows
from oncoraft.models.choice_head import CHOICE_HEAD_FILE, CHOICES_FILE, by_frequency, new_choice_head, write_choices
from oncoraft.models.fold_model import HEAD_FILE, new_score_head, with_adapter
from oncoraft.models.streamed import outline
from oncoraft.models.tokens import StoredTokens
from oncoraft.planning.config import Strategy
from oncoraft.planning.edge import read_settings, run, settings_record, step_parser
from oncoraft.recalibration import FILE as RECALIBRATION_FILE
from oncoraft.training.checkpoints import States, locked, run_key
from oncoraft.training.compiling import compile_layers
from oncoraft.training.dropout import use_case_dropout
from oncoraft.training.fp8 import score_drift, use_fp8_base
from oncoraft.training.frozen import read_once
from oncoraft.training.launch import launched, run_on_every_gpu
from oncoraft.training.lean_layers import use_lean_layers
from oncoraft.training.loop import ending_with_75, memory_named, steps_in, train
from oncoraft.training.processes import Processes, joined
from oncoraft.training.roofline import measured_roof, work_of
from oncoraft.training.sharding import shard
from oncoraft.training.trainer import Trainer, new_optimizer

log = logging.getLogger("oncoraft")
EXAMPLE = """\
in:   a fold's training file (instruction, input, output, label of each case) and a base-model folder
out:  adapter_config.json and adapter_model.safetensors (strategies with an adapter), score_head.pt (with a score loss),
      training_log.jsonl (a line a step), training_patients.txt, manifest.json

example:
  oncoraft train train.jsonl --base models/Qwen3-8B --out fold-0 --state state/fold-0 --gpus 1
several GPUs of one machine, a process each (the global batch stays, and so does the result): --gpus 4
a base model larger than a GPU: training.shard in the settings, and as many GPUs as hold it together
several machines: the same command under a launcher
  torchrun --nnodes 2 --nproc-per-node 4 ... -m oncoraft train train.jsonl --base ... --gpus 4
  accelerate launch --multi_gpu --num_machines 2 --num_processes 8 ... -m oncoraft train ... --gpus 4
Both launchers answer 1 where the step ends with 75; its state is saved all the same.

A run that was stopped (SIGTERM: status 75) goes on from its last complete state when called again in the same way."""


def read_training_cases(
    path: Path, tokenizer: Any, longest: int, max_answer_tokens: int, strategy: Strategy | None = None, stored: StoredTokens | None = None
) -> list[Case]:
    """Training cases with their labels; without a language-modelling loss their answers are not read, nothing depends on them.

    A strategy without a score head learns texts alone, which may answer another question than response: it needs no label; nor does one
    whose head learns which of the answers it is.

    Raises:
        InputError: a case without label or labels of one class only, where a score head learns; a case without an answer, where none does;
            answers that are all alike, where a head learns which it is.
    """
    wants_answers = strategy is None or strategy.language_model_weight > 0
    rows = read_rows(path)
    cases = encode(rows, tokenizer, longest, max_answer_tokens if wants_answers else None, stored)
    if strategy is not None and (not strategy.has_head or strategy.score_loss == "choices"):
        for number, row in enumerate(rows, 1):
            if not row["output"]:
                raise InputError("expected an answer of every training case", file=path, line=number, column="output")
        return with_choices(cases, rows, path) if strategy.has_head else cases
    for number, case in enumerate(cases, 1):
        if case.responder is None or case.score is None:
            raise InputError("expected a label (`responder` and `score`) of every training case", file=path, line=number)
    if len({case.responder for case in cases}) < 2:
        raise InputError(f"expected responders and non-responders; all {len(cases)} cases are of one class", file=path)
    return cases


def with_choices(cases: list[Case], rows: Sequence[dict[str, Any]], path: Path) -> list[Case]:
    """Cases that know which of the answers theirs is, by place in `by_frequency`.

    Raises:
        InputError: there is one answer alone.
    """
    place = {answer: number for number, answer in enumerate(by_frequency([row["output"] for row in rows]))}
    if len(place) < 2:
        raise InputError(f"expected at least two different answers; all {len(rows)} cases have one", file=path)
    return [replace(case, choice=place[row["output"]]) for case, row in zip(cases, rows, strict=True)]


def trained_choices(path: Path, strategy: Strategy) -> list[str]:
    """The answers that a head over choices learns, in the order of its outputs; none where the strategy has no such head."""
    if not (strategy.has_head and strategy.score_loss == "choices"):
        return []
    return by_frequency([row["output"] for row in read_rows(path)])


def build_trainer(
    base: Path,
    device: torch.device,
    blocks: dict[str, Any],
    total_steps: int,
    processes: Processes | None = None,
    choices: Sequence[str] = (),
) -> Trainer:
    """The base model of a folder, equipped for training; cut over the processes where that is wanted and there are several."""
    if blocks["training"].shard and processes is not None and processes.count > 1:
        return equip(outline(base, device), blocks, total_steps, processes, choices, partial(shard, folder=base, processes=processes))
    if blocks["training"].shard:
        log.info("train: one process, so training.shard cuts nothing")
    return equip(load_base(base, device), blocks, total_steps, processes, choices)


def equip(
    model: Any,
    blocks: dict[str, Any],
    total_steps: int,
    processes: Processes | None = None,
    choices: Sequence[str] = (),
    settle: Callable[[Any], None] | None = None,
) -> Trainer:
    """A base model with adapters and a fresh head, as the strategy wants them, started from the configured seed.

    Args:
        model: on its device.
        blocks: `strategy`, `training` and `adapter` of the configuration.
        total_steps: optimiser steps of the whole run, which the learning rate follows.
        processes: of this launch; None: one.
        choices: answers that the head tells apart, where the strategy has such a head.
        settle: gives the model with its adapters their final place, before the optimiser takes them; it may draw no random number.
    """
    strategy, settings, adapter = blocks["strategy"], blocks["training"], blocks["adapter"]
    device = next(model.parameters()).device
    # Before adapter and head are made: both start from random numbers.
    torch.manual_seed(stable_seed(settings.seed, "start"))
    for parameter in model.parameters():
        # For strategies without an adapter; with one, peft freezes the base anyway.
        parameter.requires_grad_(False)
    if strategy.has_adapter:
        model = with_adapter(model, adapter.rank, adapter.alpha, adapter.dropout, adapter.target_modules)
    head = None
    if strategy.has_head:
        size = causal_of(model).config.hidden_size
        head = (new_choice_head(size, len(choices)) if strategy.score_loss == "choices" else new_score_head(size)).to(device)
    draws = use_case_dropout(model, head, settings.seed)
    if settle is not None:
        settle(model)
    optimizer, schedule = new_optimizer(model, head, settings, total_steps)
    trainer = Trainer(model, head, optimizer, schedule, strategy, settings, draws, processes or Processes(), choices=list(choices))
    trainer.work, trainer.roof = work_of(model, strategy.has_adapter), measured_roof(device)
    if settings.fp8_base and strategy.has_adapter:
        trainer.fp8_layers = use_fp8_base(model, is_cut=settle is not None)
    if device.type == "cpu":
        use_lean_layers(model)
        keep_freed_memory()
    elif settings.compile:
        trainer.fallbacks = compile_layers(model)
    return trainer


# What a strategy leaves in a fold's folder, by the pattern of its name; inference writes its predictions below it.
# What was fitted on the scores of an earlier model goes with that model.
WRITTEN = (
    "adapter_*",
    HEAD_FILE,
    CHOICE_HEAD_FILE,
    CHOICES_FILE,
    "training_log.jsonl",
    "training_patients.txt",
    "manifest.json",
    f"{RECALIBRATION_FILE}*",
)
LATER = ("predictions",)


def write_fold(folder: Path, trainer: Trainer, cases: list[Case], adapter: dict[str, torch.Tensor] | None = None) -> None:
    """Adapter and score head, as far as the strategy has them, training log and the patients that the fold has seen.

    Args:
        folder: to make.
        trainer: after its last step.
        cases: that it has learnt from.
        adapter: the adapter's weights, whole, by their names in the model; None: as they lie in the model.
    """
    folder.mkdir()
    if trainer.strategy.has_adapter:
        trainer.model.save_pretrained(folder, state_dict=adapter)
        (folder / "README.md").unlink(missing_ok=True)  # peft's form of a model card, with nothing filled in
    if trainer.head is not None:
        name_of_head = CHOICE_HEAD_FILE if trainer.choices else HEAD_FILE
        torch.save({name: value.cpu() for name, value in trainer.head.state_dict().items()}, folder / name_of_head)
    if trainer.choices:
        write_choices(folder / CHOICES_FILE, trainer.choices)
    write_jsonl(folder / "training_log.jsonl", trainer.log)
    (folder / "training_patients.txt").write_text("\n".join(sorted({case.patient_id for case in cases})) + "\n", encoding="utf-8")


def publish(
    given: argparse.Namespace, trainer: Trainer, cases: list[Case], record: dict[str, Any], adapter: dict[str, torch.Tensor]
) -> None:
    """Write the fold's folder, whole or not at all."""
    counts: dict[str, float] = {
        "cases": len(cases),
        "patients": len({case.patient_id for case in cases}),
        "responders": sum(bool(case.responder) for case in cases),
        "tokens": sum(case.length for case in cases),
        "answers_at_limit": sum(len(case.answer) == trainer.settings.max_answer_tokens for case in cases),
        "steps": trainer.step,
        "processes": trainer.processes.count,
    }
    if trainer.fallbacks is not None:
        counts["layers_run_uncompiled"] = len(trainer.fallbacks.reasons)
    if trainer.fp8_layers:
        head = None if trainer.choices else trainer.head
        counts |= {"fp8_layers": trainer.fp8_layers} | score_drift(trainer.model, head, cases, trainer.settings.tokens_per_micro_batch)
    with publishing(given.out, step="train", folders=[given.out], keeping=LATER, own=WRITTEN) as (folder,):
        write_fold(folder, trainer, cases, adapter)
        outputs = {given.out / path.name: path for path in sorted(folder.iterdir())}
        note = manifest(
            "train", inputs=[given.train, given.base], outputs=outputs, settings=record, counts=counts, beside=given.out / "manifest.json"
        )
        write_json(folder / "manifest.json", note)


def train_fold(given: argparse.Namespace, blocks: dict[str, Any], device: torch.device, processes: Processes) -> None:
    """Read, go on or start, train, publish."""
    strategy, settings = blocks["strategy"], blocks["training"]
    stored = StoredTokens(given.tokens) if given.tokens else None
    tokenizer, longest = load_tokenizer(given.base), context_of_folder(given.base)
    cases = read_training_cases(given.train, tokenizer, longest, settings.max_answer_tokens, strategy, stored)
    record = settings_record(given, blocks)
    states = States(given.state, run_key(given.train, given.base, record))
    choices = trained_choices(given.train, strategy)
    trainer = build_trainer(given.base, device, blocks, steps_in(len(cases), settings), processes, choices)
    if (state := states.last()) is not None:
        trainer.restore(state)
        if processes.is_first:
            log.info("train: going on after step %d", trainer.step)
    if not strategy.has_adapter:
        with memory_named(settings, settings.tokens_per_micro_batch):
            tokens = settings.tokens_per_micro_batch
            trainer.frozen, trainer.work = read_once(trainer.model, cases, tokens, processes, trainer.is_sharded), None
    with ExitStack() as stack:
        if device.type == "cuda" and strategy.has_adapter:
            # Under autocast peft's fp32 copy of every adapter's input is waste: the product is taken in bf16 all the same.
            stack.enter_context(disable_input_dtype_casting(trainer.model))
        train(trainer, cases, lambda state: states.save(trainer.step, state))
    last = trainer.state()
    if processes.is_first:
        publish(given, trainer, cases, record, last["adapter"])
        # After the outputs stand; the last state stays until the run has ended well (docs/reruns.md).
        states.finish(trainer.step, last)
        log.info("train: %d cases, %d steps, last loss %.3f", len(cases), trainer.step, trainer.log[-1]["loss"])


def main(arguments: Sequence[str] | None = None) -> int:
    """Train one fold; status 75 after SIGTERM, with the state saved."""
    parser = step_parser("train", EXAMPLE)
    parser.add_argument("train", type=Path, metavar="TRAIN", help="training file written by `oncoraft split`")
    parser.add_argument("--base", type=Path, required=True, metavar="MODEL_DIR", help="base-model folder")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLD_DIR", help="folder for adapter, score head and log")
    parser.add_argument("--state", type=Path, required=True, metavar="STATE_DIR", help="folder for the trainer's state while it runs")
    parser.add_argument("--tokens", type=Path, metavar="FILE", help="token ids written by `oncoraft tokens`, read instead of tokenising")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads")
    parser.add_argument("--gpus", type=int, default=0, help="GPUs to use, a process each; 0: CPU")
    given = parser.parse_args(arguments)
    blocks = read_settings("train", given)
    if not blocks["strategy"].is_trained:
        raise InputError("expected language_model_weight or score_weight above 0; this strategy trains nothing", column="strategy")
    held = hold_devices(given.gpus)
    if given.gpus > 1 and not launched():
        return run_on_every_gpu(main, arguments, given.gpus)
    torch.set_num_threads(given.threads)
    device = device_for(held)
    with ending_with_75(), joined(device.type == "cuda") as processes, ExitStack() as stack:
        if processes.is_first:
            claim(given.out, step="train", folders=[given.out], keeping=LATER, own=WRITTEN)
            stack.enter_context(locked(given.state))
        train_fold(given, blocks, device, processes)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
