"""Which release a study is: by the digests of its files where they are known, by signs in headers and words else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from oncoraft.knowledge.releases import KNOWN_FILES, SIGNS, STUDY


class Layout:
    """Collects the signs while the tables are read."""

    def __init__(self) -> None:
        self.headers: dict[str, set[str]] = {}
        self.words: dict[tuple[str, str], set[str]] = {}

    def see(self, table: str, headers: Iterable[str], words: Mapping[str, Iterable[str]]) -> None:
        """Take in a table's headers, and the distinct words of the columns that signs look at, as they stand."""
        self.headers[table] = set(headers)
        for column, found in words.items():
            self.words[table, column] = set(found)

    def period(self) -> dict[str, Any]:
        """When such a layout was served: from `not_before` until `before` (null: no sign), and the signs met."""
        met = []
        for sign in SIGNS:
            if sign.table in self.headers:
                place = self.words.get((sign.table, sign.header), set()) if sign.word else self.headers[sign.table]
                if ((sign.word or sign.header) in place) == sign.is_present and (not sign.word or place):
                    met.append(sign)
        later = [sign.not_before for sign in met if sign.not_before]
        sooner = [sign.before for sign in met if sign.before]
        return {
            "not_before": max(later, default=None),
            "before": min(sooner, default=None),
            "signs": [
                f"{sign.table}: {sign.header}{' ' + sign.word if sign.word else ''} {'present' if sign.is_present else 'absent'}"
                for sign in met
            ],
        }


def columns_of_signs(table: str) -> set[str]:
    """Headers of a table whose words are signs."""
    return {sign.header for sign in SIGNS if sign.table == table and sign.word}


def recognise(name: Mapping[str, str], digests: Mapping[str, str], layout: Layout) -> dict[str, Any]:
    """What is known of a study.

    Args:
        name: identifier and name by its meta file.
        digests: file -> SHA-256.
        layout: the signs of its tables.

    Returns:
        identifier, name, `release` (a sentence, null if no file is known), files known by digest with their version, the
        period of the layout.
    """
    known = {file: KNOWN_FILES[digest][1] for file, digest in sorted(digests.items()) if digest in KNOWN_FILES}
    period = layout.period()
    release = None
    if known:
        versions = {version: sum(found == version for found in known.values()) for version in sorted(set(known.values()))}
        counts = ", ".join(f"{count} {version}" for version, count in versions.items())
        release = f"MSK-CHORD ({STUDY}): {len(known)} of {len(digests)} files are known versions ({counts})"
    return {**name, "release": release, "known_files": known, "layout": period}


def sentence(found: Mapping[str, Any]) -> str:
    """One line for the log."""
    period = found["layout"]
    dates = [f"{word} {period[key]}" for key, word in (("not_before", "from"), ("before", "until")) if period[key]]
    served = f"; layout as served {' '.join(dates)}" if dates else ""
    return f"study {found['identifier'] or 'without identifier'}: {found['release'] or 'no file is a known release of MSK-CHORD'}{served}"
