"""Prompts that were tokenised once for all folds: `tokens.arrow`, columns case_id, prompt_digest, prompt_tokens.

The digest (first 16 hexadecimal digits of the SHA-256 of the whole prompt) proves that the ids are of this very prompt.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from oncoraft.errors import InputError
from oncoraft.models.cases import Case, prompt_text
from oncoraft.provenance import text_digest

COLUMNS = ("case_id", "prompt_digest", "prompt_tokens")
DIGEST_DIGITS = 16


def read_table(path: Path) -> pa.Table:
    """The table of an Arrow file, mapped rather than read; file and stream layout both.

    Raises:
        InputError: absent, not Arrow, or without the three columns.
    """
    try:
        with pa.memory_map(str(path)) as source:
            try:
                table = pa.ipc.open_file(source).read_all()
            except pa.ArrowInvalid:
                source.seek(0)
                table = pa.ipc.open_stream(source).read_all()
    except (OSError, pa.ArrowInvalid) as error:
        raise InputError(f"expected an Arrow file of tokens ({str(error).splitlines()[0][:100]})", file=path) from None
    for name in COLUMNS:
        if name not in table.column_names:
            raise InputError("expected this column", file=path, column=name)
    return table.select(COLUMNS)


def encoded(rows: Sequence[dict[str, Any]], path: Path, longest: int) -> list[Case]:
    """Cases with the ids of the file.

    Raises:
        InputError: a case that the file lacks, ids of another prompt, or a prompt longer than the model can read; the case is named.
    """
    table = read_table(path)
    place = {case_id: index for index, case_id in enumerate(table["case_id"].to_pylist())}
    digests, tokens = table["prompt_digest"].to_pylist(), table["prompt_tokens"].combine_chunks()
    cases = []
    for row in rows:
        case_id = row["case_id"]
        if case_id not in place:
            raise InputError(f"expected the tokens of every case; case {case_id} has none", file=path)
        index = place[case_id]
        if digests[index] != text_digest(prompt_text(row))[:DIGEST_DIGITS]:
            raise InputError(f"expected the tokens of this prompt; those of case {case_id} are of another: the file is stale", file=path)
        ids = tokens[index].as_py()
        if len(ids) > longest:
            raise InputError(f"case {case_id}: expected at most {longest} tokens, the model's context", found=len(ids))
        cases.append(Case(case_id, row["patient_id"], row.get("fold"), tuple(ids), (), None, None))
    return cases
