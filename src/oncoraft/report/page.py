"""The page: one template with escaping everywhere, and a content-security policy under which nothing runs and nothing is fetched."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

import jinja2

from oncoraft.report.text import visible

DATA_FILES = ("templates",)
TEMPLATES = Path(__file__).parent / DATA_FILES[0]
STYLE_SHEET = TEMPLATES / "style.css"


def policy() -> str:
    """The content-security policy: the page's own style sheet, known by its digest, and nothing else."""
    digest = base64.b64encode(hashlib.sha256(STYLE_SHEET.read_bytes()).digest()).decode("ascii")
    return f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"


def fill(**values: Any) -> str:
    """The template with its values: every text is escaped, and what cannot be seen in it is replaced; `drawing.svg` alone vouches for markup."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=visible,
        keep_trailing_newline=True,
        trim_blocks=False,
    )
    return environment.get_template("report.html.jinja").render(policy=policy(), **values)
