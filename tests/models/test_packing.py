"""Packed rows: where cases begin, where prompts end, which tokens are predicted; budgets and shares of micro-batches."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from oncoraft.models.cases import Case
from oncoraft.models.packing import micro_batches, pack, shares, turns
from tests.models.tiny_models import random_cases

CPU = torch.device("cpu")


def case(name: str, prompt: tuple[int, ...], answer: tuple[int, ...]) -> Case:
    return Case(name, name, 0, prompt, answer, True, 1.0)


def test_two_cases_by_hand() -> None:
    """Row: 5 6 7 | 8 9, 3 | 4. The last prompt token (7 at 2, 3 at 5) predicts the first answer token; 9 at 4 predicts nothing."""
    packed = pack([case("a", (5, 6, 7), (8, 9)), case("b", (3,), (4,))], CPU)
    assert packed.ids.tolist() == [[5, 6, 7, 8, 9, 3, 4]]
    assert packed.positions.tolist() == [[0, 1, 2, 3, 4, 0, 1]]
    assert packed.bounds.tolist() == [0, 5, 7]
    assert packed.bounds.dtype == torch.int32
    assert packed.lengths == (5, 2)
    assert packed.prompt_ends.tolist() == [2, 5]
    assert packed.predictors.tolist() == [2, 3, 5]
    assert packed.targets.tolist() == [8, 9, 4]


def test_cases_without_answers_ask_for_no_logits() -> None:
    packed = pack(random_cases(3, answered=False), CPU)
    assert packed.predictors.numel() == packed.targets.numel() == 0
    assert packed.prompt_ends.tolist() == [end - 1 for end in packed.bounds.tolist()[1:]]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 40), st.integers(0, 20)), min_size=1, max_size=20))
def test_every_answer_token_is_predicted_once_from_the_token_before_it(sizes: list[tuple[int, int]]) -> None:
    cases, token = [], 0
    for number, (prompt, answer) in enumerate(sizes):
        ids = tuple(range(token, token + prompt + answer))  # every token of the row has an id of its own
        token += prompt + answer
        cases.append(case(f"{number:02d}", ids[:prompt], ids[prompt:]))
    packed = pack(cases, CPU)
    assert packed.targets.tolist() == [token for one in cases for token in one.answer]
    assert [packed.ids[0, place].item() + 1 for place in packed.predictors] == packed.targets.tolist()
    assert [packed.ids[0, place].item() for place in packed.prompt_ends] == [one.prompt[-1] for one in cases]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 300), min_size=1, max_size=30), st.integers(1, 400), st.integers(1, 5), st.randoms())
def test_budgets_hold_every_case_once_in_any_order(lengths: list[int], tokens: int, processes: int, random) -> None:
    cases = [case(f"{number:02d}", (1,) * length, ()) for number, length in enumerate(lengths)]
    groups = micro_batches(cases, tokens, processes)
    names = sorted(one.case_id for group in groups for one in group)
    assert names == sorted(one.case_id for one in cases)
    for group in groups:
        assert len(group) == 1 or sum(one.length for one in group) <= tokens
    shuffled = random.sample(cases, len(cases))
    assert micro_batches(shuffled, tokens, processes) == groups
    dealt = shares(groups, processes)
    assert len(dealt) == processes
    assert sorted(one.case_id for share in dealt for group in share for one in group) == names


def test_work_is_split_for_every_process_where_there_are_cases_enough() -> None:
    cases = [case(f"{number}", (1,) * 100, ()) for number in range(8)]
    assert [len(group) for group in micro_batches(cases, 10_000)] == [8]
    assert [[len(group) for group in share] for share in shares(micro_batches(cases, 10_000, 4), 4)] == [[2]] * 4


def test_a_little_more_than_one_budget_becomes_two_halves() -> None:
    """1,100 tokens at 1,000 a group: 550 each, where filling the first would leave 100; three processes get as many groups each."""
    cases = [case(f"{number:02d}", (1,) * 50, ()) for number in range(22)]
    assert [sum(one.length for one in group) for group in micro_batches(cases, 1000)] == [550, 550]
    assert len(micro_batches(cases, 300, 3)) == 6  # four would do, and two processes would wait for the third
    assert max(sum(one.length for one in group) for group in micro_batches(cases, 300, 3)) == 200


def test_a_case_over_the_budget_stands_alone() -> None:
    cases = [case("long", (1,) * 90, ()), case("a", (1,) * 20, ()), case("b", (1,) * 20, ())]
    assert [[one.case_id for one in group] for group in micro_batches(cases, 50)] == [["long"], ["a", "b"]]


def test_packing_nothing_is_a_defect_not_a_batch() -> None:
    with pytest.raises(ValueError, match="need at least one array"):
        pack([], CPU)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 300), min_size=1, max_size=30), st.integers(1, 400), st.integers(1, 5))
def test_in_even_turns_every_process_reads_equally_often_and_every_case_counts_once(
    lengths: list[int], tokens: int, processes: int
) -> None:
    cases = [case(f"{number:02d}", (1,) * length, ()) for number, length in enumerate(lengths)]
    groups = micro_batches(cases, tokens, processes)
    dealt = [turns(groups, rank, processes, even=True) for rank in range(processes)]
    assert len({len(mine) for mine in dealt}) == 1
    counted = [one.case_id for mine in dealt for group, weight in mine if weight == 1 for one in group]
    assert sorted(counted) == sorted(one.case_id for one in cases)
    paced = [group for mine in dealt for group, weight in mine if weight == 0]
    assert all([one.length for one in group] == [min(lengths)] for group in paced)
    alone = [turns(groups, rank, processes, even=False) for rank in range(processes)]
    assert [[group for group, _ in mine] for mine in alone] == shares(groups, processes)
    assert all(weight == 1 for mine in alone for _, weight in mine)
