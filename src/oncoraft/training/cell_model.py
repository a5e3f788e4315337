"""Models of cells on one fold: `oncoraft cell-model train.jsonl heldout.jsonl --out FOLD_DIR --state STATE_DIR`.

Encoders and decoders that read a cell as tokens of its genes in the order of their expression (as Geneformer and tGPT do), loaded by the
classes of transformers from a local folder with a vocabulary file of its own. The same strategies as for language models: a frozen
embedding with a score head, or LoRA with it; the loss is that of the score alone, since these models write no text. A fold is trained
and its held-out cases are scored in one call. The trainer and its states are those of `oncoraft train`: a killed job goes on where it stopped.
"""

from __future__ import annotations

import argparse
import logging
import math
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoConfig, AutoModel

from oncoraft.foundation.errors import InputError
from oncoraft.foundation.jsonl import write_jsonl
from oncoraft.foundation.lease import hold_devices
from oncoraft.foundation.provenance import canonical_json, file_digest, manifest, publishing, text_digest, write_json
from oncoraft.foundation.publishing import claim
from oncoraft.foundation.stable import stable_seed
from oncoraft.models.base import device_for, first_line
from oncoraft.models.cases import Case, batches_by_length, padded, read_rows
from oncoraft.models.fold_model import HEAD_FILE, new_score_head, score_logit
from oncoraft.planning.config import CellModel, Strategy
from oncoraft.planning.edge import read_settings, run, settings_record, step_parser
from oncoraft.training.cell_tokens import PADS, encoded, read_vocabulary
from oncoraft.training.checkpoints import States, locked, run_key
from oncoraft.training.frozen import PromptStates
from oncoraft.training.loop import ending_with_75, go_through, memory_gib, memory_named, steps_in, steps_of
from oncoraft.training.objective import summed_score_loss
from oncoraft.training.train import write_fold
from oncoraft.training.trainer import Entry, Trainer, new_optimizer

log = logging.getLogger("oncoraft")
WRITTEN = ("adapter_*", HEAD_FILE, "training_log.jsonl", "training_patients.txt", "predictions.jsonl", "manifest.json")
EXAMPLE = """\
example:
  oncoraft cell-model train.jsonl heldout.jsonl --out fold-0 --state state/fold-0 --settings '{"cell_model": {"path": "geneformer", "vocabulary": "tokens.json"}, ...}'

A run that was stopped (SIGTERM: status 75) goes on from its last complete state when called again in the same way."""


def opened(settings: CellModel, device: torch.device) -> tuple[Any, int]:
    """The model in full precision, and the longest sequence that it reads.

    Raises:
        InputError: no folder that transformers can read, or one that would run code of its own.
    """
    folder = Path(settings.path)
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        model: Any = AutoModel.from_pretrained(folder, local_files_only=True, trust_remote_code=False, use_safetensors=True)
    except Exception as error:  # transformers raises many kinds for a folder that it cannot read
        raise InputError(f"expected the folder of a model that transformers can read ({first_line(error)})", file=folder) from None
    return model.float().to(device).eval(), int(config.max_position_embeddings)


def adapted(model: Any, blocks: dict[str, Any]) -> Any:
    """The model with LoRA on the layers that the settings name.

    Raises:
        InputError: no such layer.
    """
    adapter, names = blocks["adapter"], blocks["cell_model"].target_modules
    # A decoder's Conv1D holds its weight the other way round; peft asks to be told.
    turned = any(type(module).__name__ == "Conv1D" and name.endswith(tuple(names)) for name, module in model.named_modules())
    config = LoraConfig(
        r=adapter.rank, lora_alpha=adapter.alpha, lora_dropout=adapter.dropout, target_modules=list(names), fan_in_fan_out=turned
    )
    try:
        return get_peft_model(model, config)
    except ValueError as error:
        raise InputError(f"cell_models.<name>.target_modules: expected layers of this model ({first_line(error)})") from None


def pooled(model: Any, cases: Sequence[Case], pad: int, how: str, device: torch.device) -> torch.Tensor:
    """One state a cell, (cases, hidden): that of the first or the last token, or the mean of all."""
    ids, mask = padded(list(cases), pad, device)
    states = model(input_ids=ids, attention_mask=mask).last_hidden_state
    if how == "first":
        return states[:, 0]
    if how == "last":
        return states[torch.arange(len(ids), device=device), mask.sum(dim=1) - 1]
    weight = mask.unsqueeze(-1).to(states.dtype)
    return (states * weight).sum(dim=1) / weight.sum(dim=1)


