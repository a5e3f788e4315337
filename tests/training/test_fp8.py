"""Base products in FP8: what they compute, that a case reads alike whoever stands beside it, what the adapters learn, what is told."""

import json
import logging
from pathlib import Path

import pytest
import torch
from torch import nn

from oncoraft.foundation.errors import InputError
from oncoraft.planning.config import Adapter, Config, Strategy, Training
from oncoraft.training.fp8 import Fp8Linear, in_fp8, plain_products, score_drift, use_fp8_base
from oncoraft.training.objective import losses
from oncoraft.training.train import equip
from tests.models.tiny_models import random_cases, random_model
from tests.training.fold import learned, run_training, settings, write_fold_inputs


def equipped(fp8: bool) -> object:
    blocks = {"strategy": Strategy(), "training": Training(fp8_base=fp8), "adapter": Adapter(rank=2, dropout=0.0)}
    trainer = equip(random_model("qwen3"), blocks, 10)
    trainer.head.eval()
    return trainer


def a_layer(inputs: int = 64, outputs: int = 32, bias: bool = False) -> nn.Linear:
    torch.manual_seed(3)
    return nn.Linear(inputs, outputs, bias=bias).requires_grad_(False)


def test_a_row_comes_back_to_the_precision_of_e4m3_whatever_its_size() -> None:
    torch.manual_seed(1)
    rows = torch.randn(6, 48) * torch.tensor([1e-6, 1e-3, 1.0, 30.0, 1e4, 0.0])[:, None]
    rounded, scale = in_fp8(rows)
    back = rounded.float() * scale
    # Three bits behind the point: half of 1/8 at most, and below the smallest normal number a fixed step of the row's largest.
    assert torch.all((back - rows).abs() <= rows.abs() / 16 + rows.abs().amax(dim=-1, keepdim=True) * 2**-10 / 448)
    assert torch.isfinite(back).all()
    assert torch.equal(back[-1], rows[-1])


def test_a_row_too_small_for_a_scale_is_still_a_row_of_numbers() -> None:
    rows = torch.tensor([[1e-43, 0.0, -1e-43], [1e-40, 0.0, 1e-38]])
    rounded, scale = in_fp8(rows)
    torch.testing.assert_close(rounded.float() * scale, rows, rtol=0, atol=1e-38)


@pytest.mark.parametrize("bias", [False, True])
def test_products_and_their_gradients_are_those_of_the_rounded_factors(bias: bool) -> None:
    layer = a_layer(bias=bias)
    states = torch.randn(2, 20, 64, requires_grad=True)
    out = Fp8Linear(layer)(states)
    eight, scale = in_fp8(states)
    weight, weight_scale = in_fp8(layer.weight)
    expected = (eight.float() * scale) @ (weight.float() * weight_scale).T + (layer.bias if bias else 0)
    assert torch.allclose(out, expected, rtol=2**-7, atol=1e-2)  # what comes out is bf16
    assert torch.allclose(out, layer(states), rtol=0.05, atol=0.1)
    gradient = torch.randn_like(out)
    out.backward(gradient)
    turned, turned_scale = in_fp8(layer.weight.T)
    eight, scale = in_fp8(gradient)
    assert torch.allclose(states.grad, (eight.float() * scale) @ (turned.float() * turned_scale).T, rtol=2**-7, atol=1e-2)


def test_a_token_becomes_the_same_whoever_stands_beside_it() -> None:
    layer, states = Fp8Linear(a_layer()), torch.randn(30, 64)
    beside_a_large_one = torch.cat([states[:7], states[:1] * 1e4])
    assert torch.equal(layer(states)[:7], layer(beside_a_large_one)[:7])


def test_layers_of_the_decoder_alone_are_replaced_and_adapters_learn_nearly_the_same() -> None:
    plain, fp8 = equipped(False), equipped(True)
    replaced = [name for name, module in fp8.model.named_modules() if isinstance(module, Fp8Linear)]
    assert fp8.fp8_layers == len(replaced) == 3 * 7
    assert not any("lora" in name or "lm_head" in name for name in replaced)
    found = {}
    for name, trainer in (("plain", plain), ("fp8", fp8)):
        trainer.model.train()
        language, score = losses(trainer.model, trainer.head, random_cases(6), Strategy())
        (language + score).backward()
        found[name] = {key: value.grad for key, value in trainer.model.named_parameters() if value.requires_grad and "lora_B" in key}
    flat = {name: torch.cat([one.flatten() for one in grads.values()]) for name, grads in found.items()}
    assert not torch.equal(flat["plain"], flat["fp8"])
    assert torch.cosine_similarity(flat["plain"], flat["fp8"], dim=0) > 0.9


