"""What is read stretch by stretch and remembered is what a reading of the whole text gives."""

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oncoraft.knowledge.drugs import drugs
from oncoraft.verifiers.attributes import HINTS, PATTERNS
from oncoraft.verifiers.claims import read_claims, read_whole
from oncoraft.verifiers.direction import leans
from oncoraft.verifiers.stretches import stretches
from oncoraft.verifiers.text import SENTENCE_END, Span, sentences, split
from oncoraft.verifiers.vocabulary import phrases

# Ends of sentences behind which a value might follow, and beginnings that might be one.
NAMES = """ECOG; ECOG status; performance status is; line; line of therapy; prior medication status; the setting; extent at diagnosis; Gleason score of
Gleason; age; aged; age is; stage; MSI; MSI status still; microsatellite; mismatch repair; MMR; MMR absent; TMB; mutational burden; TMB (nonsynonymous)
PD-L1; PD-L1 positive; HER2; hormone receptors; hormone receptor status; HR; ER; CEA; CA 15-3; PSA at last follow-up; CEA 3.5 ng/ml; CEA is rising
progression; cancer is seen on the last imaging; cancer on imaging; distant; liver; liver,; liver and; no; not; without; an immune; an immune checkpoint
treated; EGFR; EGFR exon 19; ALK; first; pretreated; lung; a benefit is unlikely; score; no KRAS; 1; stage 4; line 2"""
VALUES = """1; 2; 3.5; 1-3; IV; Yes; No; High; Low; Positive; Negative; Stable; Rising; Falling; Rose; Distant; Regional; Metastatic; Adjuvant; Line 2; Liver
Bone; Checkpoint inhibitor; Inhibitor; Checkpoint; Cancer; Disease; Elsewhere; L858R; Deletion; Fusion; Not found; Absent; 4+3; 60s; Line; CEA; EGFR L858R
Is 1; Was rising; The liver; Or bone; Not 1; Therapy; Deficient; Intact; Osimertinib; MSI; Mutation; 1. EGFR; (2) KRAS; Instable; Imaging"""
ENDS = [part.strip() for part in re.split("[;\n]", NAMES)]
BEGINNINGS = [part.strip() for part in re.split("[;\n]", VALUES)]
PHRASES = sorted({" ".join(words) for entries in phrases().values() for words, _, _ in entries if len(words) > 1})
WORDS = st.sampled_from([*ENDS, *BEGINNINGS, *PHRASES, "helps", "was not found", "and", "but", "of the patient", "in favour"])
MARKS = st.sampled_from([". ", "! ", "? ", ".  ", ". \n", "\n", ", ", "; ", " ", "... ", ".) "])


@pytest.mark.parametrize("end", ENDS)
def test_a_value_behind_the_stop_is_read_or_not_as_in_the_whole_text(end: str) -> None:
    for beginning, mark in itertools.product(BEGINNINGS, (". ", ".  ")):
        text = f"Here is {end}{mark}{beginning} is what follows. It helps."
        assert read_claims(text) == read_whole(text), text


@given(parts=st.lists(st.tuples(WORDS, MARKS), min_size=1, max_size=12))
def test_claims_of_any_text_are_those_of_the_whole_text(parts: list[tuple[str, str]]) -> None:
    text = "".join(word[:1].upper() + word[1:] + mark for word, mark in parts)
    assert read_claims(text) == read_whole(text)
    assert read_claims(text) == read_whole(text)  # remembered


def test_a_drug_s_name_that_a_stop_divides_is_read_as_in_the_whole_text() -> None:
    for phrase in PHRASES:
        first, rest = phrase.split(" ", 1)
        text = f"It is {first}. {rest[:1].upper()}{rest[1:]} is given. It helps."
        assert read_claims(text) == read_whole(text), text


def test_a_stretch_is_one_sentence_where_nothing_goes_on() -> None:
    text = "Osimertinib blocks EGFR. Against it, CEA is rising and ECOG 1 allows full treatment. Overall a benefit is likely."
    assert [part for _, part in stretches(text)] == re.split(r"(?<=\.) ", text)
    assert [text[start : start + len(part)] for start, part in stretches(text)] == [part for _, part in stretches(text)]
    assert stretches("ECOG. 1 is good.") == [(0, "ECOG. 1 is good.")]


def test_the_same_sentence_leans_the_same_wherever_it_stands() -> None:
    sentence = "CEA is rising, which weighs against a benefit."
    (alone, *_), (_, second, *_) = leans(sentence), leans(f"ECOG 0 promises good tolerance. {sentence} It helps.")
    assert (second.sign, second.span.end - second.span.start) == (alone.sign, alone.span.end - alone.span.start)
    assert second.span.start == len("ECOG 0 promises good tolerance. ")


def test_every_pattern_has_hints_and_no_mechanism_holds_the_end_of_a_sentence() -> None:
    assert {pattern.subject for pattern in PATTERNS} == set(HINTS)
    assert not [drug for drug in drugs().values() if re.search(r"[.!?]\s", drug.mechanism or "")]


@given(
    st.lists(
        st.sampled_from(["a", "B", "1", ".", "!", "?", " ", "  ", "\t", "\u00a0", '"', "(", ";", "*", "-", "\u2022"]), max_size=14
    ).map("".join)
)
def test_sentences_are_those_between_the_ends_of_sentences(text: str) -> None:
    assert list(sentences(text)) == split(text, SENTENCE_END, Span(0, len(text)))
