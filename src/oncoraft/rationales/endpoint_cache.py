"""Answers that were paid for, one file a request, named by the digest of what was asked: written first, read before anything is sent."""

from __future__ import annotations

import fcntl
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from oncoraft.foundation.errors import InputError
from oncoraft.foundation.provenance import canonical_json, text_digest


def digest_of(body: dict[str, Any]) -> str:
    """What a request is known by: the digest of its whole body (model, messages, sampling settings, seed), not of where it is sent."""
    return text_digest(canonical_json(body))


class Cache:
    """A folder of answers.

    Args:
        folder: made when the first answer comes.
        secret: text that must never reach a file, should a server echo it; it is written as `***`.
    """

    def __init__(self, folder: Path, secret: str | None = None) -> None:
        self.folder = folder
        self.secret = secret
        self.damaged = 0

    def path(self, digest: str) -> Path:
        """Where the answer to a request is kept."""
        return self.folder / digest[:2] / f"{digest}.json"

    def get(self, digest: str) -> dict[str, Any] | None:
        """The server's answer to a request, or None; an unreadable file counts as damaged and as none."""
        path = self.path(digest)
        try:
            entry = json.loads(path.read_text(encoding="utf-8"))
            # Digested again, so that a file under a wrong name answers nothing.
            if digest_of(entry["request"]) == digest and isinstance(entry["answer"], dict):
                answer: dict[str, Any] = entry["answer"]
                return answer
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, RecursionError):
            pass
        self.damaged += 1
        return None

    def put(self, digest: str, body: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
        """Keep an answer: whole on disk before this returns, whatever happens next. Returns it as kept, which is what a later run reads."""
        text = self._without_secret(json.dumps({"request": body, "answer": answer}, ensure_ascii=False, indent=1))
        text = text.encode("utf-8", errors="replace").decode("utf-8")  # half of a surrogate pair has no place in a file
        self._write(self.path(digest), text)
        kept: dict[str, Any] = json.loads(text)["answer"]
        return kept

    def put_garbage(self, digest: str, attempt: int, raw: str) -> None:
        """Keep what came instead of an answer, for a person to look at; it is never read back."""
        self._write(self.folder / "garbage" / f"{digest}.{attempt}.txt", self._without_secret(raw))

    def _without_secret(self, text: str) -> str:
        # In JSON the key may stand escaped.
        return text.replace(self.secret, "***").replace(json.dumps(self.secret)[1:-1], "***") if self.secret else text

    def _write(self, path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".partial-{os.getpid()}-{threading.get_ident()}-{path.name}")
        with temporary.open("w", encoding="utf-8", errors="replace") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the folder for this process, so that two runs do not pay for the same requests.

        Raises:
            InputError: another run holds it.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / ".lock").open("w") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise InputError("expected no other run to use this cache of answers", file=self.folder) from None
            yield
