"""Sections of a prompt and their lines, found for thousands of cases at once: no object a statement, each wording capitalised once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from oncoraft.evidence.brief import brief
from oncoraft.evidence.fields import BY_NAME, SECTIONS
from oncoraft.prompts.budget import Statement

NAMES = {name: name.replace("_", " ").capitalize() for name in SECTIONS}
TITLES = NAMES | {"drugs": "Treatment about to start", "prior_treatment": "Treatment so far", "specimen": "Sequenced specimen"}
# Field -> the title under which its statements read as one line; empty for what only the published layout shows.
LISTED = {field.name: "" if field.layout_only else field.listed for field in BY_NAME.values() if field.listed or field.layout_only}
OWN_LINE, HIDDEN = -1, -2  # in place of a title's number


def capital(text: str) -> str:
    """First letter upper case, the rest as it is."""
    return text[:1].upper() + text[1:]


def in_dashes(lines: Sequence[str]) -> str:
    """Every line on a line of its own after a dash, the end of the line above included; nothing where there are none."""
    return "\n- " + "\n- ".join(lines) if lines else ""


class Section:
    """One heading with its statements, as a template sees it; what it does not ask for is not made."""

    def __init__(self, name: str, statements: Sequence[Statement]) -> None:
        """Take the section's name and its statements in reading order."""
        self.name, self.title, self.statements = NAMES[name], TITLES[name], statements

    @property
    def lines(self) -> list[str]:
        """Statements as lines: one each, or one for all of a field that is listed."""
        found: list[list[str]] = []
        listed: dict[str, list[str]] = {}
        for statement in self.statements:
            title = LISTED.get(statement.field)
            if title is None:
                found.append([statement.text])
            elif title in listed:
                listed[title].append(statement.text)
            elif title:
                found.append(listed.setdefault(title, [f"{title}: {statement.text}"]))
        return [capital(text) for text in map(", ".join, found)]

    @property
    def dashed(self) -> str:
        """The lines after dashes, below the title."""
        return in_dashes(self.lines)

    @property
    def briefs(self) -> list[str]:
        """Statements as the compact template has them, those left out that do not stand there."""
        return [words for statement in self.statements if (words := brief(statement.field, statement.value, statement.text))]


class Lines:
    """One heading with its lines, as a template sees it that asks for no more."""

    __slots__ = SEEN = ("name", "title", "lines")

    def __init__(self, name: str, title: str, lines: list[str]) -> None:
        """Take them."""
        self.name, self.title, self.lines = name, title, lines

    @property
    def dashed(self) -> str:
        """The lines after dashes, below the title."""
        return in_dashes(self.lines)


ASKED_OF_LINES = frozenset({*Lines.SEEN, "dashed"})  # by a template that needs no statements


def sections_by_case(evidence: pa.Table) -> Iterator[tuple[str, list[Lines]]]:
    """Cases with their sections, in the order of the evidence; one whose statements say nothing in words has none.

    Args:
        evidence: columns case_id, section, field, text of `evidence.parquet`, of text or dictionaries of it; rows of a case stand together.
    """
    (owner, owners), (section, sections), (field, fields), (text, texts) = (
        _coded(evidence[name]) for name in ("case_id", "section", "field", "text")
    )
    begun = np.flatnonzero(np.diff(owner, prepend=-1))
    case = np.repeat(np.arange(len(begun)), np.diff(begun, append=len(owner)))
    rank = np.array([SECTIONS.index(name) if name in SECTIONS else -1 for name in sections], dtype=np.int64)[section]
    titles = [title for title in LISTED.values() if title]
    numbers = {name: titles.index(title) if title else HIDDEN for name, title in LISTED.items()}
    title = np.array([numbers.get(name, OWN_LINE) for name in fields], dtype=np.int64)[field]
    # A section of which only values stand that say nothing in words has no heading.
    told = np.flatnonzero(np.array([bool(words) for words in texts], dtype=bool)[text] & (rank >= 0))
    place = case[told] * len(SECTIONS) + rank[told]
    order = np.argsort(place, kind="stable")
    told, place = told[order], place[order]
    lines, stands = _lines(place, title[told], text[told], texts, titles)
    headed = np.unique(place)
    starts, stops = (np.searchsorted(stands, headed, side).tolist() for side in ("left", "right"))
    heads = list(TITLES.items())
    made = [
        Lines(NAMES[heads[kind][0]], heads[kind][1], lines[start:stop])
        for kind, start, stop in zip((headed % len(SECTIONS)).tolist(), starts, stops)
    ]
    ends = np.searchsorted(headed // len(SECTIONS), np.arange(len(begun)), "right").tolist()
    for name, start, stop in zip(owners[owner[begun]].tolist(), [0, *ends[:-1]], ends):
        yield name, made[start:stop]


def _coded(column: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """A column of text as numbers and what each stands for; null reads as empty."""
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if not pa.types.is_dictionary(whole.type):
        whole = pc.fill_null(whole.cast(pa.string()), "").dictionary_encode()
    return whole.indices.to_numpy(zero_copy_only=False), whole.dictionary.to_numpy(zero_copy_only=False)


def _lines(place: np.ndarray, title: np.ndarray, text: np.ndarray, texts: np.ndarray, titles: list[str]) -> tuple[list[str], np.ndarray]:
    """Statements as lines: one each, or one for all of a field that is listed, where the first of them stands.

    Args:
        place: case and section of each statement, ascending.
        title: number of the title under which it is listed, `OWN_LINE` or `HIDDEN`.
        text: number of its words.
        texts, titles: what the numbers stand for.

    Returns:
        lines, and the place of each.
    """
    anchor = np.arange(len(place))
    listed = np.flatnonzero(title >= 0)
    _, first, group = np.unique(place[listed] * len(titles) + title[listed], return_index=True, return_inverse=True)
    anchor[listed] = listed[first[group]]
    shown = np.flatnonzero(title != HIDDEN)
    shown = shown[np.argsort(anchor[shown], kind="stable")]
    begun = np.flatnonzero(np.diff(anchor[shown], prepend=-1))
    ended = np.append(begun[1:], len(shown))
    capitals = np.array([capital(words) for words in texts.tolist()], dtype=object)
    heads = shown[begun]
    lines = capitals[text[heads]]
    several = np.flatnonzero(title[heads] >= 0)
    words = texts[text[shown]].tolist()
    openings = np.array([f"{capital(name)}: " for name in titles], dtype=object)[title[heads[several]]].tolist()
    spans = zip(begun[several].tolist(), ended[several].tolist())
    lines[several] = np.array([opening + ", ".join(words[start:stop]) for opening, (start, stop) in zip(openings, spans)], dtype=object)
    return lines.tolist(), place[heads]