@torch.no_grad()
def embedded(model: Any, cases: list[Case], pad: int, how: str, tokens: int, device: torch.device) -> PromptStates:
    """The state of every cell, (cases, hidden), read without dropout."""
    model.eval()
    rows: dict[str, int] = {}
    parts = []
    for batch in batches_by_length(cases, tokens):
        rows |= {case.case_id: len(rows) + place for place, case in enumerate(batch)}
        parts.append(pooled(model, batch, pad, how, device))
    return PromptStates(rows, torch.cat(parts))


def equip(model: Any, blocks: dict[str, Any], cases: int, device: torch.device) -> Trainer:
    """The model with adapters, where the strategy has them, and a fresh score head, started from the configured seed."""
    strategy, settings = blocks["strategy"], blocks["training"]
    torch.manual_seed(stable_seed(settings.seed, "start"))
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    if strategy.has_adapter:
        model = adapted(model, blocks)
    head = new_score_head(model.config.hidden_size).to(device)
    optimizer, schedule = new_optimizer(model, head, settings, steps_in(cases, settings))
    return Trainer(model, head, optimizer, schedule, strategy, settings)


def take_step(trainer: Trainer, pad: int, how: str, cases: list[Case]) -> Entry:
    """One optimiser step, its cells read in batches of `tokens_per_micro_batch`; what it cost is logged and returned.

    Raises:
        InputError: memory ran out, or the loss is not a number.
    """
    started, settings, loss = time.monotonic(), trainer.settings, 0.0
    assert trainer.head is not None
    trainer.optimizer.zero_grad()
    for batch in batches_by_length(cases, settings.tokens_per_micro_batch):
        with memory_named(settings, len(batch) * batch[0].length):
            states = pooled(trainer.model, batch, pad, how, trainer.device) if trainer.frozen is None else trainer.frozen.of(batch)
            part = summed_score_loss(score_logit(trainer.head, states), batch, trainer.strategy) / len(cases)
            part.backward()
        loss += float(part.detach())
    if not math.isfinite(loss):
        raise InputError(f"step {trainer.step + 1}: expected a finite loss; lower cell_training.learning_rate", found=loss)
    norm = float(torch.nn.utils.clip_grad_norm_(trainer.trainable(), settings.max_gradient_norm))
    rate = float(trainer.schedule.get_last_lr()[-1])
    trainer.optimizer.step()
    trainer.schedule.step()
    trainer.step += 1
    tokens = sum(case.length for case in cases)
    entry: Entry = {"step": trainer.step, "loss": loss, "learning_rate": rate, "gradient_norm": norm, "tokens": tokens}
    entry |= {"tokens_per_second": tokens / max(1e-9, time.monotonic() - started), "memory_gib": memory_gib(trainer.device)}
    trainer.log.append(entry)
    return entry


def trained(model: Any, cases: list[Case], blocks: dict[str, Any], pad: int, states: States, device: torch.device) -> Trainer:
    """The trainer after its last step; it goes on from the last state of this very run, if there is one.

    Raises:
        RetryLater: stopped by a signal after its state was saved.
    """
    settings, how = blocks["training"], blocks["cell_model"].pooling
    trainer = equip(model, blocks, len(cases), device)
    if (state := states.last()) is not None:
        trainer.restore(state)
        log.info("cell-model: going on after step %d", trainer.step)
    if not trainer.strategy.has_adapter:
        with memory_named(settings, settings.tokens_per_micro_batch):
            trainer.frozen = embedded(trainer.model, cases, pad, how, settings.tokens_per_micro_batch, device)
    batches, total = steps_of(cases, settings), steps_in(len(cases), settings)
    go_through(trainer, batches, total, partial(take_step, trainer, pad, how), lambda state: states.save(trainer.step, state))
    # Before the held-out cells are scored: whoever is stopped there need not train again.
    states.finish(trainer.step, trainer.state())
    return trainer


@torch.no_grad()
def predicted(trainer: Trainer, cases: list[Case], pad: int, how: str) -> list[dict[str, Any]]:
    """Predictions of the held-out cases, as language models' are written, without a text."""
    assert trainer.head is not None
    trainer.head.eval()
    states = embedded(trainer.model, cases, pad, how, trainer.settings.tokens_per_micro_batch, trainer.device)
    rows = []
    for case in sorted(cases, key=lambda case: case.case_id):
        score = float(torch.sigmoid(score_logit(trainer.head, states.of([case])).double())[0])
        told = {"score_from_text": None, "rationale": None, "finish_reason": "not_sampled"}
        rows.append({"case_id": case.case_id, "patient_id": case.patient_id, "fold": case.fold, "score": score, **told})
    return rows


