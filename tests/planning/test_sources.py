"""Which source files a step depends on, and when its digest changes."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from oncoraft.planning import sources
from oncoraft.planning.steps import STEPS
from tests.forked import modules_after_importing

SRC = Path(__file__).parents[2] / "src"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small package of its own, in the place of ours."""
    root = tmp_path / "oncoraft"
    (root / "stage").mkdir(parents=True)
    (root / "foundation").mkdir()
    for name, text in {
        "__init__.py": "",
        "foundation/__init__.py": "",
        "foundation/stable.py": "def number():\n    return 1\n",
        "stage/__init__.py": "",
        "stage/step.py": '"""Doc."""\nfrom oncoraft.foundation.stable import number\nDATA_FILES = ("data.csv",)\n\ndef main():\n    """Say."""\n    return number()  # why\n',
        "stage/other.py": "x = 1\n",
        "stage/data.csv": "a\n",
    }.items():
        (root / name).write_text(text)
    monkeypatch.setattr(sources, "ROOT", root)
    return root


def digest() -> str:
    sources.source.cache_clear()
    sources.code_digest.cache_clear()
    return sources.code_digest("flow")


@pytest.mark.parametrize(
    ("file", "old", "new", "changes"),
    [
        ("stage/step.py", "# why", "# because", False),
        ("stage/step.py", "Say.", "Tell.", False),
        ("stage/step.py", "    return number()", "\n    return number()", False),
        ("stage/step.py", "return number()", "return number() + 1", True),
        ("foundation/stable.py", "return 1", "return 2", True),
        ("stage/data.csv", "a", "b", True),
        ("stage/other.py", "x = 1", "x = 2", False),
    ],
)
def test_the_digest_changes_with_code_and_data_that_the_step_uses_and_with_nothing_else(
    package: Path, monkeypatch: pytest.MonkeyPatch, file: str, old: str, new: str, changes: bool
) -> None:
    monkeypatch.setitem(sources.STEPS, "flow", STEPS["flow"]._replace(module="oncoraft.stage.step"))
    before = digest()
    path = package / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    assert (digest() != before) is changes
    sources.source.cache_clear()
    sources.code_digest.cache_clear()


@pytest.mark.parametrize("step", STEPS)
def test_the_walked_imports_are_those_that_importing_the_step_really_brings_in(step: str) -> None:
    module = STEPS[step].module
    loaded = modules_after_importing(module)
    packages = {name for name in loaded if Path(getattr(importlib.import_module(name), "__file__", "") or "").name == "__init__.py"}
    assert loaded - packages <= set(sources.closure(module))


def test_every_data_file_of_the_package_belongs_to_a_module() -> None:
    sources.source.cache_clear()
    owned = {file for step in STEPS.values() for name in sources.closure(step.module) for file in sources.source(name).data}
    there = {file for file in (SRC / "oncoraft").rglob("*") if file.is_file() and file.suffix not in {".py", ".pyc"}}
    assert there <= owned


def test_compiled_modules_in_a_folder_of_data_are_no_data(tmp_path: Path) -> None:
    (tmp_path / "declared" / "__pycache__").mkdir(parents=True)
    for name in ("declared/one.py", "declared/__pycache__/one.cpython-311.pyc"):
        (tmp_path / name).write_text("")
    assert sources._data_paths(("declared",), tmp_path) == (tmp_path / "declared" / "one.py",)


def test_no_step_imports_more_than_it_needs() -> None:
    code = "import sys; import oncoraft.cli; print([m for m in ('torch', 'pandas', 'numpy', 'pydantic') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
