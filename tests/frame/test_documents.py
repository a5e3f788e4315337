"""Generated documents, environments and lock agree with the code."""

import re
from pathlib import Path

import pytest
import yaml

from oncoraft.documents import documents

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("path", documents(), ids=str)
def test_generated_documents_are_current(path: Path) -> None:
    assert (ROOT / path).read_text() == documents()[path], f"{path} is out of date: run `make docs`"


def pinned() -> dict[str, str]:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    return {name.lower(): version for name, version in (line.split("==") for line in lines if line and not line.startswith("#"))}


def test_the_lock_pins_every_package_exactly_and_names_no_address() -> None:
    text = (ROOT / "requirements.lock").read_text()
    assert "://" not in text
    assert "--hash" not in text
    assert len(pinned()) > 50


@pytest.mark.parametrize("name", ["data", "train", "analysis"])
def test_environments_have_the_versions_of_the_lock(name: str) -> None:
    environment = yaml.safe_load((ROOT / "envs" / f"{name}.yaml").read_text())
    packages = environment["dependencies"][-1]["pip"]
    assert {line.split("==")[0].lower(): line.split("==")[1] for line in packages}.items() <= pinned().items()


def test_the_lowest_engine_that_is_claimed_is_the_one_that_the_package_asks_for() -> None:
    claimed = re.search(r'min_version\("([\d.]+)"\)', (ROOT / "workflow" / "Snakefile").read_text())
    asked = re.search(r'"snakemake>=([\d.]+)"', (ROOT / "pyproject.toml").read_text())
    assert claimed
    assert asked
    assert claimed.group(1) == asked.group(1)
