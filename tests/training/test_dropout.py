"""Dropout by case: the right share, independent draws, and the same draws however a step is cut."""

import numpy as np
import pytest
import torch

from oncoraft.models.fold_model import new_score_head, with_adapter
from oncoraft.planning.config import Strategy
from oncoraft.training.dropout import CaseDropout, Draws, keep, token_keys, use_case_dropout
from oncoraft.training.objective import losses
from tests.models.tiny_models import random_cases, random_model


@pytest.mark.parametrize("probability", [0.1, 0.2, 0.5])
def test_features_are_dropped_at_the_rate_and_independently(probability: float) -> None:
    """Standard errors: share sqrt(p (1 - p) / n); correlation of two columns 1 / sqrt(rows). Bounds are five of them."""
    rows = token_keys(random_cases(120, shortest=15), seed=1, step=3)[:2000]
    columns = torch.from_numpy(np.random.default_rng(0).integers(-(2**31), 2**31, 64, dtype=np.int32))
    kept = keep(torch.from_numpy(rows), columns, probability).double()
    assert len(rows) == 2000
    assert float(1 - kept.mean()) == pytest.approx(probability, abs=5 * (probability * (1 - probability) / kept.numel()) ** 0.5)
    between = torch.corrcoef(kept.T)[~torch.eye(64, dtype=torch.bool)]
    assert float(between.abs().max()) < 5 / 2000**0.5
    assert float(between.std()) == pytest.approx(1 / 2000**0.5, rel=0.1)
    after = (kept[1:] - kept.mean()) * (kept[:-1] - kept.mean())  # tokens that follow one another
    assert float(after.mean() / kept.var()) == pytest.approx(0, abs=5 / after.numel() ** 0.5)


def test_what_is_kept_is_scaled_up_and_nothing_is_dropped_in_evaluation() -> None:
    draws = Draws()
    layer = CaseDropout(0.25, 16, 7, draws)
    draws.keys = torch.arange(400, dtype=torch.int32) * 7919
    states = torch.ones(400, 16)
    assert layer(states).unique().tolist() == pytest.approx([0.0, 4 / 3])
    assert torch.equal(layer.eval()(states), states)


def test_keys_depend_on_seed_step_case_and_place_and_on_nothing_else() -> None:
    cases = random_cases(4)
    together = token_keys(cases, 1, 2)
    alone = np.concatenate([token_keys([case], 1, 2) for case in cases])
    assert together.tolist() == alone.tolist()
    assert len(set(together.tolist())) == len(together)
    for seed, step in ((2, 2), (1, 3)):
        assert not set(token_keys(cases, seed, step).tolist()) & set(together.tolist())


@pytest.mark.parametrize("architecture", ["qwen3", "gemma3"])
def test_a_step_with_dropout_is_the_same_in_one_batch_and_in_many(architecture: str) -> None:
    """With torch's own dropout this cannot hold: its draws follow the order of the rows."""
    cases = random_cases(6, seed=8)
    found = []
    for batches in ([cases], [[case] for case in reversed(cases)], [cases[3:], cases[:3]]):
        torch.manual_seed(0)
        model, head = with_adapter(random_model(architecture), 2, 4, 0.3, ("q_proj", "o_proj")).train(), new_score_head(32).train()
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.1)
        draws = use_case_dropout(model, head, seed=5)
        parts = [losses(model, head, batch, Strategy(), draws, step=9) for batch in batches]
        found.append(torch.stack([sum(column) for column in zip(*parts, strict=True)]))
    torch.testing.assert_close(found[1], found[0], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(found[2], found[0], rtol=1e-4, atol=1e-4)
    other = torch.stack(losses(model, head, cases, Strategy(), draws, step=10))
    assert not torch.allclose(other, found[0], rtol=1e-3)
    torch.testing.assert_close(torch.stack(losses(model.eval(), head.eval(), cases, Strategy())).isfinite(), torch.tensor([True, True]))


def test_the_saved_head_keeps_its_published_names() -> None:
    head = new_score_head(32)
    use_case_dropout(random_model("llama"), head, 1)
    assert list(head.state_dict()) == ["0.weight", "0.bias", "3.weight", "3.bias"]
    assert isinstance(head[2], CaseDropout)
    assert head[2].probability == 0.2


def test_query_key_and_value_read_one_dropped_copy_and_nothing_is_held_after(monkeypatch: pytest.MonkeyPatch) -> None:
    model = with_adapter(random_model("qwen3"), 2, 4, 0.3, ("q_proj", "k_proj", "v_proj", "o_proj")).train()
    draws = use_case_dropout(model, None, seed=5)
    layers = {module for module in model.modules() if isinstance(module, CaseDropout)}
    assert sorted(layer.readers for layer in layers) == [1, 1, 1, 3, 3, 3]  # of three decoder layers: o, and q, k and v
    calls: list[int] = []

    def counted(keys: torch.Tensor, columns: torch.Tensor, probability: float) -> torch.Tensor:
        calls.append(1)
        return keep(keys, columns, probability)

    monkeypatch.setattr("oncoraft.training.dropout.keep", counted)
    losses(model, None, random_cases(3), Strategy(score_weight=0), draws)
    assert len(calls) == 6
    assert all(layer.waiting is None for layer in layers)
    assert len({tuple(layer.get_buffer("columns").tolist()) for layer in layers}) == 6
