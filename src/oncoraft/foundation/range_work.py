"""Ranges worked by several processes: the same results in the same order, whatever their number.

The process that asks deals the ranges out one by one, each to whoever is done first, hands their results on in the order of the ranges,
and alone writes; so nothing of a worker can be half-written. No more than `WAITING` results a worker wait for one that is due before them:
memory does not grow with the cohort. Workers are
spawned, not forked: a fork of a process in which arrow, torch or a tokenizer have started threads may wait for ever on a lock that one of
these held. They end with the process that asked, however that ends.

Example:
    with worked(prepare, (path, settings), ranges, processes) as results:
        write_jsonl(out, (row for rows in results for row in rows))
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import pickle
import queue
import signal
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, NamedTuple, TypeVar

from oncoraft.foundation.errors import InputError, RetryLater

Item = TypeVar("Item")
Result = TypeVar("Result")
WAITING = 3  # results a worker; fewer, and who is done with short ranges stands still while another is at a long one
Worker = tuple[SpawnProcess, Connection]


class Ended(NamedTuple):
    """What stands for the result of a worker that has ended without one."""

    why: Exception


@contextmanager
def worked(
    prepare: Callable[..., Callable[[Item], Result]], arguments: Sequence[Any], items: Sequence[Item], processes: int
) -> Iterator[Iterator[Result]]:
    """The result of every item, in their order.

    Args:
        prepare: called once in each process; what it returns is called with each item. A function of a module.
        arguments: of `prepare`; they and the items must be small, since they are sent.
        items: ranges, or what says all of one.
        processes: how many work; of one, or of one item, the work is done here.

    Raises:
        InputError, RetryLater: as the work has raised them; RetryLater, too, where a worker was killed.
        RuntimeError: the work raised something else; its traceback is in the message.
    """
    count = min(processes, len(items))
    if count <= 1:
        yield map(prepare(*arguments), items)
        return
    workers: list[Worker] = []
    try:
        for _ in range(count):
            workers.append(_started(prepare, arguments))
        yield _in_order(workers, items)
    finally:
        for process, line in workers:
            line.close()
            # It writes nothing, so it may be ended at any moment.
            process.kill()
        for process, _ in workers:
            process.join()


def _started(prepare: Callable[..., Any], arguments: Sequence[Any]) -> Worker:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_work, args=(there, prepare, arguments, logging.getLogger("oncoraft").level), daemon=True)
    process.start()
    there.close()  # or the end of the worker would not be seen here
    return process, here


def _in_order(workers: list[Worker], items: Sequence[Any]) -> Iterator[Any]:
    """Results in the order of the items; a worker is dealt the next item as soon as it is done with one."""
    done: dict[int, tuple[bool, Any]] = {}
    busy: dict[Connection, tuple[SpawnProcess, int]] = {}
    free, dealt = list(reversed(workers)), 0
    for due in range(len(items)):
        while True:
            while free and dealt < min(len(items), due + WAITING * len(workers)):
                process, line = free.pop()
                busy[line] = process, dealt
                _deal(line, items[dealt])
                dealt += 1
            if due in done:
                break
            for line in [line for line in wait(list(busy)) if isinstance(line, Connection)]:
                process, number = busy.pop(line)
                done[number] = _taken(process, line)
                if not isinstance(done[number][1], Ended):
                    free.append((process, line))
        is_error, result = done.pop(due)
        if is_error:
            raise result.why if isinstance(result, Ended) else result
        yield result
        del result  # or it would be held while the next one is received


def _deal(line: Connection, item: Any) -> None:
    # That a worker has ended is told where its result is due, behind those of the others before it.
    with suppress(BrokenPipeError, ConnectionResetError):
        line.send(item)


def _taken(process: SpawnProcess, line: Connection) -> tuple[bool, Any]:
    """Whether a worker tells of an error, and what it tells."""
    try:
        told = line.recv_bytes()
    except (EOFError, OSError):  # it has ended, or was killed while it told
        return True, Ended(_ended(process))
    # Not above: whoever cannot be understood has not ended, and to wait for that would be to wait for ever.
    is_error, result = pickle.loads(told)
    return is_error, result


def _ended(process: SpawnProcess) -> Exception:
    """Why a worker that says nothing has ended."""
    process.join()
    code = process.exitcode or 0
    if code < 0:
        return RetryLater(f"a worker was killed by {signal.Signals(-code).name}; is there too little memory for so many processes?")
    return RuntimeError(f"a worker ended with status {code} before its work was done")


def _work(line: Connection, prepare: Callable[..., Callable[[Any], Any]], arguments: Sequence[Any], level: int) -> None:
    """Be a worker."""
    # An interruption is for the process that asked, which then ends this one; the pipe's end says so, too.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    logging.getLogger("oncoraft").setLevel(level)
    work: Callable[[Any], Any] | None = None
    dealt: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    # In a thread of its own: two processes that each send more than a pipe holds would wait for one another.
    threading.Thread(target=_receive, args=(line, dealt), daemon=True).start()
    while True:
        item = dealt.get()
        try:
            work = work or prepare(*arguments)
            told = pickle.dumps((False, work(pickle.loads(item))), protocol=5)
        except Exception as error:
            told = pickle.dumps((True, _sendable(error)), protocol=5)
        try:
            line.send_bytes(told)
        except (BrokenPipeError, ConnectionResetError):
            return
        del told, item


def _receive(line: Connection, dealt: queue.SimpleQueue[bytes]) -> None:
    try:
        while True:
            dealt.put(line.recv_bytes())
    except (EOFError, OSError):  # the process that asked has ended: nobody wants what is being made, and nothing is half-written
        os._exit(0)


def _sendable(error: Exception) -> Exception:
    """An error that arrives as it is: what a user can mend in its words and with its status, a defect with its traceback."""
    for kind in (InputError, RetryLater):
        if isinstance(error, kind):
            same = kind(str(error))
            same.status = error.status
            return same
    return RuntimeError("in a worker:\n" + "".join(traceback.format_exception(error)))
