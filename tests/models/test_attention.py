"""A packed row reads as its cases do alone and padded: hidden states and gradients, for every architecture, windows included."""

import pytest
import torch

from oncoraft.models.attention import NAME, by_case, packed_attention, packed_hidden, varlen_works
from oncoraft.models.base import final_hidden
from oncoraft.models.cases import padded
from oncoraft.models.packing import pack
from tests.models.tiny_models import ARCHITECTURES, WINDOW, random_cases, random_model

CPU = torch.device("cpu")


def of_padded(model, cases) -> torch.Tensor:
    """The oracle: transformers' own attention on a padded batch, rows of real tokens in the packed order."""
    ids, mask = padded(cases, 0, CPU)
    return final_hidden(model, ids, mask)[mask.bool()]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_packed_equals_padded_equals_alone(architecture: str) -> None:
    model, cases = random_model(architecture), random_cases(7)
    assert max(case.length for case in cases) > 2 * WINDOW
    expected = of_padded(model, cases)  # before the packed attention is switched on
    assert model.config._attn_implementation == "sdpa"
    together = packed_hidden(model, pack(cases, CPU))
    assert model.config._attn_implementation == NAME
    alone = torch.cat([packed_hidden(model, pack([case], CPU)) for case in cases])
    torch.testing.assert_close(together, expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(alone, expected, rtol=1e-5, atol=1e-5)
    # A model that can read packed rows reads padded batches as before.
    torch.testing.assert_close(of_padded(model, cases), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_gradients_of_every_weight_are_those_of_the_padded_batch(architecture: str) -> None:
    cases = random_cases(5, seed=1)
    found = []
    for reads in (of_padded, lambda model, cases: packed_hidden(model, pack(cases, CPU))):
        model = random_model(architecture)
        reads(model, cases).square().sum().backward()
        found.append({name: parameter.grad for name, parameter in model.named_parameters()})
    for name, gradient in found[0].items():
        torch.testing.assert_close(found[1][name], gradient, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_case_does_not_feel_its_neighbours(architecture: str) -> None:
    model, cases = random_model(architecture), random_cases(4, seed=2)
    others = random_cases(4, seed=3)
    one = packed_hidden(model, pack([cases[0], cases[1]], CPU))[: cases[0].length]
    two = packed_hidden(model, pack([cases[0], *others], CPU))[: cases[0].length]
    torch.testing.assert_close(one, two, rtol=1e-5, atol=1e-6)


def test_the_sliding_window_is_kept_within_each_case() -> None:
    """Window 3: the token of place 5 sees places 3, 4, 5; with equal scores its output is their values' mean."""
    lengths = (6, 2)
    query = key = torch.zeros(1, 1, 8, 4)
    value = torch.arange(8.0).view(1, 1, 8, 1).expand(1, 1, 8, 4)
    out = by_case(query, key, value, lengths, None, 3)[0, :, 0, 0]
    torch.testing.assert_close(out, torch.tensor([0, 0.5, 1, 2, 3, 4, 6, 6.5]))


def test_generation_goes_on_after_the_switch() -> None:
    model = random_model("gemma3")
    prompt = torch.tensor([random_cases(1, shortest=20)[0].prompt])
    expected = model.generate(prompt, max_new_tokens=9, do_sample=False)
    packed_hidden(model, pack(random_cases(3), CPU))
    assert model.generate(prompt, max_new_tokens=9, do_sample=False).tolist() == expected.tolist()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU: the variable-length kernel")
@pytest.mark.parametrize("head_size", [64, 128, 256])
def test_the_variable_length_kernel_agrees_on_this_gpu(head_size: int) -> None:
    assert varlen_works(0, head_size)


def test_the_variable_length_path_passes_window_bounds_and_heads(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the kernel is asked for, where no GPU can run it: bounds twice, causal window of w - 1 to the left, scale."""
    asked = {}

    def kernel(query, key, value, *places, **options):
        asked.update(options, places=places, shapes=(query.shape, key.shape))
        return query

    monkeypatch.setattr("oncoraft.models.attention.varlen_attn", kernel)
    bounds = torch.tensor([0, 3, 5], dtype=torch.int32)
    states = torch.zeros(1, 4, 5, 8)
    out, _ = packed_attention(None, states, states[:, :2], states[:, :2], None, 0.5, 3, bounds, 3)
    assert out.shape == (1, 5, 4, 8)
    assert asked["window_size"] == (2, 0)
    assert asked["scale"] == 0.5
    assert asked["shapes"] == ((5, 4, 8), (5, 2, 8))
    assert asked["places"][2:] == (3, 3)
