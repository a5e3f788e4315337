"""`oncoraft embed`: what a frozen base model makes of each prompt, one vector a case, read at a stated point.

`end_of_prompt`: the final-norm state of the prompt's last token, where the score heads of other strategies read. `mean_of_prompt`: the mean
over all tokens of the prompt. `end_of_rationale`: the last state after the rationale that the base model itself writes, the likeliest token
each time; no teacher's rationale is read, since those know the label. Nothing is trained, so that one file serves every fold and design.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from oncoraft.foundation.errors import InputError
from oncoraft.foundation.jsonl import read_jsonl
from oncoraft.foundation.lease import hold_devices
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.foundation.publishing import claim
from oncoraft.inference.cache import Cache
from oncoraft.inference.engine import Engine, in_groups, kept_at_once
from oncoraft.inference.opening import stop_tokens
from oncoraft.inference.sampling import uniforms
from oncoraft.models.base import context_length, device_for, final_hidden, load_base, load_tokenizer
from oncoraft.models.cases import Case, encode, padded
from oncoraft.planning.config import Inference
from oncoraft.planning.edge import read_settings, run, settings_record, step_parser
from oncoraft.planning.settings.models import ReadPoint

log = logging.getLogger("oncoraft")
KEYS = ("case_id", "instruction", "input")
EPILOG = """out: Parquet, case_id and embedding (a vector of the model's width), every case of the prompts.

example:
  oncoraft embed prompts.jsonl --base models/Qwen3-8B --read-at end_of_prompt --out embeddings.parquet --gpus 1"""


def read_cases(path: Path, tokenizer: Any, longest: int) -> list[Case]:
    """The prompts of a file as token ids.

    Raises:
        InputError: as `read_jsonl` and `encode`.
    """
    rows = read_jsonl(path, KEYS, once="case_id", texts=KEYS, expected="a JSONL file written by `oncoraft render`")
    return encode([row | {"output": "", "patient_id": ""} for row in rows], tokenizer, longest)


@torch.inference_mode()
def mean_states(model: Any, cases: Sequence[Case], pad: int, tokens: int) -> np.ndarray:
    """Mean of the final-norm states over each prompt, (cases, hidden), fp32.

    Args:
        tokens: of a forward pass, at most, padding included.
    """
    found: dict[int, np.ndarray] = {}
    for group in in_groups([len(case.prompt) for case in cases], tokens):
        ids, mask = padded([cases[index] for index in group], pad, model.device)
        states = final_hidden(model, ids, mask).float() * mask[..., None]
        means = (states.sum(dim=1) / mask.sum(dim=1, keepdim=True)).cpu().numpy()
        found |= dict(zip(group, means, strict=True))
    return np.stack([found[index] for index in range(len(cases))])


def last_states(engine: Engine, prompts: Sequence[Sequence[int]]) -> np.ndarray:
    """Final-norm states of the last token of each text, (texts, hidden), fp32."""
    found: dict[int, np.ndarray] = {}
    for group in in_groups([len(prompt) for prompt in prompts], engine.batch_tokens):
        states = engine.prefill([prompts[index] for index in group], None).float().cpu().numpy()
        found |= dict(zip(group, states, strict=True))
    return np.stack([found[index] for index in range(len(prompts))])


def with_rationales(engine: Engine, cases: Sequence[Case], settings: Inference, longest: int) -> list[list[int]]:
    """Each prompt with what the model goes on to write, the likeliest token each time, up to where it ends or the room does."""
    found: dict[int, list[int]] = {}
    for group in in_groups(
        [len(case.prompt) for case in cases], kept_at_once(engine.causal, settings.cache_tokens), settings.max_new_tokens
    ):
        mine = [cases[index] for index in group]
        lengths = [len(case.prompt) for case in mine]
        cache = Cache(len(mine), lengths[0] + settings.max_new_tokens)
        hidden = engine.prefill([case.prompt for case in mine], cache)
        draws = uniforms(settings.seed, [case.case_id for case in mine], max(1, min(settings.max_new_tokens, longest - lengths[0])))
        written = engine.write(cache, lengths, hidden, draws, 0.0, 1.0)
        found |= {index: [*case.prompt, *tokens] for index, case, tokens in zip(group, mine, written, strict=True)}
    return [found[index] for index in range(len(cases))]


def embeddings(model: Any, tokenizer: Any, cases: Sequence[Case], read_at: ReadPoint, settings: Inference) -> np.ndarray:
    """One vector a case, (cases, hidden), fp32, in their order.

    Raises:
        InputError: a state that is no number.
    """
    if read_at == "mean_of_prompt":
        found = mean_states(model, cases, tokenizer.pad_token_id, settings.batch_tokens)
    else:
        engine = Engine(model, None, tokenizer.pad_token_id, stop_tokens(tokenizer, model), settings.batch_tokens)
        texts: Sequence[Sequence[int]] = [case.prompt for case in cases]
        engine.share(texts)
        if read_at == "end_of_rationale":
            texts = with_rationales(engine, cases, settings, context_length(model))
        found = last_states(engine, texts)
    if not np.isfinite(found).all():
        place = int(np.flatnonzero(~np.isfinite(found).all(axis=1))[0])
        raise InputError(f"case {cases[place].case_id}: the model's state is no number; its weights may be damaged")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Read every prompt, write vectors."""
    parser = step_parser("embed", EPILOG)
    parser.add_argument("prompts", type=Path, metavar="PROMPTS", help="prompts.jsonl")
    parser.add_argument("--base", type=Path, required=True, metavar="MODEL_DIR", help="base-model folder")
    parser.add_argument("--read-at", choices=get_args(ReadPoint), default="end_of_prompt", help="where the model is read")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="Parquet file to write")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads")
    parser.add_argument("--gpus", type=int, default=0, help="GPUs that must be visible; 0: CPU")
    given = parser.parse_args(arguments)
    blocks = read_settings("embed", given)
    record = given.out.with_name(given.out.name + ".manifest.json")
    claim(given.out, record, step="embed")
    torch.set_num_threads(given.threads)
    tokenizer = load_tokenizer(given.base)
    model = load_base(given.base, device_for(hold_devices(given.gpus))).eval()
    cases = read_cases(given.prompts, tokenizer, context_length(model) - 1)
    found = embeddings(model, tokenizer, cases, given.read_at, blocks["inference"])
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(found.astype(np.float32).ravel()), found.shape[1])
    table = pa.table({"case_id": pa.array([case.case_id for case in cases]), "embedding": vectors})
    counts = {"cases": len(cases), "width": int(found.shape[1]), "tokens": sum(len(case.prompt) for case in cases)}
    with publishing(given.out, record, step="embed") as (out, note):
        pq.write_table(table, out)
        settings = settings_record(given, blocks)
        write_json(
            note,
            manifest(
                "embed", inputs=[given.prompts, given.base], outputs={given.out: out}, settings=settings, counts=counts, beside=record
            ),
        )
    log.info("embed: %d cases read at %s", len(cases), given.read_at)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
