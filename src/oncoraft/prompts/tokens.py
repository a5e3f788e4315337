"""Prompts and answers as token ids, stored once and shared by all folds.

`oncoraft tokens prompts.jsonl rationales.jsonl CASES --tokenizer MODEL_DIR --out tokens.arrow`. An Arrow IPC file, uncompressed,
so that training and inference map it into memory and read a case's ids without copying. Each row carries digests of the texts,
so that a reader knows that the ids are those of the text it holds. Ids are made by `oncoraft.answers`, the rule that training
and inference use themselves where they are given no such file.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.ipc

from oncoraft.answers import answer_token_ids, content_digest, full_prompt, open_tokenizer, prompt_token_ids
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.planning.edge import read_settings, run, settings_record, step_parser
from oncoraft.prompts.joined import Joined

log = logging.getLogger("oncoraft")
SCHEMA = pa.schema(
    [
        pa.field("case_id", pa.string(), nullable=False),
        pa.field("prompt_digest", pa.string(), nullable=False),
        pa.field("prompt_tokens", pa.list_(pa.int32()), nullable=False),
        pa.field("answer_digest", pa.string()),
        pa.field("answer_tokens", pa.list_(pa.int32())),
    ]
)
CHUNK = 2048  # cases tokenised together; one record batch of the file


def in_chunks(frames: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """The same rows, `CHUNK` at a time wherever a frame ends."""
    waiting = pd.DataFrame()
    for frame in frames:
        waiting = pd.concat([waiting, frame], ignore_index=True)
        while len(waiting) > CHUNK:
            yield waiting.iloc[:CHUNK]
            waiting = waiting.iloc[CHUNK:]
    if len(waiting):
        yield waiting


def batches(frames: Iterable[pd.DataFrame], tokenizer: Any) -> Iterator[pa.RecordBatch]:
    """Record batches of token ids, in the order of the cases.

    Args:
        frames: case_id, instruction, input, output (empty: no answer); sorted by case_id, also one behind the other.
        tokenizer: of the base model.
    """
    told, done = time.monotonic(), 0
    for part in in_chunks(frames):
        prompts = [full_prompt(instruction, text) for instruction, text in zip(part["instruction"], part["input"])]
        outputs = part["output"].tolist()
        found = iter(answer_token_ids(tokenizer, [output for output in outputs if output]))
        answers = [next(found) if output else None for output in outputs]
        columns = [
            part["case_id"].tolist(),
            [content_digest(text) for text in prompts],
            prompt_token_ids(tokenizer, prompts),
            [content_digest(output) if output else None for output in outputs],
            answers,
        ]
        yield pa.record_batch([pa.array(values, field.type) for values, field in zip(columns, SCHEMA)], schema=SCHEMA)
        done += len(part)
        if time.monotonic() - told > 10:
            told = time.monotonic()
            log.info("tokens: %d cases", done)


def write_tokens(path: Path, frames: Iterable[pd.DataFrame], tokenizer: Any) -> dict[str, int]:
    """Write the file; returns its counts (cases, answers, tokens of prompts and of answers, longest prompt)."""
    counts = {"cases": 0, "answers": 0, "prompt_tokens": 0, "answer_tokens": 0, "longest_prompt": 0, "longest_answer": 0}
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, SCHEMA) as writer:
        for batch in batches(frames, tokenizer):
            writer.write_batch(batch)
            counts["cases"] += batch.num_rows
            counts["answers"] += batch.num_rows - batch["answer_tokens"].null_count
            for kind in ("prompt", "answer"):
                lengths = batch[f"{kind}_tokens"].value_lengths().drop_null().to_numpy()
                counts[f"{kind}_tokens"] += int(lengths.sum())
                # `initial`: a batch in which no case has an answer has no maximum.
                counts[f"longest_{kind}"] = int(np.max(lengths, initial=counts[f"longest_{kind}"]))
    return counts


def main(arguments: Sequence[str] | None = None) -> int:
    """Join prompts, rationales and labels; write the token ids of every case."""
    parser = step_parser(
        "tokens",
        "columns: case_id, prompt_digest, prompt_tokens, answer_digest, answer_tokens (null where a case has no answer).\n\n"
        "example:\n  oncoraft tokens prompts.jsonl rationales.jsonl cases --tokenizer models/Qwen3-8B --out tokens.arrow",
    )
    parser.add_argument("prompts", type=Path, metavar="PROMPTS", help="prompts.jsonl")
    parser.add_argument("rationales", type=Path, metavar="RATIONALES", help="rationales.jsonl")
    parser.add_argument("cases", type=Path, metavar="CASES", help="folder with cases.parquet and labels.parquet")
    parser.add_argument("--tokenizer", type=Path, required=True, metavar="MODEL_DIR", help="base model whose tokenizer counts")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="tokens.arrow to write")
    given = parser.parse_args(arguments)
    blocks = read_settings("tokens", given)
    joined = Joined(given.prompts, given.rationales, given.cases, blocks["labels"].definition)
    if not len(joined.prompts.case_ids):
        raise InputError("expected at least one prompt of a case", file=given.prompts)
    tokenizer = open_tokenizer(given.tokenizer)
    if tokenizer.eos_token_id is None:
        raise InputError("expected a tokenizer with an end-of-text token", file=given.tokenizer)
    record = given.out.with_name(given.out.name + ".manifest.json")
    inputs = [given.prompts, given.rationales, given.cases / "cases.parquet", given.cases / "labels.parquet"]
    inputs += [file for file in sorted(given.tokenizer.glob("*token*")) if file.is_file()]
    with publishing(given.out, record, step="tokens") as (out, note):
        counts = write_tokens(out, joined, tokenizer)
        settings = settings_record(given, blocks)
        write_json(note, manifest("tokens", inputs=inputs, outputs={given.out: out}, settings=settings, counts=counts, beside=record))
    log.info(
        "tokens: %d cases, %d answers, %d tokens", counts["cases"], counts["answers"], counts["prompt_tokens"] + counts["answer_tokens"]
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
