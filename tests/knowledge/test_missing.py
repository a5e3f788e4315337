"""One place says which words mean "missing"; no gene, agent or word of a vocabulary is among them by accident."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oncoraft.knowledge.drug_names import resolve
from oncoraft.knowledge.drugs import agent_names
from oncoraft.knowledge.genes import genes
from oncoraft.knowledge.missing import CANDIDATES, MACHINES, WORDS, is_missing_word

BRACKETS = ("{}", "[{}]", "({})", "<{}>", "{{{}}}", '"{}"', "'{}'", "[[ {} ]]", "{}.", "{}?", "#{}", "-{}-")
BETWEEN = ("/", " / ", ";", ", ", " | ", " & ", " ")


@st.composite
def one_missing(draw: st.DrawFn) -> str:
    """A word for missing as people write it: in any case, joined, bracketed, padded."""
    word = draw(st.sampled_from(("_", "-", " ", "  ", ""))).join(draw(st.sampled_from(WORDS)).split(" "))
    cased = "".join(draw(st.sampled_from((letter.upper(), letter.lower()))) for letter in word)
    padding = st.text(" \u00a0\u2003\u200b", max_size=2)
    return draw(padding) + draw(st.sampled_from(BRACKETS)).format(cased) + draw(padding)


@st.composite
def missing_texts(draw: st.DrawFn) -> str:
    """One or several of them."""
    return draw(st.sampled_from(BETWEEN)).join(draw(st.lists(one_missing(), min_size=1, max_size=3)))


def is_candidate(text: str) -> bool:
    """Whether the quick look at a column lets a text through to the close one."""
    return bool(pc.match_substring_regex(pa.array([text.strip()]), CANDIDATES, ignore_case=True)[0].as_py())


@given(missing_texts())
@settings(deadline=None)
def test_a_word_for_missing_is_missing_however_it_is_written(text: str) -> None:
    assert is_missing_word(text)
    assert is_candidate(text)


@given(st.text(max_size=30) | missing_texts() | st.sampled_from(MACHINES))
@settings(deadline=None)
def test_the_quick_look_passes_over_no_text_that_is_missing(text: str) -> None:
    assert is_candidate(text) or not is_missing_word(text)


@given(st.sampled_from(WORDS), st.text("bcdghjqvwxz0123456789", max_size=4), st.text("bcdghjqvwxz0123456789", max_size=4))
def test_a_text_that_only_contains_a_word_for_missing_is_a_value(word: str, before: str, after: str) -> None:
    for written in (word, word.title(), word.upper()):
        assert is_missing_word(before + written + after) == (not before + after)


@given(st.sampled_from(sorted(agent_names())), missing_texts(), st.sampled_from((" + ", "; ", " and ", "/", ", ")), st.booleans())
def test_no_part_of_a_drug_name_is_a_word_for_missing(agent: str, text: str, mark: str, is_first: bool) -> None:
    cell = mark.join((text, agent) if is_first else (agent, text))
    assert resolve(cell).agents == resolve(agent).agents


@pytest.mark.parametrize(
    "word",
    [
        "",
        "  ",
        "NA",
        "n/a",
        "N/A",
        "NaN",
        "null",
        "None",
        "Unknown",
        "UNKNOWN",
        ".",
        "-",
        "--",
        "[Not Available]",
        "[not applicable]",
        "[Unknown]",
        "[Discrepancy]",
        "[Pending]",
        "[Completed]",
        "Not_Available",
        "not reported",
        "#N/A",
        "<NA>",
        " NA ",
        "\u00a0NA\u00a0",
        "#VALUE!",
        "#DIV/0!",
        "1.#QNAN",
        "NaT",
        "\\N",
        "<null>",
        "Not-Available",
        "Not stated",
        "no data",
    ],
)
def test_what_studies_write_for_missing_is_missing(word: str) -> None:
    assert is_missing_word(word)


@pytest.mark.parametrize(
    "word",
    [
        "Nandrolone",
        "Naples",
        "Nonesuch",
        "Unknown agent 7",
        "Nantes",
        "Nilandron",
        "0",
        "No",
        "N",
        "False",
        "Pending",
        "Completed",
        "UNK",
        "NAT1",
        "Unknown primary",
        "99",
        "-1",
        "Nilotinib",
    ],
)
def test_a_word_that_has_a_meaning_is_a_value(word: str) -> None:
    assert not is_missing_word(word)


def test_no_gene_and_no_agent_is_called_missing() -> None:
    assert not [name for name in (*genes(), *agent_names()) if is_missing_word(name)]
