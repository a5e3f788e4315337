"""Layers compiled one by one: no break in the graph, a fixed number of compilations however lengths vary, the same numbers.

The variable-length kernel runs on a GPU only; in its place stands a plain function of the same arguments, so that what is
tested is the path that a GPU compiles: adapters with dropout by case, norms, rotary positions and the attention interface.
"""

import logging

import pytest
import torch
from torch._dynamo.utils import counters

from oncoraft.planning.config import Adapter, Strategy, Training
from oncoraft.training.objective import losses
from oncoraft.training.train import compile_layers, equip
from tests.models.tiny_models import random_cases, random_model


@torch.library.custom_op("oncoraft_tests::varlen", mutates_args={})
def kernel(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, bounds: torch.Tensor, longest: int) -> torch.Tensor:
    """Attention over the whole row: wrong for cases, the same with and without compilation."""
    repeated = [states.repeat_interleave(query.shape[1] // states.shape[1], 1).transpose(0, 1) for states in (query, key, value)]
    return torch.nn.functional.scaled_dot_product_attention(*repeated, is_causal=True).transpose(0, 1).contiguous()


@kernel.register_fake
def _(query, key, value, bounds, longest):
    return torch.empty_like(query)


def backward(context, gradient):
    return gradient, None, None, None, None


kernel.register_autograd(backward)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["gemma3"])  # the one with two kinds of layers
def test_a_compiled_layer_serves_every_length_and_every_layer(architecture: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def varlen(query, key, value, bounds, other, longest, longest_key, *, scale, window_size, **options):
        return kernel(query, key, value, bounds, longest)

    monkeypatch.setattr("oncoraft.models.attention.varlen_attn", varlen)
    monkeypatch.setattr("oncoraft.models.attention._use_varlen", lambda causal, device: True)
    blocks = {"strategy": Strategy(), "training": Training(), "adapter": Adapter(rank=2, dropout=0.2)}
    batches = [random_cases(count, seed=count) for count in (3, 5, 4)]
    found = []
    for compiled in (False, True):
        torch._dynamo.reset()
        counters.clear()
        trainer = equip(random_model(architecture), blocks, 10)
        trainer.model.train()
        trainer.head.train()
        if compiled:
            compile_layers(trainer.model, backend="aot_eager")
            monkeypatch.setattr(torch._dynamo.config, "suppress_errors", False)
        for step, batch in enumerate(batches):
            language, score = losses(trainer.model, trainer.head, batch, Strategy(), trainer.draws, step)
            (language + score).backward()
            found.append((compiled, float(language.detach()), float(score.detach())))
    assert not counters["graph_break"]
    # Gemma 3 has two kinds of layers; a second compilation opens the length.
    assert counters["stats"]["unique_graphs"] <= 4
    half = len(batches)
    for eager, other in zip(found[:half], found[half:], strict=True):
        assert eager[1:] == pytest.approx(other[1:], rel=1e-4)


def test_a_layer_that_cannot_be_compiled_runs_as_it_is_and_that_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def unable(graph: torch.fx.GraphModule, inputs: list[torch.Tensor]) -> None:
        raise RuntimeError("no compiler on this machine")

    monkeypatch.setattr(torch._dynamo.config, "suppress_errors", False)  # put back after the test
    torch._dynamo.reset()
    blocks = {"strategy": Strategy(), "training": Training(), "adapter": Adapter(rank=2, dropout=0.0)}
    trainer, cases = equip(random_model("llama"), blocks, 10), random_cases(3)
    expected = [float(loss.detach()) for loss in losses(trainer.model, trainer.head.eval(), cases, Strategy(), trainer.draws)]
    with caplog.at_level(logging.WARNING, "oncoraft"):
        fallbacks = compile_layers(trainer.model, backend=unable)
        assert not fallbacks.reasons
        found = [float(loss.detach()) for loss in losses(trainer.model, trainer.head, cases, Strategy(), trainer.draws)]
    assert found == pytest.approx(expected, rel=1e-5)
    assert fallbacks.reasons
    said = [record.getMessage() for record in caplog.records if record.name == "oncoraft"]
    assert len(said) == 1
    assert said[0].startswith("train: a decoder layer runs uncompiled")
