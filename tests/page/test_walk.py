"""The whole page in a real browser: choose, enter, score, change, compare, cancel, print; by mouse and by keyboard alone."""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path

import httpx
import pytest
from PIL import Image

from oncoraft.inference import predict
from oncoraft.page.served import Page
from tests.models.tiny_folds import rows, write_rows
from tests.page.chrome import Chrome
from tests.page.test_api import SETTINGS_OF_PREDICT
from tests.report.browser import axe_source, needs_browser

pytestmark = [needs_browser, pytest.mark.xdist_group("page")]
DONE = "document.querySelector('#said').textContent==='Done.'"
AXE = "axe.run(document,{resultTypes:['violations']}).then((seen)=>seen.violations.map((one)=>[one.id,one.nodes.slice(0,3).map((node)=>node.html.slice(0,200))]))"


@pytest.fixture
def opened(chrome: Chrome, served: tuple[str, Page]) -> Chrome:
    chrome.width(1280)
    chrome.requests.clear()
    chrome.said.clear()
    chrome.open(served[0] + "/")
    chrome.wait("document.querySelector('#states .ready')")
    return chrome


def violations(chrome: Chrome) -> list[list[str]]:
    chrome("Runtime.evaluate", expression=axe_source())
    return chrome.ask("document.querySelectorAll('details').forEach((one)=>(one.open=true))") or chrome.ask(AXE)


def text(chrome: Chrome, selector: str) -> str:
    return chrome.ask(f"document.querySelector({json.dumps(selector)}).textContent") or ""


def choose(chrome: Chrome, way: str) -> None:
    chrome.click(f"input[name=way][value={way}]")


