"""Whose a file is: a step's own, because its manifest says so, or somebody else's, which no step may touch."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, NamedTuple

from oncoraft.foundation.errors import InputError

BY_RULE = "ONCORAFT_BY_RULE"  # set by the workflow: the engine has removed what the rule declares
# What systems and the engine leave in folders by themselves: nobody's work.
LITTER = (".DS_Store", "Thumbs.db", "desktop.ini", ".nfs*", ".snakemake_timestamp", ".partial-*", ".previous-*")


def real(path: Path) -> Path:
    """A path with the links of its folders resolved, its own name left."""
    return Path(os.path.realpath(path.parent)) / path.name


def parts_of(folder: Path) -> list[Path]:
    """Everything in a folder that is no folder itself, however deep; links are not followed. Sorted."""
    found = []
    for place, inner, names in os.walk(folder):
        linked = [name for name in inner if (Path(place) / name).is_symlink()]
        found += [Path(place) / name for name in (*names, *linked)]
    return sorted(found)


def is_litter(path: Path, folder: Path) -> bool:
    """Whether a file of a folder is nobody's."""
    return any(fnmatch(part, pattern) for part in path.relative_to(folder).parts for pattern in LITTER)


def read_record(path: Path) -> dict[str, Any] | None:
    """A manifest with its step and outputs, of whatever version; None where there is none or it is another program's."""
    try:
        record = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
    except (OSError, ValueError, RecursionError):
        return None
    parts = {"step": str, "inputs": dict, "outputs": dict}
    is_ours = isinstance(record, dict) and all(isinstance(record.get(name), kind) for name, kind in parts.items())
    return record if is_ours else None


def refuse_over_inputs(outputs: Sequence[Path], inputs: Sequence[Path]) -> None:
    """Refuse an output that is an input, or a folder that holds one.

    Raises:
        InputError: naming both.
    """
    whole = [Path(os.path.realpath(path)) for path in inputs]
    for output in outputs:
        place = Path(os.path.realpath(output))
        for path, source in zip(whole, inputs, strict=True):
            if place == path or place in path.parents:
                how = "is" if place == path else "holds"
                raise InputError(f"expected an output apart from the inputs; it {how} the input {source}", file=output)


class Claim(NamedTuple):
    """What a step may replace.

    Attributes:
        steps: names of the step, and of others that write the same.
        record: its manifest.
        keeping: names within a folder that are later steps'.
        own: patterns of what it writes within a folder; they count in a job of the engine alone.
        known: real paths that it is otherwise known to have written.
    """

    steps: tuple[str, ...]
    record: Path
    keeping: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    known: frozenset[Path] = frozenset()

    def written(self) -> frozenset[Path]:
        """Real paths of the step's earlier outputs, its manifest among them."""
        record = read_record(self.record)
        if record is None or record["step"] not in self.steps:
            return self.known
        home = Path(os.path.realpath(self.record.parent))
        return self.known | {Path(os.path.normpath(home / name)) for name in record["outputs"]} | {real(self.record)}

    def file(self, path: Path) -> None:
        """Refuse a path at which something else than an earlier output of the step stands.

        Raises:
            InputError: a folder, a device, or a file that the step's manifest does not name.
        """
        _reachable(path)
        # Not `exists`: a link that leads nowhere stands there too.
        if not os.path.lexists(path):
            return
        kind = path.lstat().st_mode if not path.is_symlink() or not path.exists() else path.stat().st_mode
        if stat.S_ISDIR(kind):
            raise InputError("expected a file to write, found a folder", file=path)
        if not stat.S_ISREG(kind) and not stat.S_ISLNK(kind):
            raise InputError("expected a file to write, found a pipe or a device", file=path)
        if BY_RULE not in os.environ and real(path) not in self.written():
            raise InputError(f"expected no file here, or an earlier output of {self.name}; {self.advice}", file=path)

    def folder(self, path: Path) -> None:
        """Refuse a folder that holds anything but the step's earlier outputs and what later steps add.

        Raises:
            InputError: a file in place of the folder, or in it a file that the step's manifest does not name; the first is named.
        """
        _reachable(path)
        if os.path.lexists(path) and not path.is_dir():
            raise InputError("expected a folder to write, found a file", file=path)
        written, by_rule = self.written(), BY_RULE in os.environ
        for one in parts_of(path):
            inner = one.relative_to(path)
            if is_litter(one, path) or inner.parts[0] in self.keeping or real(one) in written:
                continue
            if by_rule and any(fnmatch(inner.as_posix(), pattern) for pattern in self.own):
                continue
            raise InputError(
                f"expected an empty folder, or an earlier output of {self.name} and nothing else; it holds other files, such as {inner}; {self.advice}",
                file=path,
            )

    def home(self, path: Path) -> None:
        """Refuse to fill a folder of other people's files; one in which any step has left its manifest is this package's.

        Raises:
            InputError: such a folder, or a file in its place.
        """
        if os.path.lexists(path) and not path.is_dir():
            raise InputError("expected a folder to write, found a file", file=path)
        if BY_RULE in os.environ or not path.is_dir():
            return
        others = [one for one in sorted(path.iterdir()) if not is_litter(one, path)]
        if others and not any(one.name.endswith("manifest.json") and read_record(one) for one in others):
            raise InputError(
                f"expected an empty folder, or an earlier output of {self.name}; it holds other files, such as {others[0].name}; {self.advice}",
                file=path,
            )

    @property
    def name(self) -> str:
        """The step as one calls it."""
        return f"`oncoraft {self.steps[0]}`"

    @property
    def advice(self) -> str:
        """What a user does next."""
        return "nothing was touched; write elsewhere or take it away"


def _reachable(path: Path) -> None:
    """Refuse a path one of whose folders is a file, or which may not be written to.

    Raises:
        InputError: naming that folder.
    """
    above = next(one for one in path.absolute().parents if os.path.lexists(one))
    if not above.is_dir():
        raise InputError("expected a folder, found a file", file=above)
    if not os.access(above, os.W_OK | os.X_OK):
        raise InputError("expected a folder that can be written to", file=above)
