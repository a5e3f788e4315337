"""`oncoraft prompts`: evidence and rendering in one call, for those who work by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from oncoraft.evidence.evidence import collect, collecting
from oncoraft.evidence.reading import read_cases, read_tables
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
    evidence = collect(read_tables(given.tables), read_cases(given.cases), **collecting(blocks["evidence"]))
    write_prompts(given, blocks, evidence, [given.cases / "cases.parquet", given.tables / "ledger.parquet"], "prompts")
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
