"""`oncoraft cases TABLES --out CASES`: the five steps in order, for those who work by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from oncoraft.cases import flow, folds, followup, labels, regimens
from oncoraft.planning.edge import read_settings, run, settings_record, step_parser
from oncoraft.planning.steps import STEPS


def main(arguments: Sequence[str] | None = None) -> int:
    """Run regimens, labels, follow-up, folds and flow with the same settings."""
    parser = step_parser("cases", "example:\n  oncoraft cases tables --out cases")
    parser.add_argument("tables", type=Path, metavar="TABLES", help="folder written by `oncoraft ingest`")
    parser.add_argument("--out", type=Path, required=True, metavar="CASES", help="folder for cases, labels, followup, folds and flow")
    given = parser.parse_args(arguments)
    record = settings_record(given, read_settings("cases", given))
    tables, cases = str(given.tables), str(given.out)
    for name, main_of, words in (
        ("regimens", regimens.main, [tables, "--out", cases]),
        ("labels", labels.main, [tables, cases]),
        ("followup", followup.main, [tables, cases]),
        ("folds", folds.main, [cases]),
        ("flow", flow.main, [tables, cases]),
    ):
        own = {block: record[block] for block in STEPS[name].blocks}
        main_of([*words, "--settings", json.dumps(own)])
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
