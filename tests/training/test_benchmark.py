"""The benchmark that is to run on a GPU runs to its end at a tiny size on any machine, through the same code."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from oncoraft.foundation.errors import InputError
from tests.training.fold import ROOT, environment


@pytest.mark.slow
def test_the_gpu_benchmark_runs_to_its_end_and_leaves_a_dated_record(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "training.py"), "--gpu", "--tiny", "--steps", "1", "--record", str(tmp_path)]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    (path,) = tmp_path.iterdir()
    record = json.loads(path.read_text())
    assert path.name == f"{record['day']}-training-gpu-tiny.json"
    assert record["versions"]["torch"]
    assert str(tmp_path) not in record["command"]
    rows = {row["loop"].split(":")[0].split(",")[0]: row for row in record["rows"]}
    assert set(rows) == {"default loop", "packed", "padded"}
    assert len(record["rows"]) == 5
    for row in record["rows"]:
        assert row["samples_per_second"] > 0
        assert row["share_of_roof"] > 0
    packed = [row for row in record["rows"] if row["loop"].startswith("packed")]
    assert packed[0]["last_loss"] == pytest.approx(packed[1]["last_loss"], rel=1e-2)
    assert packed[0]["last_loss"] == pytest.approx(packed[2]["last_loss"], rel=5e-2)


def test_a_gpu_that_has_no_fp8_or_no_room_for_a_side_measures_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    found = importlib.util.spec_from_file_location("benchmark_of_training", ROOT / "benchmarks" / "training.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    why = module.unmeasured
    assert why(torch.OutOfMemoryError("CUDA out of memory")) == "out of memory"
    assert why(InputError("memory ran out on a micro-batch of 9 tokens")) == "out of memory"
    assert why(InputError("expected a GPU of compute capability 9.0 (Hopper) or later")) == "no FP8 on this GPU"
    with pytest.raises(InputError, match="not a finite number"):
        why(InputError("step 1: the loss is not a finite number"))
