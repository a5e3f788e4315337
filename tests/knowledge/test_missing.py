"""One place says which words mean "missing"; no gene, agent or word of a vocabulary is among them by accident."""

from __future__ import annotations

import pytest

from oncoraft.knowledge.drugs import agent_names
from oncoraft.knowledge.genes import genes
from oncoraft.knowledge.missing import is_missing_word


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
    "word", ["0", "No", "N", "False", "Pending", "Completed", "UNK", "NAT1", "Unknown primary", "99", "-1", "Nilotinib"]
)
def test_a_word_that_has_a_meaning_is_a_value(word: str) -> None:
    assert not is_missing_word(word)


def test_no_gene_and_no_agent_is_called_missing() -> None:
    assert not [name for name in (*genes(), *agent_names()) if is_missing_word(name)]
