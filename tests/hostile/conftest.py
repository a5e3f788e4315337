"""One run of the whole workflow over a hostile study, shared by the tests of this folder."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from oncoraft.cli import main
from oncoraft.foundation.provenance import file_digest

from ..workflow.conftest import ROOT, SMALL, snakemake
from .study import make_hostile

SETTINGS = """\
cohort: hostile
study: "the study's files"
survival: {minimum_events_shown: 5, minimum_events: 5, minimum_group: 2}
"""


class HostileRun(NamedTuple):
    """The results of the cohort, the study, and what stood beside them, by place: digests before and after."""

    results: Path
    study: Path
    before: dict[str, dict[str, str]]
    after: dict[str, dict[str, str]]


# What a run may write, by place: its results and the engine's records; in a home, what tools keep there for themselves.
OWN = {"working folder": ("results", ".snakemake"), "home": (".cache",), "temporary folder": (), "checkout": ()}
CODE = ("config", "docs", "envs", "profiles", "src", "workflow")


def digests(folder: Path, own: tuple[str, ...]) -> dict[str, str]:
    """Digests of every file of a folder that no run may touch; links as what they point to."""
    found = {}
    for path in sorted(folder.rglob("*")):
        inner = path.relative_to(folder)
        if inner.parts[0] not in own and "__pycache__" not in inner.parts and not path.is_dir():
            found[inner.as_posix()] = file_digest(path) if path.is_file() else str(path.readlink())
    return found


def surroundings(work: Path, home: Path, temporary: Path) -> dict[str, dict[str, str]]:
    """What stands around a run: its working folder with the study, a home, the folder of temporary files, the checkout."""
    places = {"working folder": work, "home": home, "temporary folder": temporary}
    found = {name: digests(folder, OWN[name]) for name, folder in places.items()}
    return found | {"checkout": {f"{name}/{path}": digest for name in CODE for path, digest in digests(ROOT / name, ()).items()}}


def plant(folder: Path) -> None:
    """Other people's work, under names that steps use for their own, in the hidden folders of a home too."""
    for name in (
        "thesis.docx",
        "results/demo/index.html",
        "report/data/mine.csv",
        "models/base/config.json",
        ".oncoraft/notes",
        "cases.parquet",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"years of work: {name}")
    (folder / "link").symlink_to(folder / "thesis.docx")
    (folder / "link to nothing").symlink_to(folder / "nowhere")


@pytest.fixture(scope="session")
def hostile_run(tmp_path_factory: pytest.TempPathFactory) -> HostileRun:
    """From tables to the report in one run, in a folder whose name has an apostrophe and spaces."""
    work = tmp_path_factory.mktemp("hostile") / "it's a run"
    study = work / "the study's files"
    assert main(["twin", "--patients", "100", "--seed", "5", "--processes", "1", "--out", str(work / "clean")]) == 0
    make_hostile(work / "clean", study)
    home, temporary = work.parent / "home", work.parent / "temporary"
    for folder in (work / "thesis", study / "notes", home, temporary):
        plant(folder)
    settings = work / "mine.yaml"
    settings.write_text(SETTINGS)
    before = surroundings(work, home, temporary)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        patch.setenv("TMPDIR", str(temporary))
        for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR", "HF_HOME"):
            patch.delenv(name, raising=False)
        done = snakemake("--configfile", SMALL, settings, directory=work)
    assert done.returncode == 0, done.stderr[-6000:]
    return HostileRun(work / "results" / "hostile", study, before, surroundings(work, home, temporary))
