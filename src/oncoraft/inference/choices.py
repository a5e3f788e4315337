"""What a task's model chooses: `oncoraft task-choices heldout.jsonl --train train.jsonl --base MODEL_DIR --out choices.jsonl`.

A case that brings its choices is answered among these, any other among the answers that the fold has trained on. Every one is weighed after
the prompt, in one forward pass that shares the prompt's cache; its probability is that of its whole token sequence with the end of the
text. With `--trie`, for more than can be weighed, the answer is written within the tree of the choices instead. Where the fold has a head
over choices, what that says stands beside. Free text can miss every class; none of these can, so that they measure something else and
stand beside the written answer, never in its place.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from oncoraft.answers import answer_token_ids
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.jsonl import write_jsonl
from oncoraft.foundation.lease import hold_devices
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.foundation.publishing import claim
from oncoraft.inference.cache import Cache
from oncoraft.inference.engine import Engine, in_groups, kept_at_once
from oncoraft.inference.memory import explained
from oncoraft.inference.opening import check_fold_model, open_fold, stop_tokens, trained_files
from oncoraft.inference.trie import trie_of, write_within
from oncoraft.models.base import context_length, device_for, load_tokenizer
from oncoraft.models.cases import Case, encode, read_rows
from oncoraft.models.choice_head import CHOICES_FILE, by_frequency, choice_logits, read_choices
from oncoraft.planning.edge import read_settings, run, settings_record, step_parser

log = logging.getLogger("oncoraft")
MOST_CHOICES = 100  # beyond, weighing every answer costs more than writing one


class Chosen(NamedTuple):
    """An answer and its probability among the choices."""

    answer: str
    probability: float


def choices_of(rows: Sequence[dict[str, Any]], held: Sequence[dict[str, Any]]) -> list[str]:
    """The answers of training rows, the most frequent first, and after them those that held-out cases alone have to choose from."""
    trained = by_frequency([row["output"] for row in rows])
    return trained + sorted({choice for row in held for choice in row.get("choices") or ()} - set(trained))


def allowed_of(held: Sequence[dict[str, Any]], choices: Sequence[str], trained: int) -> torch.Tensor:
    """Which choices each case has, (cases, choices): its own, or the first `trained`, those of the training rows."""
    place = {answer: number for number, answer in enumerate(choices)}
    allowed = torch.zeros(len(held), len(choices), dtype=torch.bool)
    for number, row in enumerate(held):
        own = [place[choice] for choice in row.get("choices") or ()]
        allowed[number, own or slice(trained)] = True
    return allowed


def weighed(engine: Engine, cases: Sequence[Case], choices: Sequence[Sequence[int]]) -> torch.Tensor:
    """Log-probability of every choice after every prompt, (cases, choices), fp32.

    Args:
        engine: of the model.
        cases: longest prompt first.
        choices: token ids, each closed by the end of the text.
    """
    cache, lengths, hidden = prefilled(engine, cases, sum(map(len, choices)))
    starts = torch.tensor(lengths, device=engine.device)
    return engine.weigh(cache, starts, hidden, choices, lengths[-1], lengths[0]).float().cpu()


def prefilled(engine: Engine, cases: Sequence[Case], room: int) -> tuple[Cache, list[int], torch.Tensor]:
    """The prompts in a cache with room for so many tokens more, their lengths, and the states of their last tokens."""
    lengths = [len(case.prompt) for case in cases]
    cache = Cache(len(cases), lengths[0] + room)
    return cache, lengths, engine.prefill([case.prompt for case in cases], cache)


def likeliest(weight: torch.Tensor, allowed: torch.Tensor, choices: Sequence[str]) -> list[Chosen]:
    """The likeliest allowed choice of each case, from log-probabilities (cases, choices)."""
    probability = weight.masked_fill(~allowed, -torch.inf).softmax(dim=1)
    best = probability.argmax(dim=1)
    return [Chosen(choices[int(place)], float(row[place])) for row, place in zip(probability, best, strict=True)]


def within_trie(
    engine: Engine, cases: Sequence[Case], tokens: Sequence[Sequence[int]], allowed: torch.Tensor, choices: Sequence[str]
) -> list[Chosen]:
    """What each case's text is where it may only be one of its choices, from `inference.trie`."""
    cache, lengths, hidden = prefilled(engine, cases, max(map(len, tokens)))
    text = {tuple(ids): answer for ids, answer in zip(tokens, choices, strict=True)}
    tries: dict[tuple[int, ...], Any] = {}
    of_cases = []
    for row in allowed:
        places = tuple(row.nonzero()[:, 0].tolist())
        if places not in tries:
            tries[places] = trie_of([tokens[place] for place in places])
        of_cases.append(tries[places])
    return [Chosen(text[found.tokens], found.probability) for found in write_within(engine, cache, lengths, hidden, of_cases)]


