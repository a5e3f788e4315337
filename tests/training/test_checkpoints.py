"""Saved states: complete sets only, the last sound one, never another run's; a lock for one trainer at a time."""

import json
import logging
from pathlib import Path

import pytest
import torch

from oncoraft.foundation.errors import RetryLater
from oncoraft.training.checkpoints import States, locked


def state(step: int) -> dict:
    return {"step": step, "adapter": {"w": torch.full((3,), float(step))}}


def three_saves(folder: Path, key: str = "a" * 64) -> States:
    states = States(folder, key)
    for step in (2, 4, 6):
        states.save(step, state(step))
    return states


def test_the_last_two_states_are_kept_and_the_last_is_found(tmp_path: Path) -> None:
    states = three_saves(tmp_path)
    assert sorted(file.name for file in states.folder.iterdir()) == [
        "step-00000004.json",
        "step-00000004.pt",
        "step-00000006.json",
        "step-00000006.pt",
    ]
    found = states.last()
    assert found is not None
    assert found["step"] == 6
    assert torch.equal(found["adapter"]["w"], torch.full((3,), 6.0))


def damage_nothing_written(file: Path) -> None:
    file.write_bytes(b"")


def damage_cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-40])


def damage_one_bit(file: Path) -> None:
    whole = bytearray(file.read_bytes())
    whole[len(whole) // 2] ^= 1
    file.write_bytes(bytes(whole))


def damage_gone(file: Path) -> None:
    file.unlink()


@pytest.mark.parametrize("damage", [damage_nothing_written, damage_cut, damage_one_bit])
def test_a_damaged_state_falls_back_to_the_one_before_and_says_so(damage, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    states = three_saves(tmp_path)
    damage(states.folder / "step-00000006.pt")
    with caplog.at_level(logging.WARNING, "oncoraft"):
        found = states.last()
    assert found is not None
    assert found["step"] == 4
    assert "step-00000006.pt cannot be used" in caplog.text
    assert "looking for the one before" in caplog.text


@pytest.mark.parametrize("name", ["step-00000006.pt", "step-00000006.json"])
def test_an_incomplete_set_does_not_count(name: str, tmp_path: Path) -> None:
    states = three_saves(tmp_path)
    damage_gone(states.folder / name)
    found = states.last()
    assert found is not None
    assert found["step"] == 4


def test_a_broken_note_and_then_nothing_sound_means_a_fresh_start(tmp_path: Path) -> None:
    states = three_saves(tmp_path)
    (states.folder / "step-00000006.json").write_text("{")
    damage_cut(states.folder / "step-00000004.pt")
    assert states.last() is None
    assert States(tmp_path / "none", "b" * 64).last() is None


def test_another_runs_state_is_never_used(tmp_path: Path) -> None:
    states = three_saves(tmp_path)
    assert States(tmp_path, "b" * 64).last() is None
    # Even where the short names of two runs' folders are the same.
    assert States(tmp_path, "a" * 63 + "b").last() is None
    found = states.last()
    assert found is not None


def test_a_finished_run_keeps_its_last_state_until_the_engine_has_taken_what_it_made(tmp_path: Path) -> None:
    states = three_saves(tmp_path)
    states.finish(8, {"step": 8})
    assert states.last() == {"step": 8}
    assert sorted(path.name for path in states.folder.iterdir()) == ["step-00000008.json", "step-00000008.pt"]
    states.finish(8, {"step": "not written again"})
    assert states.last() == {"step": 8}


def test_what_was_being_written_when_the_machine_stopped_is_passed_over(tmp_path: Path) -> None:
    states = three_saves(tmp_path)
    (states.folder / "step-00000008.partial").write_bytes(b"half")
    (states.folder / "step-00000008.json.partial").write_text(json.dumps({"key": states.key, "step": 8, "sha256": ""}))
    found = states.last()
    assert found is not None
    assert found["step"] == 6


def test_a_lock_keeps_a_second_trainer_out_and_ends_with_the_first(tmp_path: Path) -> None:
    with locked(tmp_path / "fold"):
        with pytest.raises(RetryLater, match="another training run is at work on this fold") as caught, locked(tmp_path / "fold"):
            pass
        assert caught.value.status == 75
        with locked(tmp_path / "other"):
            pass
    with locked(tmp_path / "fold"):
        pass
