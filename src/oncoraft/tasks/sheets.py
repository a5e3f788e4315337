"""A blinded sheet of answers: every answer of every source once, shuffled, with nothing that tells whose it is.

The key, which alone knows, is another file; raters never get it. Where two sources answered a case alike, the answer stands once and
counts for both.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from oncoraft.foundation.errors import InputError
from oncoraft.foundation.jsonl import read_jsonl
from oncoraft.foundation.provenance import canonical_json, text_digest
from oncoraft.foundation.stable import stable_fraction

DATA_FILES = ("sheet.html.jinja", "sheet.css", "sheet.js")
FOLDER = Path(__file__).parent
ACCEPTABLE = ("yes", "no")
GRADES = ("as is", "minor change", "major change", "unacceptable")  # in order, the best first
REFERENCE = "reference"
COLUMNS = ("sheet", "item", "question", "case", "answer", "acceptable", "grade", "comment")
TEXTS = ("rationale", "answer", "output")  # keys under which a file of answers holds them, the first that is there
LAYOUT = re.compile(r"^\s*Score:[^\n]*\n\s*Reasoning:\s*")


def read_source(path: Path) -> dict[str, str]:
    """Case -> answer of one source; cases without a written answer are left out.

    Of a rationale in the published layout the text alone: a score in front would tell a model's from a teacher's.

    Raises:
        InputError: no answers in it, or a case twice.
    """
    found = {}
    for number, row in enumerate(read_jsonl(path, ("case_id",), once="case_id"), 1):
        key = next((name for name in TEXTS if name in row), None)
        if key is None:
            raise InputError(f"expected one of the keys {', '.join(TEXTS)}", file=path, line=number)
        if isinstance(row[key], str) and (text := LAYOUT.sub("", row[key]).strip()):
            found[row["case_id"]] = text
    if not found:
        raise InputError("expected at least one written answer", file=path)
    return found


def make_items(
    prompts: Sequence[Mapping[str, Any]], sources: Mapping[str, Mapping[str, str]], cases: int, seed: int
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The sheet and its key.

    Args:
        prompts: case_id, instruction, input; patient_id where it is known.
        sources: name -> case -> answer; cases that all of them have answered can be drawn.
        cases: how many are drawn, by stable hash.
        seed: of the draw and the order.

    Raises:
        InputError: no case that all sources have answered.
    """
    rows = {row["case_id"]: row for row in prompts}
    shared = sorted(set(rows).intersection(*sources.values()), key=lambda case: (stable_fraction(seed, "case", case), case))
    if not shared:
        raise InputError("expected a case that every source has answered", found=", ".join(sources))
    found = []
    for case in shared[:cases]:
        texts: dict[str, list[str]] = {}
        for name, answers in sources.items():
            texts.setdefault(answers[case], []).append(name)
        for text, names in texts.items():
            found.append((stable_fraction(seed, "item", case, text), case, text, names))
    found.sort()
    width = len(str(len(found)))
    items = {f"{number:0{width}d}": one for number, one in enumerate(found, 1)}
    key = {
        "items": {
            item: {"case_id": case, "patient_id": rows[case].get("patient_id", case), "sources": names}
            for item, (_, case, _, names) in items.items()
        },
        "sources": list(sources),
        "grades": list(GRADES),
        "seed": seed,
    }
    texts_of = {item: [rows[case]["instruction"], rows[case]["input"], text] for item, (_, case, text, _) in items.items()}
    # A letter in front: spreadsheets would take a digest of digits alone, or one like 12e4, for a number.
    key["sheet"] = "s" + text_digest(canonical_json([key, texts_of]))[:12]
    frame = pd.DataFrame([[key["sheet"], item, *texts, "", "", ""] for item, texts in texts_of.items()], columns=list(COLUMNS))
    return frame, key


def html(frame: pd.DataFrame, title: str) -> str:
    """The sheet as one page that needs no network and saves what was filled in as a CSV of the same columns."""
    style, script = ((FOLDER / name).read_text(encoding="utf-8") for name in DATA_FILES[1:])
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(FOLDER), autoescape=True, undefined=jinja2.StrictUndefined)
    own = [f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in (style, script)]
    return environment.get_template(DATA_FILES[0]).render(
        title=title,
        policy=f"default-src 'none'; style-src {own[0]}; script-src {own[1]}; base-uri 'none'; form-action 'none'",
        style=style,
        script=script,
        rows=frame.to_dict("records"),
        columns=json.dumps(list(COLUMNS)),
        acceptable=ACCEPTABLE,
        grades=GRADES,
    )
