"""The page as a reader sees it: at three widths, in the dark, on paper, by keyboard and screen reader, and when it is large."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from PIL import Image

from oncoraft.report.report import main
from tests.report import made, made_cases, made_neighbours
from tests.report.browser import axe_source, chromium, measured, needs_browser

LAYOUT = (Path(__file__).parent / "layout.js").read_text(encoding="utf-8")
DARK = ("--force-dark-mode", "--blink-settings=preferredColorScheme=0")
LONG = "Carboplatin + Pembrolizumab + Pemetrexed"

pytestmark = needs_browser


def written(results: Path, home: Path, *more: str) -> Path:
    page = home / "page" / "index.html"
    assert (
        main([str(results), "--out", str(page), *more, "--settings", json.dumps({"report": {"smallest_cell": 1, "individuals": True}})])
        == 0
    )
    return page


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("page")
    results = made.results(home / "results", LONG, "Non-Small Cell Lung Cancer", "Chemo + Immuno")
    made_cases.write(results, made_cases.cohort())
    made_neighbours.scored(results)
    made_neighbours.gridded(results)
    made_neighbours.aligned(results / "tiny" / "raft" / "kfold")
    made_neighbours.celled(results)
    # Every section that any run has is on this page.
    return written(results, home, "--external", str(made_neighbours.second(home)))


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("large")
    return written(made.large(home / "results"), home)


@pytest.mark.parametrize("width", [1280, 768, 390])
def test_nothing_is_cut_overlaps_or_scrolls_sideways(page: Path, tmp_path: Path, width: int) -> None:
    assert measured(page, tmp_path, "tell(innerWidth)", width=width) == width
    assert measured(page, tmp_path, LAYOUT, width=width) == []


@pytest.mark.parametrize(("width", "flags"), [(1280, ()), (768, ()), (500, ()), (1280, DARK)], ids=["desk", "tablet", "phone", "dark"])
def test_a_picture_of_the_first_screen_is_kept_to_be_looked_at(page: Path, tmp_path: Path, width: int, flags: tuple[str, ...]) -> None:
    """In the folder that ONCORAFT_PICTURES names, else in the test's own; headless Chromium makes no window narrower than 500 pixels."""
    name = f"report-{width}{'-dark' if flags else ''}.png"
    picture = Path(os.environ.get("ONCORAFT_PICTURES") or tmp_path) / name
    chromium(page, tmp_path, f"--screenshot={picture}", f"--window-size={width},1600", *flags)
    image = Image.open(picture).convert("RGB")
    assert image.width == width
    counted = image.getcolors(2**24)
    assert counted is not None
    share, ground = max(counted)
    assert len(counted) > 50  # letters, lines and colours, and not a blank page
    assert share < 0.99 * image.width * image.height
    assert (sum(ground) < 384) == bool(flags)  # a dark page has a dark ground


def test_figures_and_tables_do_not_crowd_one_another_when_there_are_many(large: Path, tmp_path: Path) -> None:
    assert measured(large, tmp_path, LAYOUT) == []


def test_the_measure_of_layout_sees_what_is_wrong(page: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.html"
    text = page.read_text(encoding="utf-8")
    wide = (
        '<p><svg width="3000" height="40" role="img" aria-label="wide"><text x="0" y="20">one</text><text x="2" y="20">two</text></svg></p>'
    )
    wrong.write_text(
        text.replace("<main", f"<div class=scroll><table><tr><td>{'w' * 900}</table></div><main", 1).replace("</main>", f"{wide}</main>"),
        encoding="utf-8",
    )
    said = " ".join(measured(wrong, tmp_path, LAYOUT))
    assert "one over two" in said
    assert "wide in" in said


@pytest.mark.parametrize("flags", [(), DARK], ids=["light", "dark"])
def test_axe_finds_no_violation(page: Path, tmp_path: Path, flags: tuple[str, ...]) -> None:
    script = (
        axe_source()
        + ";document.querySelectorAll('details').forEach((one)=>(one.open=true));const seen=await axe.run(document,{resultTypes:['violations']});"
        "tell({dark:matchMedia('(prefers-color-scheme: dark)').matches,passes:seen.passes.length,violations:seen.violations.map((one)=>[one.id,one.nodes.slice(0,3).map((node)=>node.html.slice(0,200))])})"
    )
    found = measured(page, tmp_path, script, *flags)
    assert found["violations"] == []
    assert found["passes"] > 15
    assert found["dark"] is bool(flags)


def test_no_request_leaves_the_page_and_its_policy_is_never_broken(page: Path, tmp_path: Path) -> None:
    script = "tell([performance.getEntriesByType('resource').map((one)=>one.name),document.querySelectorAll('[src]').length])"
    assert measured(page, tmp_path, script) == [[], 0]
    done = chromium(page, tmp_path, "--enable-logging=stderr", "--v=0", "--dump-dom")
    assert "Content Security Policy" not in done.stderr
    assert "Refused to" not in done.stderr
    assert "Open all sections" in done.stdout, "the page's own script ran"


def test_a_link_opens_its_section_and_the_run_that_it_is_of(large: Path, tmp_path: Path) -> None:
    script = (
        "location.hash='#assumptions-2';await new Promise((done)=>setTimeout(done,300));"
        "const target=document.getElementById('assumptions-2');tell([target.closest('details').open,target.closest('.run').hidden,"
        "document.querySelectorAll('details.section[open]').length])"
    )
    assert measured(large, tmp_path, script) == [True, False, 1]


def test_tables_sort_by_their_numbers_and_galleries_filter(large: Path, tmp_path: Path) -> None:
    script = """
      const table=document.querySelector('table[data-file="data/forest-1.csv"]');
      const head=[...table.querySelectorAll('thead th')].find((one)=>one.textContent.includes('95 %'));
      head.querySelector('button').click();head.querySelector('button').click();
      const at=head.cellIndex;const first=[...table.tBodies[0].rows].slice(0,3).map((row)=>Number(row.cells[at].dataset.value||-1));
      const gallery=document.querySelector('.gallery.curves');const input=gallery.parentElement.querySelector('input[type=search]');
      input.value='drug7 ';input.dispatchEvent(new Event('input'));
      tell([head.getAttribute('aria-sort'),first,gallery.querySelectorAll('.panel:not(.out)').length])"""
    order, first, left = measured(large, tmp_path, script)
    assert order == "descending"
    assert first == sorted(first, reverse=True)
    assert left == 1


def test_a_large_report_is_small_enough(large: Path) -> None:
    text = large.read_text(encoding="utf-8")
    assert text.count("Kaplan–Meier curves, Drug") == 150
    assert large.stat().st_size < 15e6


def test_paper_holds_every_section(page: Path, tmp_path: Path) -> None:
    paper = tmp_path / "page.pdf"
    chromium(page, tmp_path, f"--print-to-pdf={paper}")
    pages = len(re.findall(rb"/Type\s*/Page\b", paper.read_bytes()))
    shut = tmp_path / "shut.html"
    text = page.read_text(encoding="utf-8")
    shut.write_text(re.sub(r"<script>.*?</script>|@media print\{.*?(?=</style>)", "", text, flags=re.DOTALL), encoding="utf-8")
    chromium(shut, tmp_path, f"--print-to-pdf={paper}")
    assert pages > len(re.findall(rb"/Type\s*/Page\b", paper.read_bytes())) + 1