def test_the_base_as_it_is_comes_back_for_the_comparison() -> None:
    cases = random_cases(5)
    plain, fp8 = equipped(False), equipped(True)
    expected = [float(loss.detach()) for loss in losses(plain.model, plain.head, cases, Strategy())]
    with plain_products(fp8.model):
        same = [float(loss.detach()) for loss in losses(fp8.model, fp8.head, cases, Strategy())]
    assert same == pytest.approx(expected, rel=1e-5)
    drift = score_drift(fp8.model, fp8.head, cases, 256)
    assert drift["fp8_scores_compared"] == 5
    assert 0 < drift["fp8_score_drift_mean"] <= drift["fp8_score_drift_largest"] < 0.2


@pytest.mark.parametrize("is_training", [True, False])
def test_the_comparison_reads_without_dropout_and_leaves_the_mode_that_it_found(is_training: bool) -> None:
    trainer = equipped(True)
    for part in (trainer.model, trainer.head):
        part.train(is_training)
    found = [score_drift(trainer.model, trainer.head, random_cases(5), 256) for _ in range(2)]
    assert found[0] == found[1]
    assert trainer.head.training is trainer.model.training is is_training


def test_a_base_in_parts_is_refused_where_no_configuration_was_asked() -> None:
    blocks = {"strategy": Strategy(), "training": Training(fp8_base=True, shard=True), "adapter": Adapter(rank=2)}
    with pytest.raises(InputError, match=r"training\.fp8_base.*training\.shard false"):
        equip(random_model("qwen3"), blocks, 10, settle=lambda model: None)


def test_a_fold_is_trained_with_fp8_and_tells_the_drift_of_its_scores(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_fold_inputs(tmp_path)
    with caplog.at_level(logging.INFO, "oncoraft"):
        out = run_training(tmp_path, "fp8", settings(fp8_base=True))
    counts = json.loads((out / "manifest.json").read_text())["counts"]
    assert counts["fp8_layers"] == 21
    assert counts["fp8_scores_compared"] == 10
    assert 0 < counts["fp8_score_drift_mean"] <= counts["fp8_score_drift_largest"] < 0.2
    assert any("scores of 10 training cases with FP8 products are" in record.getMessage() for record in caplog.records)
    plain = run_training(tmp_path, "plain", settings())
    assert "fp8_layers" not in json.loads((plain / "manifest.json").read_text())["counts"]
    weights = learned(out), learned(plain)
    assert weights[0].keys() == weights[1].keys()
    assert any(not torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_models_trained_without_fp8_stand() -> None:
    assert "fp8_base" not in Training().model_dump()
    assert Training(fp8_base=True).model_dump()["fp8_base"] is True


def test_a_base_whose_widths_do_not_fit_is_refused_in_one_line() -> None:
    model = random_model("qwen3")
    for layer in model.model.layers:
        for name, module in list(layer.named_modules()):
            if isinstance(module, nn.Linear):
                layer.set_submodule(name, nn.Linear(12, 20, bias=False))
    with pytest.raises(InputError, match="multiples of 16"):
        use_fp8_base(model.requires_grad_(False))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"training": {"fp8_base": True, "shard": True}}, "training.shard false"),
        ({"task_training": {"fp8_base": True, "shard": True}}, "task_training.shard false"),
        ({"cell_training": {"fp8_base": True}}, "cell_training.fp8_base: expected false"),
        (
            {"training": {"fp8_base": True}, "strategies": {"raft": {}, "dpo": {"method": "dpo", "from": "raft"}}},
            "training.fp8_base: expected supervised strategies alone",
        ),
    ],
)
def test_what_fp8_does_not_serve_is_refused_with_the_configuration(more: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Config.model_validate({"study": "study", "models": {"m": {"path": "m"}}} | more)
