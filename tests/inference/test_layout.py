"""The published layout: borders of the categories, what score a text states, and what is put in its place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oncoraft.inference.answer import result
from oncoraft.inference.layout import Answer, category, opening, score_in, with_score
from oncoraft.models.cases import Case


@pytest.mark.parametrize(
    ("probability", "expected"),
    # Mid-points: (1.0 + 0.7) / 2 = 0.85, (0.7 + 0.3) / 2 = 0.5, (0.3 + 0.0) / 2 = 0.15; a border belongs to the better side.
    [(1.0, "CR"), (0.85, "CR"), (0.8499, "PR"), (0.5, "PR"), (0.4999, "SD"), (0.15, "SD"), (0.1499, "PD"), (0.0, "PD")],
)
def test_borders_lie_midway_between_the_scores(probability: float, expected: str) -> None:
    assert category(probability) == expected


@given(st.floats(0, 1))
def test_the_opening_states_the_nearest_score_and_agrees_with_the_published_threshold(probability: float) -> None:
    stated = score_in(opening(probability))
    assert stated is not None
    assert abs(stated - probability) == pytest.approx(min(abs(score - probability) for score in (1.0, 0.7, 0.3, 0.0)))
    assert (stated >= 0.5) == (probability >= 0.5) == (category(probability) in {"CR", "PR"})


@pytest.mark.parametrize(
    ("text", "stated"),
    [
        ("Score: 0.7\nReasoning:\nfine", 0.7),
        ("score:1", 1.0),
        ("The prediction score of 0.3 reflects this.", 0.3),
        ("MSI Score: 0.4 is stable. Score: 0.7", 0.7),
        ("Gleason score of 9; a positive score of 1; Score: 0.0", 0.0),
        ("Score: 7", None),
        ("No number here. Score: high", None),
        ("", None),
        ("Underscore: 0.7", None),
    ],
)
def test_the_first_score_of_its_own_is_read(text: str, stated: float | None) -> None:
    assert score_in(text) == stated


def test_only_the_answers_own_scores_are_replaced() -> None:
    text = "Score: 0.7\nReasoning:\nMSI score: 0.3 is low, the Gleason score of 9 is high, hence a score of 0.7. Score:0.7"
    expected = "Score: 0.2949\nReasoning:\nMSI score: 0.3 is low, the Gleason score of 9 is high, hence a score of 0.2949. Score: 0.2949"
    assert with_score(text, 0.29493) == expected


@given(st.floats(0, 1), st.text(st.characters(codec="utf-8"), max_size=40))
def test_replacing_twice_is_replacing_once(probability: float, rest: str) -> None:
    once = with_score(f"Score: 0.3\n{rest}", probability)
    assert with_score(once, probability) == once
    assert once.startswith(f"Score: {probability:.4f}")


class Letters:
    """A tokenizer of one character a token."""

    def decode(self, tokens: list[int], skip_special_tokens: bool) -> str:
        assert skip_special_tokens
        return "".join(map(chr, tokens))


@pytest.mark.parametrize(
    ("has_head", "is_forced", "is_written", "text", "stated"),
    [
        (True, True, True, "Score: 0.5000\nok", None),  # forced: what it states is the head's own
        (True, False, True, "Score: 0.5000\nok", 0.3),
        (False, False, True, "Score: 0.3\nok", 0.3),  # without a head the text keeps its word
        (False, False, False, None, 0.3),
    ],
)
def test_a_result_keeps_what_the_text_said(
    has_head: bool, is_forced: bool, is_written: bool, text: str | None, stated: float | None
) -> None:
    case = Case("c", "p", 0, (), (), None, None)
    found = result(case, 0.0, list(map(ord, "Score: 0.3\nok")), True, Letters(), has_head, is_forced, is_written)
    assert (found.text, found.score_from_text) == (text, stated)
    assert found.reason == ("stop" if is_written else "not_sampled")


def test_the_report_has_the_published_lines_in_their_order() -> None:
    lines = Answer(0.29493, "Score: 0.2949\nReasoning:\n- weak").report().splitlines()
    assert lines[0] == lines[2] == lines[-1] == "=" * 80
    assert lines[1] == "ONCORAFT PREDICTION RESULTS"
    assert "Prediction Score: 0.2949" in lines
    assert "Response Category: Unlikely Response (SD/PD)" in lines
    place = lines.index("Clinical Rationale:")
    assert lines[place + 1] == "-" * 80
    assert lines[place + 2 : -1] == ["Score: 0.2949", "Reasoning:", "- weak"]
    assert "Response Category: Likely Response (CR/PR)" in Answer(0.5, None).report()
    assert "Clinical Rationale:" not in Answer(0.5, None).report()
