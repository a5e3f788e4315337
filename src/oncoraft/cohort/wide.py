"""The copy-number matrix (genes by specimens) into long form, without an object per cell.

The released matrix has 17.6 million cells in a line of 60 kB each. A line is split with numpy; nearly all
cells are of one or two bytes, whose calls stand in a table; longer ones are packed into eight-byte numbers, of which only the distinct
ones are read.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

from oncoraft.cohort.cells import DATE, NUMBER
from oncoraft.cohort.reader import Header, Refusal, read_header, unquoted
from oncoraft.foundation.errors import InputError
from oncoraft.knowledge.genomic_tables import CNA_CALLED_FROM_LOG2, CNA_CALLS
from oncoraft.knowledge.missing import is_missing_word

ANNOTATIONS = {"hugo_symbol", "entrez_gene_id", "cytoband"}
CALLS = {float(call) for call in CNA_CALLS}
EXPECTED = "one of " + ", ".join(CNA_CALLS) + " or NA"
PACKED = 8  # bytes of a cell that fit the packed number
SHORT = 2  # bytes of nearly every cell (`NA`, `-2`), so few that a table has a place for each
TAB = 9
ZERO = 48
MISSING, BAD, UNKNOWN = 1, 2, 255  # codes of calls; 0 is that of 0
BUFFER = 4 << 20  # bytes: of a file whose lines are longer than what is read at a time each line is put together from pieces


@dataclass
class LongMatrix:
    """Calls that are neither 0 nor missing, which genes were measured on which panel, specimens with any gene measured, and those of
    which a refused line said more than 0 or nothing."""

    calls: pa.Table
    coverage: pa.Table
    refusals: list[Refusal] = field(default_factory=list)
    rows_read: int = 0
    duplicates: list[tuple[int, int]] = field(default_factory=list)
    unknown_samples: list[str] = field(default_factory=list)
    measured_samples: list[str] = field(default_factory=list)
    doubtful_samples: list[str] = field(default_factory=list)


def read_matrix(
    path: Path,
    panel_of_sample: Mapping[str, str],
    known_samples: Collection[str] | None = None,
    *,
    is_log2: bool = False,
    header: Header | None = None,
) -> LongMatrix:
    """Read the matrix.

    Args:
        path: tab-separated, a gene a row (`Hugo_Symbol`), a specimen a column; 0 means no call, a word for missing not measured.
        panel_of_sample: specimen -> gene panel; empty where unknown, and then the coverage is empty.
        known_samples: specimens of the clinical table; a column of any other is set aside and named. None: all are known.
        is_log2: cells are log2 ratios, called from a fold change of two.
        header: of the file, if it has been read.

    Returns:
        `calls`: sample_id, gene, call, source_line, in source order; `coverage`: gene, panel, is_covered for every
        gene and panel, sorted. A gene with a bad cell is refused whole, and every line of one that has two
        different good lines; an equal line is a duplicate.

    Raises:
        InputError: no `Hugo_Symbol` column, a specimen with two columns, or a gene's name that is not UTF-8.
    """
    header = header or read_header(path)
    gene_position = header.position("Hugo_Symbol")
    if gene_position is None:
        raise InputError("this column is required", file=path, line=header.line, column="Hugo_Symbol", found="no such header")
    every = [position for position, name in enumerate(header.names) if name and name.casefold() not in ANNOTATIONS]
    unknown = [position for position in every if known_samples is not None and header.names[position] not in known_samples]
    samples = np.array(sorted(set(every) - set(unknown)), dtype=np.int64)
    if twice := [name for name, count in Counter(header.names[position] for position in samples).items() if count > 1]:
        raise InputError("expected each specimen's column once", file=path, line=header.line, column=twice[0], found="twice")
    reading = _Reading(path, header, gene_position, samples, _panel_codes(header, samples, panel_of_sample), is_log2)
    with path.open("rb", buffering=BUFFER) as stream:
        stream.seek(header.end)
        for line, text in enumerate(stream, header.line + 1):
            reading.add(text.removesuffix(b"\n").rstrip(b"\r"), line)
    result = reading.result()
    result.unknown_samples = [header.names[position] for position in unknown]
    return result


def _panel_codes(header: Header, samples: np.ndarray, panel_of_sample: Mapping[str, str]) -> tuple[list[str], np.ndarray]:
    panels = sorted(set(panel_of_sample.values()))
    code = {panel: position for position, panel in enumerate(panels)}
    codes = [code.get(panel_of_sample.get(header.names[position], ""), -1) for position in samples]
    return panels, np.array(codes, dtype=np.int64)


def _words(cells: np.ndarray) -> np.ndarray:
    """Each byte with the one behind it as a number, the first one least; of the last byte no such thing is told."""
    words = np.zeros(len(cells), dtype=np.uint16)
    words[:-1] = cells[1:]
    words <<= 8
    words |= cells
    return words


def _packed(cells: np.ndarray, starts: np.ndarray, lengths: np.ndarray, most: int) -> np.ndarray:
    """The first bytes of cells as a number each, least byte first; bytes behind a cell's end are zero."""
    packed = np.zeros(len(starts), dtype=np.uint64)
    for offset in range(most):
        byte = np.where(lengths > offset, cells[starts + offset], 0).astype(np.uint64)
        packed |= byte << np.uint64(8 * offset)
    return packed


