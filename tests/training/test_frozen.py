"""A base model that does not learn is read once, and the head becomes what it would have become by reading it every epoch."""

import pytest
import torch

from oncoraft.training import frozen, train
from oncoraft.training.processes import Processes
from tests.models.tiny_models import ARCHITECTURES, random_cases, random_model
from tests.training.fold import learned, logged, run_training, settings, write_fold_inputs

FROZEN = {"adapter": False, "language_model_weight": 0}


def test_every_prompt_is_read_once_however_many_epochs(tmp_path, monkeypatch) -> None:
    write_fold_inputs(tmp_path, count=40)
    read: list[int] = []
    real = frozen.packed_hidden

    def counted(model, packed):
        read.extend(packed.lengths)
        return real(model, packed)

    monkeypatch.setattr(frozen, "packed_hidden", counted)
    monkeypatch.setattr("oncoraft.training.objective.packed_hidden", None)  # whoever reads again, fails
    run_training(tmp_path, "out", settings(FROZEN, epochs=5, tokens_per_micro_batch=256))
    assert len(read) == 40
    assert len(logged(tmp_path / "out")) == 50


def test_the_head_is_that_of_a_base_read_at_every_step(tmp_path, monkeypatch) -> None:
    write_fold_inputs(tmp_path)
    once = run_training(tmp_path, "once", settings(FROZEN))
    monkeypatch.setattr(train, "read_once", lambda *_: None)
    each = run_training(tmp_path, "each", settings(FROZEN))
    assert learned(once).keys() == {"0.weight", "0.bias", "3.weight", "3.bias"}
    for name, value in learned(each).items():
        torch.testing.assert_close(learned(once)[name], value, rtol=1e-4, atol=1e-5)
    assert [row["loss"] for row in logged(once)] == pytest.approx([row["loss"] for row in logged(each)], rel=1e-4)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_case_finds_its_own_state_in_whatever_order(architecture: str) -> None:
    model, cases = random_model(architecture), random_cases(6, seed=3)
    found = frozen.read_once(model, cases, 40, Processes())
    alone = torch.stack([model.model(input_ids=torch.tensor([list(case.prompt)])).last_hidden_state[0, -1] for case in cases])
    torch.testing.assert_close(found.of(cases), alone, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found.of([cases[4], cases[1]]), alone[[4, 1]], rtol=1e-4, atol=1e-5)
