"""Score one shard of a fold's held-out cases, and write rationales for a sample of them.

`oncoraft infer heldout.jsonl --base MODEL_DIR [--fold-model FOLD_DIR] --shard I --shards N --out shard-I.jsonl`. A case belongs to
a shard by a stable hash, and draws its rationale from a generator of its own, so results do not depend on the shard count. Each
prompt is read once: score and rationale come from the same prefill. Finished cases are kept, so a killed job goes on.

With `--tuning tuning.jsonl --tuning-out tuning-I.jsonl` the shard's tuning cases are scored too, without a text, by the model that lies
loaded: on them `oncoraft recalibrate` fits what turns the fold's scores into probabilities.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from oncoraft.foundation.errors import InputError
from oncoraft.foundation.jsonl import write_jsonl
from oncoraft.foundation.lease import hold_devices
from oncoraft.foundation.provenance import canonical_json, file_digest, manifest, publishing, text_digest, write_json
from oncoraft.foundation.publishing import claim
from oncoraft.inference.answer import Result, answer_group, answer_room, score_group
from oncoraft.inference.engine import Engine, in_groups, kept_at_once
from oncoraft.inference.examples import encode_few_shot, read_examples
from oncoraft.inference.opening import check_fold_model, open_fold, stop_tokens, trained_files
from oncoraft.inference.progress import Progress, stopping
from oncoraft.inference.vllm_engine import VllmEngine
from oncoraft.inference.work import Answer, Work, go_through, plan, sampled, shard_of
from oncoraft.models.base import context_length, device_for, load_tokenizer
from oncoraft.models.cases import Case, encode, read_rows
from oncoraft.models.tokens import StoredTokens
from oncoraft.planning.config import Inference, Strategy
from oncoraft.planning.edge import read_settings, run, settings_record, step_parser

log = logging.getLogger("oncoraft")
EPILOG = """what goes in: a held-out file, the base model and, for a strategy that trains, the folder that `oncoraft train` wrote; for a few-shot
strategy the fold's training file. What comes out: a JSON object a case (case_id, score, rationale, ...) and a manifest beside it.

examples:
  oncoraft infer heldout.jsonl --base models/Qwen3-8B --fold-model fold-0 --shard 0 --shards 4 --out shard-0.jsonl --gpus 1
  oncoraft infer heldout.jsonl --base models/Qwen3-8B --examples train.jsonl --out shard-0.jsonl --settings '{"strategy": ...}'"""
LARGE_FILE_BYTES = 64 * 2**20
# Finished cases are kept a group at a time, so that a killed job loses the group that it was in; in a group, cases take one another's
# places in the cache, which is full but for the group's end.
TIMES = 4
VLLM_GROUP_TOKENS = 131_072  # vllm has a cache of its own; this is how often finished cases are kept


class Answering(NamedTuple):
    """An engine as the shard sees it: what it says of a group, the room that an answer needs, the model's context, how many tokens' keys
    and values may be kept at once, how often their cases follow one another in a group, what it does with all prompts before the first group,
    and what it counts for the manifest."""

    answer: Answer
    room: Callable[[bool], int]
    longest: int
    cache_tokens: int
    times: int
    share: Callable[[Sequence[Sequence[int]]], None]
    told: Callable[[], dict[str, int]]


def score(model: Any, head: nn.Sequential, cases: Sequence[Case], pad: int, tokens: int) -> dict[str, float]:
    """The head's logit of every case, from the final-norm state of the last prompt token."""
    engine, logits = Engine(model, head, pad, (), tokens), dict[str, float]()
    for group in in_groups([len(case.prompt) for case in cases], tokens):
        logits.update((result.case_id, result.logit) for result in score_group(engine, [cases[index] for index in group]))
    return logits


def run_key(given: argparse.Namespace, record: dict[str, Any], strategy: Strategy) -> str:
    """A digest of everything that defines a shard: data, models, settings and code; a large file counts by size and time of change."""

    def identity(path: Path) -> str:
        status = path.stat()
        return file_digest(path) if status.st_size < LARGE_FILE_BYTES else f"{status.st_size} {status.st_mtime_ns}"

    files = [given.heldout, *(path for path in (given.examples, given.tokens, given.tuning) if path is not None)]
    files += sorted(path for path in given.base.iterdir() if path.is_file())
    files += [given.fold_model / name for name in trained_files(strategy)] if given.fold_model else []
    found = {str(path): identity(path) for path in files}
    return text_digest(canonical_json({"files": found, "settings": record, "shard": [given.shard, given.shards]}))


