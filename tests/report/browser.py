"""The page in a real browser: a copy of it that measures itself and writes what it found into its own text."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine (Debian: apt-get install chromium)")
NARROWEST = 500  # a window of headless Chromium is no narrower; a narrower page is put into a frame
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--host-resolver-rules=MAP * ~NOTFOUND"]
MEASURED = re.compile(r'<pre id="measured">(.*?)</pre>', re.DOTALL)


def axe_source() -> str:
    """axe-core as its package brings it."""
    found = find_spec("axe_core_python")
    if found is None or found.origin is None:
        pytest.skip("axe-core-python is not installed (it is among the development extras)")
    return Path(found.origin).with_name("axe.min.js").read_text(encoding="utf-8")


def chromium(page: Path, home: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    """Run a browser over a page of this machine."""
    command = [str(CHROMIUM), *FLAGS, f"--user-data-dir={home / 'profile'}", *flags, page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=True)


def measured(page: Path, home: Path, script: str, *flags: str, width: int = 1280) -> Any:
    """What a script finds on the page: it runs when the page has loaded, and `tell(value)` ends it.

    The policy of the copy names this script's digest too, and is otherwise that of the page.
    """
    told = (
        "addEventListener('load',async()=>{const tell=(value)=>{const box=document.createElement('pre');box.id='measured';"
        f"box.textContent=JSON.stringify(value);document.body.append(box);parent.postMessage(box.outerHTML,'*')}};{script}}})"
    )
    digest = base64.b64encode(hashlib.sha256(told.encode()).digest()).decode()
    text = page.read_text(encoding="utf-8")
    assert "script-src " in text
    copy = home / "measured.html"
    copy.write_text(
        text.replace("script-src ", f"script-src 'sha256-{digest}' ", 1).replace("<script>", f"<script>{told}</script><script>", 1),
        encoding="utf-8",
    )
    if width < NARROWEST:
        host = home / "host.html"
        frame = f'<iframe src="measured.html" width="{width}" height="1000"></iframe>'
        listen = "<script>addEventListener('message',(told)=>document.body.insertAdjacentHTML('beforeend',told.data))</script>"
        host.write_text(f"<!doctype html><meta charset=utf-8>{listen}<body>{frame}", encoding="utf-8")
        copy = host
    window = f"--window-size={max(width, NARROWEST)},1000"
    done = chromium(copy, home, window, "--virtual-time-budget=20000", "--dump-dom", *flags)
    found = MEASURED.search(done.stdout)
    assert found, done.stderr[-2000:]
    return json.loads(html.unescape(found[1]))
