"""A study of hostile texts and broken habits goes from tables to the report: every count adds up, and nothing in it is run."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pyarrow.parquet as parquet
import pytest

from oncoraft.foundation.csv_file import FORMULA_STARTS
from oncoraft.foundation.jsonl import read_jsonl
from oncoraft.report.page import SCRIPT

from .adding_up import check_cases, check_evidence, check_ledger, check_prompts
from .conftest import HostileRun
from .study import AGENTS

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("hostile-run")]
RUN = "tiny/raft/kfold"
# What a page of text, tables and drawings is made of; nothing of it fetches, and the one script is the page's own.
TAGS = """html head meta title style body h1 h2 h3 p nav a ul ol li figure figcaption table caption thead tbody tr th td div pre
    blockquote span strong em b code br section header main footer details summary dl dt dd small sup sub svg g path rect circle line
    polyline polygon text tspan defs use clippath marker title desc metadata symbol image ellipse lineargradient stop mark script
    rdf:rdf cc:work dc:type dc:date dc:format dc:creator dc:title cc:agent"""


class Page(HTMLParser):
    """The tags of a page as a browser sees them, attributes, and its words."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str]] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.words += data


def test_every_count_adds_up_from_the_tables_to_the_prompts(hostile_run: HostileRun) -> None:
    results, study, *_ = hostile_run
    check_ledger(study, results / "tables")
    check_cases(results / "tables", results / "cases")
    check_evidence(results / "prompts" / "evidence.parquet", results / "cases")
    check_prompts(results / "tiny" / "prompts" / "prompts.jsonl", results / "cases")


def test_ids_of_digits_stay_apart_in_every_table_of_the_results(hostile_run: HostileRun) -> None:
    cases = pd.read_parquet(hostile_run.results / "cases" / "cases.parquet")
    predictions = read_jsonl(hostile_run.results / RUN / "predictions.jsonl")
    people = parquet.read_table(hostile_run.results / "tables" / "clinical_patient.parquet")["patient_id"].to_pylist()
    assert {"8", "00008", "1e5"} <= set(people)
    assert len(people) == 100
    assert {row["patient_id"] for row in predictions} == set(cases["patient_id"])


def test_predictions_are_the_held_out_cases_and_metrics_count_the_labelled_of_them(hostile_run: HostileRun) -> None:
    results = hostile_run.results
    predictions = pd.DataFrame(read_jsonl(results / RUN / "predictions.jsonl"))
    folds = pd.read_parquet(results / "cases" / "folds.parquet")
    assert sorted(predictions["case_id"]) == sorted(folds.loc[folds["fold"].notna(), "case_id"])
    labels = pd.read_parquet(results / "cases" / "labels.parquet")
    flow = json.loads((results / "cases" / "flow.json").read_text())
    judged = labels[(labels["definition"] == flow["definition"]) & labels["responder"].notna()]
    metrics = json.loads((results / RUN / "metrics" / "metrics.json").read_text())
    rows = metrics["metrics"] if isinstance(metrics, dict) else metrics
    (pooled,) = [row for row in rows if (row["predictor"], row["metric"], row["scope"]) == ("model", "auroc", "pooled")]
    assert pooled["n"] == judged["case_id"].isin(predictions["case_id"]).sum()
    assert pooled["events"] == judged["responder"].astype(bool).sum()


def test_what_the_texts_say_reaches_the_prompts_as_text(hostile_run: HostileRun) -> None:
    prompts = "".join(row["input"] for row in read_jsonl(hostile_run.results / "tiny" / "prompts" / "prompts.jsonl"))
    for text in ("{% raw %}", "$\\sqrt{$", "<|end|>"):
        assert text.casefold() in prompts.casefold(), text


def test_no_file_outside_the_results_changes(hostile_run: HostileRun) -> None:
    assert hostile_run.after == hostile_run.before


def test_no_cell_of_a_csv_begins_like_a_formula(hostile_run: HostileRun) -> None:
    files = sorted(hostile_run.results.rglob("*.csv"))
    assert files
    seen = []
    for path in files:
        with path.open(newline="", encoding="utf-8") as stream:
            for row in csv.reader(stream):
                seen += [cell for cell in row if cell.startswith("'")]
                assert not [cell for cell in row if cell.startswith(FORMULA_STARTS) and not is_number(cell)], path
    assert any(cell.casefold().startswith("'=hyperlink") for cell in seen)


def is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def test_the_page_holds_the_texts_of_the_data_as_text(hostile_run: HostileRun) -> None:
    text = (hostile_run.results / "report" / "index.html").read_text(encoding="utf-8")
    page = Page(text)
    assert set(page.tags) <= set(TAGS.split())
    assert page.tags["script"] == 1
    assert SCRIPT.read_text(encoding="utf-8") in text
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    links = [value for name, value in page.attributes if name in {"src", "href", "xlink:href"}]
    assert not [link for link in links if ":" in link and not link.startswith("data:image/")]
    said = " ".join(page.words.split()).casefold()
    hyperlink = AGENTS[b"CAPECITABINE"].decode().casefold()
    assert hyperlink in said
    assert '"><img src=x onerror=' in said


@pytest.mark.skipif(shutil.which("chromium") is None, reason="no browser")
def test_a_browser_runs_nothing_of_the_page(hostile_run: HostileRun, tmp_path: Path) -> None:
    page = hostile_run.results / "report" / "index.html"
    words = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}", "--virtual-time-budget=3000"]
    done = subprocess.run([*words, "--dump-dom", page.as_uri()], capture_output=True, text=True, timeout=240)
    assert "<title>OncoRAFT report: hostile</title>" in done.stdout, done.stderr[-2000:]
    live = tmp_path / "live.html"
    live.write_text("<title>quiet</title><svg onload=document.title='run'>")
    done = subprocess.run([*words, "--dump-dom", live.as_uri()], capture_output=True, text=True, timeout=240)
    assert "<title>run</title>" in done.stdout, done.stderr[-2000:]
