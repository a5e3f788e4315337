"""Ranges by several processes: order kept, results equal for any number of them, and every way to fail told."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from oncoraft.foundation.errors import InputError, RetryLater
from oncoraft.foundation.range_work import worked
from tests.foundation.range_workers import Misread, cut_short, doubler, failing, large, misread, noted, waiting_for_others

ASKING = """
import sys
from pathlib import Path
from oncoraft.foundation.range_work import worked
from tests.foundation.range_workers import noted

if __name__ == "__main__":
    with worked(noted, (Path(sys.argv[1]),), [1, 2, 3, 4], 2) as results:
        next(results)
"""


@pytest.mark.parametrize("items", [0, 1, 7])
def test_results_are_those_of_one_process_in_order_for_any_number_of_them(items: int) -> None:
    found = []
    for processes in (1, 2, 3):
        with worked(doubler, (5,), list(range(items)), processes) as results:
            found.append([number for number, _ in results])
    assert found == [[2 * item + 5 for item in range(items)]] * 3


def test_items_larger_than_a_pipe_holds_come_back_as_they_were() -> None:
    items = [bytes([number]) * 1_000_000 for number in range(9)]
    with worked(large, (None,), items, 2) as results:
        assert list(results) == items


def test_while_one_is_at_a_long_item_another_goes_on_with_those_behind_it(tmp_path: Path) -> None:
    with worked(waiting_for_others, (tmp_path,), list(range(5)), 2) as results:
        assert list(results) == [True] * 5


@pytest.mark.parametrize(
    ("kind", "error", "message", "status"),
    [
        ("input", InputError, r"^ages\.csv, line 7: expected a whole number$", 2),
        ("later", RetryLater, "^no card is free$", 75),
        ("unsendable", InputError, "^1 need more than 5$", 2),
        ("killed", RetryLater, r"^a worker was killed by SIGKILL; is there too little memory for so many processes\?$", 75),
        ("ended", RuntimeError, "^a worker ended with status 3 before its work was done$", None),
        ("defect", RuntimeError, r"(?s)range_workers\.py.*KeyError: 'gene'", None),
    ],
)
def test_what_ends_a_worker_is_told_after_the_results_before_it(
    kind: str, error: type[Exception], message: str, status: int | None
) -> None:
    with worked(failing, (kind,), list(range(8)), 2) as results:
        assert [next(results) for _ in range(3)] == [0, 1, 2]
        with pytest.raises(error, match=message) as caught:
            next(results)
    assert getattr(caught.value, "status", None) == status


def test_a_worker_killed_while_its_result_is_on_its_way_is_told_like_any_other() -> None:
    with worked(cut_short, (None,), [0, 1], 2) as results:
        next(results)
        time.sleep(4)  # of what it sends, it is killed before more than a pipe holds has been received
        with pytest.raises(RetryLater, match=r"^a worker was killed by SIGKILL"):
            next(results)


def test_a_result_that_cannot_be_read_ends_the_work_instead_of_waiting_for_ever() -> None:
    with worked(misread, (None,), [0, 1, 2], 2) as results, pytest.raises(EOFError, match="Ran out of input"):
        list(results)


def test_an_item_that_a_worker_cannot_read_ends_the_work_instead_of_waiting_for_ever() -> None:
    with worked(doubler, (5,), [Misread(), Misread()], 2) as results, pytest.raises(RuntimeError, match="Ran out of input"):
        list(results)


def test_no_worker_outlives_the_block_whatever_it_is_at(tmp_path: Path) -> None:
    started = time.monotonic()

    def leave() -> None:
        with worked(noted, (tmp_path,), [0, 1, 2, 3], 2) as results:
            assert next(results) == 0
            while len(list(tmp_path.iterdir())) < 2:
                time.sleep(0.05)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        leave()
    assert time.monotonic() - started < 50
    numbers = [int(path.name) for path in tmp_path.iterdir()]
    assert os.getpid() not in numbers
    for number in numbers:
        with pytest.raises(ProcessLookupError):
            os.kill(number, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_workers_end_at_once_with_a_process_that_is_killed(tmp_path: Path) -> None:
    asking = subprocess.Popen([sys.executable, "-c", ASKING, str(tmp_path)], cwd=Path(__file__).parents[2])
    until = time.monotonic() + 120
    while len(list(tmp_path.iterdir())) < 2:
        assert asking.poll() is None
        assert time.monotonic() < until
        time.sleep(0.05)
    asking.send_signal(signal.SIGKILL)
    asking.wait()
    numbers = [int(path.name) for path in tmp_path.iterdir()]
    until = time.monotonic() + 40  # an item takes them a minute
    while any(map(runs, numbers)):
        assert time.monotonic() < until
        time.sleep(0.05)


def runs(number: int) -> bool:
    """Whether there is a process of that number that has not ended."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False
