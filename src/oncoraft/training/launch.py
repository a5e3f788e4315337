"""A training job that was given several GPUs starts one process a GPU by itself.

So a workflow needs no launcher in its command line: how many GPUs a job has is a resource of the profile, and the step's status (75
after a stop) reaches the engine as it is. `torchrun` and `accelerate launch` do the same from outside, over several machines too, but
end with 1 where a process ends with 75.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from torch import multiprocessing
from torch.multiprocessing.spawn import ProcessException, ProcessExitedException
from tqdm import tqdm

from oncoraft.foundation.errors import InputError, RetryLater
from oncoraft.planning.edge import start_log

Main = Callable[[Sequence[str] | None], int]


def launched() -> bool:
    """Whether a launcher, this one or another, has started this process as one of several."""
    return "WORLD_SIZE" in os.environ


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        # Port 0: the kernel chooses. A fixed one (the libraries' is 29500) would meet a second training on this machine.
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def take_place(rank: int, main: Main, arguments: Sequence[str], count: int, port: int, told: Connection) -> None:
    """Be one of the processes; what ends it early is told to the one that started it, which prints it once."""
    place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count, "MASTER_PORT": port}
    os.environ |= {name: str(value) for name, value in place.items()} | {"MASTER_ADDR": "127.0.0.1"}
    start_log()
    tqdm.set_lock(threading.RLock())  # its own would be a semaphore of the machine, and left behind
    try:
        status = main(arguments)
    except (InputError, RetryLater) as error:
        told.send((type(error), str(error)))  # short enough to be one write, whoever else writes
        status = error.status
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def killed_by(processes: Sequence[BaseProcess], first: int) -> int:
    """The signal that ended one of some processes from outside, 0 if none did.

    Args:
        processes: that have all ended; those that were left when one had failed were ended by SIGTERM.
        first: exit code of the one that ended first.
    """
    codes = [first, *(process.exitcode or 0 for process in processes)]
    return next((-code for place, code in enumerate(codes) if code < 0 and (place == 0 or -code != signal.SIGTERM)), 0)


def run_on_every_gpu(main: Main, arguments: Sequence[str] | None, count: int) -> int:
    """Run a step's `main` in `count` processes on this machine and wait for all of them.

    SIGTERM is handed to each, so that they save and stop together; they end too where this process is killed. Where one fails, the
    others are ended.

    Raises:
        InputError, RetryLater: as the first process that ended early; RetryLater too where one was killed from outside.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    # Spawned, since CUDA cannot be used in a fork of a process that has touched it.
    heard, told = multiprocessing.get_context("spawn").Pipe(duplex=False)
    # Own processes: torchrun and accelerate launch answer 1 for a child's 75 (torch 2.13, accelerate 1.15), so no engine would retry.
    context: Any = multiprocessing.start_processes(
        take_place, (main, words, count, free_port(), told), nprocs=count, join=False, start_method="spawn"
    )

    def hand_on(number: int, _: object) -> None:
        for process in context.processes:
            if process.pid is not None and process.is_alive():
                os.kill(process.pid, number)

    before = signal.signal(signal.SIGTERM, hand_on)
    try:
        # False while processes are still to be joined.
        while not context.join():
            pass
    except ProcessException as ended:
        kind, message = heard.recv() if heard.poll() else (None, "")  # what the first one said; that the others then missed it is no news
        code = killed_by(context.processes, ended.exit_code if isinstance(ended, ProcessExitedException) else 0)
        # Where one is killed the others are told to stop, and say so: that is no news either.
        if kind is not None and (kind is InputError or not code):
            raise kind(message) from None
        if code:
            raise RetryLater(f"one of {count} processes was ended by {signal.Signals(code).name}") from None
        raise
    finally:
        signal.signal(signal.SIGTERM, before)
    return 0
