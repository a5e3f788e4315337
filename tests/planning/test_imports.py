"""The start of a step's process: what no step uses is not loaded, and what is left out is there for everybody else."""

from __future__ import annotations

import ast
import gc
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from oncoraft.planning.imports import TOKENIZING, Unseen, hidden, load
from oncoraft.planning.sources import closure, module_file
from oncoraft.planning.steps import STEPS


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the import path: `reading_one` takes `heavy_one` along where there is one."""
    (tmp_path / "heavy_one.py").write_text("")
    (tmp_path / "reading_one.py").write_text(
        "import importlib.util\nfound = importlib.util.find_spec('heavy_one') is not None\ntry:\n    import heavy_one\nexcept ImportError:\n    heavy_one = None\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in ("heavy_one", "reading_one"):
        sys.modules.pop(name, None)


@cache
def imports_of(module: str) -> frozenset[str]:
    """Top-level names of all that a module imports anywhere."""
    file = module_file(module)
    assert file is not None
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return frozenset(found)


def imported_by(step: str) -> set[str]:
    """Top-level names of all that a step's own modules import anywhere."""
    return {name for module in closure(STEPS[step].module) for name in imports_of(module)}


def test_a_module_is_loaded_without_what_is_out_of_its_sight_and_others_find_it(packages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "meta_path", [Unseen({"reading_one": "heavy_one"}), *sys.meta_path])
    reading = load("reading_one")
    assert (reading.found, reading.heavy_one) == (False, None)
    assert load("heavy_one").__name__ == "heavy_one"
    assert reading.__file__ == str(packages / "reading_one.py")


def test_what_is_loaded_already_is_not_hidden(packages: Path) -> None:
    heavy = load("heavy_one")
    with hidden("heavy_one"):
        assert load("reading_one").heavy_one is heavy


def test_what_was_hidden_is_found_also_where_loading_fails(packages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (packages / "reading_one.py").write_text("raise ValueError('as it is')")
    monkeypatch.setattr(sys, "meta_path", [Unseen({"reading_one": "heavy_one"}), *sys.meta_path])
    with pytest.raises(ValueError, match="as it is"):
        load("reading_one")
    assert load("heavy_one").__name__ == "heavy_one"


@pytest.mark.parametrize("searched", [True, False])
def test_the_search_for_cycles_is_as_it_was_after_loading(packages: Path, searched: bool) -> None:
    before = gc.isenabled()
    try:
        (gc.enable if searched else gc.disable)()
        load("heavy_one")
        assert gc.isenabled() == searched
    finally:
        (gc.enable if before else gc.disable)()


def test_a_step_from_which_torch_is_hidden_imports_none_and_those_that_tokenize_are_such() -> None:
    found = {step: imported_by(step) for step in STEPS}
    assert {step for step in TOKENIZING if "torch" in found[step]} == set()
    tokenizing = {step for step in STEPS if "transformers" in found[step] and "torch" not in found[step]}
    assert tokenizing - {"page"} == TOKENIZING, "the page starts a process that answers"


def test_no_step_that_starts_a_model_uses_scikit_learn() -> None:
    assert {step for step in STEPS if {"peft", "sklearn"} <= imported_by(step)} == set()


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.strip()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("step", "imported", "absent"),
    [
        ("tokens", "from transformers import AutoTokenizer", ("torch", "sklearn", "pandas")),
        ("infer", "import oncoraft.models.attention, transformers.generation.candidate_generator", ("sklearn", "scipy.stats", "pandas")),
    ],
)
def test_transformers_is_loaded_without_what_the_step_does_not_use(step: str, imported: str, absent: tuple[str, ...]) -> None:
    code = f"""
import sys
from oncoraft.planning.imports import prepare
prepare({step!r})
{imported}
print([name for name in {absent!r} if name in sys.modules])
import {absent[0]}
print({absent[0]}.__name__)
"""
    assert run(code).splitlines() == ["[]", absent[0]]
