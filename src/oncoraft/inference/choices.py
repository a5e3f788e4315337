"""The likeliest of the answers that a fold has trained on: `oncoraft task-choices heldout.jsonl --train train.jsonl --base MODEL_DIR --out choices.jsonl`.

Every distinct training answer is weighed after each held-out prompt, in one forward pass that shares the prompt's cache; its probability is
that of its whole token sequence with the end of the text. Free text can miss every class; this cannot, so that it measures something else
and stands beside the written answer, never in its place.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from oncoraft.answers import answer_token_ids
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.jsonl import write_jsonl
from oncoraft.foundation.lease import hold_devices
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.foundation.publishing import claim
from oncoraft.inference.cache import Cache
from oncoraft.inference.engine import Engine, affordable_tokens, in_groups
from oncoraft.inference.memory import explained
from oncoraft.inference.opening import check_fold_model, open_fold, stop_tokens, trained_files
from oncoraft.models.base import context_length, device_for, load_tokenizer
from oncoraft.models.cases import Case, encode, read_rows
from oncoraft.planning.edge import read_settings, run, settings_record, step_parser

log = logging.getLogger("oncoraft")
MOST_CHOICES = 100  # beyond, weighing every answer costs more than writing one


def choices_of(rows: Sequence[dict[str, Any]], path: Path) -> list[str]:
    """The answers of training rows, the most frequent first.

    Raises:
        InputError: more than can be weighed.
    """
    found = [answer for answer, _ in sorted(Counter(row["output"] for row in rows).items(), key=lambda one: (-one[1], one[0]))]
    if len(found) > MOST_CHOICES:
        raise InputError(
            f"tasks.choices: expected free where there are more than {MOST_CHOICES} different answers", file=path, found=len(found)
        )
    return found


def weighed(engine: Engine, cases: Sequence[Case], choices: Sequence[Sequence[int]]) -> torch.Tensor:
    """Log-probability of every choice after every prompt, (cases, choices), fp32.

    Args:
        engine: of the model.
        cases: longest prompt first.
        choices: token ids, each closed by the end of the text.
    """
    lengths = [len(case.prompt) for case in cases]
    cache = Cache(len(cases), lengths[0] + sum(map(len, choices)))
    hidden = engine.prefill([case.prompt for case in cases], cache)
    starts = torch.tensor(lengths, device=engine.device)
    return engine.weigh(cache, starts, hidden, choices, lengths[-1], lengths[0]).float().cpu()


def main(arguments: Sequence[str] | None = None) -> int:
    """Weigh the choices for every held-out case of one fold."""
    parser = step_parser(
        "task-choices",
        "in:  a fold's held-out file, its training file (whose answers are the choices), a base model, and the fold's model if it is trained\n"
        "out: a JSON object a case: case_id, patient_id, fold, answer (the likeliest), probability (among the choices)\n\n"
        "example:\n  oncoraft task-choices heldout.jsonl --train train.jsonl --base models/Qwen3-8B --fold-model fold-0 --out choices.jsonl",
    )
    parser.add_argument("heldout", type=Path, metavar="HELDOUT", help="held-out file written by `oncoraft task-split`")
    parser.add_argument("--train", type=Path, required=True, metavar="TRAIN", help="training file of the same fold")
    parser.add_argument("--base", type=Path, required=True, metavar="MODEL_DIR", help="base-model folder")
    parser.add_argument(
        "--fold-model", type=Path, metavar="FOLD_DIR", help="folder written by `oncoraft train`; none if nothing is trained"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="JSONL to write")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads")
    parser.add_argument("--gpus", type=int, default=0, help="GPUs that must be visible; 0: CPU")
    given = parser.parse_args(arguments)
    blocks = read_settings("task-choices", given)
    settings, strategy = blocks["inference"], blocks["strategy"]
    record = given.out.with_name(given.out.name + ".manifest.json")
    claim(given.out, record, step="task-choices")
    torch.set_num_threads(given.threads)
    choices = choices_of(read_rows(given.train), given.train)
    check_fold_model(given.fold_model, strategy)
    tokenizer = load_tokenizer(given.base)
    model, head = open_fold(given.base, given.fold_model, strategy, device_for(hold_devices(given.gpus)))
    engine = Engine(model, head, tokenizer.pad_token_id, stop_tokens(tokenizer, model), settings.batch_tokens)
    tokens = answer_token_ids(tokenizer, choices)
    cases = encode(read_rows(given.heldout), tokenizer, context_length(model) - max(map(len, tokens)))
    found: dict[int, dict[str, Any]] = {}
    kept_at_once = min(settings.cache_tokens, affordable_tokens(engine.causal))
    for group in in_groups([len(case.prompt) for case in cases], kept_at_once, sum(map(len, tokens))):
        with explained("inference.cache_tokens"):
            probability = weighed(engine, [cases[index] for index in group], tokens).softmax(dim=1)
        for index, row in zip(group, probability, strict=True):
            best = int(row.argmax())
            case = cases[index]
            known = {"case_id": case.case_id, "patient_id": case.patient_id, "fold": case.fold}
            found[index] = known | {"answer": choices[best], "probability": float(row[best])}
    with publishing(given.out, record, step="task-choices") as (out, note):
        write_jsonl(out, [found[index] for index in range(len(cases))])
        inputs = [given.heldout, given.train, given.base]
        inputs += [given.fold_model / name for name in (*trained_files(strategy), "manifest.json")] if given.fold_model else []
        counts = {"cases": len(cases), "choices": len(choices)}
        written = manifest(
            "task-choices", inputs=inputs, outputs={given.out: out}, settings=settings_record(given, blocks), counts=counts, beside=record
        )
        write_json(note, written)
    log.info("task-choices: %d cases, %d choices", len(cases), len(choices))
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
