"""Losses, gradients and scores of packed micro-batches against the padded all-logits reference, for every architecture."""

import math
from typing import Any

import pytest
import torch
from torch import nn

from oncoraft.models.attention import packed_hidden
from oncoraft.models.cases import Case
from oncoraft.models.fold_model import new_score_head, score_logit, with_adapter
from oncoraft.models.packing import micro_batches, pack
from oncoraft.planning.config import Strategy
from oncoraft.training.objective import AS_ATTENTION, losses, summed_cross_entropy
from tests.models.tiny_models import ARCHITECTURES, random_cases, random_model
from tests.training.oracle import padded_losses

CPU = torch.device("cpu")


def adapted(architecture: str) -> tuple[Any, nn.Sequential]:
    """Adapters whose second matrix is not 0, so that every gradient counts; no dropout."""
    model = random_model(architecture)
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    model = with_adapter(model, 2, 4, 0.0, ("q_proj", "k_proj", "v_proj", "o_proj"))
    torch.manual_seed(5)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            nn.init.normal_(parameter, std=0.1)
    return model, new_score_head(32).eval()


def gradients(model: Any, head: nn.Sequential) -> dict[str, torch.Tensor]:
    parts = [*model.named_parameters(), *head.named_parameters()]
    return {name: parameter.grad.clone() for name, parameter in parts if parameter.grad is not None}


