"""Blinded sheets for raters: `oncoraft rate --make ...`, and the filled ones back: `oncoraft rate --read ...`.

Sheets are for whatever is text: answers to a task, and rationales of the response task.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from oncoraft.fold_files import TEXTS, read_fold_file
from oncoraft.foundation.csv_file import write_csv
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.ownership import refuse_over_inputs
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.planning.edge import run, step_parser
from oncoraft.tasks.ratings import measured, read_filled, read_key
from oncoraft.tasks.sheets import LAYOUT, REFERENCE, html, make_items, read_source

log = logging.getLogger("oncoraft")
EPILOG = """--make  in:  prompts (instruction and input of each case; an `output` that stands there is the reference) and answers by source
        out: sheet.csv and sheet.html for the raters, key.json for nobody but --read
--read  in:  filled sheets, a rater a file, and the key
        out: ratings.json (share acceptable with interval, grades, tests, agreement) and ratings.csv

examples:
  oncoraft rate --make --prompts prompts.jsonl --answers base=base.jsonl tuned=tuned.jsonl --cases 30 --out sheet
  oncoraft rate --make --prompts heldout.jsonl --answers raft=predictions.jsonl reference=rationales.jsonl --out sheet
  oncoraft rate --read rated-ab.csv rated-cd.csv --key sheet/key.json --out ratings"""


def named_files(words: Sequence[str]) -> dict[str, list[Path]]:
    """Source -> its files, of `name=FILE` words; a name that comes twice has several.

    Raises:
        InputError: a word without a name or a file.
    """
    found: dict[str, list[Path]] = {}
    for word in words:
        name, equals, path = word.partition("=")
        if not (name and equals and path):
            raise InputError("--answers: expected name=FILE", found=word)
        found.setdefault(name, []).append(Path(path))
    return found


def make(given: argparse.Namespace) -> None:
    """Write a sheet and its key.

    Raises:
        InputError: arguments that are missing, or see the readers.
    """
    if not given.prompts or not given.answers:
        raise InputError("--make: expected --prompts and --answers")
    if given.cases < 1:
        raise InputError("--cases: expected at least 1", found=given.cases)
    prompts = [row for path in given.prompts for row in read_fold_file(path, ("case_id", *TEXTS), texts=TEXTS)]
    files = named_files(given.answers)
    sources: dict[str, dict[str, str]] = {}
    for name, paths in files.items():
        sources[name] = {}
        for path in paths:
            found = read_source(path)
            if twice := sorted(set(found) & set(sources[name])):
                raise InputError(f"expected each case of {name} in one of its files", file=path, column="case_id", found=twice[0])
            sources[name] |= found
    written_first = {row["case_id"]: LAYOUT.sub("", row["output"]).strip() for row in prompts if isinstance(row.get("output"), str)}
    told = {case: text for case, text in written_first.items() if text}
    if told and REFERENCE not in sources:
        sources[REFERENCE] = told
    frame, key = make_items(prompts, sources, given.cases, given.seed)
    outputs = [given.out / name for name in ("sheet.csv", "sheet.html", "key.json")]
    record = given.out / "manifest.json"
    inputs = [*given.prompts, *(path for paths in files.values() for path in paths)]
    refuse_over_inputs(outputs, inputs)
    with publishing(*outputs, record, step="rate", home=given.out) as (table, page, secret, note):
        write_csv(table, frame)
        page.write_text(html(frame, given.title), encoding="utf-8")
        write_json(secret, key)
        counts = {"items": len(frame), "cases": len({one["case_id"] for one in key["items"].values()}), "sources": list(sources)}
        written = dict(zip(outputs, (table, page, secret), strict=True))
        settings: dict[str, Any] = {"cases": given.cases, "seed": given.seed, "title": given.title}
        write_json(note, manifest("rate", inputs=inputs, outputs=written, settings=settings, counts=counts, beside=record))
    log.info("rate: %d items of %d cases; keep %s away from the raters", counts["items"], counts["cases"], outputs[2])


def equal_files(paths: Sequence[Path]) -> list[list[str]]:
    """Names of raters whose files hold the same bytes: agreement of a sheet with its copy is none."""
    named: dict[bytes, list[str]] = {}
    for path in paths:
        named.setdefault(path.read_bytes(), []).append(path.stem)
    return [names for names in named.values() if len(names) > 1]


def read(given: argparse.Namespace) -> None:
    """Read filled sheets, unblind, measure.

    Raises:
        InputError: no key, two files of one name, or see the readers.
    """
    if given.key is None:
        raise InputError("--read: expected --key, the key written by --make")
    key = read_key(given.key)
    filled = {}
    for path in given.read:
        if path.stem in filled:
            raise InputError("expected a file of its own name for each rater", file=path)
        filled[path.stem] = read_filled(path, key)
    found = measured(key, filled) | {"raters_of_equal_files": equal_files(given.read)}
    for names in found["raters_of_equal_files"]:
        log.warning("rate: the files of %s are equal byte for byte; one file given twice is no second rater", " and ".join(names))
    outputs = [given.out / name for name in ("ratings.json", "ratings.csv")]
    record = given.out / "manifest.json"
    with publishing(*outputs, record, step="rate", home=given.out) as (out, table, note):
        write_json(out, found)
        write_csv(table, pd.DataFrame([{name: one[name] for name in one if name != "grades"} | one["grades"] for one in found["sources"]]))
        counts = {"raters": len(filled), "items": len(key["items"]), "ratings": found["agreement"]["acceptable"]["ratings"]}
        written = dict(zip(outputs, (out, table), strict=True))
        write_json(note, manifest("rate", inputs=[given.key, *given.read], outputs=written, settings={}, counts=counts, beside=record))
    for one in found["sources"]:
        log.info("rate: %s acceptable in %s of %d cases", one["source"], one["acceptable"], one["cases"])


def main(arguments: Sequence[str] | None = None) -> int:
    """Make or read."""
    parser = step_parser("rate", EPILOG)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--make", action="store_true", help="write a blinded sheet and its key")
    what.add_argument("--read", type=Path, nargs="+", metavar="FILE", help="filled sheets, a rater each")
    parser.add_argument("--prompts", type=Path, nargs="+", metavar="FILE", help="JSONL with instruction and input of the cases")
    parser.add_argument("--answers", nargs="+", metavar="NAME=FILE", help="JSONL of answers by source")
    parser.add_argument("--cases", type=int, default=30, metavar="N", help="cases to draw (30)")
    parser.add_argument("--seed", type=int, default=1, help="of the draw and the order (1)")
    parser.add_argument("--title", default="Answers to judge", help="heading of the page; it should not tell whose answers they are")
    parser.add_argument("--key", type=Path, metavar="FILE", help="key.json of the sheet")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="folder to write")
    given = parser.parse_args(arguments)
    make(given) if given.make else read(given)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