def refuse_what_it_cannot_learn(strategy: Strategy) -> None:
    """Refuse a strategy that wants a text, or trains nothing.

    Raises:
        InputError: such a one.
    """
    if strategy.language_model_weight > 0 or not strategy.has_head:
        raise InputError("expected language_model_weight 0 and score_weight above 0: a model of cells writes no text", column="strategy")


def files_of(model: CellModel) -> list[Path]:
    """What a model of cells is read from: its folder, and the files that say which token a gene is."""
    return [Path(model.path), Path(model.vocabulary), *([Path(model.gene_table)] if model.gene_table else [])]


def score_fold(given: argparse.Namespace, blocks: dict[str, Any], device: torch.device) -> None:
    """Read, go on or start, train, score the held-out cells, publish."""
    asked: CellModel = blocks["cell_model"]
    model, longest = opened(asked, device)
    tokens = read_vocabulary(asked, model.config.vocab_size)
    pad = next((tokens[name] for name in PADS if name in tokens), 0)
    cases, counts = encoded(read_rows(given.train), tokens, longest, given.train)
    held, held_counts = encoded(read_rows(given.heldout), tokens, longest, given.heldout)
    if shared := {case.patient_id for case in cases} & {case.patient_id for case in held}:
        log.info("cell-model: %d donors train and are held out too; this design leaks", len(shared))
    if len({case.responder for case in cases}) < 2:
        raise InputError(f"expected sensitive and resistant cases; all {len(cases)} are of one class", file=given.train)
    record = settings_record(given, blocks)
    folder, *further = files_of(asked)
    key = text_digest(canonical_json({"run": run_key(given.train, folder, record), "genes": [file_digest(file) for file in further]}))
    trainer = trained(model, cases, blocks, pad, States(given.state, key), device)
    told = {"cases": len(cases), "held_out": len(held), "steps": trainer.step, "training": counts, "heldout": held_counts}
    publish(given, trainer, cases, predicted(trainer, held, pad, asked.pooling), record, told)
    log.info("cell-model: %s", told)


def publish(
    given: argparse.Namespace, trainer: Trainer, cases: list[Case], rows: list[dict[str, Any]], record: dict[str, Any], told: dict[str, Any]
) -> None:
    """Write the fold's folder, whole or not at all."""
    with publishing(given.out, step="cell-model", folders=[given.out], own=WRITTEN) as (folder,):
        write_fold(folder, trainer, cases)
        write_jsonl(folder / "predictions.jsonl", rows)
        outputs = {given.out / path.name: path for path in sorted(folder.iterdir())}
        inputs = [given.train, given.heldout, *files_of(CellModel.model_validate(record["cell_model"]))]
        note = manifest("cell-model", inputs=inputs, outputs=outputs, settings=record, counts=told, beside=given.out / "manifest.json")
        write_json(folder / "manifest.json", note)


def main(arguments: Sequence[str] | None = None) -> int:
    """Train on one fold and score its held-out cases; status 75 after SIGTERM, with the state saved."""
    parser = step_parser("cell-model", EXAMPLE)
    parser.add_argument("train", type=Path, metavar="TRAIN", help="training file written by `oncoraft cell-split`")
    parser.add_argument("heldout", type=Path, metavar="HELDOUT", help="held-out file of the same fold")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLD_DIR", help="folder for adapter, score head and predictions")
    parser.add_argument("--state", type=Path, required=True, metavar="STATE_DIR", help="folder for the trainer's state while it runs")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads")
    parser.add_argument("--gpus", type=int, default=0, help="GPUs that must be visible; 0: CPU")
    given: argparse.Namespace = parser.parse_args(arguments)
    if not given.settings and not given.config:
        raise InputError("--config: expected a configuration file with cell_models, or --settings")
    blocks = read_settings("cell-model", given)
    refuse_what_it_cannot_learn(blocks["strategy"])
    if blocks["training"].fp8_base:
        raise InputError("expected false; models of cells are read as they are", column="training.fp8_base")
    claim(given.out, step="cell-model", folders=[given.out], own=WRITTEN)
    torch.set_num_threads(given.threads)
    device = device_for(hold_devices(given.gpus))
    with ending_with_75(), locked(given.state):
        score_fold(given, blocks, device)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
