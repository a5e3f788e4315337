"""A fold's file made to refer to its prompts, for the tests of those that read such files."""

from pathlib import Path

from oncoraft.fold_files import write_fold_file
from oncoraft.foundation.jsonl import read_jsonl, write_jsonl


def refer(path: Path) -> Path:
    """Put the prompts of a file of published rows into `prompts.jsonl` beside it, and let its lines refer to them; returns the file."""
    rows = read_jsonl(path)
    assert all("input" in row for row in rows)
    prompts = path.with_name("prompts.jsonl")
    write_jsonl(prompts, [{"case_id": row["case_id"], "instruction": row["instruction"], "input": row["input"]} for row in rows])
    write_fold_file(path, rows, prompts)
    assert '"input"' not in path.read_text(encoding="utf-8")
    return path
