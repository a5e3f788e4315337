"""The page: one template with escaping everywhere, and a content-security policy under which its own script alone runs and nothing is fetched."""

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
SCRIPT = TEMPLATES / "page.js"


def digest(path: Path) -> str:
    """A file as a content-security policy names it."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(path.read_bytes()).digest()).decode('ascii')}'"


def policy() -> str:
    """The content-security policy: the page's own style sheet and script, known by their digests, and nothing else."""
    own = f"style-src {digest(STYLE_SHEET)}; script-src {digest(SCRIPT)}"
    return f"default-src 'none'; {own}; img-src data:; base-uri 'none'; form-action 'none'"


def fill(**values: Any) -> str:
    """The template with its values: every text is escaped, and what cannot be seen in it is replaced; `plot` and `drawing` alone vouch for markup."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=visible,
        keep_trailing_newline=True,
        trim_blocks=False,
    )
    return environment.get_template("report.html.jinja").render(policy=policy(), **values)
