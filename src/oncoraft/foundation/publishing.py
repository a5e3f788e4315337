"""Outputs appear whole or not at all, and take the place of nothing but earlier outputs of the same step.

An output is written beside its destination and renamed. What stands at a destination is replaced only if the manifest of that very step
names it; a folder, only if it holds nothing else. A folder that is replaced is renamed aside first and removed last: whatever is killed
in between, the old or the new one is there, and the next call tidies up.

The engine removes what a rule declares, manifests too, before it runs a job. In such a job (`ONCORAFT_BY_RULE`, set by the workflow) the
destinations are the plan's own, and a file that the step is known to write counts as an earlier output without its manifest.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from oncoraft.foundation.ownership import Claim, parts_of, real
from oncoraft.foundation.storage import written_in_one_line

MANIFEST = "manifest.json"
PARTIAL, PREVIOUS = ".partial", ".previous"


@contextmanager
def publishing(
    *paths: Path,
    step: str | tuple[str, ...],
    folders: Collection[Path] = (),
    home: Path | None = None,
    record: Path | None = None,
    keeping: Sequence[str] = (),
    own: Sequence[str] = (),
    known: Iterable[Path] = (),
) -> Iterator[tuple[Path, ...]]:
    """Temporary siblings of `paths` to write to; renamed together at the end, removed if anything fails.

    Args:
        paths: files and folders to write.
        step: the step that writes them, and others that write the same.
        folders: those of `paths` that are folders; each is replaced whole.
        home: the folder that a step fills with `paths`: refused where others' files are in it.
        record: the manifest that names them; otherwise the last of `paths`, or `manifest.json` in the only folder.
        keeping: names within a folder that later steps write to; they stay.
        own: patterns of what the step writes within a folder, for a job of the engine.
        known: what the step wrote before by another record than its manifest.

    Raises:
        InputError: something else stands there, a path cannot be written to, or the disk is full; nothing is touched.

    Example:
        with publishing(Path("cases.parquet"), Path("cases.parquet.manifest.json"), step="regimens") as (cases, note):
            ...
    """
    claim(*paths, step=step, folders=folders, home=home, record=record, keeping=keeping, own=own, known=known)
    temporary = tuple(_beside(path, PARTIAL) for path in paths)
    made: list[Path] = []
    with written_in_one_line(paths[0]):
        try:
            for path in paths:
                made += _made_folders(path.parent)
            yield temporary
            for source, destination in zip(temporary, paths, strict=True):
                _put(source, destination, keeping)
            made.clear()
        finally:
            for source in temporary:
                _remove(source)
            for folder in reversed(made):
                with suppress(OSError):
                    folder.rmdir()


def claim(
    *paths: Path,
    step: str | tuple[str, ...],
    folders: Collection[Path] = (),
    home: Path | None = None,
    record: Path | None = None,
    keeping: Sequence[str] = (),
    own: Sequence[str] = (),
    known: Iterable[Path] = (),
) -> None:
    """Refuse now what `publishing` would refuse: for steps whose work is long. The arguments are the same."""
    if record is None:
        record = paths[0] / MANIFEST if len(paths) == 1 and folders else paths[-1]
    for path in paths:
        recover(path)
    asked = Claim((step,) if isinstance(step, str) else step, record, tuple(keeping), tuple(own), frozenset(map(real, known)))
    if home is not None:
        asked.home(home)
    for path in paths:
        asked.folder(path) if path in folders else asked.file(path)


def recover(path: Path) -> None:
    """Tidy up after a call that was killed: bring back a folder that was renamed aside, remove what is spent or half-written."""
    if not path.parent.is_dir():
        return
    for kind in (PREVIOUS, PARTIAL):
        for left in sorted(path.parent.glob(f"{kind}-*-{_escaped(path.name)}")):
            number = left.name.removeprefix(f"{kind}-").removesuffix(f"-{path.name}")
            if not number.isdigit() or _is_alive(int(number)):
                continue
            if kind == PREVIOUS and not os.path.lexists(path):
                left.rename(path)
            else:
                _remove(left)


def _put(source: Path, destination: Path, keeping: Sequence[str]) -> None:
    """Rename into place. A folder of which later steps hold a part is filled file by file, the manifest last."""
    if not source.is_dir():
        source.replace(destination)
    elif not os.path.lexists(destination):
        source.rename(destination)
    elif any((destination / name).exists() for name in keeping):
        before = [path for path in parts_of(destination) if path.relative_to(destination).parts[0] not in keeping]
        after = sorted(parts_of(source), key=lambda path: (path.name == MANIFEST, path))
        for path in after:
            goal = destination / path.relative_to(source)
            goal.parent.mkdir(parents=True, exist_ok=True)
            path.replace(goal)
        for path in set(before) - {destination / path.relative_to(source) for path in after}:
            path.unlink()
    else:
        goal = Path(os.path.realpath(destination))  # a link to a folder stays a link
        aside = _beside(goal, PREVIOUS)
        goal.rename(aside)
        try:
            source.rename(goal)
        # An interrupt too: whatever ends this, the old folder has to stand in its place again.
        except BaseException:
            aside.rename(goal)
            raise
        _remove(aside)


def _beside(path: Path, kind: str) -> Path:
    return path.with_name(f"{kind}-{os.getpid()}-{path.name}")


def _made_folders(folder: Path) -> list[Path]:
    """Make a folder; those that were not there, the outermost first."""
    absent = [one for one in (folder, *folder.parents) if not one.exists()][::-1]
    folder.mkdir(parents=True, exist_ok=True)
    return absent


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _escaped(name: str) -> str:
    # A name may hold the characters that glob reads as patterns.
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


def _is_alive(number: int) -> bool:
    try:
        # Signal 0 only asks whether the process is there.
        os.kill(number, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
