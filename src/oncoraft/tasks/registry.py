"""The tasks that there are: one a file of `declared/`."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from oncoraft.planning.settings.tasks import KINDS
from oncoraft.tasks.declaration import Task

# Imported by name at run time: this is how reruns know of them.
DATA_FILES = ("declared", "icd10_sites.csv")


@cache
def task_of(kind: str) -> Task:
    """The declaration of a kind, one of `KINDS`."""
    assert kind in KINDS, kind
    task: Task = import_module(f"oncoraft.tasks.declared.{kind}").TASK
    assert task.kind == kind, f"declared/{kind}.py declares {task.kind}"
    return task


@cache
def declared() -> dict[str, Task]:
    """Every kind with its declaration."""
    return {kind: task_of(kind) for kind in KINDS}