class _Reading:
    """Lines as they come; arrays per gene, joined at the end."""

    def __init__(
        self, path: Path, header: Header, gene_position: int, samples: np.ndarray, panels: tuple[list[str], np.ndarray], is_log2: bool
    ) -> None:
        self.is_log2 = is_log2
        self.path, self.header, self.gene_position, self.samples = path, header, gene_position, samples
        self.panels, self.panel_codes = panels
        self.which = (
            slice(int(samples[0]), int(samples[-1]) + 1) if len(samples) and samples[-1] - samples[0] == len(samples) - 1 else samples
        )
        self.calls = [0.0, math.nan, math.inf]  # by their codes
        self.short = np.full(1 << 8 * SHORT, UNKNOWN, dtype=np.uint8)  # two bytes -> code
        self.every = self._panels_of(self.panel_codes)
        self.words: dict[int, float] = {}  # packed cell -> call; NaN: missing; infinite: not a call
        self.seen: dict[tuple[str, int], int] = {}  # gene and the hash of its text -> the first line that holds both
        self.genes: list[tuple[str, int, np.ndarray, np.ndarray]] = []
        self.covered: list[np.ndarray] = []
        self.refusals: list[Refusal] = []
        self.duplicates: list[tuple[int, int]] = []
        self.measured, self.doubtful = np.zeros(len(samples), dtype=bool), np.zeros(len(samples), dtype=bool)
        self.read = 0

    def _panels_of(self, codes: np.ndarray) -> np.ndarray:
        """Which panels some specimens have, (panels,); -1: none is known."""
        return np.bincount(codes + 1, minlength=len(self.panels) + 1)[1:] > 0

    def add(self, text: bytes, line: int) -> None:
        """One gene's line."""
        self.read += 1
        cells = np.frombuffer(text + b"\t" + bytes(PACKED), dtype=np.uint8)
        tabs = np.flatnonzero(cells[: len(text)] == TAB)
        starts = np.concatenate(([0], tabs + 1))
        lengths = np.concatenate((tabs, [len(text)])) - starts
        width = len(self.header.names)
        if len(starts) > width and not lengths[width:].any():  # empty cells behind the last column
            starts, lengths = starts[:width], lengths[:width]
        if len(starts) != width:
            self.refusals.append(Refusal(line, "", f"{width} fields", f"{len(starts)} fields"))
            self.doubtful |= bool(text.strip())  # which cell is whose is not known; an empty line says nothing of any
            return
        gene, name = self._gene(text, line, starts, lengths), self.header.names[self.gene_position]
        # Packed cells are padded with zero bytes, so that one in the text would pass for the end of a cell.
        if not gene or b"\0" in text or re.match(DATE, gene):
            self.refusals.append(Refusal(line, name, "text, no date, not empty", gene))
            self.doubtful |= lengths[self.samples] != 1
            self.doubtful |= cells[starts[self.samples]] != ZERO
            return
        # Python's hash of bytes differs from run to run; here only equality within one is asked.
        first = self.seen.setdefault((gene, hash(text)), line)
        if first == line:
            self._calls(gene, line, text, cells, starts[self.which], lengths[self.which])
        else:
            self.duplicates.append((line, first))

    def _gene(self, text: bytes, line: int, starts: np.ndarray, lengths: np.ndarray) -> str:
        at = int(starts[self.gene_position])
        try:
            return unquoted(text[at : at + int(lengths[self.gene_position])].decode("utf-8").strip())
        except UnicodeDecodeError:
            raise InputError("expected text in UTF-8", file=self.path, line=line) from None

    def _calls(self, gene: str, line: int, text: bytes, cells: np.ndarray, starts: np.ndarray, lengths: np.ndarray) -> None:
        codes = self._codes(text, cells, starts, lengths)
        is_said = codes >= BAD
        bad = np.flatnonzero(codes == BAD)
        if len(bad):
            self.doubtful |= is_said
            cell = int(bad[0])
            found = text[int(starts[cell]) : int(starts[cell] + lengths[cell])].decode("utf-8", "replace")
            expected = "a log2 ratio or NA" if self.is_log2 else EXPECTED
            self.refusals.append(Refusal(line, self.header.names[int(self.samples[cell])], expected, found))
            return
        tested = codes != MISSING
        self.measured |= tested
        # Most genes were tested in every specimen.
        self.covered.append(self.every if tested.all() else self._panels_of(self.panel_codes[tested]))
        where = np.flatnonzero(is_said).astype(np.int32)
        self.genes.append((gene, line, where, np.array(self.calls)[codes[where]]))

    def _codes(self, text: bytes, cells: np.ndarray, starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """The code of each cell's call: of few bytes by a table of all such, of longer ones by their packed numbers."""
        # Two bytes from where a cell begins: of a shorter one with the tab behind it, so that they tell where it ends.
        words = _words(cells).take(starts)
        codes = self.short.take(words)
        longer = np.flatnonzero(lengths > SHORT) if lengths.max(initial=0) > SHORT else np.empty(0, np.int64)
        unknown = codes == UNKNOWN
        unknown[longer] = False
        if unknown.any():
            for word in np.unique(words[unknown]).tolist():
                self.short[word] = self._code(self._call(word.to_bytes(SHORT, "little").partition(b"\t")[0].decode("utf-8", "replace")))
            codes = self.short.take(words)
        if len(longer):
            distinct, inverse = np.unique(_packed(cells, starts[longer], lengths[longer], PACKED), return_inverse=True)
            codes[longer] = np.array([self._code(self._value(int(word))) for word in distinct], dtype=np.uint8)[inverse]
        for place in longer[lengths[longer] > PACKED]:
            start, length = int(starts[place]), int(lengths[place])
            codes[place] = self._code(self._call(text[start : start + length].decode("utf-8", "replace")))
        return codes

    def _code(self, call: float) -> int:
        if math.isnan(call):
            return MISSING
        if call not in self.calls:
            self.calls.append(call)
        return self.calls.index(call)

    def _value(self, word: int) -> float:
        if word not in self.words:
            self.words[word] = self._call(word.to_bytes(PACKED, "little").rstrip(b"\0").decode("utf-8", "replace"))
        return self.words[word]

    def _call(self, text: str) -> float:
        """A cell's call; NaN: missing; infinite: it holds none."""
        if is_missing_word(text):
            return math.nan
        if re.fullmatch(NUMBER, text.strip()) is None:
            return math.inf
        value = float(text)
        if self.is_log2:
            return math.copysign(2.0, value) if abs(value) >= CNA_CALLED_FROM_LOG2 else 0.0
        return value if value in CALLS else math.inf

    def result(self) -> LongMatrix:
        """The two tables, without the genes that have two different lines."""
        self._settle()
        self.refusals.sort(key=lambda refusal: refusal.line)
        names = pa.array([self.header.names[position] for position in self.samples], pa.string())
        counts = np.array([len(where) for _, _, where, _ in self.genes], dtype=np.int64)
        where = np.concatenate([where for _, _, where, _ in self.genes] or [np.empty(0, np.int64)])
        values = np.concatenate([values for _, _, _, values in self.genes] or [np.empty(0)])
        row = pa.array(np.repeat(np.arange(len(self.genes)), counts))
        calls = pa.table(
            {
                "sample_id": names.take(pa.array(where)),
                "gene": pa.array([gene for gene, *_ in self.genes], pa.string()).take(row),
                "call": pa.array(values, pa.float64()),
                "source_line": pa.array([line for _, line, *_ in self.genes], pa.int32()).take(row),
            }
        )
        measured, doubtful = ([self.header.names[position] for position in self.samples[which]] for which in (self.measured, self.doubtful))
        found = LongMatrix(calls, self._coverage(), self.refusals, self.read, self.duplicates, measured_samples=measured)
        found.doubtful_samples = doubtful
        return found

    def _settle(self) -> None:
        """Refuse every line of a gene that has several good ones: nothing says which is right."""
        lines: dict[str, list[int]] = {}
        for gene, line, *_ in self.genes:
            lines.setdefault(gene, []).append(line)
        disputed = {gene: own for gene, own in lines.items() if len(own) > 1}
        for gene, own in disputed.items():
            for line in own:
                expected = f"a gene that stands once (another row has it on line {own[0] if line != own[0] else own[-1]})"
                self.refusals.append(Refusal(line, self.header.names[self.gene_position], expected, gene))
        for gene, _, where, _ in self.genes:
            if gene in disputed:
                self.doubtful[where] = True
        agreed = [position for position, (gene, *_) in enumerate(self.genes) if gene not in disputed]
        self.genes = [self.genes[position] for position in agreed]
        self.covered = [self.covered[position] for position in agreed]

    def _coverage(self) -> pa.Table:
        order = sorted(range(len(self.genes)), key=lambda position: self.genes[position][0])
        records = [
            (self.genes[position][0], panel, bool(self.covered[position][code]))
            for position in order
            for code, panel in enumerate(self.panels)
        ]
        genes, panels, covered = zip(*records, strict=True) if records else ((), (), ())
        return pa.table(
            {"gene": pa.array(genes, pa.string()), "panel": pa.array(panels, pa.string()), "is_covered": pa.array(covered, pa.bool_())}
        )
