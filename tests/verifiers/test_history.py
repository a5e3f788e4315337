"""Claims of line, setting, history and disease status are held against what the prompt tells, however they are put."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oncoraft.rationales.teacher_template import arguments, compose, plain
from oncoraft.verifiers.claims import read_claims
from oncoraft.verifiers.combine import verify
from oncoraft.verifiers.record import Record

BASE = [
    ("drugs", "osimertinib (EGFR inhibitor)"),
    ("diagnosis", "non-small cell lung cancer"),
    ("patient", "ECOG performance status 1 (5 days before treatment)"),
    ("genomics", "EGFR L858R"),
]
FIRST = Record.from_statements(
    [*BASE, ("drugs", "treatment setting: metastatic"), ("prior_treatment", "first line of metastatic treatment")]
)
AFTER_ADJUVANT = Record.from_statements(
    [
        *BASE,
        ("drugs", "treatment setting: metastatic"),
        ("prior_treatment", "first line of metastatic treatment"),
        ("prior_treatment", "systemic treatment number 2 overall"),
        ("prior_treatment", "adjuvant line 1, cisplatin + vinorelbine (begun 900 days before treatment)"),
        ("prior_treatment", "cisplatin (900 days before treatment)"),
    ]
)
ELSEWHERE = Record.from_statements(
    [
        *BASE,
        ("prior_treatment", "metastatic treatment number 1 recorded here, after treatment elsewhere"),
        ("prior_treatment", "treated elsewhere before (noted 14 days before treatment)"),
    ]
)
THIRD = Record.from_statements(
    [
        *BASE,
        ("drugs", "treatment setting: metastatic"),
        ("prior_treatment", "third line of metastatic treatment"),
        (
            "prior_treatment",
            "metastatic line 2, docetaxel (begun 90 days before treatment): progression on imaging 9 days before treatment",
        ),
        ("prior_treatment", "metastatic line 1, carboplatin + pemetrexed (begun 300 days before treatment)"),
        ("prior_treatment", "docetaxel (90 days before treatment)"),
        ("prior_treatment", "carboplatin (300 days before treatment)"),
        ("prior_treatment", "pemetrexed (300 days before treatment)"),
    ]
)
ADJUVANT = Record.from_statements(
    [
        *BASE,
        ("drugs", "treatment setting: adjuvant"),
        ("prior_treatment", "first line of adjuvant treatment"),
        ("diagnosis", "Stage 1-3 at diagnosis"),
    ]
)
SILENT = Record.from_statements(BASE)
OLDER_WORDS = Record.from_statements(
    [
        *BASE,
        ("prior_treatment", "this is line 1 of systemic treatment"),
        ("prior_treatment", "treated elsewhere before (noted 14 days before treatment)"),
    ]
)
TEXT = (
    "Osimertinib blocks the kinase of mutant EGFR. In favour, EGFR L858R is the target of osimertinib and {}. Overall a benefit is likely."
)
FIRST_WORDS = (
    "this is the first line of treatment",
    "this is first-line treatment",
    "this is the 1st-line treatment",
    "it is given as line 1",
    "it is given frontline",
    "this is the initial therapy",
    "this is the first systemic treatment",
)
UNTREATED_WORDS = (
    "there was no prior treatment",
    "the tumour is treatment-naive",
    "the patient is chemotherapy-naïve",
    "the tumour is previously untreated",
)


def holds(claim: str, record: Record) -> bool:
    return verify(TEXT.format(claim), record, 0.7).scores["factual"] == 1.0


@pytest.mark.parametrize("claim", [*FIRST_WORDS, *UNTREATED_WORDS])
def test_first_of_all_is_borne_out_only_where_nothing_came_before(claim: str) -> None:
    assert holds(claim, FIRST)
    for record in (AFTER_ADJUVANT, ELSEWHERE, THIRD, SILENT, OLDER_WORDS):
        assert not holds(claim, record)
    assert not holds(claim.upper(), ELSEWHERE)


TRUE = [
    (AFTER_ADJUVANT, "this is the first line of metastatic treatment"),
    (AFTER_ADJUVANT, "this is first-line treatment in the metastatic setting"),
    (AFTER_ADJUVANT, "one prior regimen was given"),
    (AFTER_ADJUVANT, "earlier adjuvant treatment with cisplatin lies long back"),
    (AFTER_ADJUVANT, "the patient was previously treated"),
    (ELSEWHERE, "the tumour was treated elsewhere before"),
    (ELSEWHERE, "the tumour is pretreated"),
    (THIRD, "this is third-line treatment"),
    (THIRD, "this is not the first line"),
    (THIRD, "two prior lines were given"),
    (THIRD, "the patient is heavily pretreated"),
    (THIRD, "docetaxel was given earlier as the second line"),
    (THIRD, "this is metastatic disease"),
    (ADJUVANT, "this is adjuvant therapy"),
    (ADJUVANT, "treatment is given with adjuvant intent"),
    (ADJUVANT, "this is localised disease"),
]
FALSE = [
    (FIRST, "this is second-line treatment"),
    (FIRST, "this is adjuvant therapy"),
    (FIRST, "this is the first line of adjuvant treatment"),
    (FIRST, "this is a localized lung cancer"),
    (FIRST, "the patient is heavily pretreated"),
    (FIRST, "the tumour was treated elsewhere before"),
    (AFTER_ADJUVANT, "this is adjuvant chemotherapy"),
    (AFTER_ADJUVANT, "the patient is heavily pretreated"),
    (AFTER_ADJUVANT, "two prior regimens were given"),
    (ELSEWHERE, "this is line 1 of metastatic treatment"),
    (ELSEWHERE, "no prior lines were given"),
    (ELSEWHERE, "the tumour was not treated elsewhere before"),
    (THIRD, "this is second-line treatment"),
    (THIRD, "this is the first line after carboplatin"),
    (ADJUVANT, "this is metastatic disease"),
    (ADJUVANT, "this is metastatic lung cancer"),
    (ADJUVANT, "this is neoadjuvant treatment"),
    (SILENT, "this is metastatic disease"),
    (SILENT, "this is adjuvant treatment"),
    (SILENT, "this is second-line treatment"),
]


@pytest.mark.parametrize(("record", "claim"), TRUE)
def test_what_the_prompt_tells_of_line_setting_and_history_is_borne_out(record: Record, claim: str) -> None:
    assert holds(claim, record)


@pytest.mark.parametrize(("record", "claim"), FALSE)
def test_what_it_does_not_tell_is_not(record: Record, claim: str) -> None:
    assert not holds(claim, record)


@pytest.mark.parametrize("record", [FIRST, AFTER_ADJUVANT, ELSEWHERE, THIRD, ADJUVANT, SILENT, OLDER_WORDS])
@pytest.mark.parametrize("score", [0.0, 0.3, 0.7, 1.0])
def test_the_template_teacher_claims_only_what_the_verifiers_bear_out(record: Record, score: float) -> None:
    texts = [compose(record, score, seed) for seed in range(0, 2000, 37)] + [plain(record, score)]
    for text in texts:
        found = verify(text, record, score)
        assert found.scores["factual"] == 1.0, (text, found.spans())
    told = " ".join([*texts, *(argument.text for argument in arguments(record))]).lower()
    if record not in (FIRST, ADJUVANT):
        assert "first line of treatment" not in told
        assert "line 1" not in told


@pytest.mark.parametrize(
    "text", ["AGE 60S", "AGE 60 TO 69", "Aged 60S.", "A 64-YEAR-OLD WOMAN IN HER 60S", "ECOG ZERO", "STAGE IV", "GLEASON 4 + 3"]
)
def test_claims_in_capitals_are_read_as_those_in_small_letters(text: str) -> None:
    def read(words: str) -> set[tuple[str, str, bool]]:
        return {(claim.subject, claim.value, claim.denied) for claim in read_claims(words)}

    assert read(text)
    assert read(text) == read(text.lower())


WORDS = st.sampled_from(
    [
        "age",
        "aged",
        "in",
        "her",
        "their",
        "60s",
        "70s",
        "64",
        "ecog",
        "of",
        "zero",
        "1-2",
        "gleason",
        "4+3",
        "stage",
        "iv",
        "iia",
        "not",
        "no",
        "first",
        "second",
        "line",
        "prior",
        "lines",
        "two",
        "tmb",
        "high",
        "12.5",
        "burden",
        "psa",
        "rising",
        "msi",
        "h",
        "mmr",
        "her2",
        "positive",
        "hr",
        "adjuvant",
        "setting",
        "metastatic",
        "disease",
        "treated",
        "elsewhere",
        "year",
        "old",
    ]
)


@given(st.lists(WORDS, min_size=1, max_size=12), st.sampled_from([str.upper, str.lower, str.title, str.swapcase]))
def test_no_text_of_such_words_stops_the_reading(words: list[str], case: object) -> None:
    text = case(" ".join(words))  # type: ignore[operator]
    verify(text, Record.from_statements([*BASE, ("patient", text)]), 0.7)
