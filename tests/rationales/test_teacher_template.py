"""The offline teacher: every rationale of a small twin passes every verifier; both sides are told; the wording varies, reproducibly."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oncoraft.cases import build
from oncoraft.cohort import ingest
from oncoraft.evidence import evidence
from oncoraft.evidence.shown import shown_fields
from oncoraft.prompts import render
from oncoraft.rationales.rationales import lessons_of
from oncoraft.rationales.teacher import Lesson
from oncoraft.rationales.teacher_template import TemplateTeacher, arguments, compose, plain
from oncoraft.twin import twin
from oncoraft.verifiers.combine import verify
from oncoraft.verifiers.record import Record
from tests.verifiers.examples import COLON, LUNG, UNSEQUENCED


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cohort")
    assert twin.main(["--patients", "90", "--seed", "7", "--out", str(folder / "study")]) == 0
    assert ingest.main([str(folder / "study"), "--out", str(folder / "tables")]) == 0
    assert build.main([str(folder / "tables"), "--out", str(folder / "cases")]) == 0
    assert evidence.main([str(folder / "tables"), str(folder / "cases"), "--out", str(folder / "evidence.parquet")]) == 0
    return folder


def read_lessons(folder: Path, template: str) -> list[Lesson]:
    labels = pd.read_parquet(folder / "cases" / "labels.parquet")
    return lessons_of(pd.read_parquet(folder / "evidence.parquet"), labels[labels["definition"] == "strict"], True, shown_fields(template))


@pytest.fixture(scope="module")
def lessons(folder: Path) -> list[Lesson]:
    return read_lessons(folder, "full")


def test_every_rationale_of_a_small_twin_passes_at_the_first_attempt(lessons: list[Lesson]) -> None:
    texts = TemplateTeacher(29).propose(lessons, 0)
    assert len(texts) > 100
    failed = {
        case.case_id: found.failed for case in lessons if (found := verify(texts[case.case_id] or "", case.record, case.score)).failed
    }
    assert not failed


def test_so_does_the_plainest_rationale(lessons: list[Lesson]) -> None:
    teacher = TemplateTeacher(29)
    failed = {case.case_id: found.failed for case in lessons if (found := verify(teacher.plain(case), case.record, case.score)).failed}
    assert not failed


@pytest.mark.parametrize("template", ["full", "oncoraft"])
def test_a_rationale_stands_in_the_prompt_that_the_template_renders(folder: Path, template: str) -> None:
    """What is held against the evidence here must hold against the prompt itself, as it is for a model's own rationale."""
    out = folder / f"{template}.jsonl"
    settings_json = json.dumps({"prompts": {"template": template}})
    assert render.main([str(folder / "evidence.parquet"), str(folder / "cases"), "--out", str(out), "--settings", settings_json]) == 0
    prompts = {row["case_id"]: row["input"] for row in map(json.loads, out.read_text(encoding="utf-8").splitlines())}
    labelled = read_lessons(folder, template)
    texts = TemplateTeacher(29).propose(labelled, 0)
    failed = {}
    for case in labelled:
        record = Record.from_prompt(prompts[case.case_id])
        assert (record.given, record.prior, record.profiled) == (case.record.given, case.record.prior, case.record.profiled), case.case_id
        found = verify(texts[case.case_id] or "", record, case.score)
        if not found.accepted:
            failed[case.case_id] = found.failed
    assert not failed


def test_a_rationale_handed_to_a_case_of_other_facts_fails(lessons: list[Lesson]) -> None:
    texts = TemplateTeacher(29).propose(lessons, 0)
    passed = tried = 0
    for one, two in zip(lessons, lessons[37:]):
        if one.record.given & two.record.given or one.score != two.score:
            continue
        tried += 1
        passed += verify(texts[one.case_id] or "", two.record, two.score).accepted
    assert tried > 10
    assert passed == 0


def spoilt(text: str, record: Record) -> Iterator[str]:
    """The same rationale with one fact changed into one that the record does not hold."""
    for change in re.finditer(r"(?<= [A-Z])\d{2,4}(?=[A-Z*_fd])", text):
        yield text[: change.start()] + str(int(change.group()) + 1) + text[change.end() :]
    for name, value in (("ecog", r"(?<=ECOG )\d"), ("line", r"(?<=line )\d+")):
        for found in re.finditer(value, text):
            other = next(
                str(number)
                for number in (1, 2, 3, 4, 0, 15)
                if str(number) not in [*record.values[name], *record.values.get("earlier_line", []), *record.values.get("line_overall", [])]
            )
            yield text[: found.start()] + other + text[found.end() :]
    for agent in record.given | record.prior:
        if agent.lower() in text.lower() and agent != "INVESTIGATIONAL":
            yield re.sub(re.escape(agent), "larotrectinib", text, flags=re.IGNORECASE)
    for word, other in (
        ("liver disease", "adrenal disease"),
        ("is rising", "is falling"),
        ("is falling", "is rising"),
        ("progressed", "had no progression"),
    ):
        held = {"liver disease": "adrenal" in record.values.get("site", []), "progressed": "no" in record.values.get("progression", [])}
        if word in text and not held.get(word):
            yield text.replace(word, other)


