"""Prompts and answers as token ids, stored once and shared by all folds.

`oncoraft tokens prompts.jsonl rationales.jsonl CASES --tokenizer MODEL_DIR --out tokens.arrow`. An Arrow IPC file, uncompressed,
so that training and inference map it into memory and read a case's ids without copying. Each row carries digests of the texts,
so that a reader knows that the ids are those of the text it holds. Ids are made by `oncoraft.answers`, the rule that training
and inference use themselves where they are given no such file.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.ipc

from oncoraft.answers import ANSWER_MARKER, answer_token_ids, content_digest, full_prompt, open_tokenizer, prompt_token_ids
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
CHUNK = 2048  # cases of one record batch of the file
TOGETHER = 256  # texts tokenised together: of each token an encoding holds about a hundred bytes until its ids are taken out
NO_IDS = np.array([], np.int32)


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


def one_ahead(frames: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """The same frames; the next one is read while a tokenizer, which holds no lock of Python's, works on this one."""
    rest = iter(frames)
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, rest, None)
        while (frame := coming.result()) is not None:
            coming = pool.submit(next, rest, None)
            yield frame
            del frame  # or it would be held while the one behind the next is read


class Encoder:
    """Token ids by the rule of `oncoraft.answers`, as arrays, made by several threads and without what else an encoding holds."""

    def __init__(self, tokenizer: Any, threads: int = 1) -> None:
        """Take over a Hugging Face tokenizer; how many threads there are is settled for the process when it is used first."""
        os.environ["TOKENIZERS_PARALLELISM"] = "true" if threads > 1 else "false"
        os.environ["RAYON_NUM_THREADS"] = str(threads)
        self.tokenizer = tokenizer
        self.backend = tokenizer.backend_tokenizer if tokenizer.is_fast else None
        if self.backend is not None:
            self.backend.no_truncation()
            self.backend.no_padding()
            self.backend.encode_special_tokens = True  # text is data: a token that it spells is read as characters
            # A tokenizer may do more in Python than its backend knows of; then the backend is not asked.
            probe = ["\n\n".join([ANSWER_MARKER, *tokenizer.all_special_tokens, " EGFR L858R µg 12.5%\t-  End"])]
            if [ids.tolist() for ids in self.prompts(probe)] != prompt_token_ids(tokenizer, probe):
                self.backend = None

    def prompts(self, texts: list[str]) -> list[np.ndarray]:
        """Token ids of full prompts, int32, (tokens,) each; as `prompt_token_ids`."""
        if self.backend is None:
            return [np.array(ids, np.int32) for ids in prompt_token_ids(self.tokenizer, texts)]
        return self._of_backend(texts, add_special_tokens=True)

    def answers(self, texts: list[str]) -> list[np.ndarray]:
        """Token ids of answers, each closed by the end-of-text token; as `answer_token_ids`."""
        if self.backend is None:
            return [np.array(ids, np.int32) for ids in answer_token_ids(self.tokenizer, texts)]
        end = np.array([self.tokenizer.eos_token_id], np.int32)
        return [np.append(ids, end) for ids in self._of_backend(texts, add_special_tokens=False)]

    def _of_backend(self, texts: list[str], add_special_tokens: bool) -> list[np.ndarray]:
        assert self.backend is not None
        found = []
        for start in range(0, len(texts), TOGETHER):
            encodings = self.backend.encode_batch_fast(texts[start : start + TOGETHER], add_special_tokens=add_special_tokens)
            found += [np.array(encoding.ids, np.int32) for encoding in encodings]
        return found


def listed(parts: Sequence[np.ndarray | None]) -> pa.Array:
    """Arrays of ids as one array of lists, without a Python object for each id; None becomes null."""
    filled = [part for part in parts if part is not None]
    offsets = np.cumsum([0, *(0 if part is None else len(part) for part in parts)], dtype=np.int32)
    mask = pa.array([part is None for part in parts]) if len(filled) < len(parts) else None
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(np.concatenate([NO_IDS, *filled])), mask=mask)


def batches(frames: Iterable[pd.DataFrame], encoder: Encoder) -> Iterator[pa.RecordBatch]:
    """Record batches of token ids, in the order of the cases.

    Args:
        frames: case_id, instruction, input, output (empty: no answer); sorted by case_id, also one behind the other.
        encoder: of the base model's tokenizer.
    """
    told, done = time.monotonic(), 0
    for part in in_chunks(frames):
        prompts = [full_prompt(instruction, text) for instruction, text in zip(part["instruction"], part["input"])]
        outputs = part["output"].tolist()
        found = iter(encoder.answers([output for output in outputs if output]))
        columns = [
            pa.array(part["case_id"].tolist(), pa.string()),
            pa.array([content_digest(text) for text in prompts], pa.string()),
            listed(encoder.prompts(prompts)),
            pa.array([content_digest(output) if output else None for output in outputs], pa.string()),
            listed([next(found) if output else None for output in outputs]),
        ]
        yield pa.record_batch(columns, schema=SCHEMA)
        done += len(part)
        if time.monotonic() - told > 10:
            told = time.monotonic()
            log.info("tokens: %d cases", done)


def write_tokens(path: Path, frames: Iterable[pd.DataFrame], encoder: Encoder) -> dict[str, int]:
    """Write the file; returns its counts (cases, answers, tokens of prompts and of answers, longest prompt)."""
    counts = {"cases": 0, "answers": 0, "prompt_tokens": 0, "answer_tokens": 0, "longest_prompt": 0, "longest_answer": 0}
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, SCHEMA) as writer:
        for batch in batches(frames, encoder):
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
    parser.add_argument("--threads", type=int, default=1, help="the file does not depend on it (default: %(default)s)")
    given = parser.parse_args(arguments)
    if given.threads < 1:
        raise InputError("--threads: expected 1 or more", found=given.threads)
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
        counts = write_tokens(out, one_ahead(joined) if given.threads > 1 else joined, Encoder(tokenizer, given.threads))
        settings = settings_record(given, blocks)
        write_json(note, manifest("tokens", inputs=inputs, outputs={given.out: out}, settings=settings, counts=counts, beside=record))
    log.info(
        "tokens: %d cases, %d answers, %d tokens", counts["cases"], counts["answers"], counts["prompt_tokens"] + counts["answer_tokens"]
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
