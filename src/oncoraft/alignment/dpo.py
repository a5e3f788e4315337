"""Direct preference optimisation of one fold: `oncoraft dpo train.jsonl --base MODEL_DIR --fold-model START_DIR --pairs preferences.jsonl ...`.

The reference is the starting model itself, whose log-probabilities stand in the file of pairs: no second model is held in memory.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from oncoraft.alignment.align import Prepared, Start, align, aligning_parser
from oncoraft.alignment.groups import micro_groups
from oncoraft.alignment.objective import by_answer, preference_losses
from oncoraft.alignment.pairs import Pair, read_pairs
from oncoraft.alignment.updates import batches, descend, logged, read, score_loss
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.provenance import file_digest
from oncoraft.inference.opening import trained_files
from oncoraft.planning.config import DirectPreference
from oncoraft.planning.edge import run
from oncoraft.training.trainer import Entry, Trainer

EXAMPLE = """\
in:   a fold's training file, its base model, the folder of the strategy to start from, and the pairs of `oncoraft preferences`
out:  adapter and score head as `oncoraft train` writes them, training_log.jsonl (a line a step: loss, margin, accuracy), alignment.json
      (the score head before and after its refit), training_patients.txt, manifest.json

example:
  oncoraft dpo train.jsonl --base models/Qwen3-8B --fold-model raft/fold-0 --pairs preferences.jsonl --out dpo/fold-0 --state state/0

A run that was stopped (SIGTERM: status 75) goes on from its last complete state when called again in the same way."""


def preference_step(trainer: Trainer, pairs: Sequence[Pair], settings: DirectPreference) -> Entry:
    """One step on pairs; what it cost is logged and returned."""
    started, processes = time.monotonic(), trainer.processes
    trainer.optimizer.zero_grad()
    mine = list(pairs)[processes.rank :: processes.count]
    chosen_tokens = sum(len(pair.group.answers[0]) for pair in pairs)
    total = torch.zeros(5, device=trainer.device)
    references = {id(pair.group): pair.reference for pair in mine}  # a case may have several pairs
    for part in micro_groups([pair.group for pair in mine], trainer.settings.tokens_per_micro_batch):
        row, tokens, states = read(trainer, part)
        answers = by_answer(tokens, row.lengths, settings.length_normalised).view(-1, 2)
        known = torch.tensor([references[id(group)] for group in part], device=trainer.device)
        if settings.length_normalised:
            known = known / row.lengths.view(-1, 2)
        losses, margin = preference_losses(answers[:, 0], answers[:, 1], known[:, 0], known[:, 1], settings.beta, settings.label_smoothing)
        likelihood = -by_answer(tokens, row.lengths).view(-1, 2)[:, 0].sum() / chosen_tokens
        score = score_loss(trainer, part, states) / len(pairs)
        loss = losses.sum() / len(pairs) + trainer.strategy.language_model_weight * likelihood + score
        loss.backward()
        gains = settings.beta * (answers - known).detach()
        total += torch.stack([loss.detach(), margin.detach().sum(), (margin.detach() > 0).sum(), gains[:, 0].sum(), gains[:, 1].sum()])
    loss, margin, right, chosen, rejected = processes.sum(total).tolist()
    rate, norm, count = float(trainer.schedule.get_last_lr()[-1]), descend(trainer), len(pairs)
    entry: Entry = {"loss": loss, "margin": margin / count, "accuracy": right / count}
    entry |= {"chosen_reward": chosen / count, "rejected_reward": rejected / count, "gradient_norm": norm, "learning_rate": rate}
    return logged(trainer, entry, started, sum(pair.group.length for pair in pairs))


def check_origin(pairs: Path, read_from: Sequence[Path]) -> None:
    """Whether the log-probabilities of the pairs were computed from these files: another text of a prompt, or another starting model, has others.

    Pairs without a manifest beside them were not written by `oncoraft preferences`; whoever made them answers for them.

    Raises:
        InputError: the manifest beside the pairs cannot be read, or does not name the content of one of the files.
    """
    note = pairs.with_name(pairs.name + ".manifest.json")
    if not note.is_file():
        return
    try:
        known = set(json.loads(note.read_text(encoding="utf-8"))["inputs"].values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise InputError("expected a manifest written by `oncoraft preferences`", file=note) from None
    for path in read_from:
        if file_digest(path) not in known:
            raise InputError(f"expected pairs made from {path} as it stands; run `oncoraft preferences` again", file=pairs)


def prepare(start: Start) -> Prepared:
    """The steps over the pairs of the fold."""
    settings: DirectPreference = start.blocks["dpo"]
    given = start.given
    check_origin(given.pairs, [given.train, *(given.fold_model / name for name in trained_files(start.trainer.strategy))])
    pairs = read_pairs(start.given.pairs, start.cases, int(start.trainer.model.config.vocab_size))
    items = batches(pairs, settings.epochs, settings.prompts_per_step, start.blocks["alignment"].seed)
    return Prepared(items, partial(preference_step, start.trainer, settings=settings), updates_per_step=1)


def main(arguments: Sequence[str] | None = None) -> int:
    """Align one fold by preferences; status 75 after SIGTERM, with the state saved."""
    parser = aligning_parser("dpo", EXAMPLE)
    parser.add_argument("--pairs", type=Path, required=True, metavar="FILE", help="pairs written by `oncoraft preferences`")
    given: argparse.Namespace = parser.parse_args(arguments)
    again: Any = main
    return align("dpo", given, prepare, again, arguments)


if __name__ == "__main__":
    raise SystemExit(run(main))
