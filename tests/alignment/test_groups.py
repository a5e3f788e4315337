"""Answers that share their prompt read as if each stood alone behind it."""

from dataclasses import replace

import pytest
import torch

from oncoraft.alignment.attention import shared_hidden
from oncoraft.alignment.groups import Group, micro_groups, pack_groups
from oncoraft.alignment.objective import by_answer, token_log_probabilities
from oncoraft.models.attention import packed_hidden
from oncoraft.models.cases import Case
from oncoraft.models.fold_model import with_adapter
from oncoraft.models.packing import pack
from tests.models.tiny_models import ARCHITECTURES, random_cases, random_model


def groups(seed: int = 0) -> list[Group]:
    """Three prompts with three, one and two answers, one of them of a single token; a forced opening before some."""
    prompts, drawn = random_cases(3, seed, shortest=5), [case.answer for case in random_cases(6, seed + 1)]
    answers = ((drawn[0], drawn[1], (7,)), (drawn[2],), (drawn[3], drawn[4]))
    return [
        Group(replace(case, answer=()), opening, several)
        for case, opening, several in zip(prompts, ((5, 6), (), (9,)), answers, strict=True)
    ]


def one_by_one(model: torch.nn.Module, some: list[Group]) -> tuple[torch.Tensor, torch.Tensor]:
    """Log-probability of each answer token and states of the prompts' ends, every answer read in a row of its own."""
    found, ends = [], []
    for group in some:
        for answer in group.answers:
            alone = Case("x", "p", 0, (*group.case.prompt, *group.opening), answer, None, None)
            packed = pack([alone], torch.device("cpu"))
            hidden = packed_hidden(model, packed)
            found.append(token_log_probabilities(model, hidden[packed.predictors], packed.targets))
        ends.append(hidden[len(group.case.prompt) - 1])
    return torch.cat(found), torch.stack(ends)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_an_answer_reads_as_if_it_stood_alone_behind_its_prompt(architecture: str) -> None:
    model, some = random_model(architecture), groups()
    row = pack_groups(some, torch.device("cpu"))
    with torch.no_grad():
        hidden = shared_hidden(model, row)
        together = token_log_probabilities(model, hidden[row.predictors], row.targets)
        alone, ends = one_by_one(model, some)
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(hidden[row.prompt_ends], ends, rtol=1e-5, atol=1e-5)
    assert row.lengths.tolist() == [len(answer) for group in some for answer in group.answers]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_gradients_are_those_of_answers_read_alone(architecture: str) -> None:
    torch.manual_seed(3)
    model = with_adapter(random_model(architecture), 2, 4.0, 0.0, ("q_proj", "v_proj"))
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            parameter.data.normal_(0, 0.1)
    weights, some = [parameter for parameter in model.parameters() if parameter.requires_grad], groups()
    row = pack_groups(some, torch.device("cpu"))
    scale = torch.linspace(-1, 1, len(row.targets))
    hidden = shared_hidden(model, row)
    together = torch.autograd.grad((token_log_probabilities(model, hidden[row.predictors], row.targets) * scale).sum(), weights)
    alone = torch.autograd.grad((one_by_one(model, some)[0] * scale).sum(), weights)
    for one, other in zip(together, alone, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_a_prompt_is_read_once_whatever_the_number_of_its_answers() -> None:
    group = Group(Case("c", "p", 0, (2,) * 50, (), True, 0.7), (), ((3, 4, 5),) * 8)
    assert group.length == pack_groups([group], torch.device("cpu")).ids.shape[1] == 50 + 8 * 2


def test_rows_keep_the_order_and_the_budget_and_lose_no_group() -> None:
    some = groups()
    rows = micro_groups(some, 30)
    assert [group for row in rows for group in row] == some
    assert all(len(row) == 1 or sum(group.length for group in row) <= 30 for row in rows)
    assert len(micro_groups(some, 1)) == 3


def test_an_empty_answer_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one token"):
        pack_groups([Group(Case("c", "p", 0, (2,), (), True, 0.7), (), ((),))], torch.device("cpu"))


def test_logits_in_parts_give_the_same_probabilities_and_gradients() -> None:
    model = random_model("qwen3")
    states, targets = torch.randn(9, 32, requires_grad=True), torch.randint(0, 97, (9,))
    whole, parts = token_log_probabilities(model, states, targets, 0.7), token_log_probabilities(model, states, targets, 0.7, at_once=200)
    torch.testing.assert_close(whole, parts)
    torch.testing.assert_close(torch.autograd.grad(whole.sum(), states), torch.autograd.grad(parts.sum(), states))
    assert by_answer(torch.tensor([1.0, 2.0, 6.0]), torch.tensor([1, 2]), mean=True).tolist() == [1.0, 4.0]
