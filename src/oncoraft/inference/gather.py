"""Join the shards of all folds: every held-out case exactly once, sorted by case.

`oncoraft gather SHARD... --heldout HELDOUT... --out predictions.jsonl`
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from oncoraft.edge import run, settings_record, step_parser
from oncoraft.errors import InputError
from oncoraft.provenance import manifest, publishing, write_json

log = logging.getLogger("oncoraft")


def lines_of(paths: Sequence[Path]) -> list[tuple[str, str]]:
    """(case_id, line) of every line of several JSONL files."""
    found = []
    for path in paths:
        if not path.is_file():
            raise InputError("expected a JSONL file", file=path)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            try:
                found.append((json.loads(line)["case_id"], line))
            except (json.JSONDecodeError, KeyError, TypeError):
                raise InputError("expected a JSON object with a case_id", file=path, line=number) from None
    return found


def gather(shards: list[tuple[str, str]], held_out: list[tuple[str, str]]) -> list[str]:
    """Prediction lines sorted by case.

    Raises:
        InputError: a case is predicted twice, not at all, or is not held out; the first is named.
    """
    seen = Counter(case_id for case_id, _ in shards)
    wanted = Counter(case_id for case_id, _ in held_out)
    for what, odd in (
        ("is predicted more than once", {case_id for case_id, count in seen.items() if count > 1}),
        ("is held out more than once", {case_id for case_id, count in wanted.items() if count > 1}),
        ("has no prediction", set(wanted) - set(seen)),
        ("is predicted but not held out", set(seen) - set(wanted)),
    ):
        if odd:
            raise InputError(f"expected every held-out case exactly once; case {min(odd)} {what} ({len(odd)} such cases)")
    return [line for _, line in sorted(shards)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Join and check."""
    parser = step_parser(
        "gather", "example:\n  oncoraft gather fold-*/predictions/shard-*.jsonl --heldout fold-*/heldout.jsonl --out predictions.jsonl"
    )
    parser.add_argument("shards", type=Path, nargs="+", metavar="SHARD", help="files written by `oncoraft infer`")
    parser.add_argument("--heldout", type=Path, nargs="+", required=True, metavar="HELDOUT", help="held-out files of the same folds")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="predictions.jsonl to write")
    given = parser.parse_args(arguments)
    lines = gather(lines_of(given.shards), lines_of(given.heldout))
    record = given.out.with_name(given.out.name + ".manifest.json")
    with publishing(given.out, record) as (out, note):
        out.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        counts = {"cases": len(lines), "shards": len(given.shards), "held_out_files": len(given.heldout)}
        inputs = [*given.shards, *given.heldout]
        settings = settings_record(given, {})
        write_json(note, manifest("gather", inputs=inputs, outputs={given.out: out}, settings=settings, counts=counts, beside=record))
    log.info("gather: %d cases from %d shards", len(lines), len(given.shards))
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
