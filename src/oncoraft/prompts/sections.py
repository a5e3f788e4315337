"""Sections of a prompt and their lines, found for thousands of cases at once in Arrow: no object a statement, no
wording made twice."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from itertools import pairwise

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


class Headed:
    """One heading with those texts below it that a template asks for."""

    __slots__ = SEEN = ("name", "title", "dashed", "briefs")

    def __init__(self, name: str, title: str, dashed: str, briefs: list[str]) -> None:
        """Take them; see `Section`."""
        self.name, self.title, self.dashed, self.briefs = name, title, dashed, briefs


ASKED_OF_HEADED = frozenset(Headed.SEEN)  # by a template that needs no statements


def sections_by_case(evidence: pa.Table, asked: Container[str] = ASKED_OF_HEADED) -> Iterator[tuple[str, list[Headed]]]:
    """Cases with their sections, in the order of the evidence; one whose statements say nothing in words has none.

    Args:
        evidence: columns case_id, section, field, value, text of `evidence.parquet`, of text or dictionaries of it; rows of a case stand
            together.
        asked: what the template asks of a section; of dashed and briefs what it does not ask for is left empty.
    """
    (owner, owners), (section, sections), (field, fields) = (_coded(evidence[name]) for name in ("case_id", "section", "field"))
    begun = np.flatnonzero(np.diff(owner, prepend=-1))
    case = np.repeat(np.arange(len(begun)), np.diff(begun, append=len(owner)))
    rank = np.array([SECTIONS.index(name) if name in SECTIONS else -1 for name in sections.to_pylist()], dtype=np.int64)[section]
    text = _texts(evidence["text"])
    # A section of which only values stand that say nothing in words has no heading.
    told = np.flatnonzero(pc.binary_length(text).to_numpy(zero_copy_only=False).astype(bool) & (rank >= 0))
    place = case[told] * len(SECTIONS) + rank[told]
    order = np.argsort(place, kind="stable")
    told, place = told[order], place[order]
    taken = pa.array(told)
    text, field = text.take(taken), field[told]
    headed = place[np.flatnonzero(np.diff(place, prepend=-1))]
    dashed = _dashed(place, headed, field, fields, text) if "dashed" in asked else [""] * len(headed)
    briefs: list[list[str]] = [[]] * len(headed)
    if "briefs" in asked:
        briefs = _briefs(place, headed, field, fields, _texts(evidence["value"]).take(taken), text)
    names, titles = (
        [words[kind] for kind in (headed % len(SECTIONS)).tolist()] for words in ([NAMES[name] for name in TITLES], [*TITLES.values()])
    )
    made = list(map(Headed, names, titles, dashed, briefs))
    ends = np.searchsorted(headed // len(SECTIONS), np.arange(len(begun)), "right").tolist()
    for name, start, stop in zip(owners.take(pa.array(owner[begun])).to_pylist(), [0, *ends[:-1]], ends):
        yield name, made[start:stop]


def _texts(column: pa.ChunkedArray) -> pa.StringArray:
    """A column of text in one piece; null reads as empty."""
    return pc.fill_null(pa.chunked_array(column).combine_chunks().cast(pa.string()), "")


def _coded(column: pa.ChunkedArray) -> tuple[np.ndarray, pa.StringArray]:
    """A column of text as numbers, and what each stands for; null reads as empty."""
    whole = column.combine_chunks() if pa.types.is_dictionary(column.type) and not column.null_count else _texts(column).dictionary_encode()
    return whole.indices.to_numpy(zero_copy_only=False), whole.dictionary.cast(pa.string())


def _dashed(place: np.ndarray, headed: np.ndarray, field: np.ndarray, fields: pa.StringArray, text: pa.StringArray) -> list[str]:
    """Statements as lines after dashes: one each, or one for all of a field that is listed, where the first of them stands.

    Args:
        place: case and section of each statement, ascending, (statements,).
        headed: the same of each section, (sections,).
        field: number of each statement's field, (statements,).
        fields: what the numbers stand for.
        text: of each statement.

    Returns:
        lines of each section, (sections,).
    """
    titles = [title for title in LISTED.values() if title]
    numbers = {name: titles.index(title) if title else HIDDEN for name, title in LISTED.items()}
    title = np.array([numbers.get(name, OWN_LINE) for name in fields.to_pylist()], dtype=np.int64)[field]
    anchor = np.arange(len(place))
    listed = np.flatnonzero(title >= 0)
    _, first, group = np.unique(place[listed] * len(titles) + title[listed], return_index=True, return_inverse=True)
    anchor[listed] = listed[first[group]]
    shown = np.flatnonzero(title != HIDDEN)
    shown = shown[np.argsort(anchor[shown], kind="stable")]
    begun = np.flatnonzero(np.diff(anchor[shown], prepend=-1))
    heads = shown[begun]
    several = title[heads] >= 0
    words = pc.binary_join(_lists(np.append(begun, len(shown)), text.take(pa.array(shown))), ", ")
    opening = pa.array(["\n- ", *(f"\n- {capital(name)}: " for name in titles)], pa.string()).take(
        pa.array(np.where(several, title[heads] + 1, 0))
    )
    letter = pc.utf8_slice_codeunits(words, 0, 1)
    lines = pc.binary_join_element_wise(
        opening, pc.if_else(pa.array(several), letter, _capitals(letter)), pc.utf8_slice_codeunits(words, 1, None), ""
    )
    found: list[str] = pc.binary_join(_lists(_bounds(place[heads], headed), lines), "").to_pylist()
    return found


def _capitals(letters: pa.StringArray) -> pa.StringArray:
    """Each in upper case as Python has it: Arrow knows no letter that becomes two."""
    coded = letters.dictionary_encode()
    return pa.array([letter.upper() for letter in coded.dictionary.to_pylist()], pa.string()).take(coded.indices)


def _bounds(place: np.ndarray, headed: np.ndarray) -> np.ndarray:
    """Where the part of each section begins and that of the last ends, (sections + 1,)."""
    return np.append(np.searchsorted(place, headed), len(place))


def _lists(bounds: np.ndarray, words: pa.StringArray) -> pa.ListArray:
    return pa.ListArray.from_arrays(pa.array(bounds.astype(np.int32)), words)


def _briefs(
    place: np.ndarray, headed: np.ndarray, field: np.ndarray, fields: pa.StringArray, value: pa.StringArray, text: pa.StringArray
) -> list[list[str]]:
    """Statements as the compact template has them, each wording made once; arguments as `_dashed`, and the value of each statement."""
    names = fields.to_pylist()
    says_text = np.array(["{text}" in BY_NAME[name].brief for name in names], dtype=bool)[field]
    values, texts = value.dictionary_encode(), pc.if_else(pa.array(says_text), text, "").dictionary_encode()
    numbers = (field, values.indices.to_numpy(), texts.indices.to_numpy())
    size = (max(len(names), 1), max(len(values.dictionary), 1), max(len(texts.dictionary), 1))
    wording = pa.array(np.ravel_multi_index(numbers, size)).dictionary_encode()
    distinct = zip(*(part.tolist() for part in np.unravel_index(wording.dictionary.to_numpy(), size)))
    all_values, all_texts = values.dictionary.to_pylist(), texts.dictionary.to_pylist()
    words = np.array([brief(names[one], all_values[other], all_texts[last]) for one, other, last in distinct], dtype=object)
    number = wording.indices.to_numpy()
    kept = words.astype(bool)[number]
    told = words[number[kept]].tolist()
    bounds = _bounds(place[kept], headed).tolist()
    return [told[start:stop] for start, stop in pairwise(bounds)]
