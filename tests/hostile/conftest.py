"""One run of the whole workflow over a hostile study, shared by the tests of this folder."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from oncoraft.cli import main
from oncoraft.foundation.provenance import file_digest

from ..workflow.conftest import SMALL, snakemake
from .study import make_hostile

SETTINGS = """\
cohort: hostile
study: "the study's files"
survival: {minimum_events_shown: 5, minimum_events: 5, minimum_group: 2}
"""


class HostileRun(NamedTuple):
    """The results of the cohort, the study, and what stood beside them: digests before and after."""

    results: Path
    study: Path
    before: dict[str, str]
    after: dict[str, str]


def beside(folder: Path) -> dict[str, str]:
    """Digests of every file of the working folder that no run may touch."""
    own = ("results", ".snakemake")
    paths = (path for path in folder.rglob("*") if path.is_file() and path.relative_to(folder).parts[0] not in own)
    return {path.relative_to(folder).as_posix(): file_digest(path) for path in sorted(paths)}


@pytest.fixture(scope="session")
def hostile_run(tmp_path_factory: pytest.TempPathFactory) -> HostileRun:
    """From tables to the report in one run, in a folder whose name has an apostrophe and spaces."""
    work = tmp_path_factory.mktemp("hostile") / "it's a run"
    study = work / "the study's files"
    assert main(["twin", "--patients", "100", "--seed", "5", "--processes", "1", "--out", str(work / "clean")]) == 0
    make_hostile(work / "clean", study)
    (work / "thesis").mkdir()
    (work / "thesis" / "results.docx").write_text("years of work")
    settings = work / "mine.yaml"
    settings.write_text(SETTINGS)
    before = beside(work)
    done = snakemake("--configfile", SMALL, settings, directory=work)
    assert done.returncode == 0, done.stderr[-6000:]
    return HostileRun(work / "results" / "hostile", study, before, beside(work))