def prepared(
    given: argparse.Namespace,
    path: Path,
    rows: list[dict[str, Any]],
    tokenizer: Any,
    longest: int,
    strategy: Strategy,
    settings: Inference,
) -> tuple[list[Case], int]:
    """The shard's cases as token ids, sorted, and how many few-shot prompts lost examples.

    Raises:
        InputError: a case that stands twice, a prompt that leaves no room for an answer, or see the readers.
    """
    seen: dict[str, int] = {}
    for number, row in enumerate(rows, 1):
        if seen.setdefault(row["case_id"], number) != number:
            before = seen[row["case_id"]]
            raise InputError(f"expected every case once; case {row['case_id']} stands in line {before} too", file=path, line=number)
    examples = read_examples(given.examples, strategy.examples, settings.seed, rows)
    mine = [row for row in rows if shard_of(row["case_id"], given.shards) == given.shard]
    cut = 0
    if not mine:
        cases: list[Case] = []
    elif examples:
        if given.tokens is not None:
            log.info("infer: prompts with examples are tokenised here; %s is not read", given.tokens)
        cases, cut = encode_few_shot(mine, examples, tokenizer, longest - 1 - (0 if settings.score_only else settings.max_new_tokens))
    else:
        # One token less than the context: at least one has to be left for the answer.
        cases = encode(mine, tokenizer, longest - 1, stored=None if given.tokens is None else StoredTokens(given.tokens))
    return sorted(cases, key=lambda case: case.case_id), cut


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line.

    Raises:
        InputError: a shard that does not exist.
    """
    parser = step_parser("infer", EPILOG)
    parser.add_argument("heldout", type=Path, metavar="HELDOUT", help="held-out file written by `oncoraft split`")
    parser.add_argument("--base", type=Path, required=True, metavar="MODEL_DIR", help="base-model folder")
    parser.add_argument(
        "--fold-model", type=Path, metavar="FOLD_DIR", help="folder written by `oncoraft train`; none if nothing is trained"
    )
    parser.add_argument("--examples", type=Path, metavar="TRAIN", help="training file of the same fold, for a few-shot strategy")
    parser.add_argument("--tokens", type=Path, metavar="FILE", help="prompts tokenised before by `oncoraft tokens`")
    parser.add_argument("--tuning", type=Path, metavar="TUNING", help="tuning file of the same fold: scored too, without a text")
    parser.add_argument("--tuning-out", type=Path, metavar="FILE", help="JSONL to write of the tuning cases, with their labels")
    parser.add_argument("--shard", type=int, default=0, help="this shard, from 0")
    parser.add_argument("--shards", type=int, default=1, help="number of shards")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="JSONL to write")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads")
    parser.add_argument("--gpus", type=int, default=0, help="GPUs that must be visible; 0: CPU")
    given = parser.parse_args(arguments)
    if not 0 <= given.shard < given.shards:
        raise InputError(f"--shard: expected 0 to {given.shards - 1}", found=given.shard)
    if (given.tuning is None) != (given.tuning_out is None):
        raise InputError("expected --tuning and --tuning-out together")
    return given


def read_tuning(path: Path | None, held_out: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Tuning rows, none where no file is given.

    Raises:
        InputError: a case without label, or a patient who is held out: a threshold that has seen them would flatter the fold.
    """
    rows = [] if path is None else read_rows(path, may_be_empty=True)
    patients = {row["patient_id"] for row in held_out}
    for number, row in enumerate(rows, 1):
        if not isinstance(row.get("responder"), bool):
            raise InputError("expected the label of every tuning case", file=path, line=number, column="responder")
        if row["patient_id"] in patients:
            raise InputError(
                "expected a patient who is not held out", file=path, line=number, column="patient_id", found=str(row["patient_id"])
            )
    return rows


