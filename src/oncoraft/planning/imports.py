"""What a step's process loads: the libraries that its step uses, and not those that a library loads for what no step does.

The start of a process is most of what a step on a small cohort takes, and a study starts hundreds. transformers (5.17) loads torch wherever a
tokenizer is opened, and scikit-learn, scipy and pandas for one function of assisted decoding; it does without either where it finds none.
"""

from __future__ import annotations

import gc
import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

# Of the steps that open a tokenizer and no model: their own code imports no torch.
TOKENIZING = frozenset(
    {
        "audit",
        "render",
        "prompts",
        "split",
        "export-jsonl",
        "final-cases",
        "outside-cases",
        "pool-prompts",
        "control",
        "tokens",
        "leakage",
        "rewards",
        "task-prompts",
        "cell-prompts",
        "cell-split",
        "cell-removals",
        "cell-markers",
        "rate",
    }
)


def unseen_by(step: str) -> dict[str, str]:
    """Module -> the library that it does not find while it is loaded in this step's process."""
    everywhere = {"transformers.generation.candidate_generator": "sklearn"}
    return everywhere | ({"transformers": "torch"} if step in TOKENIZING else {})


@contextmanager
def hidden(library: str) -> Iterator[None]:
    """A library that is not loaded yet is not found within; nothing changes for one that is."""
    if library in sys.modules:
        yield
        return
    sys.modules[library] = None  # type: ignore[assignment]  # the import system's own mark for what is not there
    try:
        yield
    finally:
        del sys.modules[library]


class Unseen(MetaPathFinder):
    """A finder on `sys.meta_path`: it has modules loaded as ever, with a library out of their sight."""

    def __init__(self, unseen: Mapping[str, str]) -> None:
        self.unseen = dict(unseen)

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """The module's own specification, whose loading is wrapped; nothing for modules that are not among ours."""
        library = self.unseen.pop(name, None)
        spec = importlib.util.find_spec(name) if library else None
        if library is None or spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def execute_without(module: ModuleType) -> None:
            with hidden(library):
                execute(module)

        spec.loader.exec_module = execute_without  # type: ignore[method-assign]
        return spec


def prepare(step: str) -> None:
    """Leave out of this process what its step does not use; once, before the step's module is loaded."""
    sys.meta_path.insert(0, Unseen(unseen_by(step)))
    if step in TOKENIZING:
        # That torch is not found is what was asked for: no advice to install it.
        os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")


def load(name: str) -> Any:
    """Load a module without looking for reference cycles, which takes a quarter of the time and finds nothing: what it loads stays."""
    if name in sys.modules:
        return sys.modules[name]
    searched = gc.isenabled()
    gc.disable()
    try:
        return importlib.import_module(name)
    finally:
        gc.freeze()
        if searched:
            gc.enable()