def test_one_changed_fact_anywhere_in_any_rationale_of_the_twin_is_found(lessons: list[Lesson]) -> None:
    texts = TemplateTeacher(29).propose(lessons, 0)
    tried = 0
    for case in lessons:
        for text in spoilt(texts[case.case_id] or "", case.record):
            tried += 1
            found = verify(text, case.record, case.score)
            assert "factual" in found.failed, (text, found.scores)
    assert tried > 300


def test_lengths_stay_within_what_a_small_model_learns(lessons: list[Lesson]) -> None:
    words = pd.Series([len((text or "").split()) for text in TemplateTeacher(29).propose(lessons, 0).values()])
    assert 30 <= words.median() <= 65
    assert words.max() <= 95


def test_wording_varies_by_seed_and_attempt_and_never_by_order(lessons: list[Lesson]) -> None:
    teacher = TemplateTeacher(29)
    texts = teacher.propose(lessons, 0)
    assert teacher.propose(lessons[::-1], 0) == texts
    assert sum(texts[key] != other for key, other in teacher.propose(lessons, 1).items()) > 0.8 * len(texts)
    closings = Counter((text or "").split(". ")[-1] for text in texts.values())
    assert len(closings) >= 7
    assert len({" ".join((text or "").split()[:3]) for text in texts.values()}) > 15


def test_both_sides_are_told_and_the_label_s_side_comes_last() -> None:
    text = compose(LUNG, 0.7, 5)
    assert "EGFR L858R is the target of osimertinib" in text
    assert "liver disease is a poor sign" in text.lower() or "TP53 R175H marks aggressive disease" in text
    for score in (0.0, 0.3, 0.7, 1.0):
        for seed in range(40):
            found = compose(LUNG, score, seed)
            last = found.split(". ")[-1]
            assert ("unlikely" in last) == (score < 0.5)
            assert ("very" in last) == (score in (0.0, 1.0))


def test_resistance_and_sensitivity_follow_the_tables() -> None:
    assert "KRAS G12D signals past EGFR" in {argument.text for argument in arguments(COLON) if not argument.favours}
    texts = {argument.text: argument.favours for argument in arguments(LUNG)}
    assert texts["EGFR T790M is covered by osimertinib"]
    assert not texts["CEA is rising"]
    assert "earlier erlotinib was of the same class" in texts


def test_without_the_label_the_arguments_decide_and_reserve_is_kept() -> None:
    for record in (LUNG, COLON, UNSEQUENCED):
        text = compose(record, None, 3)
        assert verify(text, record, None).accepted
        assert "very" not in text.split(". ")[-1]
    assert "unlikely" in compose(COLON, None, 3)


DRUGS = (
    "osimertinib",
    "cetuximab",
    "pembrolizumab",
    "carboplatin",
    "letrozole",
    "palbociclib",
    "olaparib",
    "docetaxel",
    "investigational",
    "enzalutamide",
)
STATEMENTS = (
    ("patient", "ECOG performance status 0 (3 days before treatment)"),
    ("patient", "ECOG performance status 3 (3 days before treatment)"),
    ("disease_status", "progression on MR (23 days before treatment)"),
    ("disease_status", "no progression on CT (90 days before treatment)"),
    ("disease_status", "liver (23 days before treatment)"),
    ("disease_status", "brain or central nervous system (23 days before treatment)"),
    ("disease_status", "CA 15-3 41.2 units/ml, falling (12 days before treatment)"),
    ("disease_status", "PSA 4.9 ng/ml, rising (12 days before treatment)"),
    ("prior_treatment", "this is line 1 of treatment"),
    ("prior_treatment", "paclitaxel (300 days before treatment)"),
    ("biomarkers", "PD-L1 positive (13 days before treatment)"),
    ("biomarkers", "HER2 negative"),
    ("biomarkers", "hormone receptor positive"),
    ("biomarkers", "mismatch repair deficient (30 days before treatment)"),
    ("genomics", "microsatellite instable"),
    ("genomics", "tumour mutational burden high (23.1 mutations per megabase)"),
    ("genomics", "EGFR E746_A750del"),
    ("genomics", "KRAS G12C"),
    ("genomics", "BRCA2 S1982Rfs*22"),
    ("genomics", "ESR1 D538G"),
    ("genomics", "RB1 deletion"),
    ("genomics", "EML4-ALK fusion"),
    ("genomics", "TP53 X125_splice"),
    ("genomics", "AR amplification"),
    ("genomics", "STK11 Q37*"),
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.sampled_from(DRUGS), min_size=1, max_size=3, unique=True),
    st.lists(st.sampled_from(STATEMENTS), max_size=len(STATEMENTS), unique=True),
    st.sampled_from([0.0, 0.3, 0.7, 1.0, None]),
    st.integers(0, 2**32 - 1),
)
def test_any_record_gets_a_rationale_that_passes(
    drugs: list[str], statements: list[tuple[str, str]], score: float | None, seed: int
) -> None:
    record = Record.from_statements([*(("drugs", drug) for drug in drugs), ("diagnosis", "breast cancer"), *statements])
    text = compose(record, score, seed)
    found = verify(text, record, score)
    assert found.accepted, (text, found.failed, found.scores)
    assert verify(plain(record, score), record, score).accepted, plain(record, score)
