"""Token ids that were stored once (`oncoraft tokens`), read from a mapped file instead of tokenising again.

An Arrow IPC file, a row a case: case_id, prompt_digest, prompt_tokens, answer_digest, answer_tokens. A digest says which text the ids
are of; ids of another text are refused, so that stored tokens can never stand for a prompt that has changed since. The ids
stay in the file until they are read: a fold's cases cost no memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from oncoraft.answers import content_digest
from oncoraft.foundation.errors import InputError

COLUMNS = ("case_id", "prompt_digest", "prompt_tokens", "answer_digest", "answer_tokens")


class StoredTokens:
    """A mapped file of token ids.

    Args:
        path: written by `oncoraft tokens`.

    Raises:
        InputError: no such file, not an Arrow file, or a column is missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_file():
            raise InputError("expected an Arrow file written by `oncoraft tokens`", file=path)
        try:
            self.reader = pa.ipc.open_file(pa.memory_map(str(path)))
        except pa.ArrowInvalid as error:
            raise InputError(f"expected an Arrow file written by `oncoraft tokens` ({str(error).splitlines()[0]})", file=path) from None
        # Answers are asked for in training alone; `answers` checks their columns.
        for name in COLUMNS[:3]:
            if name not in self.reader.schema.names:
                raise InputError("expected this column", file=path, column=name)
        self.batches = [self.reader.get_batch(number) for number in range(self.reader.num_record_batches)]
        self.places = {
            case_id: (number, row)
            for number, batch in enumerate(self.batches)
            for row, case_id in enumerate(batch.column("case_id").to_pylist())
        }

    def prompts(self, cases: Sequence[str], texts: Sequence[str]) -> list[np.ndarray]:
        """Ids of the cases' prompts, which must be of these texts."""
        return [self._ids("prompt", case_id, text) for case_id, text in zip(cases, texts, strict=True)]

    def answers(self, cases: Sequence[str], texts: Sequence[str]) -> list[np.ndarray]:
        """Ids of the cases' answers, the end-of-text token included, which must be of these texts."""
        for name in COLUMNS[3:]:
            if name not in self.reader.schema.names:
                raise InputError("expected this column", file=self.path, column=name)
        return [self._ids("answer", case_id, text) for case_id, text in zip(cases, texts, strict=True)]

    def _ids(self, kind: str, case_id: str, text: str) -> np.ndarray:
        """A view of the file.

        Raises:
            InputError: the case is not there, or its ids are of another text.
        """
        if case_id not in self.places:
            raise InputError(f"expected tokens of case {case_id}; write the file again with `oncoraft tokens`", file=self.path)
        number, row = self.places[case_id]
        batch = self.batches[number]
        stored, expected = batch.column(f"{kind}_digest")[row].as_py(), content_digest(text)
        if stored != expected:
            raise InputError(
                f"case {case_id}: expected tokens of this {kind} (digest {expected}); write the file again with `oncoraft tokens`",
                file=self.path,
                column=f"{kind}_digest",
                found=stored,
            )
        values = batch.column(f"{kind}_tokens")
        start, stop = values.offsets[row].as_py(), values.offsets[row + 1].as_py()
        return values.values.slice(start, stop - start).to_numpy(zero_copy_only=True)
