"""The package's import rule: six floors, every arrow down; rooms of one floor meet in files, not in one another."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--config", "pyproject.toml", "--no-cache"]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, env={"PYTHONPATH": "src", "PATH": "/usr/bin"}, check=False)


def test_the_package_keeps_it() -> None:
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("cases/labels.py", "from oncoraft.prompts import render"),
        ("survival/stratify.py", "import oncoraft.evaluation.bootstrap"),
        ("foundation/provenance.py", "import oncoraft.cohort"),
        ("evidence/facts.py", "import oncoraft.prompts.render"),
        ("twin/twin.py", "import oncoraft.cohort.reader"),
        ("inference/infer.py", "import oncoraft.training.loop"),
        ("training/train.py", "import oncoraft.evaluation.metrics"),
        ("prompts/render.py", "import oncoraft.models.base"),
        ("page/api.py", "import oncoraft.training.loop"),
        ("rationales/rationales.py", "import oncoraft.evidence.facts"),
        ("verifiers/factual.py", "import oncoraft.planning.config"),
        ("planning/plan.py", "import oncoraft.verifiers.factual"),
        ("knowledge/drugs.py", "import oncoraft.planning.edge"),
    ],
)
def test_a_planted_import_is_found(tmp_path: Path, file: str, line: str) -> None:
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    planted = tmp_path / "src" / "oncoraft" / file
    planted.write_text(
        planted.read_text().replace("from __future__ import annotations\n", f"from __future__ import annotations\n\n{line}\n", 1)
    )
    done = lint(tmp_path)
    assert done.returncode == 1
    assert "BROKEN" in done.stdout