@pytest.mark.parametrize("score_loss", ["bce", "mse"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_packed_equals_alone_equals_padded_in_loss_and_gradient(architecture: str, score_loss: Any) -> None:
    strategy, cases = Strategy(score_loss=score_loss), random_cases(6, seed=4)
    found = []
    for way in ("padded", "packed", "alone", "micro"):
        model, head = adapted(architecture)
        if way == "padded":
            groups = [padded_losses(model, head, cases, strategy)]
        else:
            batches = {"packed": [cases], "alone": [[case] for case in cases], "micro": micro_batches(cases, 50)}[way]
            groups = [losses(model, head, batch, strategy) for batch in batches]
        total = [sum(parts) for parts in zip(*groups, strict=True)]
        (0.7 * total[0] + 1.3 * total[1]).backward()
        found.append((total, gradients(model, head)))
    (reference, its_gradients), others = found[0], found[1:]
    assert len(its_gradients) == 3 * 4 * 2 + 4  # adapters of 3 layers, and the head
    for total, other in others:
        torch.testing.assert_close(total, reference, rtol=1e-4, atol=1e-4)
        for name, gradient in its_gradients.items():
            torch.testing.assert_close(other[name], gradient, rtol=1e-3, atol=1e-4, msg=lambda text, name=name: f"{name}: {text}")


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_score_knows_neither_the_answer_nor_the_batch(architecture: str) -> None:
    model, head = adapted(architecture)
    cases = random_cases(5, seed=6)

    def score(batch: list[Case], place: int) -> torch.Tensor:
        packed = pack(batch, CPU)
        return score_logit(head, packed_hidden(model, packed)[packed.prompt_ends])[place]

    one = cases[2]
    other_answer = Case(one.case_id, one.patient_id, 0, one.prompt, (9, 8, 7, 6), False, 0.0)
    silent = Case(one.case_id, one.patient_id, 0, one.prompt, (), False, 0.0)
    expected = score(cases, 2)
    for batch, place in (([one], 0), ([other_answer], 0), ([silent, *cases], 0), ([*cases[3:], other_answer], 2)):
        torch.testing.assert_close(score(batch, place), expected, rtol=1e-4, atol=1e-5)


def test_the_end_of_text_token_is_supervised() -> None:
    """Cross-entropy of the last answer token alone makes a difference: it is the end of text in every training case."""
    model, _ = adapted("llama")
    whole = random_cases(1)[0]
    cut = Case("c", "p", 0, whole.prompt, whole.answer[:-1], True, 1.0)
    language = [losses(model, None, [case], Strategy(score_weight=0))[0] for case in (whole, cut)]
    logits = model(input_ids=torch.tensor([[*whole.prompt, *whole.answer]])).logits[0, -2]
    torch.testing.assert_close(language[0] - language[1], -logits.log_softmax(-1)[whole.answer[-1]], rtol=1e-4, atol=1e-4)


def test_losses_that_a_strategy_does_not_want_are_zero_and_leave_no_gradient() -> None:
    model, head = adapted("qwen3")
    language, score = losses(model, head, random_cases(3), Strategy(adapter=False, language_model_weight=0))
    assert language == 0
    score.backward()
    assert set(gradients(model, head)) == {"0.weight", "0.bias", "3.weight", "3.bias"}
    model, _ = adapted("qwen3")
    language, score = losses(model, None, random_cases(3), Strategy(score_weight=0))
    assert score == 0
    assert language > 0


def test_logits_in_parts_are_the_logits_at_once_in_loss_and_gradient() -> None:
    model = random_model("qwen3").requires_grad_(False)
    found = []
    for at_once in (2**28, 5 * 97, 1):
        states = torch.randn(13, 32, generator=torch.Generator().manual_seed(1)).requires_grad_()
        loss = summed_cross_entropy(model, states, torch.arange(13), at_once)
        loss.backward()
        found.append((loss.detach(), states.grad))
    for other in found[1:]:
        torch.testing.assert_close(other, found[0])


def test_many_states_that_attend_to_the_head_learn_as_from_their_logits() -> None:
    model = random_model("qwen3").requires_grad_(False)
    count, draws = AS_ATTENTION + 37, torch.Generator().manual_seed(1)
    # Far apart: some targets are as good as certain, others beyond what fp32 can say of a probability.
    start = 40 * torch.randn(count, 32, generator=draws)
    targets, found = torch.randint(0, 97, (count,), generator=draws), []
    for by_attention in (True, False):
        states = start.clone().requires_grad_()
        if by_attention:
            loss = summed_cross_entropy(model, states, targets)
        else:
            loss = torch.nn.functional.cross_entropy(model.lm_head(states), targets, reduction="sum")
        (0.3 * loss).backward()
        found.append((loss.detach(), states.grad))
    torch.testing.assert_close(*found, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("turned", ["states", "head"])
def test_many_states_learn_alike_however_their_numbers_lie_in_memory(turned: str) -> None:
    model, count, draws = random_model("qwen3").requires_grad_(False), AS_ATTENTION + 5, torch.Generator().manual_seed(2)
    start, targets = torch.randn(count, 32, generator=draws), torch.randint(0, 97, (count,), generator=draws)
    if turned == "states":
        start = start.T.contiguous().T
    else:
        model.lm_head.weight = nn.Parameter(model.lm_head.weight.T.contiguous().T, requires_grad=False)
    states, own = start.detach().requires_grad_(), start.detach().requires_grad_()
    loss = summed_cross_entropy(model, states, targets)
    expected = nn.functional.cross_entropy(model.lm_head(own), targets, reduction="sum")
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(torch.autograd.grad(loss, states), torch.autograd.grad(expected, own))


def test_large_logits_do_not_swallow_the_loss() -> None:
    model, targets = random_model("qwen3").requires_grad_(False), torch.zeros(4, dtype=torch.long)
    model.lm_head.weight.copy_(torch.full((97, 32), 1e6))  # all tokens alike, far from 0
    states = torch.full((4, 32), 1.0, requires_grad=True)
    assert summed_cross_entropy(model, states, targets).item() == pytest.approx(4 * math.log(97), rel=1e-5)


def test_a_target_that_is_no_token_is_refused_and_not_taken_from_the_end() -> None:
    model, targets = random_model("qwen3").requires_grad_(False), torch.zeros(AS_ATTENTION, dtype=torch.long)
    targets[3] = -1
    with pytest.raises((IndexError, RuntimeError), match="index"):
        summed_cross_entropy(model, torch.ones(AS_ATTENTION, 32, requires_grad=True), targets)


def test_no_logits_are_computed_where_no_answer_is_predicted(monkeypatch: pytest.MonkeyPatch) -> None:
    model, head = adapted("gemma3")
    rows = []
    model.get_base_model().lm_head.register_forward_hook(lambda module, inputs, output: rows.append(output.shape[0]))
    cases = random_cases(6)
    losses(model, head, cases, Strategy())
    assert rows == [sum(len(case.answer) for case in cases)]