def by_head(engine: Engine, head: nn.Sequential, cases: Sequence[Case], allowed: torch.Tensor, trained: Sequence[str]) -> list[Chosen]:
    """What the head over choices says, among the choices of each case that it has learned; among all of them where it knows none."""
    hidden = engine.prefill([case.prompt for case in cases], None)
    with torch.inference_mode():
        weight = choice_logits(head, hidden).cpu()
    known = allowed[:, : len(trained)].clone()
    known[~known.any(dim=1)] = True
    return likeliest(weight, known, trained)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = step_parser(
        "task-choices",
        "in:  a fold's held-out file, its training file (whose answers are the choices of cases without their own), a base model, and the\n"
        "     fold's model if it is trained\n"
        "out: a JSON object a case: case_id, patient_id, fold, answer (the likeliest), probability (among the choices); of a fold with a head\n"
        "     over choices head_answer and head_probability\n\n"
        "example:\n  oncoraft task-choices heldout.jsonl --train train.jsonl --base models/Qwen3-8B --fold-model fold-0 --out choices.jsonl",
    )
    parser.add_argument("heldout", type=Path, metavar="HELDOUT", help="held-out file written by `oncoraft task-split`")
    parser.add_argument("--train", type=Path, required=True, metavar="TRAIN", help="training file of the same fold")
    parser.add_argument("--base", type=Path, required=True, metavar="MODEL_DIR", help="base-model folder")
    parser.add_argument(
        "--fold-model", type=Path, metavar="FOLD_DIR", help="folder written by `oncoraft train`; none if nothing is trained"
    )
    parser.add_argument("--trie", action="store_true", help=f"write within the tree of the choices; needed beyond {MOST_CHOICES}")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="JSONL to write")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads")
    parser.add_argument("--gpus", type=int, default=0, help="GPUs that must be visible; 0: CPU")
    return parser.parse_args(arguments)


def chosen(given: argparse.Namespace, blocks: dict[str, Any]) -> tuple[list[dict[str, Any]], int]:
    """Rows of `choices.jsonl` in the order of the held-out file, and how many choices there are.

    Raises:
        InputError: more choices than can be weighed, a fold of another training file, or see the readers.
    """
    settings, strategy = blocks["inference"], blocks["strategy"]
    trained_rows, held = read_rows(given.train), read_rows(given.heldout)
    choices = choices_of(trained_rows, held)
    trained = by_frequency([row["output"] for row in trained_rows])
    if len(choices) > MOST_CHOICES and not given.trie:
        raise InputError(
            f"expected --trie (tasks.choices: trie) beyond {MOST_CHOICES} different answers", file=given.train, found=len(choices)
        )
    tokenizer = load_tokenizer(given.base)
    model, head = open_fold(given.base, given.fold_model, strategy, device_for(hold_devices(given.gpus)))
    if head is not None and read_choices(given.fold_model / CHOICES_FILE) != trained:
        raise InputError("expected the choices of this training file", file=given.fold_model / CHOICES_FILE)
    engine = Engine(model, None, tokenizer.pad_token_id, stop_tokens(tokenizer, model), settings.batch_tokens)
    tokens = answer_token_ids(tokenizer, choices)
    cases = encode(held, tokenizer, context_length(model) - max(map(len, tokens)))
    allowed = allowed_of(held, choices, len(trained))
    room = max(map(len, tokens)) if given.trie else sum(map(len, tokens))
    engine.share([case.prompt for case in cases])
    found: dict[int, dict[str, Any]] = {}
    for group in in_groups([len(case.prompt) for case in cases], kept_at_once(engine.causal, settings.cache_tokens), room):
        members, own = [cases[index] for index in group], allowed[group]
        with explained("inference.cache_tokens"):
            told = (
                within_trie(engine, members, tokens, own, choices)
                if given.trie
                else likeliest(weighed(engine, members, tokens), own, choices)
            )
            heard = by_head(engine, head, members, own, trained) if head is not None else [None] * len(group)
        for index, case, one, other in zip(group, members, told, heard, strict=True):
            row = {"case_id": case.case_id, "patient_id": case.patient_id, "fold": case.fold, **one._asdict()}
            found[index] = row | ({} if other is None else {f"head_{name}": value for name, value in other._asdict().items()})
    return [found[index] for index in range(len(cases))], len(choices)


def main(arguments: Sequence[str] | None = None) -> int:
    """Choose for every held-out case of one fold."""
    given = parse(arguments)
    blocks = read_settings("task-choices", given)
    strategy = blocks["strategy"]
    record = given.out.with_name(given.out.name + ".manifest.json")
    claim(given.out, record, step="task-choices")
    torch.set_num_threads(given.threads)
    check_fold_model(given.fold_model, strategy)
    rows, choices = chosen(given, blocks)
    with publishing(given.out, record, step="task-choices") as (out, note):
        write_jsonl(out, rows)
        inputs = [given.heldout, given.train, given.base]
        inputs += [given.fold_model / name for name in (*trained_files(strategy), "manifest.json")] if given.fold_model else []
        counts = {"cases": len(rows), "choices": choices}
        settings = settings_record(given, blocks) | {"trie": given.trie}
        write_json(note, manifest("task-choices", inputs=inputs, outputs={given.out: out}, settings=settings, counts=counts, beside=record))
    log.info("task-choices: %d cases, %d choices", len(rows), choices)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
