"""Text of tables on the page is text: nothing of it becomes markup, runs, or is read as a formula."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import matplotlib.pyplot as plt
import pytest

from oncoraft.report.collect import read_runs
from oncoraft.report.contents import contents
from oncoraft.report.drawing import svg
from oncoraft.report.page import SCRIPT, STYLE_SHEET, digest, policy
from oncoraft.report.report import main, render, sources_of
from oncoraft.report.small_cells import Guard
from oncoraft.report.text import LABEL_LENGTH, label, visible
from tests.report import made
from tests.report.browser import chromium, needs_browser

HOSTILE = [
    "X\"><script>document.title='x'</script>",
    "<img src=x onerror=\"document.title='x'\">",
    "</style><script>document.title='x'</script>",
    "</title></svg><svg onload=\"document.title='x'\">",
    "' onmouseover='document.title=1' x='",
    "{{ 7 * 7 }}{% raw %}{# c #}",
    "$\\frac{$ $x^2$ \\$5",
    "a\x00b\x07c\x1b[31m\x7fd\x85e",
    "w" * 5000,
    "\u202egnp.exe\u202c \u2067x\u2069\u200f",
    "שלום 中文 🧬 _underscored",
    "&lt;b&gt; & &#60;script&#62;",
]


class Page(HTMLParser):
    """Every tag and attribute of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def page_of(home: Path, text: str) -> str:
    results = made.results(home / "results", text, f"Cancer {text}", f"Class {text}")
    sources = sources_of(results, read_runs(results), True, Guard(1))
    return render(sources, contents(sources))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Page:
    """A page whose names are harmless, to hold the others against."""
    return Page(page_of(tmp_path_factory.mktemp("plain"), "Drug"))


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_no_text_of_a_table_becomes_markup(plain: Page, tmp_path: Path, text: str) -> None:
    hostile = Page(page_of(tmp_path, text))
    assert [tag for tag, _ in hostile.tags if tag not in {"tspan"}] == [tag for tag, _ in plain.tags]
    assert [tag for tag, _ in hostile.tags].count("script") == 1
    assert not {"img", "iframe", "object"} & {tag for tag, _ in hostile.tags}
    assert not [name for _, attributes in hostile.tags for name in attributes if name.startswith("on") or name == "style"]


def test_template_syntax_and_formulas_in_a_name_stay_as_written(tmp_path: Path) -> None:
    page = page_of(tmp_path, "{{ 7 * 7 }} $\\frac{$")
    assert "{{ 7 * 7 }} $\\frac{$" in page


@pytest.mark.parametrize("text", ["$\\frac{$", "$x^2$", "\\$5", "_a", "a\x00b"])
def test_a_figure_draws_text_literally(text: str) -> None:
    figure, axes = plt.subplots()
    axes.set_title(text)
    axes.set_yticks([0], [text])
    drawn = ElementTree.fromstring(str(svg(figure, text)))
    words = ["".join(one.itertext()) for one in drawn.iter() if one.tag.endswith("}text")]
    assert words.count(visible(text)) == 2
    assert drawn.attrib["aria-label"] == visible(text)


def test_what_cannot_be_seen_and_what_reorders_is_replaced() -> None:
    assert visible("a\x00\u202eb\ud800") == "a\ufffd\ufffdb\ufffd"
    assert visible("Größe 中文 🧬\n") == "Größe 中文 🧬\n"
    assert len(label("w" * 5000)) == LABEL_LENGTH


def test_the_page_has_a_policy_that_fits_its_only_style_sheet_and_script_and_names_nothing_outside(tmp_path: Path) -> None:
    page = page_of(tmp_path, "Drug")
    assert STYLE_SHEET.read_text(encoding="utf-8") in page
    assert SCRIPT.read_text(encoding="utf-8") in page
    assert policy() == (
        f"default-src 'none'; style-src {digest(STYLE_SHEET)}; script-src {digest(SCRIPT)}; img-src data:; base-uri 'none'; form-action 'none'"
    )
    found = Page(page)
    assert [tag for tag, _ in found.tags].count("style") == 1
    links = [value or "" for _, given in found.tags for name, value in given.items() if name in {"src", "href", "xlink:href"}]
    assert links
    assert all(link.startswith(("#", "data/")) for link in links)


@needs_browser
def test_a_browser_runs_nothing_of_the_data_and_reports_no_violation(tmp_path: Path) -> None:
    results = made.results(tmp_path / "results", " ".join(HOSTILE), HOSTILE[0], HOSTILE[2])
    settings = json.dumps({"report": {"smallest_cell": 1}})
    assert main([str(results), "--out", str(tmp_path / "page" / "index.html"), "--settings", settings]) == 0
    done = chromium(tmp_path / "page" / "index.html", tmp_path, "--enable-logging=stderr", "--v=0", "--dump-dom")
    assert "<title>OncoRAFT report: results</title>" in done.stdout
    assert "Content Security Policy" not in done.stderr
    assert "Refused to" not in done.stderr
