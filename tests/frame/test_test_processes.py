"""What spares the tests time changes nothing of what they see: a forked interpreter is one, and what is built once is built in one process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..conftest import shared_place
from ..python_server import PythonServer


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with PythonServer(tmp_path_factory.mktemp("python"), ["json"]) as server:
        yield server.python


@pytest.fixture(scope="module")
def built_once() -> int:
    return 1


def run(python: Path, code: str, folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a file of this code in a folder of its own."""
    (folder / "code.py").write_text(code)
    command = [str(python), "-P", "code.py", *words]
    return subprocess.run(command, cwd=folder, env=os.environ | environment, capture_output=True, text=True, input="asked", check=False)


def test_it_has_the_callers_words_streams_folder_and_environment(python: Path, tmp_path: Path) -> None:
    code = "import os, sys\nprint(sys.argv, os.environ['OWN'], sys.stdin.read())\nprint(os.getcwd(), file=sys.stderr)\n"
    done = run(python, code, tmp_path, "a b", OWN="ü")
    assert (done.returncode, done.stdout, done.stderr) == (0, "['code.py', 'a b'] ü asked\n", f"{tmp_path}\n")


@pytest.mark.parametrize(
    ("code", "status", "said"),
    [
        ("raise SystemExit(3)", 3, ""),
        ("import os\nos._exit(4)", 4, ""),
        ("raise SystemExit('in words')", 1, "in words\n"),
        ("raise KeyError('lost')", 1, "KeyError: 'lost'\n"),
        ("import os\nos.kill(os.getpid(), 9)", 128 + signal.SIGKILL, ""),
    ],
)
def test_it_ends_as_the_process_does(python: Path, tmp_path: Path, code: str, status: int, said: str) -> None:
    done = run(python, code, tmp_path)
    assert done.returncode == status
    assert done.stderr.endswith(said)


def test_who_kills_it_kills_the_process(python: Path, tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text("import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(600)\n")
    caller = subprocess.Popen([python, "-P", "code.py"], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    assert caller.stdout is not None
    process = int(caller.stdout.readline())
    caller.kill()
    caller.wait()
    while is_alive(process):
        time.sleep(0.01)


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_package_is_that_of_the_callers_path(python: Path, tmp_path: Path) -> None:
    """The server has imported nothing of it, or a changed checkout would be tested by the unchanged one."""
    (tmp_path / "own/oncoraft").mkdir(parents=True)
    (tmp_path / "own/oncoraft/__init__.py").touch()
    (tmp_path / "own/oncoraft/__main__.py").write_text("print('of the path')\n")
    command, environment = [python, "-m", "oncoraft"], os.environ | {"PYTHONPATH": str(tmp_path / "own")}
    assert subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout == "of the path\n"


def test_what_it_does_not_know_the_real_interpreter_does(python: Path) -> None:
    done = subprocess.run([python, "-c", "import sys; print(sys.executable)"], capture_output=True, text=True, check=True)
    assert done.stdout == f"{sys.executable}\n"


def test_tests_that_share_a_fixture_of_their_file_share_a_process(built_once: int, request: pytest.FixtureRequest) -> None:
    assert shared_place(request.node) == "tests/frame/test_test_processes.py"


def test_tests_that_share_nothing_of_ours_go_anywhere(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    assert shared_place(request.node) == ""
