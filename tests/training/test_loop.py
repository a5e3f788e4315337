"""Steps, bad turns in one line (memory, a loss that is no number), and the order of the cases."""

import math
import signal

import pytest
import torch

from oncoraft.foundation.errors import InputError, RetryLater
from oncoraft.planning.config import Adapter, Strategy, Training
from oncoraft.training import loop
from oncoraft.training.ahead import Ahead, my_turns
from oncoraft.training.loop import ending_with_75, steps_in, steps_of, stop_asked, take_step
from oncoraft.training.train import equip
from oncoraft.training.trainer import Trainer
from tests.models.tiny_models import random_cases, random_model


def trainer_with(**training) -> Trainer:
    blocks = {"strategy": Strategy(), "training": Training(**training), "adapter": Adapter(rank=2)}
    trainer = equip(random_model("qwen3"), blocks, 10)
    trainer.model.train()
    return trainer


def test_every_epoch_takes_every_case_once_in_another_order() -> None:
    cases, settings = random_cases(10), Training(epochs=3, global_batch_size=4)
    steps = list(steps_of(cases, settings))
    assert [len(step) for step in steps] == [4, 4, 2] * 3
    assert len(steps) == steps_in(10, settings)
    epochs = [[case.case_id for step in steps[start : start + 3] for case in step] for start in (0, 3, 6)]
    assert all(sorted(epoch) == [case.case_id for case in cases] for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]
    assert [[case.case_id for case in step] for step in steps_of(cases, settings)] == [[case.case_id for case in step] for step in steps]


def test_the_learning_rates_warm_up_and_fall_as_a_cosine() -> None:
    """Ten steps, warm-up over two: 1/2, 1, then cosine from 1 down; the head's rate is three times the adapters'."""
    trainer = trainer_with(learning_rate=1e-5, score_head_learning_rate=3e-5, warmup_fraction=0.2)
    rates = []
    for _ in range(10):
        rates.append(trainer.schedule.get_last_lr())
        trainer.optimizer.step()
        trainer.schedule.step()
    expected = [0.5, 1.0, *(0.5 * (1 + math.cos(math.pi * step / 8)) for step in range(8))]
    assert [body for _, body in rates] == pytest.approx([1e-5 * share for share in expected])
    assert [head for head, _ in rates] == pytest.approx([3e-5 * share for share in expected])


def test_the_logged_loss_is_the_weighted_sum_of_means_over_the_step() -> None:
    trainer = trainer_with(tokens_per_micro_batch=256)
    trainer.draws = None
    cases = random_cases(9)
    trainer.model.eval()
    with torch.no_grad():
        language, score = loop.losses(trainer.model, trainer.head.eval(), cases, Strategy())
    entry = take_step(trainer, cases)
    assert entry["language_model_loss"] == pytest.approx(float(language) / sum(len(case.answer) for case in cases), rel=1e-4)
    assert entry["score_loss"] == pytest.approx(float(score) / 9, rel=1e-4)
    assert entry["loss"] == pytest.approx(entry["language_model_loss"] + entry["score_loss"])


def test_steps_made_ready_ahead_are_the_same_steps() -> None:
    """As a GPU takes them; dropout on, several micro-batches a step, going on in the middle as a resumed run does."""
    cases, found = random_cases(11), []
    for prepared in (False, True):
        trainer = trainer_with(tokens_per_micro_batch=256, global_batch_size=4, learning_rate=1e-2)
        steps = list(steps_of(cases, trainer.settings))[:3]
        trainer.step = 1
        ahead = Ahead(trainer, steps, take_step)
        for step in steps[1:]:
            ahead.take(step) if prepared else take_step(trainer, step)
        ahead.close()
        found.append([{name: entry[name] for name in ("step", "loss", "gradient_norm", "tokens")} for entry in trainer.log])
    assert found[0] == found[1]
    assert [entry["step"] for entry in found[0]] == [2, 3]


def test_two_halves_of_a_step_learn_what_the_whole_step_does() -> None:
    cases, found = random_cases(9, shortest=20, longest=60), []
    for tokens in (16_384, 256):
        trainer = trainer_with(tokens_per_micro_batch=tokens)
        entry = take_step(trainer, cases)
        found.append((entry["loss"], [parameter.grad for parameter in trainer.trainable()]))
    assert len(my_turns(trainer, cases)) > 1
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-5)
    for one, other in zip(found[0][1], found[1][1], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)


OUT_OF_MEMORY = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory"),
    MemoryError(),
]


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=["gpu", "cpu", "python"])
def test_running_out_of_memory_names_the_setting_to_lower(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def burst(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(loop, "losses", burst)
    cases = random_cases(3)
    total = sum(case.length for case in cases)
    with pytest.raises(InputError, match=rf"micro-batch of {total} tokens; lower training.tokens_per_micro_batch \(now 4096\)"):
        take_step(trainer_with(tokens_per_micro_batch=4096), cases)


def test_another_error_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def burst(*_: object, **__: object) -> None:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(loop, "losses", burst)
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        take_step(trainer_with(), random_cases(2))


def test_a_loss_that_is_no_number_stops_before_it_reaches_the_weights() -> None:
    trainer = trainer_with()
    with torch.no_grad():
        trainer.head[0].weight[0, 0] = math.nan
    before = [parameter.clone() for parameter in trainer.trainable()]
    with pytest.raises(InputError, match=r"step 1: the loss is not a finite number; lower training.learning_rate"):
        take_step(trainer, random_cases(2))
    assert all(torch.equal(a, b) or a.isnan().any() for a, b in zip(before, trainer.trainable(), strict=True))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_noted_once_and_the_handlers_come_back(number: int) -> None:
    before = signal.getsignal(number)
    with stop_asked() as asked:
        assert not asked()
        signal.raise_signal(number)
        assert asked()
        if number == signal.SIGINT:
            assert signal.getsignal(number) == before  # a second one ends the process as ever
        else:
            signal.raise_signal(number)  # a second one, from whoever else signals all processes of a job, changes nothing
    assert signal.getsignal(number) == before


def test_sigterm_outside_the_loop_is_worth_a_retry_too() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(RetryLater, match="stopped before the end"), ending_with_75():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) == before
