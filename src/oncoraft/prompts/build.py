"""`oncoraft prompts`: evidence and rendering in one call, for those who work by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from oncoraft.evidence.evidence import collecting, in_ranges
from oncoraft.evidence.reading import open_cases, open_tables
from oncoraft.planning.edge import read_settings, run, step_parser
from oncoraft.prompts.render import write_prompts


def main(arguments: Sequence[str] | None = None) -> int:
    """Read tables and cases, write prompts."""
    parser = step_parser("prompts", "example:\n  oncoraft prompts tables cases --out prompts.jsonl")
    parser.add_argument("tables", type=Path, metavar="TABLES", help="folder written by `oncoraft ingest`")
    parser.add_argument("cases", type=Path, metavar="CASES", help="folder that holds cases.parquet")
    parser.add_argument("--tokenizer", type=Path, metavar="MODEL_DIR", help="count tokens as this model does; otherwise they are estimated")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="prompts.jsonl to write")
    given = parser.parse_args(arguments)
    blocks = read_settings("prompts", given)
    parts = in_ranges(open_tables(given.tables), open_cases(given.cases), collecting(blocks["evidence"]))
    evidence = (statements for _, statements in parts)
    write_prompts(given, blocks, evidence, [given.cases / "cases.parquet", given.tables / "ledger.parquet"], "prompts")
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
