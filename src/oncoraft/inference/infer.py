"""Score one shard of a fold's held-out cases, and write rationales for a sample of them.

`oncoraft infer heldout.jsonl --base MODEL_DIR --fold-model FOLD_DIR --shard I --shards N --out shard-I.jsonl`. A case belongs to
a shard by a stable hash, and draws its rationale from a generator of its own, so results do not depend on the shard count.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from tqdm import tqdm

from oncoraft.config import Inference
from oncoraft.edge import read_settings, run, settings_record, step_parser
from oncoraft.errors import InputError
from oncoraft.models.base import context_length, device_for, final_hidden, load_base, load_tokenizer
from oncoraft.models.cases import Case, batches_by_length, encode, padded, read_rows
from oncoraft.models.fold_model import load_fold, score_logit
from oncoraft.provenance import manifest, publishing, write_json
from oncoraft.stable import stable_fraction, stable_seed

log = logging.getLogger("oncoraft")
WRITTEN_SCORE = re.compile(r"(Score:|score of)\s*(\d+\.?\d*)", re.IGNORECASE)


def shard_of(case_id: str, shards: int) -> int:
    """The shard of a case."""
    return int(stable_fraction("shard", case_id) * shards)


def sampled(rows: list[dict[str, Any]], settings: Inference) -> set[str]:
    """Cases that get a rationale: all, or a stable sample of the whole fold."""
    if settings.rationales is None:
        return {row["case_id"] for row in rows}
    ordered = sorted((stable_fraction(settings.seed, row["case_id"]), row["case_id"]) for row in rows)
    return {case_id for _, case_id in ordered[: settings.rationales]}


@torch.inference_mode()
def score(model: Any, head: nn.Sequential, cases: list[Case], pad: int, tokens: int) -> dict[str, float]:
    """The head's logit of every case, from the final-norm state of the last prompt token."""
    device = next(head.parameters()).device
    logits: dict[str, float] = {}
    batches = list(batches_by_length(cases, tokens))
    for batch in tqdm(batches, desc="scoring", mininterval=5):
        ids, mask = padded(batch, pad, device)
        last = torch.tensor([len(case.prompt) - 1 for case in batch], device=device)
        hidden = final_hidden(model, ids, mask)[torch.arange(len(batch), device=device), last]
        logits.update(zip((case.case_id for case in batch), score_logit(head, hidden).tolist()))
    return logits


@torch.inference_mode()
def write_rationale(model: Any, tokenizer: Any, case: Case, settings: Inference) -> tuple[str, str]:
    """A sampled answer and why it ended (`stop` or `length`)."""
    torch.manual_seed(stable_seed(settings.seed, "rationale", case.case_id))
    ids = torch.tensor([case.prompt], device=next(model.parameters()).device)
    how: dict[str, Any] = {"do_sample": False}
    if settings.temperature > 0:
        how = {"do_sample": True, "temperature": settings.temperature, "top_p": settings.top_p, "top_k": 0}
    room = min(settings.max_new_tokens, context_length(model) - len(case.prompt))
    if room < 1:
        raise InputError(f"case {case.case_id}: expected room for an answer after {len(case.prompt)} prompt tokens")
    ends = tokenizer.eos_token_id
    out = model.generate(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=room,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=ends,
        **how,
    )
    answer = out[0, ids.shape[1] :].tolist()
    return tokenizer.decode(answer, skip_special_tokens=True), "stop" if ends in answer else "length"


def prediction(case: Case, logit: float, text: str | None, reason: str) -> dict[str, Any]:
    """One line of `predictions.jsonl`; the head's score replaces the one that the text states, as published."""
    probability = float(torch.sigmoid(torch.tensor(logit, dtype=torch.float64)))
    stated = WRITTEN_SCORE.search(text) if text else None
    return {
        "case_id": case.case_id,
        "patient_id": case.patient_id,
        "fold": case.fold,
        "logit": logit,
        "score": probability,
        "rationale": None if text is None else WRITTEN_SCORE.sub(lambda found: f"{found.group(1)} {probability:.4f}", text),
        "score_from_text": float(stated.group(2)) if stated else None,
        "finish_reason": reason,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Score one shard."""
    parser = step_parser(
        "infer",
        "example:\n  oncoraft infer heldout.jsonl --base models/Qwen3-8B --fold-model fold-0 --shard 0 --shards 4 --out shard-0.jsonl",
    )
    parser.add_argument("heldout", type=Path, metavar="HELDOUT", help="held-out file written by `oncoraft split`")
    parser.add_argument("--base", type=Path, required=True, metavar="MODEL_DIR", help="base-model folder")
    parser.add_argument("--fold-model", type=Path, required=True, metavar="FOLD_DIR", help="folder written by `oncoraft train`")
    parser.add_argument("--shard", type=int, default=0, help="this shard, from 0")
    parser.add_argument("--shards", type=int, default=1, help="number of shards")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="JSONL to write")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads")
    parser.add_argument("--gpus", type=int, default=0, help="GPUs that must be visible; 0: CPU")
    given = parser.parse_args(arguments)
    if not 0 <= given.shard < given.shards:
        raise InputError(f"--shard: expected 0 to {given.shards - 1}", found=given.shard)
    blocks = read_settings("infer", given)
    settings = blocks["inference"]
    torch.set_num_threads(given.threads)
    rows = read_rows(given.heldout)
    tokenizer = load_tokenizer(given.base)
    model, head = load_fold(load_base(given.base, device_for(given.gpus)), given.fold_model)
    chosen = sampled(rows, settings)
    mine = [row for row in rows if shard_of(row["case_id"], given.shards) == given.shard]
    cases = sorted(encode(mine, tokenizer, context_length(model)), key=lambda case: case.case_id)
    logits = score(model, head, cases, tokenizer.pad_token_id, settings.batch_tokens)
    predictions = []
    for case in tqdm(cases, desc="rationales", mininterval=5):
        text, reason = write_rationale(model, tokenizer, case, settings) if case.case_id in chosen else (None, "not_sampled")
        predictions.append(prediction(case, logits[case.case_id], text, reason))
    counts = {"cases": len(predictions), "rationales": sum(row["rationale"] is not None for row in predictions)}
    record = given.out.with_name(given.out.name + ".manifest.json")
    with publishing(given.out, record) as (out, note):
        out.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in predictions), encoding="utf-8")
        inputs = [given.heldout, given.base, given.fold_model / "manifest.json"]
        settings_now = settings_record(given, blocks)
        write_json(note, manifest("infer", inputs=inputs, outputs={given.out: out}, settings=settings_now, counts=counts, beside=record))
    log.info("infer: %d cases, %d rationales", counts["cases"], counts["rationales"])
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
