"""`oncoraft pool-prompts`: the prompts of several cohorts, fitted with one tokenizer, as one file."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from oncoraft.foundation.errors import InputError
from oncoraft.foundation.jsonl import read_jsonl, write_jsonl
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.planning.edge import run, settings_record, step_parser
from oncoraft.prompts.joined import PROMPT_KEYS

log = logging.getLogger("oncoraft")


def joined(parts: Sequence[tuple[Path, list[dict[str, Any]]]]) -> list[dict[str, Any]]:
    """Every prompt once.

    Raises:
        InputError: a case that two files have.
    """
    owner: dict[str, Path] = {}
    for path, rows in parts:
        for row in rows:
            if owner.setdefault(row["case_id"], path) is not path:
                raise InputError(f"expected every case in one cohort; {owner[row['case_id']]} has it too", file=path, found=row["case_id"])
    return [row for _, rows in parts for row in rows]


def main(arguments: Sequence[str] | None = None) -> int:
    """Join, write."""
    parser = step_parser("pool-prompts", "example:\n  oncoraft pool-prompts msk/prompts.jsonl bpc/prompts.jsonl --out prompts.jsonl")
    parser.add_argument("prompts", type=Path, nargs="+", metavar="PROMPTS", help="prompts.jsonl of a cohort")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="file to write")
    given = parser.parse_args(arguments)
    rows = joined([(path, read_jsonl(path, PROMPT_KEYS, once="case_id")) for path in given.prompts])
    record = given.out.with_name(given.out.name + ".manifest.json")
    with publishing(given.out, record, step=("pool-prompts", "render")) as (out, note):
        write_jsonl(out, rows)
        settings, counts = settings_record(given, {}), {"cases": len(rows), "cohorts": len(given.prompts)}
        write_json(
            note, manifest("pool-prompts", inputs=given.prompts, outputs={given.out: out}, settings=settings, counts=counts, beside=record)
        )
    log.info("pool-prompts: %d cases", len(rows))
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
