"""One tiny fold of every architecture, made once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from oncoraft.models.base import load_tokenizer
from oncoraft.models.cases import Case, encode, read_rows
from tests.models.tiny_folds import ARCHITECTURES, CONTEXT, build


@pytest.fixture(scope="session", params=ARCHITECTURES)
def fold(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with base/, fold/ and rows.jsonl."""
    return build(tmp_path_factory.mktemp(request.param), request.param)


@pytest.fixture(scope="session")
def qwen3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same of one architecture, for what does not depend on it."""
    return build(tmp_path_factory.mktemp("one"), "qwen3")


@pytest.fixture(scope="module")
def tokenizer(fold: Path) -> Any:
    """The tokenizer of its base."""
    return load_tokenizer(fold / "base")


@pytest.fixture(scope="module")
def cases(fold: Path, tokenizer: Any) -> list[Case]:
    """Its cases, longest first."""
    return sorted(encode(read_rows(fold / "rows.jsonl"), tokenizer, CONTEXT), key=lambda case: -len(case.prompt))
