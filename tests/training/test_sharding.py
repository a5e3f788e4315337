"""A base model cut over two processes: the steps of one process, one layer whole at a time, states and adapters as ever."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from oncoraft.planning.config import Training
from oncoraft.training.checkpoints import run_key
from oncoraft.training.launch import run_on_every_gpu
from oncoraft.training.processes import Processes
from oncoraft.training.sharding import clip
from tests.training.fold import learned, logged, run_training, settings, write_fold_inputs
from tests.training.sharded_runs import FROZEN, LAYERS, STEPS, main, run

ARCHITECTURES = ("qwen3", "gemma3")  # both tied; Gemma 3 with sliding windows


@pytest.fixture(scope="module")
def folds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of one process, and those that `sharded_runs.main` makes of two, below a folder an architecture."""
    root = tmp_path_factory.mktemp("sharded")
    for architecture in ARCHITECTURES:
        (root / architecture).mkdir()
        write_fold_inputs(root / architecture, architecture)
        run(root / architecture, "one", Processes())
    run(root / "qwen3", "frozen-one", Processes(), strategy=FROZEN)
    run(root / "qwen3", "one-then-two", Processes(), stop=4)
    assert run_on_every_gpu(main, [str(root)], 2) == 0
    run(root / "qwen3", "two-then-one", Processes())
    return root


def same_to_rounding(one: Path, other: Path) -> None:
    """Weights by the size of their difference, losses and norms a step."""
    assert list(learned(one)) == list(learned(other))
    for name, value in learned(one).items():
        assert learned(other)[name].shape == value.shape
        # 1.2e-6 were seen on a processor with AVX2 alone, less than 1e-6 with AVX-512: their kernels add up in another order.
        assert float((learned(other)[name] - value).norm()) <= 3e-6 * max(1e-2, float(value.norm())), name
    for a, b in zip(logged(one), logged(other), strict=True):
        for name in ("loss", "language_model_loss", "score_loss", "gradient_norm"):
            assert a[name] == (b[name] if b[name] is None else pytest.approx(b[name], rel=5e-6)), name
        assert a["learning_rate"] == b["learning_rate"]


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_two_processes_with_a_part_each_take_the_steps_of_one(folds: Path, architecture: str) -> None:
    """Dropout on, micro-batches of one case; beyond a budget that some cases exceed, one process computes activations again and the other does not."""
    one, two = (folds / architecture / name for name in ("one", "two"))
    same_to_rounding(one, two)
    assert json.loads((two / "manifest.json").read_text())["counts"]["processes"] == 2
    assert len(logged(two)) == STEPS


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("rank", [0, 1])
def test_no_process_ever_holds_more_than_a_layer(folds: Path, architecture: str, rank: int) -> None:
    seen: dict[str, Any] = json.loads((folds / architecture / f"seen-{rank}.json").read_text())
    assert len(seen["whole"]) == LAYERS
    assert all(count == seen["weights_of_a_layer"] for count in seen["whole"])  # the one just read; those before have gone
    assert seen["gathered"], "no forward pass was seen"
    assert not any(seen["gathered"])
    assert seen["kept"] < 0.52 * seen["all"]  # uneven parts are rounded up


@pytest.mark.slow
def test_a_process_with_fewer_micro_batches_keeps_pace(folds: Path) -> None:
    """Five cases a step, one a micro-batch: in every step one of two processes has one less, and would leave the other waiting."""
    seen = [json.loads((folds / "qwen3" / f"seen-{rank}.json").read_text()) for rank in (0, 1)]
    assert sum(one["idle"] for one in seen) == STEPS
    assert len(seen[0]["gathered"]) == len(seen[1]["gathered"])


@pytest.mark.slow
def test_stopped_and_gone_on_with_as_many_processes_it_ends_on_the_same_bits(folds: Path) -> None:
    two, stopped = folds / "qwen3/two", folds / "qwen3/stopped"
    assert all(torch.equal(value, learned(stopped)[name]) for name, value in learned(two).items())
    assert [entry["loss"] for entry in logged(two)] == [entry["loss"] for entry in logged(stopped)]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["one-then-two", "two-then-one"])
def test_a_run_moves_between_one_process_and_two(folds: Path, name: str) -> None:
    same_to_rounding(folds / "qwen3/one", folds / "qwen3" / name)


@pytest.mark.slow
def test_a_frozen_base_is_read_in_parts_too(folds: Path) -> None:
    same_to_rounding(folds / "qwen3/frozen-one", folds / "qwen3/frozen-two")


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_what_is_published_and_saved_has_one_form(folds: Path, architecture: str) -> None:
    one, two = (folds / architecture / name for name in ("one", "two"))
    assert sorted(path.name for path in one.iterdir()) == sorted(path.name for path in two.iterdir())
    # All but the numbers: a header of the same length, names, shapes and places.
    header = int.from_bytes((one / "adapter_model.safetensors").read_bytes()[:8], "little") + 8
    assert (one / "adapter_model.safetensors").read_bytes()[:header] == (two / "adapter_model.safetensors").read_bytes()[:header]
    configurations = [json.loads((fold / "adapter_config.json").read_text()) for fold in (one, two)]
    for configuration in configurations:
        configuration["target_modules"].sort()  # of a set, whose order changes with the process
    assert configurations[0] == configurations[1]
    states = [torch.load(next((folds / architecture / f"state-{name}").rglob("*.pt")), weights_only=True) for name in ("one", "two")]
    assert described(states[0]) == described(states[1])


def described(state: Any) -> Any:
    """A state's structure, its numbers left out."""
    if isinstance(state, dict):
        return {name: described(one) for name, one in state.items() if name != "log"}
    if isinstance(state, list | tuple):
        return [described(one) for one in state]
    return (type(state), state.shape, state.dtype) if torch.is_tensor(state) else type(state)


def test_one_process_cuts_nothing_and_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "oncoraft")
    write_fold_inputs(tmp_path)
    asked, plain = run_training(tmp_path, "asked", settings(shard=True)), run_training(tmp_path, "plain", settings())
    assert caplog.text.count("one process, so training.shard cuts nothing") == 1
    assert all(torch.equal(value, learned(plain)[name]) for name, value in learned(asked).items())


def test_an_unfinished_run_is_found_again_whether_cut_or_not_and_by_no_other_setting(tmp_path: Path) -> None:
    write_fold_inputs(tmp_path)
    keys = [
        run_key(tmp_path / "train.jsonl", tmp_path / "base", {"training": Training(**given).model_dump(), "code": "c"})
        for given in ({}, {"shard": True}, {"seed": 38})
    ]
    assert keys[0] == keys[1] != keys[2]


def test_whole_gradients_are_clipped_as_torch_clips_them() -> None:
    draw = torch.Generator().manual_seed(0)
    parameters = [torch.nn.Parameter(torch.zeros(size)) for size in (3, 5)]
    twins = [torch.nn.Parameter(torch.zeros(size)) for size in (3, 5)]
    for one, twin in zip(parameters, twins, strict=True):
        one.grad = torch.randn(one.shape, generator=draw)
        twin.grad = one.grad.clone()
    assert clip(parameters, 0.5, Processes()) == float(torch.nn.utils.clip_grad_norm_(twins, 0.5))
    assert all(torch.equal(one.grad, twin.grad) for one, twin in zip(parameters, twins, strict=True) if one.grad is not None)
