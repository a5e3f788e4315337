"""Align one fold: `oncoraft align train.jsonl --base MODEL_DIR --fold-model START_DIR --out FOLD_DIR --state STATE_DIR`.

Direct preference optimisation on pairs, or group-relative policy optimisation on answers sampled as it goes, from the adapter and the
head of a supervised (or aligned) strategy of the same fold. What is written has the layout of `oncoraft train`, so that everything that
follows is the same. The trainer's state lies in STATE_DIR: a killed job goes on where it stopped, to the same bytes.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import torch

from oncoraft.alignment.policy import adapter_weights, open_policy
from oncoraft.alignment.preferences import chosen_cases, read_pairs
from oncoraft.alignment.refit import compared, prompt_states, refitted
from oncoraft.alignment.rewards import Rewards
from oncoraft.alignment.sampling import Writer
from oncoraft.alignment.updates import batches, policy_step, preference_step
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.lease import hold_devices
from oncoraft.foundation.provenance import canonical_json, file_digest, manifest, publishing, text_digest, write_json
from oncoraft.foundation.publishing import claim
from oncoraft.inference.opening import check_fold_model, trained_files
from oncoraft.models.base import context_length, context_of_folder, device_for, load_tokenizer
from oncoraft.models.cases import Case, encode, read_rows
from oncoraft.models.fold_model import HEAD_FILE, score_logit
from oncoraft.models.model_folder import read_score_head
from oncoraft.models.tokens import StoredTokens
from oncoraft.planning.edge import read_settings, run, settings_record, step_parser
from oncoraft.training.checkpoints import States, locked
from oncoraft.training.launch import launched, run_on_every_gpu
from oncoraft.training.loop import ending_with_75, go_through
from oncoraft.training.processes import Processes, joined
from oncoraft.training.train import LATER, WRITTEN, run_key, write_fold
from oncoraft.training.trainer import Entry, Trainer, new_optimizer

log = logging.getLogger("oncoraft")
ALIGNED = (*WRITTEN, "alignment.json")
EXAMPLE = """\
in:   a fold's training file, its base model, the folder of the strategy to start from, and for dpo the pairs of `oncoraft preferences`
out:  adapter and score head as `oncoraft train` writes them, training_log.jsonl (a line a step: reward by verifier, divergence,
      clipped share, lengths), alignment.json (the score head before and after its refit), training_patients.txt, manifest.json

examples:
  oncoraft align train.jsonl --base models/Qwen3-8B --fold-model raft/fold-0 --pairs preferences.jsonl --out dpo/fold-0 --state state/0
  oncoraft align train.jsonl --base models/Qwen3-8B --fold-model dpo/fold-0 --out grpo/fold-0 --state state/0 --gpus 4

