"""The page about the twin: its comparison has every marginal, the figures are close where they must be, and it says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from oncoraft.cohort import ingest
from oncoraft.twin import twin
from oncoraft.twin.regimens import SIGNAL, null_regimens
from tests.twin.test_files import ROOT, load_benchmark

PAGE = ROOT / "docs" / "twin.md"


def rows_of(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]


def test_the_page_compares_every_file_and_marginal() -> None:
    benchmark = load_benchmark()
    between = PAGE.read_text(encoding="utf-8").split(benchmark.BEGIN)[1].split(benchmark.END)[0]
    rows = {row[0]: row[1:] for row in rows_of(between)}
    for name in benchmark.SIZES:
        assert 0.8 <= float(rows[name][2]) <= 1.2, name
    for name, published in benchmark.PUBLISHED.items():
        assert [cell.split(" / ")[1] for cell in rows[name]] == [benchmark.number(value) for value in published]
    for name, value in benchmark.OVERALL.items():
        assert rows[name][1] == benchmark.number(value)
    assert re.search(r"24950 patients, seed \d+: made in \d+ s", between)


def test_the_page_names_the_null_regimens_and_the_scale() -> None:
    text = " ".join(PAGE.read_text(encoding="utf-8").lower().split())
    null = text.split("**null by design**")[1].split("a score that separates")[0]
    for _, agents in null_regimens():
        assert all(agent.lower() in null for agent in agents.split(" + ")), agents
    assert f"multiplied by {SIGNAL}" in text


@pytest.fixture(scope="module")
def marginals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[float]]:
    folder = tmp_path_factory.mktemp("compare")
    assert twin.main(["--patients", "1500", "--seed", "3", "--out", str(folder / "study"), "--truth", str(folder / "truth.parquet")]) == 0
    assert ingest.main([str(folder / "study"), "--out", str(folder / "tables")]) == 0
    benchmark = load_benchmark()
    study = benchmark.Study(folder / "tables")
    found = [benchmark.by_type(study, name) for name in benchmark.TYPES]
    return {name: [own[name] for own in found] for name in benchmark.PUBLISHED}


@pytest.mark.parametrize(
    ("name", "margin"),
    [
        ("share of patients", 0.04), ("male", 0.09), ("mean age at sequencing", 2.5), ("ever smoked", 0.1), ("highest stage 4", 0.1),
        ("survival at 12 months", 0.1), ("survival at 24 months", 0.12), ("TP53", 0.1), ("KRAS", 0.1), ("EGFR", 0.08), ("PIK3CA", 0.08),
        ("MSI instable", 0.06), ("treated", 0.09), ("share of CT", 0.09), ("mismatch repair tested", 0.06), ("PD-L1 tested", 0.1),
        ("progression read after sequencing", 0.11), ("prior treatment elsewhere", 0.08), ("Gleason score on record", 0.06),
        ("any targeted agent", 0.1),
    ],
)  # fmt: skip
def test_marginals_are_near_the_published_ones(marginals: dict[str, list[float]], name: str, margin: float) -> None:
    """Margins: the law's own distance and four standard errors of a share among 190 patients (0.036 at a half)."""
    assert marginals[name] == pytest.approx(load_benchmark().PUBLISHED[name], abs=margin)


def test_replacing_keeps_the_rest_of_a_page(tmp_path: Path) -> None:
    benchmark = load_benchmark()
    page = f"before\n{benchmark.BEGIN}\nold\n{benchmark.END}\nafter\n"
    assert benchmark.replace_between(page, ["new"]) == f"before\n{benchmark.BEGIN}\nnew\n{benchmark.END}\nafter\n"
