"""A lease on GPUs: on one machine, jobs that run side by side never share a device.

Snakemake counts GPUs (`--resources gpu=2`) but gives none out, so two jobs would both take device 0. Here each device has a lock
file; a job holds the locks of its devices while it runs. The locks are `flock` locks on open files, which the kernel drops when the
holder ends, however it ends: a killed job leaves nothing to clean up.

A `CUDA_VISIBLE_DEVICES` that is set limits what may be leased. Inside a SLURM job it holds what SLURM gave to that job: one job a step
gets just those, and several jobs side by side in one allocation (`salloc`) share them out, apart from other allocations. Neither torch nor anything heavy is imported, since CUDA reads the variable once, when it starts.

    device = device_for(hold_devices(given.gpus))      # until the process ends
    with leased_devices(2) as devices: ...             # while a block runs
"""

from __future__ import annotations

import fcntl
import logging
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from oncoraft.foundation.errors import RetryLater

log = logging.getLogger("oncoraft")

VISIBLE = "CUDA_VISIBLE_DEVICES"
FAKE = "ONCORAFT_FAKE_GPUS"  # for tests: pretend that the machine has this many devices
FOLDER = "ONCORAFT_LEASES"  # where the lock files lie; default: one folder a user under the machine's temporary folder
WAIT = "ONCORAFT_LEASE_WAIT"  # seconds to wait for devices that others hold
POLL_SECONDS = 0.2
DEFAULT_WAIT_SECONDS = 600.0


def known_devices() -> list[str]:
    """Names of the devices that this process may use, in order.

    A set `CUDA_VISIBLE_DEVICES` is taken as it stands (numbers, GPU- or MIG-UUIDs); otherwise the driver is asked for the UUIDs, which
    name the same device for every process, whatever numbering it sees. No driver: none.
    """
    visible = os.environ.get(VISIBLE)
    if visible is not None:
        return [name.strip() for name in visible.split(",") if name.strip() and name.strip() != "-1"]
    if FAKE in os.environ:
        return [str(number) for number in range(int(os.environ[FAKE]))]
    try:
        asked = subprocess.run(
            ["nvidia-smi", "--query-gpu=uuid", "--format=csv,noheader"], capture_output=True, text=True, check=True, timeout=30
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in asked.stdout.splitlines() if line.strip()]


def lock_names(devices: list[str]) -> dict[str, str]:
    """Device -> name of its lock file. A number and the UUID of the same device share one lock where the driver can tell."""
    if not any(device.isdigit() for device in devices) or FAKE in os.environ:
        return {device: f"gpu-{device}" for device in devices}
    try:
        asked = subprocess.run(
            ["nvidia-smi", "--query-gpu=index,uuid", "--format=csv,noheader"], capture_output=True, text=True, check=True, timeout=30
        )
    except (OSError, subprocess.SubprocessError):
        return {device: f"gpu-{device}" for device in devices}
    uuids = dict(line.split(", ", 1) for line in asked.stdout.splitlines() if ", " in line)
    return {device: f"gpu-{uuids.get(device, device).strip()}" for device in devices}


def lease_folder() -> Path:
    """The folder of the lock files: the same for every job of this user on this machine.

    Where SLURM has set the visible devices, their numbers count from 0 in every allocation: each has a folder of its own.
    """
    folder = Path(os.environ.get(FOLDER) or Path(tempfile.gettempdir()) / f"oncoraft-leases-{os.getuid()}")
    if VISIBLE in os.environ and "SLURM_JOB_ID" in os.environ:
        folder /= f"slurm-{os.environ['SLURM_JOB_ID']}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def try_lock(file: Path) -> IO[str] | None:
    """The locked file, or None if another process holds it; the lock is not handed down to child processes."""
    # Appending: who comes second must not empty the file of the holder.
    stream = file.open("a+", encoding="utf-8")
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        stream.close()
        return None
    stream.seek(0)
    stream.truncate()
    stream.write(f"{os.getpid()}\n")
    stream.flush()
    return stream


def take(count: int, names: dict[str, str], folder: Path, held: ExitStack) -> list[str] | None:
    """Lock `count` devices, all or none, so that two jobs that want two each never wait for one another."""
    taken: list[tuple[str, IO[str]]] = []
    for device, name in names.items():
        stream = try_lock(folder / f"{name.replace('/', '_')}.lock")
        if stream is not None:
            taken.append((device, stream))
        if len(taken) == count:
            for _, open_file in taken:
                held.callback(open_file.close)
            return [device for device, _ in taken]
    for _, open_file in taken:
        open_file.close()
    return None


@contextmanager
def leased_devices(count: int) -> Iterator[list[str]]:
    """Hold `count` GPUs while the block runs, and name them in `CUDA_VISIBLE_DEVICES`.

    Args:
        count: devices wanted; 0: none is taken and the environment stays as it is. Nor is it in a process that torchrun has started:
            the devices of all its processes are one job's, and its launcher's to hold.

    Yields:
        the leased devices.

    Raises:
        RetryLater: the machine has fewer devices, or they did not come free in time (status 75: a retry may find them).
    """
    if count == 0 or "LOCAL_RANK" in os.environ:
        yield []
        return
    devices = known_devices()
    if len(devices) < count:
        raise RetryLater(f"{count} GPU asked for, {len(devices)} visible; a retry may land on a better node")
    names, folder = lock_names(devices), lease_folder()
    patience = float(os.environ.get(WAIT, DEFAULT_WAIT_SECONDS))
    deadline, told = time.monotonic() + patience, False
    before = os.environ.get(VISIBLE)
    with ExitStack() as held:
        while (mine := take(count, names, folder, held)) is None:
            if time.monotonic() > deadline:
                raise RetryLater(f"{count} GPU asked for, all {len(devices)} are held by other jobs after {patience:.0f} s")
            if not told:
                log.info("lease: waiting for %d of %d GPUs, held by other jobs", count, len(devices))
                told = True
            time.sleep(POLL_SECONDS)
        os.environ[VISIBLE] = ",".join(mine)
        log.info("lease: GPU %s", os.environ[VISIBLE])
        try:
            yield mine
        finally:
            if before is None:
                del os.environ[VISIBLE]
            else:
                os.environ[VISIBLE] = before


_HELD = ExitStack()


def hold_devices(count: int) -> int:
    """Hold `count` GPUs until this process ends: the one call of a step that computes on them, before CUDA starts.

    Returns:
        how many CUDA devices to expect now: `count`, or 0 where the GPUs are only pretended (tests).

    Raises:
        RetryLater: as `leased_devices`.
    """
    _HELD.enter_context(leased_devices(count))
    return 0 if FAKE in os.environ else count