A run that was stopped (SIGTERM: status 75) goes on from its last complete state when called again in the same way."""


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


def steps_of(
    given: argparse.Namespace,
    blocks: dict[str, Any],
    trainer: Trainer,
    cases: list[Case],
    tokenizer: Any,
    reference: dict[str, torch.Tensor],
) -> tuple[list[list[Any]], Callable[[list[Any]], Entry]]:
    """What each step learns from, and how one is taken."""
    settings = blocks["alignment"]
    if blocks["strategy"].method == "dpo":
        vocabulary = int(trainer.model.config.vocab_size)
        return batches(read_pairs(given.pairs, cases, vocabulary), settings), partial(preference_step, trainer, settings=settings)
    texts = {row["case_id"]: (row["instruction"], row["input"]) for row in read_rows(given.train)}
    longest, tokens = context_length(trainer.model), trainer.settings.tokens_per_micro_batch
    writer = Writer(trainer.model, trainer.head, tokenizer, settings, Rewards(settings), texts, longest, tokens)
    taken = partial(policy_step, trainer, settings=settings, writer=writer, reference=reference)
    return batches(chosen_cases(cases, settings), settings), taken


def align_fold(given: argparse.Namespace, blocks: dict[str, Any], device: torch.device, processes: Processes) -> None:
    """Read, go on or start, align, refit the head, publish."""
    strategy, settings = blocks["strategy"], blocks["alignment"]
    training = blocks["training"].model_copy(update={"learning_rate": settings.learning_rate})
    tokenizer = load_tokenizer(given.base)
    stored = StoredTokens(given.tokens) if given.tokens else None
    cases = encode(read_rows(given.train), tokenizer, context_of_folder(given.base) - 1, stored=stored)
    labelled(given.train, cases)
    model, head = open_policy(given.base, given.fold_model, strategy, device, settings.score_head == "learns")
    reference = adapter_weights(model)
    trainer = Trainer(model, head, None, None, strategy, training, None, processes)  # type: ignore[arg-type]
    items, take = steps_of(given, blocks, trainer, cases, tokenizer, reference)
    updates = len(items) * (settings.updates_per_batch if strategy.method == "grpo" else 1)
    learning_head = head if settings.score_head == "learns" else None
    trainer.optimizer, trainer.schedule = new_optimizer(model, learning_head, training, updates)
    record = settings_record(given, blocks)
    states = States(given.state, key_of(given, record))
    if (state := states.last()) is not None:
        trainer.restore(state)
        if processes.is_first:
            log.info("align: going on after step %d", trainer.step)
    starting_head = given.fold_model / HEAD_FILE
    go_through(trainer, items, len(items), take, lambda: states.save(trainer.step, trainer.state()))
    told = refit(trainer, cases, reference, starting_head, settings.refit) if head is not None else {}
    if processes.is_first:
        publish(given, trainer, cases, record, told)
        states.finish(trainer.step, trainer.state())
        log.info("align: %d steps by %s, last loss %.3f", trainer.step, strategy.method, trainer.log[-1]["loss"])


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
    pairs = file_digest(given.pairs) if given.pairs else None
    return text_digest(canonical_json({"run": run_key(given.train, given.base, record), "start": files, "pairs": pairs}))


def publish(given: argparse.Namespace, trainer: Trainer, cases: list[Case], record: dict[str, Any], told: dict[str, Any]) -> None:
    """Write the fold's folder, whole or not at all."""
    counts: dict[str, Any] = {"cases": len(cases), "patients": len({case.patient_id for case in cases})}
    counts |= {"responders": sum(bool(case.responder) for case in cases), "steps": trainer.step, "processes": trainer.processes.count}
    with publishing(given.out, step="align", folders=[given.out], keeping=LATER, own=ALIGNED) as (folder,):
        write_fold(folder, trainer, cases)
        write_json(folder / "alignment.json", {"method": trainer.strategy.method, "score_head": told, "last_step": trainer.log[-1]})
        outputs = {given.out / path.name: path for path in sorted(folder.iterdir())}
        inputs = [given.train, given.base, *([given.pairs] if given.pairs else [])]
        inputs += [given.fold_model / name for name in (*trained_files(trainer.strategy), "manifest.json")]
        note = manifest("align", inputs=inputs, outputs=outputs, settings=record, counts=counts, beside=given.out / "manifest.json")
        write_json(folder / "manifest.json", note)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = step_parser("align", EXAMPLE)
    parser.add_argument("train", type=Path, metavar="TRAIN", help="training file written by `oncoraft split`")
    parser.add_argument("--base", type=Path, required=True, metavar="MODEL_DIR", help="base-model folder")
    parser.add_argument("--fold-model", type=Path, required=True, metavar="START_DIR", help="fold of the strategy to start from")
    parser.add_argument("--pairs", type=Path, metavar="FILE", help="pairs written by `oncoraft preferences`, for dpo")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLD_DIR", help="folder for adapter, score head and log")
    parser.add_argument("--state", type=Path, required=True, metavar="STATE_DIR", help="folder for the trainer's state while it runs")
    parser.add_argument("--tokens", type=Path, metavar="FILE", help="token ids written by `oncoraft tokens`, read instead of tokenising")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads")
    parser.add_argument("--gpus", type=int, default=0, help="GPUs to use, a process each; 0: CPU")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Align one fold; status 75 after SIGTERM, with the state saved."""
    given = parse(arguments)
    blocks = read_settings("align", given)
    strategy = blocks["strategy"]
    if not strategy.is_aligned:
        raise InputError("expected a strategy of method dpo or grpo", column="strategy.method", found=strategy.method)
    if (strategy.method == "dpo") != (given.pairs is not None):
        raise InputError(f"--pairs: expected {'a file of pairs' if strategy.method == 'dpo' else 'none'} for method {strategy.method}")
    check_fold_model(given.fold_model, strategy)
    held = hold_devices(given.gpus)
    if given.gpus > 1 and not launched():
        return run_on_every_gpu(main, arguments, given.gpus)
    torch.set_num_threads(given.threads)
    device = device_for(held)
    with ending_with_75(), joined(device.type == "cuda") as processes, ExitStack() as stack:
        if processes.is_first:
            claim(given.out, step="align", folders=[given.out], keeping=LATER, own=ALIGNED)
            stack.enter_context(locked(given.state))
        align_fold(given, blocks, device, processes)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
