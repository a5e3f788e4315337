"""GPU leases: two fake devices on one machine; jobs run together and never share one."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from oncoraft.foundation.errors import RetryLater
from oncoraft.foundation.lease import FAKE, FOLDER, VISIBLE, WAIT, known_devices, leased_devices

from .finished_run import FinishedRun

HOLDER = """
import json, os, sys, time
from oncoraft.foundation.lease import leased_devices
with leased_devices(int(sys.argv[1])) as devices:
    start = time.monotonic()
    print(json.dumps({"devices": devices, "visible": os.environ["CUDA_VISIBLE_DEVICES"], "start": start}), flush=True)
    time.sleep(float(sys.argv[2]))
    print(json.dumps({"end": time.monotonic()}), flush=True)
"""


@pytest.fixture(autouse=True)
def two_fake_devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FAKE, "2")
    monkeypatch.setenv(FOLDER, str(tmp_path / "leases"))
    monkeypatch.delenv(VISIBLE, raising=False)
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)


def holder(count: int, seconds: float) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", HOLDER, str(count), str(seconds)], stdout=subprocess.PIPE, text=True)


def first_line(process: subprocess.Popen[str]) -> dict[str, object]:
    assert process.stdout is not None
    return json.loads(process.stdout.readline())


def test_jobs_run_together_and_never_share_a_device() -> None:
    jobs = [holder(1, 0.6) for _ in range(6)]
    spans = []
    for job in jobs:
        out, _ = job.communicate(timeout=60)
        start, end = map(json.loads, out.splitlines())
        assert start["visible"] == start["devices"][0]
        spans.append((start["devices"][0], start["start"], end["end"]))
    assert {device for device, _, _ in spans} == {"0", "1"}
    overlapping = 0
    for one in range(6):
        for other in range(one):
            together = spans[one][1] < spans[other][2] and spans[other][1] < spans[one][2]
            overlapping += together
            assert not (together and spans[one][0] == spans[other][0])
    assert overlapping >= 1, "no two jobs ever ran at the same time"


def test_a_job_that_wants_both_waits_for_both_and_holds_none_meanwhile() -> None:
    one = holder(1, 1.0)
    first_line(one)
    both = holder(2, 0.0)
    time.sleep(0.4)
    with leased_devices(1) as free:  # the one that waits for two has not kept the free one
        assert len(free) == 1
    out, _ = both.communicate(timeout=30)
    assert json.loads(out.splitlines()[0])["devices"] == ["0", "1"]
    one.wait(timeout=30)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_holder_leaves_its_device_free(how: signal.Signals, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = [holder(1, 60), holder(1, 60)]
    held = {first_line(job)["visible"] for job in jobs}
    assert held == {"0", "1"}
    monkeypatch.setenv(WAIT, "0")
    with pytest.raises(RetryLater), leased_devices(1):
        pass
    jobs[0].send_signal(how)
    jobs[0].wait(timeout=30)
    with leased_devices(1) as mine:
        assert len(mine) == 1
    jobs[1].kill()
    jobs[1].wait(timeout=30)


def test_a_child_of_the_holder_does_not_keep_the_lease() -> None:
    with leased_devices(2):
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(30)"])
    with leased_devices(2) as again:
        assert again == ["0", "1"]
    child.kill()
    child.wait()


def test_a_set_list_of_visible_devices_limits_what_is_leased(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VISIBLE, "GPU-b, GPU-c")
    assert known_devices() == ["GPU-b", "GPU-c"]
    with leased_devices(1) as mine:
        assert mine == ["GPU-b"]
        assert os.environ[VISIBLE] == "GPU-b"
    assert os.environ[VISIBLE] == "GPU-b, GPU-c"
    with pytest.raises(RetryLater, match="3 GPU asked for, 2 visible"), leased_devices(3):
        pass


def test_no_device_asked_for_touches_nothing(tmp_path: Path) -> None:
    with leased_devices(0) as none:
        assert none == []
        assert VISIBLE not in os.environ
    assert not (tmp_path / "leases").exists()


def test_under_slurm_a_job_keeps_what_it_was_given_whatever_other_allocations_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv(VISIBLE, "0")
    with leased_devices(1) as mine:
        assert mine == ["0"]
        monkeypatch.setenv("SLURM_JOB_ID", "8")  # its device 0 is another one
        monkeypatch.setenv(VISIBLE, "0")
        with leased_devices(1) as other:
            assert other == ["0"]


def test_two_jobs_side_by_side_in_one_allocation_share_its_devices_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv(VISIBLE, "0,1")
    job = holder(1, 60)
    with leased_devices(1) as mine:
        assert {first_line(job)["visible"], *mine} == {"0", "1"}
    job.kill()
    job.wait(timeout=30)


@pytest.mark.parametrize("visible", ["", "-1"])
def test_a_machine_whose_devices_are_hidden_has_none(visible: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VISIBLE, visible)
    with pytest.raises(RetryLater, match="0 visible"), leased_devices(1):
        pass


def test_a_process_of_torchrun_leases_nothing_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", "1")
    with leased_devices(2), leased_devices(2) as none:
        assert none == []
        assert VISIBLE not in os.environ


def test_devices_are_held_until_the_process_ends() -> None:
    code = "from oncoraft.foundation.lease import hold_devices; print(hold_devices(1), flush=True); input()"
    job = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert job.stdout is not None
    assert job.stdout.readline() == "0\n"  # the device is only pretended: no CUDA to expect
    with leased_devices(1) as other:
        assert other == ["1"]
    job.communicate("\n", timeout=30)
    with leased_devices(2) as both:
        assert both == ["0", "1"]


def test_a_lease_imports_nothing_heavy() -> None:
    code = "import sys, oncoraft.foundation.lease; print(sorted({'torch', 'numpy', 'pandas', 'pydantic'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


@pytest.mark.slow
@pytest.mark.xdist_group("small-run")
def test_two_trainings_of_the_workflow_run_side_by_side_on_two_devices(finished_run: FinishedRun, tmp_path: Path) -> None:
    """The engine counts two GPUs, the jobs hold one each: both trainings, then four scorings, never two on one device."""
    run = finished_run.copy(tmp_path / "copy")
    shutil.rmtree(run.results / "tiny" / "raft")
    resources = ["--resources", "gpu=2", "--set-resources", "train:gpu=1", "infer:gpu=1"]
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", *run.engine_arguments(*resources), "--until", "infer"],
        env=run.environment(),
        cwd=run.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    devices = {}
    for log in (run.results / "tiny/raft/kfold/logs").glob("*.log"):
        held = re.search(r"lease: GPU (\d)", log.read_text())
        assert held, log.name
        devices[log.stem] = held.group(1)
    assert len(devices) == 6
    # Jobs of a second or two may follow one another on a device; that two at a time never share one is held above.
    assert set(devices.values()) <= {"0", "1"}
    shutil.rmtree(run.folder)
