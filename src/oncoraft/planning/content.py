"""Content of the files that come from outside, as one digest in a rule's parameters: content decides what reruns, whatever the clocks say.

The engine looks at times first: an input that became older is current to it, and so is one whose times were put back. A study that is
unpacked anew carries the times of its release. So the rules that read files from outside hold their digest as a parameter. Digests are kept
beside the engine's records under what the kernel says of each file; its change time (`st_ctime_ns`) cannot be set back, so a kept digest is that
of the file.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from oncoraft.foundation.provenance import canonical_json, file_digest, text_digest

KEPT = Path(".snakemake/oncoraft-content.json")  # beside the engine's own records: a plan alone changes no result
WHOLE = 200_000_000  # bytes read whole, as `max-checksum-file-size` of the profile; of larger files (weights) evenly spaced blocks
BLOCKS, BLOCK_BYTES = 256, 65_536


def sampled_digest(path: Path, size: int) -> str:
    """Digest of a large file's size and of 256 evenly spaced blocks of 64 KB, its first and last bytes among them."""
    found = hashlib.sha256(str(size).encode())
    with path.open("rb") as stream:
        for number in range(BLOCKS):
            stream.seek((size - BLOCK_BYTES) * number // (BLOCKS - 1))
            found.update(stream.read(BLOCK_BYTES))
    return found.hexdigest()


class Content:
    """Digests of files, each computed once for as long as the file stands unchanged.

    Args:
        kept: where digests are kept between runs.
    """

    def __init__(self, kept: Path = KEPT) -> None:
        self.kept = kept
        self.known: dict[str, list[str]] = {}
        self.is_read = self.is_changed = False

    def digest(self, path: Path) -> str:
        """SHA-256 of a file, or of samples of a large one."""
        self._read()
        name, facts = os.path.abspath(path), path.stat()
        # The time of change too: copying tools set the time of modification back, but nothing sets this one.
        identity = f"{facts.st_dev}-{facts.st_ino}-{facts.st_size}-{facts.st_mtime_ns}-{facts.st_ctime_ns}"
        if name not in self.known or self.known[name][0] != identity:
            digest = file_digest(path) if facts.st_size <= WHOLE else sampled_digest(path, facts.st_size)
            self.known[name], self.is_changed = [identity, digest], True
        return self.known[name][1]

    def of(self, paths: Iterable[Path]) -> str:
        """One short digest of the names and contents of files; those that are not there count as absent."""
        files = sorted(path for path in set(paths) if path.is_file())
        often = Counter(path.name for path in files)
        # By name, so that a moved study stays current; the same name in several folders (cohorts of one release) needs its folder too.
        home = Path(os.path.commonpath([path.absolute().parent for path in files])) if files else Path()
        named = {path: path.name if often[path.name] == 1 else path.absolute().relative_to(home).as_posix() for path in files}
        found = {named[path]: self.digest(path) for path in files}
        self._write()
        return text_digest(canonical_json(found))[:16] if found else ""

    def _read(self) -> None:
        if self.is_read:
            return
        self.is_read = True
        try:
            self.known = {name: [str(identity), str(digest)] for name, (identity, digest) in json.loads(self.kept.read_text()).items()}
        except (OSError, ValueError, AttributeError, TypeError):
            self.known = {}  # nothing is lost with it but the time to read the files again

    def _write(self) -> None:
        if not self.is_changed:
            return
        temporary = self.kept.with_name(f".partial-{os.getpid()}-{self.kept.name}")
        try:
            self.kept.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(json.dumps(self.known, indent=0, sort_keys=True) + "\n", encoding="utf-8")
            os.replace(temporary, self.kept)
        except OSError:
            return  # a plan in a folder that cannot be written to works all the same, and reads the files again next time
        self.is_changed = False