def test_a_case_is_scored_changed_and_compared(opened: Chrome, client: httpx.Client, served: tuple[str, Page], tmp_path: Path) -> None:
    opened.click(".demo-case")
    entries = opened.ask("entered()")
    opened.click("#go")
    opened.wait(DONE)
    # The answer is where the eye is, the buttons still at hand.
    assert opened.ask("(()=>{const top=one('#outcome').getBoundingClientRect().top;return top>=0&&top<innerHeight/2})()")
    assert opened.ask("(()=>{const bar=one('.actions').getBoundingClientRect();return bar.top>=0&&bar.bottom<=innerHeight})()")
    score = client.post("/api/score", json={"entries": entries}).json()
    assert float(opened.ask("document.querySelector('#results [data-score]').dataset.score")) == score["score"]
    result = text(opened, "#results")
    assert "95 % interval of the recalibrated probability" in result
    assert f"Score group in its regimen: {score['standing']['curves']['group']}" in result
    assert "at risk" in result
    assert "They do not say which regimen to choose" in result
    assert opened.ask("document.querySelectorAll('#results .moved tbody tr').length") == 12
    assert opened.ask("document.querySelectorAll('#results svg').length") == 2
    assert violations(opened) == []
    pictures = Path(os.environ.get("ONCORAFT_PICTURES") or tmp_path)
    for width in (1280, 390):
        opened.width(width)
        assert opened.ask("document.documentElement.scrollWidth") == width
        image = Image.open(opened.picture(pictures / f"page-{width}.png"))
        assert image.width == width
        counted = image.convert("RGB").getcolors(2**24)
        assert counted is not None
        assert len(counted) > 50
    assert violations(opened) == []
    opened.width(1280)
    opened.click("#hold")
    opened.ask("document.querySelector('[data-field=ecog] [data-part=value]').value='3'")
    opened.click("#go")
    opened.wait(DONE)
    told = text(opened, "#difference")
    assert "no longer: ECOG performance status: 1, 5 days" in told
    assert "new: ECOG performance status: 3, 5 days" in told
    assert "no evidence that it would do better" in told
    assert "Before" in text(opened, "#held")
    assert violations(opened) == []
    opened("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    assert violations(opened) == []
    opened("Emulation.setEmulatedMedia", features=[])
    assert all(one.startswith((served[0], "data:")) for one in opened.requests)
    assert opened.said == [], "no policy was broken and no script failed"
    paper = opened.paper()
    assert len(re.findall(rb"/Type\s*/Page\b", paper)) >= 2


def test_what_is_copied_is_what_the_terminal_answers(
    opened: Chrome, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    opened.click(".demo-case")
    opened.ask("(()=>{window.copied='';navigator.clipboard.writeText=async(text)=>{window.copied=text}})()")
    opened.click("#go")
    opened.wait(DONE)
    opened.click("#copy")
    opened.wait("window.copied")
    copied = json.loads(opened.ask("window.copied"))
    (tmp_path / "case.json").write_text(json.dumps(copied["case"]))
    capsys.readouterr()
    words = ["--model", str(home / "model"), "--case", str(tmp_path / "case.json"), "--threads", "1", "--settings", SETTINGS_OF_PREDICT]
    assert predict.main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == copied["answer"]


def test_by_keyboard_alone(opened: Chrome) -> None:
    opened.until_focus("it.matches('.demo-case')")
    opened.key("Enter")
    opened.until_focus("it.id==='go'")
    opened.key("Enter")
    opened.wait(DONE)
    opened.until_focus("it.id==='hold'")
    opened.key("Enter")
    assert "Kept" in text(opened, "#said")
    assert opened.ask("all('#held [id]').every((one)=>one.id.startsWith('held-'))")
    opened.until_focus("it.closest('.told') && it.matches('summary')")
    opened.key("Enter")
    assert opened.ask("document.activeElement.parentElement.open")


def test_what_is_wrong_is_said_beside_its_field(opened: Chrome) -> None:
    opened.click("details:has([data-field=mutation]) > summary")
    opened.click("[data-field=mutation] [data-part=value]")
    opened.type("EGRF L858R")
    opened.click("#go")
    opened.wait("document.querySelector('[data-field=mutation] .wrong').textContent")
    assert "expected a gene of the gene table" in text(opened, "[data-field=mutation] .wrong")
    assert "a case is not one without it" in text(opened, "[data-field=drug] .wrong")
    assert opened.ask("document.activeElement.getAttribute('aria-invalid')") == "true"
    assert opened.ask("document.querySelectorAll('#results > *').length") == 0


def test_a_prompt_is_pasted_and_its_markup_is_text(opened: Chrome) -> None:
    choose(opened, "prompt")
    opened.click("#prompt")
    opened.type("How likely?\n\nDrugs: osimertinib\n<img src=x onerror=document.title='no'>")
    opened.click("#go")
    opened.wait(DONE)
    assert "<img src=x" in opened.ask("document.querySelector('#results pre').textContent")
    assert opened.ask("document.title+document.querySelectorAll('#results img').length") == "One case · OncoRAFT0"


def test_a_patient_of_the_study_at_an_index_day(opened: Chrome) -> None:
    choose(opened, "patient")
    opened.wait("document.querySelector('#patients button')")
    opened.click("#patients button")
    opened.wait("document.querySelector('#past svg')")
    opened.click("#go")
    opened.wait(DONE)
    assert "Days from" not in text(opened, "#past")
    assert opened.ask("last.records.model.score > 0")
    assert violations(opened) == []


def test_a_file_of_cases_goes_on_until_it_is_cancelled_or_ends(opened: Chrome, tmp_path: Path) -> None:
    many = [row | {"case_id": f"{copy}-{row['case_id']}"} for copy in range(40) for row in rows(20)]
    choose(opened, "file")
    node = opened("DOM.getDocument")["root"]["nodeId"]
    field = opened("DOM.querySelector", nodeId=node, selector="#file")["nodeId"]
    opened("DOM.setFileInputFiles", nodeId=field, files=[str(write_rows(tmp_path / "many.jsonl", many))])
    opened.wait("document.querySelector('#file-said').textContent.includes('800 cases')")
    opened.click("#go")
    opened.wait("document.querySelectorAll('#table tbody tr').length > 3")
    opened.click("#cancel")
    opened.wait("document.querySelector('#said').textContent.startsWith('Cancelled')")
    assert opened.ask("document.querySelectorAll('#table tbody tr').length") < 800
    opened("DOM.setFileInputFiles", nodeId=field, files=[str(write_rows(tmp_path / "few.jsonl", rows(12)))])
    opened.wait("document.querySelector('#file-said').textContent.includes('12 cases')")
    opened.click("#go")
    opened.wait(DONE)
    assert re.fullmatch("sha256 [0-9a-f]{64}", text(opened, "#digest"))
    opened.click("#table [data-key=score]")
    scores = opened.ask("[...document.querySelectorAll('#table tbody tr')].map((row)=>row.record.score)")
    assert len(scores) == 12
    assert scores == sorted(scores)
    assert opened.ask("!document.querySelector('#download').disabled")
    assert hashlib.sha256(opened.ask("batch.join('')").encode()).hexdigest() == text(opened, "#digest").removeprefix("sha256 ")
    assert violations(opened) == []


@pytest.mark.parametrize("path", ["/results", "/api"])
def test_the_other_screens_are_accessible_and_narrow_enough(opened: Chrome, served: tuple[str, Page], path: str) -> None:
    opened.open(served[0] + path)
    assert violations(opened) == []
    opened.width(390)
    assert opened.ask("document.documentElement.scrollWidth") == 390
    if path == "/results":
        assert "0.610 (0.500 to 0.700)" in text(opened, "main")
        assert opened.ask("document.querySelector('main a').getAttribute('href')") == "/results/report/index.html"
