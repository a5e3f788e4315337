"""Every number of the page stands in a file beside it: both are read, and compared."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Sequence
from html.parser import HTMLParser
from pathlib import Path

import pytest

from oncoraft.report.report import main
from tests.report import made

TOKEN = re.compile(r"(<\s*)?(?<![\w.])([-−]?\d[\d,]*(?:\.\d+)?)(\s?%)?")
VOID = {"br", "meta", "link", "input"}
INTERVAL = re.compile(r"95 %|\b95%")


class Reader(HTMLParser):
    """Tables with the file they name, their rows as texts of cells; and the text of everything with a class or an id that is asked for."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.heads: dict[str, list[str]] = {}
        self.first_screen: list[str] = []
        self.open: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in VOID:
            return
        self.open.append((tag, given))
        name = self.table()
        if tag == "tr" and name:
            (self.heads if self.within("thead") else self.tables).setdefault(name, [])
            if not self.within("thead"):
                self.tables[name].append([])
        if tag in {"td", "th"} and name:
            if self.within("thead"):
                self.heads[name].append("")
            else:
                self.tables[name][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open.pop()[0] != tag:
            pass

    def within(self, tag: str) -> bool:
        return any(one == tag for one, _ in self.open)

    def table(self) -> str:
        return next((given.get("data-file") or "" for tag, given in self.open[::-1] if tag == "table"), "")

    def handle_data(self, data: str) -> None:
        name = self.table()
        if self.within("svg"):
            return
        if name and (self.within("td") or self.within("th")):
            rows = self.heads[name] if self.within("thead") else self.tables[name][-1]
            rows[-1] += data
        if not name and self.within("section") and not any(given.get("class") == "why" for _, given in self.open):
            self.first_screen.append(data)


def forms(values: Iterable[str]) -> tuple[list[float], set[str]]:
    """The numbers of some cells of a file, and its words."""
    numbers, texts = [], set()
    for value in values:
        try:
            numbers.append(float(value))
        except ValueError:
            texts.add(value.removeprefix("'"))
    return numbers, texts


def unexplained(text: str, values: Sequence[str]) -> list[str]:
    """Numbers of a text that are neither one of the values, rounded as written, nor one as a share of another."""
    numbers, texts = forms(values)
    for known in sorted(texts, key=len, reverse=True):
        if re.search(r"\d", known):
            text = text.replace(known, " ")
    missing = []
    for match in TOKEN.finditer(text):
        below, written, is_share = match[1], match[2].replace(",", "").replace("−", "-"), bool(match[3])
        digits = len(written.partition(".")[2])
        if below:
            found = any(value < float(written) for value in numbers)
        elif is_share:
            shares = [*numbers, *(one / other for one in numbers for other in numbers if other)]
            found = any(f"{100 * share:.{digits}f}" == written for share in shares)
        else:
            found = any(f"{value:.{digits}f}" == written for value in numbers) or any(f"{value:.3g}" == written for value in numbers)
        if not found:
            missing.append(match[0])
    return missing


def read(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.reader(stream))


def faults(page: Path) -> dict[str, list[str]]:
    """Numbers of every table that do not stand in the same row of its file, and those of a heading that stand nowhere in it."""
    seen = Reader(page.read_text(encoding="utf-8"))
    found: dict[str, list[str]] = {}
    for name, rows in seen.tables.items():
        header, *data = read(page.parent / name)
        assert len(rows) == len(data), name
        told = [fault for row, values in zip(rows, data) for cell in row for fault in unexplained(cell, values)]
        heads = [
            fault
            for head in seen.heads[name]
            for fault in unexplained(INTERVAL.sub("", head), [one for row in (header, *data) for one in row])
        ]
        if told or heads:
            found[name] = told + heads
    return found


def write(results: Path, out: Path, smallest: int = 1) -> Path:
    page = out / "index.html"
    assert main([str(results), "--out", str(page), "--settings", json.dumps({"report": {"smallest_cell": smallest}})]) == 0
    return page


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("numbers")
    return write(made.results(home / "results", "Drug", "Colon", "Chemo"), home / "page")


@pytest.mark.parametrize("smallest", [1, 10])
def test_every_number_of_every_table_stands_in_its_row_of_its_file(tmp_path: Path, smallest: int) -> None:
    page = write(made.results(tmp_path / "results", "Drug", "Colon", "Chemo"), tmp_path / "page", smallest)
    seen = Reader(page.read_text(encoding="utf-8"))
    assert len(seen.tables) >= 20
    assert "data/forest-1.csv" in seen.tables
    assert faults(page) == {}


def test_every_number_of_the_first_screen_stands_in_its_files(page: Path) -> None:
    seen = Reader(page.read_text(encoding="utf-8"))
    told = " ".join(seen.first_screen)
    assert re.search(r"130 labelled cases 30 were not evaluable", " ".join(told.split()))
    files = ("facts", "check-numbers", "verdict", "survival-summary-1")
    values = [cell for name in files for row in read(page.parent / "data" / f"{name}.csv") for cell in row]
    assert unexplained(told, values) == []


def test_a_number_that_is_changed_on_the_page_is_found(page: Path, tmp_path: Path) -> None:
    text = page.read_text(encoding="utf-8")
    copy = tmp_path / "index.html"
    (tmp_path / "data").symlink_to(page.parent / "data")
    start = text.index('data-file="data/forest-1.csv"')
    copy.write_text(text[:start] + text[start:].replace("1.50 (0.90 to 2.50)", "1.51 (0.90 to 2.50)", 1), encoding="utf-8")
    assert faults(copy) == {"data/forest-1.csv": ["1.51"]}


def test_every_file_that_the_page_names_is_there_and_every_figure_names_its_numbers(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = set(re.findall(r'href="(data/[^"]+)"', text))
    assert named
    assert [name for name in sorted(named) if not (page.parent / name).is_file()] == []
    drawn = re.findall(r"<figcaption>(.*?)</figcaption>", text, flags=re.DOTALL)
    assert all(".csv" in caption for caption in drawn)
