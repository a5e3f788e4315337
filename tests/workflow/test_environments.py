"""A rule's conda environment holds what its step imports: a missing package would be found only on a cluster."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest
import yaml

from oncoraft.planning.sources import closure, module_file
from oncoraft.planning.steps import STEPS

from .conftest import ROOT

DISTRIBUTIONS = {"markupsafe": "MarkupSafe", "sklearn": "scikit-learn", "yaml": "PyYAML", "jinja2": "Jinja2", "rouge_score": "rouge-score"}
# Optional engines that a user adds, imported only where they are asked for.
OPTIONAL = {"vllm", "triton"}
RULES = "\n".join(file.read_text() for file in sorted((ROOT / "workflow" / "rules").glob("*.smk")))
PAIRS = sorted(
    {
        (step, environment)
        for rule in re.split(r"\n(?=rule |    rule:\n)", RULES)
        for step in re.findall(r"python -m oncoraft (\S+)", rule)
        for environment in re.findall(r"envs/(\w+)\.yaml", rule)
    }
)


def imported(step: str) -> set[str]:
    """Distributions that a step's modules import, at the top or inside a function."""
    found: set[str] = set()
    for name in closure(STEPS[step].module):
        file = module_file(name)
        assert file is not None
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                found.add(node.module.split(".")[0])
    outside = found - set(sys.stdlib_module_names) - {"oncoraft"} - OPTIONAL
    return {DISTRIBUTIONS.get(name, name) for name in outside}


def packages(environment: str) -> set[str]:
    described = yaml.safe_load(Path(ROOT / "envs" / f"{environment}.yaml").read_text(encoding="utf-8"))
    return {line.split("==")[0] for entry in described["dependencies"] if isinstance(entry, dict) for line in entry["pip"]}


def test_every_rule_names_one_environment() -> None:
    assert {step for step, _ in PAIRS} <= set(STEPS)
    assert len(PAIRS) >= 18


@pytest.mark.parametrize(("step", "environment"), PAIRS)
def test_the_environment_of_a_step_holds_what_it_imports(step: str, environment: str) -> None:
    assert imported(step) <= packages(environment)
