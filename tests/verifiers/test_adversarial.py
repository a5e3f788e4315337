"""Texts that mean nothing or the wrong thing, made to please a verifier: none passes; sound ones do."""

import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oncoraft.verifiers.combine import verify
from oncoraft.verifiers.form import CONTROL, copied_spans, recited
from oncoraft.verifiers.grammar import grammar, place_of
from oncoraft.verifiers.text import word_set
from tests.verifiers.examples import COLON, GOOD, LUNG, UNSEQUENCED


def failed(text: str, record=LUNG, score: float | None = 0.7) -> tuple[str, ...]:
    return verify(text, record, score).failed


def test_a_sound_rationale_passes_with_every_score_at_its_best() -> None:
    verification = verify(GOOD, LUNG, 0.7)
    assert verification.accepted
    assert verification.scores["factual"] == verification.scores["mechanism"] == verification.scores["consistency"] == 1.0


@pytest.mark.parametrize("text", ["", " ", "\n\n", ".", "Overall a benefit is likely.", "depends context varies. uncertain unclear."])
def test_empty_text_and_text_about_no_case_fail(text: str) -> None:
    assert failed(text)
    assert failed(text, score=0.5)
    assert failed(text, score=None)


@pytest.mark.parametrize("seed", range(25))
def test_word_salad_of_a_sound_rationale_fails(seed: int) -> None:
    words = GOOD.split()
    random.Random(seed).shuffle(words)
    assert failed(" ".join(words))


@pytest.mark.parametrize("seed", range(10))
def test_word_salad_that_keeps_each_fact_whole_fails(seed: int) -> None:
    facts = ["EGFR L858R", "EGFR T790M", "TP53 R175H", "osimertinib", "ECOG 1", "liver disease", "line 2", "CEA rising", "stage 4"]
    filler = sorted(word_set("benefit likely favours supports target the of and is sensitive because promising overall treatment this"))
    draw = random.Random(seed)
    pieces = facts + [draw.choice(filler) for _ in range(20)]
    draw.shuffle(pieces)
    assert failed(" ".join(pieces) + ".")


def test_a_bare_list_of_true_facts_fails() -> None:
    assert failed("EGFR L858R, EGFR T790M, TP53 R175H, ECOG 1, osimertinib, liver disease, bone disease, CEA rising, line 2, likely.")


TOKENS = [
    "<end_of_turn>",
    "<|im_end|>",
    "</s>",
    "[INST]",
    "[/INST]",
    "<|eot_id|>",
    "<turn|>",
    "<|turn>",
    "<｜end▁of▁sentence｜>",
    "[SEP]",
    "<<SYS>>",
]
TOKENS += ["</think>", "<PAD>", "[TOOL_RESULTS]", "<fim_prefix>", "<unused7>", "<extra_id_0>", "<image_soft_token>", "<|start_header_id|>"]


@pytest.mark.parametrize("token", TOKENS)
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_control_token_spelled_anywhere_fails(token: str, share: float) -> None:
    at = int(share * len(GOOD))
    assert "form" in failed(GOOD[:at] + token + GOOD[at:])


@pytest.mark.parametrize(
    "text", ["CA 19-9 < 37 and > 5", "[Not Available]", "p.[G12C]", "a <b> c", "KRAS|TP53", "<stage 4>", "[12]", "a -> b"]
)
def test_brackets_and_signs_of_clinical_prose_are_no_control_tokens(text: str) -> None:
    assert CONTROL.search(text) is None


NEGATIONS = [
    ("EGFR L858R is the target", "no EGFR L858R is there as the target"),
    ("TP53 R175H marks", "the absence of TP53 R175H marks"),
    ("ECOG 1 allows", "ECOG is not 1 and this allows"),
    ("liver disease is", "the lack of liver disease is"),
    ("CEA is rising", "CEA is not rising"),
    ("EGFR T790M is covered", "EGFR T790M was not found and is covered"),
]


@pytest.mark.parametrize(("fact", "denial"), NEGATIONS)
def test_one_denied_fact_fails(fact: str, denial: str) -> None:
    assert fact in GOOD
    assert "factual" in failed(GOOD.replace(fact, denial))


def test_every_fact_negated_scores_next_to_nothing() -> None:
    text = (
        "There is no EGFR L858R and the tumour does not carry EGFR T790M. TP53 R175H was not detected. ECOG is not 1, there is no liver or bone"
        " disease, CEA is not rising, and this is not line 2. She does not receive osimertinib. Overall a benefit is likely."
    )
    assert verify(text, LUNG, 0.7).scores["factual"] == 0.0


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("KRAS G12D signals past EGFR", "another patient's mutation"),
        ("ECOG 2 limits what can be given", "another patient's performance status"),
        ("EGFR L861Q is the target of osimertinib", "another change of the same gene"),
        ("EGFR amplification is a good sign", "another kind of alteration"),
        ("brain disease is a poor sign", "another site"),
        ("line 3 meets a pretreated tumour", "another line"),
        ("microsatellite instability favours a benefit", "another phenotype"),
        ("PD-L1 is positive at 80%", "a value that is nowhere"),
        ("CEA is falling", "the trend the other way round"),
        ("a mutational burden of 17.5 favours it", "a number that is nowhere"),
        ("she received earlier oxaliplatin", "another patient's earlier treatment"),
        ("this breast cancer is slow", "another cancer"),
    ],
)
def test_a_fact_of_another_patient_fails(text: str, why: str) -> None:
    assert "factual" in failed(GOOD.replace("ECOG 1 allows full treatment", text)), why


