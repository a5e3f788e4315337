"""Cells as tokens of their genes: a model's vocabulary file, and the sentence of a cell read through it."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from oncoraft.foundation.errors import InputError
from oncoraft.foundation.jsonl import parse_json
from oncoraft.models.base import first_line
from oncoraft.models.cases import Case
from oncoraft.planning.config import CellModel

GENES = "Genes: "  # how the sentence of a cell begins in its prompt; genes are parted by ", "
STARTS, ENDS, PADS = ("<cls>", "[CLS]", "<s>", "<bos>"), ("<eos>", "[SEP]", "</s>"), ("<pad>", "[PAD]")
Tokens = dict[str, int]


def read_vocabulary(settings: CellModel, size: int) -> Tokens:
    """Token by gene symbol, special tokens by their own names.

    Args:
        settings: where the vocabulary is, and the table of symbols where it holds ids.
        size: of the model's embedding.

    Raises:
        InputError: no JSON object of names and ids, an id beyond the model's embedding, or no gene.
    """
    path = Path(settings.vocabulary)
    try:
        found = parse_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"expected a vocabulary as a JSON object, gene -> token ({first_line(error)})", file=path) from None
    if not isinstance(found, dict) or not all(isinstance(value, int) and not isinstance(value, bool) for value in found.values()):
        raise InputError("expected a vocabulary as a JSON object, gene -> token", file=path)
    if beyond := [name for name, token in found.items() if not 0 <= token < size]:
        raise InputError(
            f"expected tokens below {size}, the model's embedding; that of {beyond[0]!r} is beyond", file=path, found=found[beyond[0]]
        )
    tokens = {str(name) if name in (*STARTS, *ENDS, *PADS) else str(name).upper(): token for name, token in found.items()}
    if settings.gene_table is None:
        return tokens
    by_symbol = {symbol: tokens[key] for key, symbol in read_symbols(Path(settings.gene_table)) if key in tokens}
    return {name: token for name, token in tokens.items() if name in (*STARTS, *ENDS, *PADS)} | by_symbol


def read_symbols(path: Path) -> list[tuple[str, str]]:
    """Id, without its version, and symbol of every row that has both; of a CSV with columns id and symbol.

    Raises:
        InputError: no such file, or a column is missing.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = csv.DictReader(stream)
            if absent := {"id", "symbol"} - set(rows.fieldnames or ()):
                raise InputError("expected this column", file=path, line=1, column=min(absent))
            return [(row["id"].upper().partition(".")[0], row["symbol"].upper()) for row in rows if row["id"] and row["symbol"]]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"expected a CSV with columns id and symbol ({first_line(error)})", file=path) from None


def encoded(rows: Sequence[dict[str, Any]], tokens: Tokens, longest: int, path: Path) -> tuple[list[Case], dict[str, int]]:
    """Cells as tokens of their genes, the most expressed first, within the model's context; what was unknown and what was cut.

    Raises:
        InputError: a row without a sentence, or a cell none of whose genes is in the vocabulary.
    """
    start, end = ([tokens[name] for name in names if name in tokens][:1] for names in (STARTS, ENDS))
    cases, counts = [], {"genes": 0, "genes_not_in_vocabulary": 0, "genes_beyond_context": 0}
    for number, row in enumerate(rows, 1):
        if GENES not in row["input"]:
            raise InputError("expected the sentence of a cell in the input", file=path, line=number, column="input")
        genes = [name for name in row["input"].rpartition(GENES)[2].split(", ") if name]
        known = [tokens[name] for name in genes if name in tokens]
        room = longest - len(start) - len(end)
        counts["genes"] += len(genes)
        counts["genes_not_in_vocabulary"] += len(genes) - len(known)
        counts["genes_beyond_context"] += max(0, len(known) - room)
        if not known:
            raise InputError(
                f"case {row['case_id']}: expected genes of the vocabulary; none of its {len(genes)} is there", file=path, line=number
            )
        ids = (*start, *known[:room], *end)
        cases.append(Case(row["case_id"], row["patient_id"], row.get("fold"), ids, (), row.get("responder"), row.get("score")))
    return cases, counts
