"""Work for several processes, which must stand in a module that they can import."""

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

from oncoraft.foundation.errors import InputError, RetryLater


class Unsendable(InputError):
    """Bad input that cannot be unpickled: it asks for more than its words."""

    def __init__(self, needs: dict[str, int], budget: int) -> None:
        super().__init__(f"{len(needs)} need more than {budget}")


def doubler(addend: int) -> Callable[[int], tuple[int, bytes]]:
    """Doubles, adds, and gives back more than a pipe holds; earlier items take longer, so that later ones are done first."""

    def work(item: int) -> tuple[int, bytes]:
        time.sleep(0.02 * (item % 3 == 0))
        return 2 * item + addend, b"x" * 300_000

    return work


def failing(kind: str) -> Callable[[int], int]:
    """Fails at item 3, in one of several ways."""

    def work(item: int) -> int:
        if item == 3:
            if kind == "input":
                raise InputError("expected a whole number", file="ages.csv", line=7)
            if kind == "later":
                raise RetryLater("no card is free")
            if kind == "unsendable":
                raise Unsendable({"a": 1}, 5)
            if kind == "defect":
                raise KeyError("gene")
            os.kill(os.getpid(), signal.SIGKILL) if kind == "killed" else os._exit(3)
        return item

    return work


def noted(folder: Path) -> Callable[[int], int]:
    """Writes down which process it is, and then takes its time."""
    (folder / str(os.getpid())).touch()

    def work(item: int) -> int:
        time.sleep(60 if item else 0)
        return item

    return work


def large(_: None) -> Callable[[bytes], bytes]:
    """Gives back what it was sent."""
    return lambda item: item


def waiting_for_others(folder: Path) -> Callable[[int], bool]:
    """Item 0 ends when items 1 to 4 have; whether they had within half a minute."""

    def work(item: int) -> bool:
        if item:
            (folder / str(item)).touch()
            return True
        until = time.monotonic() + 30
        while (missing := len(list(folder.iterdir())) < 4) and time.monotonic() < until:
            time.sleep(0.02)
        return not missing

    return work


class Misread:
    """What can be pickled, and fails where it is read again, as a file would that ends too early."""

    def __reduce__(self) -> tuple[Callable[[], None], tuple[()]]:
        return too_short, ()


def too_short() -> None:
    """Fails."""
    raise EOFError("Ran out of input")


def misread(_: None) -> Callable[[int], Misread | int]:
    """Gives back, from item 1 on, what cannot be read."""
    return lambda item: Misread() if item else 0


def cut_short(_: None) -> Callable[[int], bytes]:
    """Is killed while what it gives back, more than a pipe holds, is on its way."""

    def work(item: int) -> bytes:
        if item == 1:
            threading.Timer(1, os.kill, (os.getpid(), signal.SIGKILL)).start()
        return bytes(item * 50_000_000)

    return work
