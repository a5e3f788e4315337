"""An interpreter for the engine and its jobs that has imported other people's libraries already: each process is forked from a server.

`python -m oncoraft infer ...` spends seven seconds of processor time on importing torch and transformers and, of a tiny model, less than one on
its work; a dry run of the engine spends half of its time so. `PythonServer(folder).python` is a file to call as one calls `python`: for `-m
oncoraft`, `-m snakemake` and `-P FILE` it has the server fork a process with the caller's streams, folder and environment, and ends with that
process's status; for all else it becomes the real interpreter. The engine finds it beside `sys.executable`, as its jobs do. Nothing of this
package is imported by the server: a job imports it from the checkout that it belongs to.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path
from types import TracebackType

# As the workflow sets it for each job; it has to stand when the interpreter starts.
ENVIRONMENT = {"PYTHONHASHSEED": "0", "TZ": "UTC", "LC_ALL": "C.UTF-8", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
SHIM = """#!{python} -IS
import json, os, socket, sys
words = sys.argv[1:]
if words[:1] != ["-P"] and words[:2] not in (["-m", "oncoraft"], ["-m", "snakemake"]):
    os.execv({python!r}, [{python!r}, *words])
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    said = json.dumps([words, os.getcwd(), dict(os.environ), sys.argv[0]]).encode()
    socket.send_fds(server, [len(said).to_bytes(8, "big")], [0, 1, 2])
    server.sendall(said)
    status = server.recv(4)
# A process that was killed says nothing.
raise SystemExit(int.from_bytes(status, "big") if status else 137)
"""


class PythonServer:
    """The server, for as long as the `with` block lasts.

    Args:
        folder: an empty folder; `python` is a file in it.
        libraries: modules to import beforehand.
    """

    def __init__(self, folder: Path, libraries: list[str]) -> None:
        self.python = folder / "python"
        self.home = tempfile.TemporaryDirectory()  # the name of a socket has a hundred characters at most
        address = Path(self.home.name) / "socket"
        self.python.write_text(SHIM.format(python=sys.executable, address=str(address)))
        self.python.chmod(0o755)
        command = [sys.executable, "-P", __file__, str(address), json.dumps(libraries)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=folder, env=os.environ | ENVIRONMENT, text=True
        )

    def __enter__(self) -> PythonServer:
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.process.communicate()  # closes its standard input: it ends
        self.home.cleanup()


def serve(address: str, libraries: list[str]) -> None:
    """Fork a process for every caller until standard input is closed."""
    for name in libraries:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    gc.freeze()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen(64)
        print("ready", flush=True)
        while True:
            ready, *_ = select.select([listener, sys.stdin], [], [])
            ended()
            if sys.stdin in ready:
                return
            caller, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                answer(caller)
            caller.close()


def ended() -> None:
    """Let go of the processes that have ended."""
    with contextlib.suppress(ChildProcessError):  # there is none
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def answer(caller: socket.socket) -> None:
    """Fork the caller's process, wait for it and tell the caller its status."""
    size, streams, *_ = socket.recv_fds(caller, 8, 3)
    said = b""
    while len(said) < int.from_bytes(size, "big"):
        said += caller.recv(1 << 16)
    heard, said_here = os.pipe()
    os.set_blocking(said_here, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(said_here)  # the end of the process is heard beside that of the caller
    process = os.fork()
    if process == 0:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        caller.close()
        be(*json.loads(said), streams)
    for stream in streams:
        os.close(stream)
    if caller in select.select([caller, heard], [], [])[0]:
        os.kill(process, signal.SIGKILL)  # as the caller was
    status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    with contextlib.suppress(OSError):
        caller.sendall((status if status >= 0 else 128 - status).to_bytes(4, "big"))
    os._exit(0)


def be(words: list[str], folder: str, environment: dict[str, str], shim: str, streams: list[int]) -> None:
    """Be the caller's process to the end, with its streams, folder and environment."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    sys.stdout, sys.stderr = (open(number, "w", encoding="utf-8", closefd=False, buffering=1) for number in (1, 2))  # noqa: SIM115
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    status = 1
    try:
        status = run(words, shim)
    except BaseException:
        traceback.print_exc()
    # What the interpreter does at its end.
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def run(words: list[str], shim: str) -> int:
    """Run a module or a file as the interpreter would; its status."""
    places = [place for place in os.environ.get("PYTHONPATH", "").split(os.pathsep) if place]
    sys.path[:0] = places if words[0] == "-P" else [os.getcwd(), *places]
    sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))
    try:
        if words[0] == "-P":
            sys.argv = words[1:]
            runpy.run_path(words[1], run_name="__main__")
        else:
            if words[1] == "snakemake":
                sys.executable = shim  # the engine puts the folder of its interpreter before the PATH of its jobs
            sys.argv = words[1:]
            runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        if not isinstance(ended.code, int | None):
            print(ended.code, file=sys.stderr)
            return 1
        return (ended.code or 0) & 255
    return 0


if __name__ == "__main__":
    serve(sys.argv[1], json.loads(sys.argv[2]))