def opened(given: argparse.Namespace, strategy: Strategy, settings: Inference, tokenizer: Any) -> Answering:
    """The engine that the settings ask for.

    Raises:
        InputError: vllm for a strategy without a score head, or see the engines.
    """
    device = device_for(hold_devices(given.gpus))
    if settings.engine == "transformers":
        model, head = open_fold(given.base, given.fold_model, strategy, device)
        engine = Engine(model, head, tokenizer.pad_token_id, stop_tokens(tokenizer, model), settings.batch_tokens)
        if device.type == "cuda" and settings.decoding == "compiled":
            engine.compile()
        elif device.type == "cuda" and settings.decoding == "recorded":
            engine.record()
        longest = context_length(model)
        most = kept_at_once(engine.causal, settings.cache_tokens)

        def answer(one: Work, stop: Callable[[], None]) -> list[Result]:
            if one.is_read_only:
                return score_group(engine, one.cases)
            return answer_group(engine, tokenizer, one.cases, settings, longest, one.is_written, stop, most)

        room = partial(answer_room, engine, tokenizer, settings)
        return Answering(answer, room, longest, most, TIMES, engine.share, engine.told)
    if not strategy.has_head or given.fold_model is None:
        raise InputError("inference.engine: expected transformers for a strategy without a score head", found="vllm")
    fast = VllmEngine(given.base, given.fold_model, strategy, settings, tokenizer)
    return Answering(
        lambda one, stop: fast.answer(one.cases, one.is_written, stop),
        lambda written: settings.max_new_tokens if written else 0,
        fast.longest,
        settings.cache_tokens or VLLM_GROUP_TOKENS,
        1,
        lambda _: None,  # it keeps what prompts share by itself
        dict,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Score one shard; status 75 after SIGTERM, with the finished cases kept."""
    given = parse(arguments)
    blocks = read_settings("infer", given)
    settings, strategy = blocks["inference"], blocks["strategy"]
    claim(*outputs_of(given), step="infer")
    torch.set_num_threads(given.threads)
    rows = read_rows(given.heldout)
    tuning = read_tuning(given.tuning, rows)
    check_fold_model(given.fold_model, strategy)
    tokenizer = load_tokenizer(given.base)
    engine = opened(given, strategy, settings, tokenizer)
    cases, cut = prepared(given, given.heldout, rows, tokenizer, engine.longest, strategy, settings)
    tuned, _ = prepared(given, given.tuning, tuning, tokenizer, engine.longest, strategy, settings)
    # Of all rows, not of this shard's: the sample must not depend on the number of shards.
    chosen = sampled(rows, settings)
    bounds = (settings.batch_tokens, engine.cache_tokens, engine.room, strategy.has_head)
    work = [*plan(cases, chosen, *bounds, engine.times), *plan(tuned, set(), *bounds, engine.times)]
    # All of them, finished or not: a run that goes on has to read as one that was not disturbed.
    engine.share([case.prompt for case in (*cases, *tuned)])
    record = settings_record(given, blocks)
    with stopping() as stop:
        kept = Progress(given.out.with_name(f".progress-{given.out.name}"), run_key(given, record, strategy))
        resumed, is_finished = len(kept.done), False
        try:
            go_through(work, engine.answer, kept, stop)
            told = {row["case_id"]: row["responder"] for row in tuning}
            parts = (
                [kept.done[case.case_id] for case in cases],
                [kept.done[case.case_id] | {"responder": told[case.case_id]} for case in tuned],
            )
            counts = publish(given, parts, record, strategy, resumed, {"examples_cut": cut, **engine.told()})
            is_finished = True
        finally:
            kept.close(is_finished or not kept.done)
    log.info("infer: %d cases, %d rationales", counts["cases"], counts["rationales"])
    return 0


def outputs_of(given: argparse.Namespace) -> list[Path]:
    """What the call writes: the shard, the tuning cases where they are asked for, and the manifest of both."""
    tuning = [given.tuning_out] if given.tuning_out else []
    return [given.out, *tuning, given.out.with_name(given.out.name + ".manifest.json")]


def publish(
    given: argparse.Namespace,
    parts: tuple[list[dict[str, Any]], list[dict[str, Any]]],
    record: dict[str, Any],
    strategy: Strategy,
    resumed: int,
    more: dict[str, int],
) -> dict[str, int]:
    """Write the shard, its tuning cases and their manifest, in which stands what was counted before too; all that was counted."""
    predictions, tuned = parts
    counts = {
        "cases": len(predictions),
        "tuning_cases": len(tuned),
        "rationales": sum(row["rationale"] is not None for row in predictions),
        "cut_at_length": sum(row["finish_reason"] == "length" for row in predictions),
        "scores_from_text": sum(row["score_from_text"] is not None for row in predictions),
        **more,
    }
    if resumed:
        log.info("infer: %d cases were finished before", resumed)
    files = outputs_of(given)
    beside = files[-1]
    with publishing(*files, step="infer") as (*written, note):
        for path, rows in zip(written, parts, strict=False):
            write_jsonl(path, rows)
        inputs = [given.heldout, given.base, *(path for path in (given.examples, given.tokens, given.tuning) if path is not None)]
        inputs += [given.fold_model / name for name in (*trained_files(strategy), "manifest.json")] if given.fold_model else []
        outputs = dict(zip(files[:-1], written, strict=True))
        write_json(note, manifest("infer", inputs=inputs, outputs=outputs, settings=record, counts=counts, beside=beside))
    return counts


if __name__ == "__main__":
    raise SystemExit(run(main))
