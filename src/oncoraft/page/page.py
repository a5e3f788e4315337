"""A local web page for one case: `oncoraft page --model MODEL_DIR [--results DIR]`.

It listens on loopback, loads nothing from elsewhere, and keeps nothing of what is entered unless it is told where.
"""

from __future__ import annotations

import argparse
import errno
import logging
import os
import secrets
import socket
import tempfile
import threading
import webbrowser
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from oncoraft.foundation.errors import InputError
from oncoraft.page.guard import ANY_HOST, is_loopback
from oncoraft.page.making import Making
from oncoraft.page.served import Page, models_of
from oncoraft.page.study import Study
from oncoraft.planning.edge import read_settings, run, step_parser
from oncoraft.report.small_cells import Guard as SmallCells

log = logging.getLogger("oncoraft")
PORT = 8181
TOKEN_VARIABLE = "ONCORAFT_PAGE_TOKEN"
SHORTEST_TOKEN = 16
WHAT = ("the model", "what follows the model")  # by the first command of --made-by, and by those after it
EXTRA = 'the page needs fastapi and uvicorn: pip install -e ".[page]"'
EPILOG = (
    f"""what goes in: model folders written by `oncoraft export`; the results folder of their run (--results), without which there are no
held-out scores, intervals, curves or patients; or a study folder as downloaded (--study), whose patients can be looked up then.
what comes out: a page at http://localhost:{PORT}/ and an interface for programs at /api. Nothing is kept without --keep.

examples:
  oncoraft page --model models/fold-0 --results results/demo
  oncoraft page --model models/a --model models/b --study msk_chord_2024 --port 8200
  oncoraft page --model models/new --made-by "oncoraft export --run results/demo/tiny-qwen3/raft/kfold/fold-1 --out models/new"""
    ""
)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line.

    Raises:
        InputError: a folder that is not there, or a port that is none.
    """
    parser = step_parser("page", EPILOG)
    parser.add_argument("--model", type=Path, action="append", required=True, metavar="MODEL_DIR", help="model folder; again for another")
    parser.add_argument("--results", type=Path, metavar="DIR", help="results folder of one cohort, or one that holds several")
    parser.add_argument(
        "--study",
        type=Path,
        metavar="STUDY",
        help="study folder in cBioPortal's format, whose patients are looked up in place of those of --results; read when the page starts",
    )
    parser.add_argument("--port", type=int, default=PORT, help=f"port ({PORT}); 0: any that is free")
    parser.add_argument(
        "--host", default="127.0.0.1", metavar="ADDRESS", help=f"another address than loopback; a token is made, or is {TOKEN_VARIABLE}"
    )
    parser.add_argument("--keep", type=Path, metavar="DIR", help="folder to write every prompt and answer to; without it nothing is kept")
    parser.add_argument(
        "--made-by",
        action="append",
        metavar="COMMAND",
        help="shell command that makes the folders of --model and --results first; the page is open meanwhile, says how far it is, and "
        "answers what was asked as soon as it can. Again for one that follows: the models that are there answer meanwhile",
    )
    parser.add_argument("--open", action="store_true", help="open the page in this machine's browser")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads of each model")
    parser.add_argument("--gpus", type=int, default=0, help="GPUs that must be visible; 0: CPU")
    given: argparse.Namespace = parser.parse_args(arguments)
    if not 0 <= given.port <= 65_535:
        raise InputError("--port: expected 0 to 65535", found=given.port)
    there = [given.study] if given.made_by else [*given.model, given.results, given.study]
    for path in there:
        if path is not None and not path.is_dir():
            raise InputError("expected a folder", file=path)
    return given


def cohorts(results: Path | None) -> list[Path]:
    """Folders of the cohorts of a results folder: itself, or those below it; empty where there is none."""
    if results is None:
        return []
    return [results] if (results / "cases").is_dir() else sorted(path.parent for path in results.glob("*/cases"))


def studies(results: Path | None, smallest: int) -> list[Study]:
    """The cohorts of a results folder: itself, or those below it.

    Raises:
        InputError: there is none.
    """
    homes = cohorts(results)
    if results is not None and not homes:
        raise InputError("expected the results folder of a cohort, with cases/ in it", file=results)
    return [Study(home, SmallCells(smallest)) for home in homes]


@contextmanager
def read_study(folder: Path | None, given: argparse.Namespace, smallest: int) -> Iterator[Study | None]:
    """A study folder's tables and cases, made in a folder that goes when the page ends.

    Raises:
        InputError: it cannot be read.
    """
    if folder is None:
        yield None
        return
    from oncoraft.cases.regimens import main as make_cases
    from oncoraft.cohort.ingest import main as ingest

    more = ["--config", str(given.config)] if given.config else []
    with tempfile.TemporaryDirectory(prefix="oncoraft-page-") as home:
        log.info("page: reading %s", folder)
        ingest([str(folder), "--out", f"{home}/tables", *more])
        make_cases([f"{home}/tables", "--out", f"{home}/cases", *more])
        yield Study(Path(home), SmallCells(smallest))


def listening(host: str, port: int) -> socket.socket:
    """A socket bound to the address.

    Raises:
        InputError: the port is taken, or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((host, port))
        found.listen(128)
    except (OSError, OverflowError) as error:
        found.close()
        is_taken = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
        why = "another page may be open there already; choose another by --port" if is_taken else str(error)
        raise InputError(f"--port {port}: expected to be able to listen on {host} ({why})") from None
    return found


