"""The benchmark of inference runs to its end at a tiny size by the code that a GPU is measured with, and writes its record."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "inference.py"


@pytest.fixture(scope="module")
def benchmark() -> Any:
    """The script as a module."""
    found = importlib.util.spec_from_file_location("benchmark_of_inference", SCRIPT)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def test_the_command_for_a_gpu_ends_at_a_tiny_size_and_leaves_a_dated_record(
    benchmark: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Its layers go through the compiler's front, and no further: what comes behind is tested elsewhere.
    words = [
        "--shape",
        "qwen3-8b",
        "--device",
        "cuda",
        "--tiny",
        "--compiled",
        "--compiler",
        "eager",
        "--rounds",
        "1",
        "--record",
        str(tmp_path),
    ]
    assert benchmark.main(words) == 0
    (path,) = tmp_path.iterdir()
    record = json.loads(path.read_text())
    assert record == json.loads(capsys.readouterr().out)
    assert path.name.endswith("-inference-qwen3-8b-tiny-48-6.json")
    assert record["command"] == " ".join(["python benchmarks/inference.py", *words[:-1]])  # no path of a machine
    assert set(record["cases_per_second"]) == {"ours", "recorded", "eager", "batched", "published"}
    assert record["layers_run_uncompiled"] == record["acts_run_unrecorded"] == record["recorded_acts_run_unrecorded"] == 0
    for way in ("recorded", "eager", "batched", "published"):
        assert record[f"ours_over_{way}"] > 0
        # bf16 keeps three digits; a score read at a wrong place is further off.
        assert record[f"largest_score_difference_{way}"] < 0.01


def test_prompts_share_what_was_asked_for(benchmark: Any) -> None:
    cases = benchmark.made_cases(5, 100, 500, 0.25)
    assert len({case.prompt[:25] for case in cases}) == 1
    assert len({case.prompt[25:27] for case in cases}) == 5
    assert [len(case.prompt) for case in cases] == sorted((len(case.prompt) for case in cases), reverse=True)
