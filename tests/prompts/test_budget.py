"""The token budget at its boundary: what goes, in which order, and what never goes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oncoraft.foundation.errors import InputError
from oncoraft.prompts.budget import Statement, cutting_order, estimated_tokens, fit


def statement(field: str, priority: int, days: int | None = None) -> Statement:
    return Statement("patient", field, field, field, priority, days)


def words(kept: list[Statement], cut: frozenset[str]) -> str:
    return " ".join(item.text for item in kept)


def count(texts: list[str]) -> list[int]:
    """A token a word."""
    return [len(text.split()) for text in texts]


CASE = [
    statement("drug", 100),
    statement("ecog_new", 92, 10),
    statement("ecog_old", 92, 300),
    statement("race", 10),
    statement("surgery", 35, 5),
    statement("mutation", 100),
]


@pytest.mark.parametrize(
    ("budget", "cut"),
    [
        (5, ("race",)),  # six words are one too many; the lowest value goes first
        (4, ("race", "surgery")),
        (3, ("race", "surgery", "ecog_old")),  # among equals the oldest first
        (2, ("race", "surgery", "ecog_old", "ecog_new")),
    ],
)
def test_the_lowest_value_goes_first_then_the_oldest_and_no_more_than_must(budget: int, cut: tuple[str, ...]) -> None:
    found = fit({"c": CASE}, budget, words, count)["c"]
    assert found.cut == cut
    assert found.tokens == budget
    assert "drug" in found.text
    assert "mutation" in found.text


def test_what_cannot_fit_ends_in_one_line_that_counts_the_cases_and_names_the_worst() -> None:
    short, long = [statement("drug", 100)], [statement("drug", 100), statement("mutation", 100), statement("race", 10)]
    with pytest.raises(InputError, match=r"token_budget: 2 cases need more tokens.*case b needs 2: raise token_budget.*found 0") as caught:
        fit({"a": short, "b": long}, 0, words, count)
    assert "\n" not in str(caught.value)


def test_undated_statements_count_as_new_and_later_ones_go_before_earlier_ones() -> None:
    same = [statement("a", 50), statement("b", 50, 3), statement("c", 50), statement("d", 50, 30)]
    assert [same[place].field for place in cutting_order(same)] == ["d", "b", "c", "a"]


def test_a_statement_of_a_field_cut_in_part_is_not_reported_as_wholly_cut() -> None:
    told: list[frozenset[str]] = []

    def compose(kept: list[Statement], cut: frozenset[str]) -> str:
        told.append(cut)
        return words(kept, cut)

    two = [statement("drug", 100), statement("ecog", 92, 10), statement("ecog", 92, 300)]
    assert fit({"c": two}, 2, compose, count)["c"].cut == ("ecog",)
    assert told[-1] == frozenset()


@settings(max_examples=60, deadline=None)
@given(
    cases=st.lists(
        st.lists(st.tuples(st.integers(1, 100), st.integers(0, 900) | st.none(), st.integers(1, 9)), min_size=1, max_size=12), max_size=4
    ),
    budget=st.integers(1, 60),
)
def test_bisection_equals_cutting_one_by_one(cases: list[list[tuple[int, int | None, int]]], budget: int) -> None:
    made = {
        f"case {number}": [
            Statement("s", f"f{place}", "v", "word " * length, priority, days) for place, (priority, days, length) in enumerate(rows)
        ]
        for number, rows in enumerate(cases)
    }
    expected: dict[str, tuple[str, ...]] = {}
    for name, statements in made.items():
        order = cutting_order(statements)
        for number in range(len(order) + 1):
            kept = [item for place, item in enumerate(statements) if place not in order[:number]]
            if count([words(kept, frozenset())])[0] <= budget:
                expected[name] = tuple(statements[place].field for place in order[:number])
                break
    over = {name: rows for name, rows in made.items() if count([words(rows, frozenset())])[0] > budget}
    if set(over) - set(expected):
        with pytest.raises(InputError):
            fit(over, budget, words, count)
    else:
        assert {name: found.cut for name, found in fit(over, budget, words, count).items()} == {name: expected[name] for name in over}


def test_the_estimate_is_three_characters_a_token_rounded_up() -> None:
    assert estimated_tokens(["", "abc", "abcd"]) == [0, 1, 2]