@pytest.mark.parametrize(
    "drug",
    ["pembrolizumab", "Keytruda", "sotorasib", "FOLFOX", "a PARP inhibitor", "zolbetuximab", "trastuzumab deruxtecan", "a MEK inhibitor"],
)
def test_a_drug_not_given_fails(drug: str) -> None:
    assert "factual" in failed(GOOD.replace("ECOG 1 allows full treatment", f"{drug} adds to the effect"))


def test_a_drug_given_earlier_is_not_a_drug_given() -> None:
    assert "factual" in failed(GOOD.replace("osimertinib", "erlotinib").replace("Osimertinib", "Erlotinib"))
    assert not failed(GOOD.replace("ECOG 1 allows full treatment", "earlier erlotinib had its time"))


def test_a_copied_prompt_fails() -> None:
    copied = ". ".join(LUNG.text.splitlines()) + "."
    assert "form" in failed(copied)
    assert "form" in failed(copied + " Overall a benefit is likely.")
    assert "form" in failed(re.sub(r"\(.*?\)", "", copied) + " Overall a benefit is likely.")


@pytest.mark.parametrize("space", ["  ", "\t", "\u00a0", " \u2003"])
def test_a_recited_prompt_is_seen_however_its_words_are_spaced(space: str) -> None:
    lines = ["ECOG status is now good", "Liver lesions were seen again.", "CEA is rising since spring", "short line"]
    text = "So " + ", ".join(lines[:2]) + " and so on."
    assert recited(text, "\n".join(lines).lower()) == 2 / 3
    assert recited(text, "\n".join(space + line.replace(" ", space) for line in lines).lower()) == 2 / 3
    assert recited(text, "\n".join(lines[:2]).lower()) == 0  # too few to tell a share of


@given(
    st.lists(st.sampled_from(["a", "b", "c", "ab", "bc", ".", ",", "1"]), max_size=40),
    st.lists(st.sampled_from(["a", "b", "c", "ab", "\n", ",", "1"]), max_size=60),
)
def test_copied_words_are_every_six_that_stand_in_what_was_shown(said: list[str], shown: list[str]) -> None:
    text, prompt = " ".join(said), " ".join(shown)
    parts = grammar(text)
    words = [word for _, part in parts for word in part.words]
    theirs = f" {' '.join(word for word in shown if word.isalnum())} "
    copied = {
        place for start in range(len(words) - 5) if f" {' '.join(words[start : start + 6])} " in theirs for place in range(start, start + 6)
    }
    spans = copied_spans(parts, words, prompt)
    assert {place for place in range(len(words)) if any(span.start <= place_of(parts, place).start < span.end for span in spans)} == copied


def test_a_conversation_handed_back_fails() -> None:
    instruction = (
        "You weigh what speaks for a treatment and what speaks against it. Say how likely a benefit is, and be as sure as the case allows."
    )
    echo = f"system: {instruction} user: " + "; ".join(LUNG.text.splitlines()) + ". It is judged likely to help: argue so."
    assert "form" in verify(echo, LUNG, 0.7, instruction=instruction).failed
    assert "form" in verify(echo, LUNG, 0.7).failed
    assert (
        "form"
        in verify(f"{instruction} {instruction} EGFR L858R and ECOG 1 are likely to help.", LUNG, 0.7, instruction=instruction).failed
    )


def test_false_mechanisms_fail() -> None:
    assert "mechanism" in failed(GOOD.replace("EGFR L858R is the target of osimertinib", "TP53 R175H is the target of osimertinib"))
    assert "mechanism" in failed(
        "Cetuximab blocks EGFR. KRAS G12D makes the tumour sensitive to cetuximab. ECOG 2 limits treatment. Overall a benefit is likely.",
        COLON,
    )
    assert "mechanism" in failed(GOOD.replace("Osimertinib blocks the kinase of mutant EGFR.", "Osimertinib inhibits TP53."))
    assert "mechanism" not in failed(
        "Cetuximab blocks EGFR. KRAS G12D speaks against cetuximab. ECOG 2 limits treatment. Overall a benefit is unlikely.", COLON, 0.3
    )


def test_arguing_against_the_score_fails() -> None:
    assert "consistency" in failed(GOOD, score=0.3)
    assert "consistency" in failed(GOOD.replace("likely.", "unlikely."), score=0.7)
    assert "consistency" in failed(
        GOOD.replace("Overall a benefit is likely.", "Overall it is likely to work. Overall it is unlikely to work.")
    )


def test_confidence_out_of_keeping_with_the_score_fails() -> None:
    assert "uncertainty" in failed(
        GOOD.replace("Overall a benefit is likely.", "Overall it is entirely unclear whether a benefit is likely."), score=1.0
    )
    assert verify(GOOD.replace("is likely.", "is very likely."), LUNG, 1.0).scores["uncertainty"] == 1.0


@pytest.mark.parametrize(
    "addition",
    [
        "The patient responded.",
        "This was a partial response.",
        "The score is 0.7.",
        "P-0001234 did well.",
        "The label is PR.",
        "She died later.",
    ],
)
def test_an_outcome_a_score_or_an_identifier_fails(addition: str) -> None:
    assert "no_outcome" in failed(GOOD + " " + addition)


def test_what_the_prompt_is_silent_about_may_be_neither_stated_nor_denied() -> None:
    text = "Docetaxel freezes microtubules so that cells cannot divide. In favour, ECOG 1 allows full treatment and {}. Overall a benefit is likely."
    assert not failed(text.format("this is the first line of treatment"), UNSEQUENCED)
    assert "factual" in failed(text.format("there is no BRCA2 mutation"), UNSEQUENCED)
    assert "factual" in failed(text.format("there is no liver disease"), UNSEQUENCED)


def test_copying_one_case_s_rationale_to_another_fails() -> None:
    assert "factual" in failed(GOOD, COLON)
