"""Ten prompts of different cancers, in both layouts for real models, as they were read and judged."""

import re

import pytest

from tests.prompts.clinic import SNAPSHOTS, clinic

CHARTS = clinic()


@pytest.mark.parametrize("template", ["full", "oncoraft"])
@pytest.mark.parametrize("name", CHARTS)
def test_the_prompt_reads_as_it_was_judged(name: str, template: str) -> None:
    file = SNAPSHOTS / f"{name}.{template}.txt"
    assert CHARTS[name].prompt(template) + "\n" == file.read_text(encoding="utf-8"), (
        "changed: read it, then run `python -m tests.prompts.clinic`"
    )


def test_nothing_of_the_chart_after_the_last_line_begins_is_told() -> None:
    chart = clinic()["lung-egfr-after-breast"]
    before = chart.prompt("full")
    chart.scan(9, "Y", "Y", "Liver").ecog((9, 4)).marker("CEA", (9, 900.0)).line(200, "DOCETAXEL")
    chart.starts.pop()
    assert chart.prompt("full") == before


def test_there_is_a_snapshot_for_each_and_no_other() -> None:
    assert {file.name for file in SNAPSHOTS.glob("*.txt")} == {f"{name}.{kind}.txt" for name in CHARTS for kind in ("full", "oncoraft")}
    assert len(CHARTS) == 10


DAYS = r"(?i)(?:\(|, |begun |diagnosed |imaging |noted |sequenced |taken )(?:(?:\d+, )*\d+ days before treatment|1 day before treatment|on the day treatment starts)"
PROMPTS = {(name, template): chart.prompt(template) for name, chart in CHARTS.items() for template in ("full", "oncoraft", "compact")}


@pytest.mark.parametrize("key", PROMPTS, ids="-".join)
def test_days_are_said_in_one_way(key: tuple[str, str]) -> None:
    text = PROMPTS[key]
    assert not re.search(r"-\d+ days|\b0 days|\b1 days|\bago\b|on day \d|days before(?! treatment)", text)
    said = len(re.findall(r"\bdays?\b(?! so far|s so far)", re.sub(r"on one day|on \d+ days|imaging days?|imaged on \w+ days?", "", text)))
    assert said == len(re.findall(DAYS, text)), text


@pytest.mark.parametrize("key", PROMPTS, ids="-".join)
def test_no_line_is_a_bare_or_empty_word(key: tuple[str, str]) -> None:
    lines = [line.removeprefix("- ") for line in PROMPTS[key].splitlines() if line.startswith("- ") or key[1] == "oncoraft"]
    bare = [line for line in lines if line and " " not in line.strip() and not line.isupper()]
    assert not bare
    told = re.sub(r"^Smoking History: Unknown$", "", PROMPTS[key], flags=re.M)
    assert not re.search(r"\b(?:Other|Unknown|N/A|None|nan|NOS|UOQ|Not disclosed|not known|not recorded)\b|\d:[A-Z]|2and", told)
    assert not re.search(r"(?i)\bno \w+ (?:\w+ )?(?:known|recorded)\b", told)


@pytest.mark.parametrize("key", PROMPTS, ids="-".join)
def test_no_prompt_contradicts_itself(key: tuple[str, str]) -> None:
    text = PROMPTS[key].lower()
    sites = {day for line in text.splitlines() if "disease seen on imaging" in line for day in re.findall(r"(\d+) days? before", line)}
    unseen = set(re.findall(r"no cancer seen on imaging \((\d+) days? before", text))
    progressed = set(re.findall(r"(?<!no )progression on \w+ \((\d+) days? before", text))
    assert not unseen & (sites | progressed)
    assert not progressed & set(re.findall(r"no progression on \w+ \((\d+) days? before", text))
    if "stage 4 at diagnosis" in text or "derived stage: stage 4" in text:
        assert not re.search(r"localized|regional|stage group [0-3]|clinical group: [0-3]", text)
    if "prostate" not in text:
        assert "gleason" not in text
    if re.search(r"after treatment elsewhere|(?<!not )treated elsewhere before", text):
        assert "first line" not in text
    grades = re.findall(r"ecog performance status (\d) \(([^)]*)\)", text)
    assert len({day for _, day in grades}) == len(grades)


def test_the_prompt_names_one_regimen_and_never_a_later_partner() -> None:
    for name, partner in (("breast-adjuvant", "paclitaxel"), ("colon-adjuvant", "oxaliplatin")):
        for template in ("full", "oncoraft", "compact"):
            assert partner not in PROMPTS[name, template].lower()


def test_the_clinic_covers_settings_other_cancers_and_silence() -> None:
    whole = {name: PROMPTS[name, "full"] for name in CHARTS}
    for words in (
        "setting: adjuvant",
        "setting: neoadjuvant",
        "setting: metastatic",
        "chemoradiation",
        "Another cancer",
        "elsewhere",
        "line of systemic",
    ):
        assert any(words in text for text in whole.values()), words
    assert len(whole["almost-no-evidence"].splitlines()) < 16
