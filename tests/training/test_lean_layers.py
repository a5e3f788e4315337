"""Leaner layers train as the library's own do: losses and gradients of every architecture, dropout on, and the rows that are read alone."""

from typing import Any

import pytest
import torch
from torch import nn

from oncoraft.models.attention import packed_hidden
from oncoraft.models.fold_model import new_score_head, with_adapter
from oncoraft.models.packing import last_rows, pack
from oncoraft.planning.config import Strategy
from oncoraft.training.dropout import use_case_dropout
from oncoraft.training.lean import gated, root_mean_square_norm, rotated
from oncoraft.training.lean_layers import reads_last_rows_alone, use_lean_layers, use_own_layers
from oncoraft.training.objective import losses, summed_cross_entropy
from tests.models.tiny_models import ARCHITECTURES, WINDOW, random_cases, random_model

CPU = torch.device("cpu")
ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
TARGETS = [ATTENTION, ("q_proj", "v_proj"), (*ATTENTION, "gate_proj", "up_proj", "down_proj")]


def adapted(architecture: str, targets: tuple[str, ...], dropout: float = 0.3, biased: bool = False) -> tuple[Any, nn.Sequential, Any]:
    """Adapters whose second matrix is not 0 and norms whose weights are not 1, so that every gradient counts."""
    model = random_model(architecture)
    torch.manual_seed(5)
    for layer in model.model.layers if biased else ():
        layer.self_attn.q_proj.bias = nn.Parameter(torch.randn(32))
        layer.self_attn.v_proj.bias = nn.Parameter(torch.randn(16))
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(False)
        if "norm" in name:
            nn.init.uniform_(parameter, 0.5, 1.5)
    model = with_adapter(model, 2, 4, dropout, targets).train()
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            nn.init.normal_(parameter, std=0.1)
    head = new_score_head(32).train()
    return model, head, use_case_dropout(model, head, seed=3)


@pytest.mark.parametrize("biased", [False, True], ids=["", "biased"])
@pytest.mark.parametrize("targets", TARGETS, ids=["attention", "query and value", "all"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_losses_and_gradients_are_those_of_the_librarys_layers(architecture: str, targets: tuple[str, ...], biased: bool) -> None:
    cases, found = random_cases(7, seed=2), []
    assert max(case.length for case in cases) > 2 * WINDOW
    for lean in (False, True):
        model, head, draws = adapted(architecture, targets, biased=biased)
        if lean:
            assert use_lean_layers(model)
        assert reads_last_rows_alone(model) is lean
        parts = losses(model, head, cases, Strategy(), draws, step=4)
        (0.7 * parts[0] + 1.3 * parts[1]).backward()
        learned = [*model.named_parameters(), *head.named_parameters()]
        found.append(([float(part.detach()) for part in parts], {name: value.grad for name, value in learned if value.requires_grad}))
    (expected, gradients), (lean_losses, lean_gradients) = found
    assert lean_losses == pytest.approx(expected, rel=1e-5)
    assert all(gradient is not None and gradient.abs().max() > 0 for gradient in gradients.values())
    for name, gradient in gradients.items():
        torch.testing.assert_close(lean_gradients[name], gradient, rtol=1e-3, atol=1e-4, msg=lambda text, name=name: f"{name}: {text}")


def test_a_switched_off_adapter_stays_off_and_the_own_layers_come_back() -> None:
    model, _, draws = adapted("qwen3", ATTENTION)
    packed = pack(random_cases(3), CPU)
    draws.prepare(random_cases(3), packed, 0)
    own = packed_hidden(model, packed)
    use_lean_layers(model)
    torch.testing.assert_close(packed_hidden(model, packed), own, rtol=1e-4, atol=1e-5)
    with model.disable_adapter():
        torch.testing.assert_close(packed_hidden(model, packed), packed_hidden(random_base(model), packed), rtol=1e-4, atol=1e-5)
    use_own_layers(model)
    assert torch.equal(packed_hidden(model, packed), own)


def test_nothing_waits_for_a_reader_once_a_row_is_read() -> None:
    """Adapters beside a biased layer run by the library's code, whose query reads other states than key and value in the last layer."""
    model, head, draws = adapted("qwen3", ATTENTION, biased=True)
    assert use_lean_layers(model)
    model.train()
    losses(model, head, random_cases(3), Strategy(), draws)
    waiting = [name for name, module in model.named_modules() if getattr(module, "waiting", None) is not None]
    assert not waiting


def random_base(model: Any) -> Any:
    """A base model of the same frozen weights and no adapter."""
    base = random_model("qwen3")
    weights = {name.replace(".base_layer", ""): value for name, value in model.get_base_model().state_dict().items() if "lora_" not in name}
    base.load_state_dict(weights)
    return base


def test_the_last_rows_by_hand() -> None:
    """Cases of 3 + 2 and 2 + 0 tokens: rows 2 3 4 | 6 are read; of these the first and the last end a prompt, the first two predict."""
    rows = last_rows(pack(with_lengths((3, 2), (2, 0)), CPU))
    assert rows.places.tolist() == [2, 3, 4, 6]
    assert rows.counts == (3, 1)
    assert rows.prompt_ends.tolist() == [0, 3]
    assert rows.predictors.tolist() == [0, 1]


def with_lengths(*lengths: tuple[int, int]) -> list[Any]:
    drawn = random_cases(len(lengths), shortest=5)
    return [
        type(case)(case.case_id, "p", 0, (2,) * prompt, (3,) * answer, True, 1.0)
        for case, (prompt, answer) in zip(drawn, lengths, strict=True)
    ]


@pytest.mark.parametrize("rows", [3, 600])
def test_each_part_has_the_gradient_that_finite_differences_have(rows: int) -> None:
    """By torch's own check, in double precision; 600 rows are more than one block."""
    draw = torch.Generator().manual_seed(rows)

    def states(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=draw, dtype=torch.float64).requires_grad_()

    weight, angle = torch.rand(2, dtype=torch.float64) + 0.5, torch.rand(1, rows, 1, dtype=torch.float64).expand(-1, -1, 2)
    check = torch.autograd.gradcheck
    assert check(lambda one: root_mean_square_norm(one, weight, 1e-6), states(1, rows, 2), fast_mode=True)
    assert check(gated, (states(1, rows, 2), states(1, rows, 2)), fast_mode=True)
    assert check(lambda one: rotated(one, angle.cos(), angle.sin()), states(1, rows, 2, 2), fast_mode=True)


def test_soft_capped_logits_keep_their_gradient_in_parts() -> None:
    model = random_model("gemma3").requires_grad_(False)
    model.config.final_logit_softcapping = 1.5
    found = []
    for at_once in (2**20, 5 * 97):
        states = torch.randn(13, 32, generator=torch.Generator().manual_seed(1)).requires_grad_()
        summed_cross_entropy(model, states, torch.arange(13), at_once).backward()
        found.append(states.grad)
    states = torch.randn(13, 32, generator=torch.Generator().manual_seed(1)).requires_grad_()
    capped = torch.tanh(model.lm_head(states) / 1.5) * 1.5
    nn.functional.cross_entropy(capped, torch.arange(13), reduction="sum").backward()
    for gradient in found:
        torch.testing.assert_close(gradient, states.grad, rtol=1e-4, atol=1e-5)
