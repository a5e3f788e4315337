"""What a source file imports, which data files it names and the digest of its syntax: read once for each content, and kept.

Planning asks for three hundred files, at each start of the engine and once a job on a cluster; their syntax trees take three times as long as
all the rest. What is kept stands under the digest of the file's bytes, so that it cannot be out of date.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import sys
from functools import cache
from pathlib import Path
from typing import NamedTuple

KEPT = Path(".snakemake/oncoraft-sources.json")  # beside the engine's own records, where there are any
MOST = 2000  # readings kept; beyond, those of files as they were are let go


class Reading(NamedTuple):
    """What of this package a file imports by name, what its `DATA_FILES` name, and the digest of its syntax in hexadecimal."""

    imported: tuple[str, ...]
    data: tuple[str, ...]
    digest: str


def read(content: bytes, package: str) -> Reading:
    """Read a syntax tree; docstrings are taken out before the digest, comments are not in it."""
    tree = ast.parse(content)
    data = data_files(tree)
    imported: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported.update(alias.name for alias in node.names if alias.name.split(".")[0] == package)
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == package:
            imported.add(node.module)
            # `from package import module` names the module in its alias alone.
            imported.update(f"{node.module}.{alias.name}" for alias in node.names)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(node, clean=False):
            node.body = node.body[1:] or [ast.Pass()]
    # ast.dump leaves out places, so that layout does not count.
    return Reading(tuple(sorted(imported)), data, hashlib.sha256(ast.dump(tree).encode()).hexdigest())


def data_files(tree: ast.Module) -> tuple[str, ...]:
    """Names in a module's top-level `DATA_FILES`."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(isinstance(target, ast.Name) and target.id == "DATA_FILES" for target in node.targets):
            return tuple(ast.literal_eval(node.value))
    return ()


class Readings:
    """Readings by content, in memory and in the folder of the run.

    Args:
        kept: the file between runs; written only where its folder is there already.
    """

    def __init__(self, kept: Path = KEPT) -> None:
        self.kept = kept
        self.known: dict[str, Reading] = {}
        self.used: set[str] = set()
        self.is_read = self.is_changed = False

    def of(self, content: bytes, package: str) -> Reading:
        """The reading of a file's content."""
        self._load()
        # Another Python may print a tree in other words.
        key = f"{sys.version_info.major}.{sys.version_info.minor}-{package}-{hashlib.sha256(content).hexdigest()}"
        self.used.add(key)
        if key not in self.known:
            self.known[key], self.is_changed = read(content, package), True
        return self.known[key]

    def keep(self) -> None:
        """Write what is new; a folder that cannot be written to costs the time to read the files again, and nothing else."""
        if not self.is_changed or not self.kept.parent.is_dir():
            return
        rows = self.known if len(self.known) <= MOST else {key: self.known[key] for key in self.used}
        temporary = self.kept.with_name(f".partial-{os.getpid()}-{self.kept.name}")
        try:
            temporary.write_text(json.dumps(rows, sort_keys=True) + "\n", encoding="utf-8")
            os.replace(temporary, self.kept)
        except OSError:
            return
        self.is_changed = False

    def _load(self) -> None:
        if self.is_read:
            return
        self.is_read = True
        try:
            rows = json.loads(self.kept.read_text(encoding="utf-8"))
            self.known = {key: Reading(tuple(imported), tuple(data), str(digest)) for key, (imported, data, digest) in rows.items()}
        except (OSError, ValueError, AttributeError, TypeError):
            self.known = {}


@cache
def readings() -> Readings:
    """Those of this process."""
    return Readings()
