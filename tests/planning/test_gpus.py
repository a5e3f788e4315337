"""Who asks for a GPU that is not there is told before the first job."""

from __future__ import annotations

from pathlib import Path

import pytest

from oncoraft.planning.gpus import has_gpu, without_gpu


@pytest.mark.parametrize("device", ["nvidiactl", "kfd", "dxg"])
def test_a_driver_is_seen_unless_its_devices_are_hidden(device: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert not has_gpu(tmp_path)
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / device).touch()
    assert has_gpu(tmp_path)
    for hidden in ("", "-1"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
        assert not has_gpu(tmp_path)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert has_gpu(tmp_path)


def test_rules_that_ask_for_one_are_counted_and_others_are_not_named() -> None:
    jobs = [("train", {"gpu": 1}), ("train", {"gpu": 1}), ("infer", {"gpu": 2}), ("split", {"mem_mb": 4}), ("dpo", {"gpu": 0})]
    line = without_gpu(jobs)
    assert line is not None
    assert "3 jobs ask for one (1 of infer, 2 of train)" in line
    assert line.endswith("--set-resources infer:gpu=0 train:gpu=0")
    assert without_gpu(jobs[3:]) is None
