"""docs/tasks.md: the commands by hand run as they stand, and every task is told of."""

import json
import re
import shlex
from pathlib import Path

import pytest

from oncoraft.planning.settings.tasks import KINDS
from oncoraft.tasks import rate

TEXT = (Path(__file__).parents[2] / "docs" / "tasks.md").read_text()


def test_every_task_has_its_row() -> None:
    assert set(re.findall(r"^\| `(\w+)` \|", TEXT.split("## What a released")[0], re.M)) == set(KINDS)


def test_the_sheet_of_the_document_is_made_and_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, key in (("PROMPTS", "output"), ("BASE.jsonl", "rationale"), ("TUNED.jsonl", "rationale")):
        rows = [{"case_id": f"c{n}", "instruction": "Which?", "input": "a case", key: f"{name} {n}"} for n in range(4)]
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    make, read = re.findall(r"^oncoraft rate (.*)$", TEXT, re.M)
    assert rate.main(shlex.split(make)) == 0
    for rater in ("ab", "cd"):
        sheet = (tmp_path / "sheet/sheet.csv").read_text().replace('"","",""', '"yes","as is",""')
        (tmp_path / f"rated-{rater}.csv").write_text(sheet)
    assert rate.main(shlex.split(read)) == 0
    assert json.loads((tmp_path / "ratings/ratings.json").read_text())["agreement"]["acceptable"]["share_of_agreeing_pairs"] == 1
