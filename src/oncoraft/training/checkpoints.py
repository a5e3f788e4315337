"""The trainer's states on disk: keyed by the run, complete or not counted, the last ones kept, one trainer at a time.

`STATE_DIR/<key>/step-00000050.pt` is complete once `step-00000050.json` stands beside it with the same run's key and the file's
digest; it is written last. The folder's name is a digest of everything that defines the run, so that a run never goes on from
another's state, and going back to earlier settings finds their state again.
"""

from __future__ import annotations

import fcntl
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from oncoraft.foundation.errors import RetryLater
from oncoraft.foundation.provenance import canonical_json, file_digest, text_digest, versions

log = logging.getLogger("oncoraft")
KEPT = 2  # the last state, and the one before should the last be damaged


def run_key(data: Path, base: Path, record: dict[str, Any]) -> str:
    """A digest of everything that defines a run: data, base model, settings, code and versions.

    How many processes there are is none of it, nor is `training.shard`: a state is whole, and goes on cut or not.
    """
    names = sorted(file for file in base.iterdir() if file.suffix in {".safetensors", ".json", ".model"} and file.name != "manifest.json")
    package = Path(__file__).parent.parent
    code = {file.name: file_digest(file) for folder in ("training", "models") for file in sorted((package / folder).glob("*.py"))}
    base_files = {file.name: file_digest(file) for file in names}
    training = {name: value for name, value in record["training"].items() if name != "shard"}
    parts = {"data": file_digest(data), "base": base_files, "settings": record | {"training": training}, "versions": versions()}
    return text_digest(canonical_json(parts if record.get("code") else parts | {"code": code}))


class States:
    """The saved states of one run.

    Args:
        folder: STATE_DIR, of one fold.
        key: digest of everything that defines the run.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self.key = key
        # Shortened for the path; the note beside a state holds the whole key, which `last` compares.
        self.folder = folder / key[:16]

    def save(self, step: int, state: dict[str, Any]) -> None:
        """Write the state after `step`, whole or not at all, and drop the oldest."""
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self._file(step)
        temporary = file.with_suffix(".partial")
        torch.save(state, temporary)
        digest = file_digest(temporary)
        temporary.replace(file)
        note = file.with_suffix(".json.partial")
        note.write_text(json.dumps({"key": self.key, "step": step, "sha256": digest}) + "\n", encoding="utf-8")
        note.replace(file.with_suffix(".json"))
        for old in self._complete()[KEPT:]:
            # The note first: a state without its note is not counted.
            old.unlink()
            old.with_suffix(".pt").unlink(missing_ok=True)

    def last(self) -> dict[str, Any] | None:
        """The last complete state of this very run, or None; damaged ones are passed over, and said."""
        for note in self._complete():
            try:
                written = json.loads(note.read_text(encoding="utf-8"))
                if written["key"] != self.key:
                    raise ValueError("it is another run's")
                if file_digest(note.with_suffix(".pt")) != written["sha256"]:
                    raise ValueError("its digest differs from the one written beside it")
                # Onto the CPU: torch would go back to the GPU that wrote it, which this job may not hold. A pickle can run code.
                return torch.load(note.with_suffix(".pt"), map_location="cpu", weights_only=True)
            # torch.load of a torn file ends in any of these.
            except (OSError, EOFError, RuntimeError, ValueError, KeyError, TypeError) as error:
                log.warning("train: the state %s cannot be used (%s); looking for the one before", note.with_suffix(".pt"), error)
        return None

    def finish(self, step: int, state: dict[str, Any]) -> None:
        """Keep the last state alone: should the engine reject the outputs, they are written again from it without training.

        The workflow forgets it once a run has ended well.
        """
        if not self._file(step).with_suffix(".json").is_file():
            self.save(step, state)
        for old in self._complete()[1:]:
            old.unlink()
            old.with_suffix(".pt").unlink(missing_ok=True)

    def _file(self, step: int) -> Path:
        # Zero-padded: `_complete` takes the order of the names for the order of the steps.
        return self.folder / f"step-{step:08d}.pt"

    def _complete(self) -> list[Path]:
        """Notes of complete states, the latest first."""
        return sorted((note for note in self.folder.glob("step-*.json") if note.with_suffix(".pt").is_file()), reverse=True)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other trainers out of a state folder; the lock ends with the process, however it ends.

    Raises:
        RetryLater: another trainer is at work there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RetryLater(f"{folder}: another training run is at work on this fold; wait for it or stop it") from None
        yield
