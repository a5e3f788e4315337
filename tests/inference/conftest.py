"""One tiny fold of every architecture, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.models.tiny_folds import ARCHITECTURES, build


@pytest.fixture(scope="session", params=ARCHITECTURES)
def fold(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with base/, fold/ and rows.jsonl."""
    return build(tmp_path_factory.mktemp(request.param), request.param)


@pytest.fixture(scope="session")
def qwen3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same of one architecture, for what does not depend on it."""
    return build(tmp_path_factory.mktemp("one"), "qwen3")
