"""`oncoraft export-jsonl`: a fold's file in the published format, every line with its prompt; one that has it so already is copied."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from oncoraft.fold_files import DIGEST, prompts_behind, with_texts
from oncoraft.foundation.jsonl import iterate_rows, write_jsonl
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.planning.edge import run, settings_record, step_parser

log = logging.getLogger("oncoraft")
EXPECTED = "a JSONL file written by `oncoraft split`"


def main(arguments: Sequence[str] | None = None) -> int:
    """Read, put the texts in their place, write; line by line."""
    parser = step_parser("export-jsonl", "example:\n  oncoraft export-jsonl fold-0/train.jsonl --out train.jsonl")
    parser.add_argument("file", type=Path, metavar="FILE", help="train.jsonl, heldout.jsonl or tuning.jsonl")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="file to write")
    given = parser.parse_args(arguments)
    prompts = prompts_behind(given.file, EXPECTED)
    # Twice over the file, so that its answers need not be held while its cases are looked up.
    keys = ("case_id",) if prompts is None else ("case_id", DIGEST)
    case_ids = [line.row["case_id"] for line in iterate_rows(given.file, keys, expected=EXPECTED)]
    rows = (line.row for line in iterate_rows(given.file, keys))
    record = given.out.with_name(given.out.name + ".manifest.json")
    with publishing(given.out, record, step="export-jsonl") as (out, note):
        write_jsonl(out, rows if prompts is None else with_texts(rows, case_ids, given.file, prompts))
        inputs = [given.file] if prompts is None else [given.file, prompts]
        settings, counts = settings_record(given, {}), {"cases": len(case_ids)}
        write_json(note, manifest("export-jsonl", inputs=inputs, outputs={given.out: out}, settings=settings, counts=counts, beside=record))
    log.info("export-jsonl: %d cases", len(case_ids))
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