def address_of(host: str) -> str:
    """How a browser names what is listened on."""
    if is_loopback(host):
        return "localhost"
    # Whoever listens on every address is found by the machine's name.
    return socket.gethostname() if host in ANY_HOST else f"[{host}]" if ":" in host else host


def token_of(host: str) -> str | None:
    """None on loopback; elsewhere the token that the environment gives, or a new one.

    Raises:
        InputError: one that could be guessed.
    """
    if is_loopback(host):
        return None
    given = os.environ.get(TOKEN_VARIABLE)
    if given is not None and (len(given) < SHORTEST_TOKEN or not given.isascii() or not given.replace("-", "").replace("_", "").isalnum()):
        raise InputError(f"{TOKEN_VARIABLE}: expected at least {SHORTEST_TOKEN} letters, figures, hyphens and underscores")
    return given or secrets.token_urlsafe(24)


def prepare(given: argparse.Namespace, study: Study | None, blocks: dict[str, Any]) -> Page:
    """What is served.

    Raises:
        InputError: a folder that cannot be used.
    """
    if given.keep is not None:
        try:
            given.keep.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"expected a folder to write answers to ({error.strerror})", file=given.keep) from None

    def with_results(page: Page, is_whole: bool) -> None:
        """The runs of the results folder, and its patients; before it is whole, there may be neither."""
        found = studies(given.results, blocks["report"].smallest_cell) if is_whole or cohorts(given.results) else []
        page.study = study or next((one for one in found if one.has_patients), None)
        for model in page.models.values():
            model.stand_on(found, page.study, is_whole)

    making = [Making(command, WHAT[min(place, 1)]) for place, command in enumerate(given.made_by or [])]
    page = Page(models_of(given.model, blocks, given.threads, given.gpus), study, given.results, given.keep, making, with_results)
    if not making:
        with_results(page, True)
    return page


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until interrupted."""
    given = parse(arguments)
    try:
        import uvicorn

        from oncoraft.page.app import create
    except ImportError as error:
        raise InputError(f"{EXTRA} ({error.name} is missing)") from None
    blocks = read_settings("page", given)
    token = token_of(given.host)
    with listening(given.host, given.port) as bound, read_study(given.study, given, blocks["report"].smallest_cell) as study:
        page = prepare(given, study, blocks)
        app = create(page, given.host, token)
        shown = address_of(given.host)
        address = f"http://{shown}:{bound.getsockname()[1]}/{f'?token={token}' if token else ''}"
        print(f"page: {address} (Ctrl-C ends it)", flush=True)
        if given.open:
            # The socket listens already: a browser that is quicker than the server waits.
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
        # No access log, and no trace of an error: patients' ids and what was typed would stand in them.
        server = uvicorn.Server(
            uvicorn.Config(app, access_log=False, log_level="critical", timeout_graceful_shutdown=2, server_header=False)
        )
        with suppress(KeyboardInterrupt):  # how a page is ended
            server.run(sockets=[bound])
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
