"""Names of genes, brought to one spelling: symbols in capitals, Ensembl ids without a version, names that then coincide summed.

A file of another species is refused: mouse symbols are written Trp53, and ids of other species carry their own letters (ENSMUSG).
Which genes are mitochondrial or ribosomal goes by the symbol; some files write the thirteen genes of the mitochondrion without `MT-`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from oncoraft.foundation.csv_file import iterate_csv
from oncoraft.foundation.errors import InputError

HUMAN = re.compile(r"ENSG\d{11}(\.\d+)?(_PAR_Y)?", re.IGNORECASE)
FOREIGN = re.compile(r"ENS[A-Z]{3,4}G\d{11}(\.\d+)?", re.IGNORECASE)
# Human symbols in which small letters belong: open reading frames, C1orf112.
OPEN_FRAME = re.compile(r"C(\d+|X|Y)ORF\d+", re.IGNORECASE)
CAPITALISED = re.compile(r"[A-Z][a-z][A-Za-z0-9.-]*")
MOST_CAPITALISED = 0.5  # share of names, beyond which a file is taken for that of a rodent
BARE_MITOCHONDRIAL = frozenset(
    [
        "ND1",
        "ND2",
        "ND3",
        "ND4",
        "ND4L",
        "ND5",
        "ND6",
        "COX1",
        "COX2",
        "COX3",
        "ATP6",
        "ATP8",
        "CYTB",
        "RNR1",
        "RNR2",
        "MTRNR2L1",
        "MTRNR2L8",
        "MTRNR2L12",
    ]
)
# Ensembl ids of MT-ND1 to MT-ND6, MT-CO1 to MT-CO3, MT-ATP6, MT-ATP8, MT-CYB, MT-RNR1, MT-RNR2: files without symbols have them too.
MITOCHONDRIAL_IDS = frozenset(
    f"ENSG00000{number}"
    for number in (
        *(198888, 198763, 198840, 198886, 212907, 198786, 198695),
        *(198804, 198712, 198938, 198899, 228253, 198727, 211459, 210082),
    )
)
RIBOSOMAL = re.compile(r"RP[SL]\d+(A|X|Y\d?|L\d?|AL|AX)?|RPLP[0-2]|RPSA")


class Genes(NamedTuple):
    """The genes of one file after harmonisation.

    Attributes:
        names: harmonised names, sorted, each once.
        place: (columns of the file,), the row in `names` of each column; -1 where a column has no gene.
        counts: what was lost or changed: columns, without_name, case_changed, versions_taken_off, without_symbol, summed, genes.
    """

    names: list[str]
    place: np.ndarray
    counts: dict[str, int]


def is_mitochondrial(name: str) -> bool:
    """Whether a symbol or an Ensembl id without a version is of the mitochondrial genome."""
    return name.startswith("MT-") or name in BARE_MITOCHONDRIAL or name in MITOCHONDRIAL_IDS


def is_ribosomal(name: str) -> bool:
    """Whether a symbol is of a ribosomal protein; the kinases called RPS6KA1 and so on are not."""
    return RIBOSOMAL.fullmatch(name) is not None


def read_gene_table(path: Path) -> dict[str, str]:
    """Symbol by id, from a CSV with columns id and symbol.

    Raises:
        InputError: no such file or column, or an id with two symbols.
    """
    found: dict[str, str] = {}
    for line, row in iterate_csv(path, ("id", "symbol"), "a CSV with columns id and symbol"):
        key, symbol = row["id"].strip().upper().partition(".")[0], row["symbol"].strip().upper()
        if symbol and found.setdefault(key, symbol) != symbol:
            raise InputError(f"expected one symbol of {key}", file=path, line=line, column="symbol", found=symbol)
    return found


def refuse_foreign(names: Sequence[str], kind: str, file: Path) -> None:
    """Refuse genes of another species, and names of another kind than was declared.

    Raises:
        InputError: with the first such name.
    """
    told = [name for name in names if name]
    if foreign := [name for name in told if FOREIGN.fullmatch(name) and not HUMAN.fullmatch(name)]:
        raise InputError(
            f"expected genes of Homo sapiens; {len(foreign)} of {len(names)} are ids of another species, the first",
            file=file,
            found=foreign[0],
        )
    ensembl = [name for name in told if HUMAN.fullmatch(name)]
    if kind == "ensembl" and len(ensembl) * 2 < len(told):
        other = next(name for name in told if not HUMAN.fullmatch(name))
        raise InputError("expected Ensembl ids of genes, as `gene_ids: ensembl` says", file=file, found=other)
    if kind == "symbol" and len(ensembl) * 2 > len(told):
        raise InputError(
            "expected symbols of genes; these are Ensembl ids (gene_ids: ensembl, or gene_column)", file=file, found=ensembl[0]
        )
    small = [name for name in told if CAPITALISED.fullmatch(name) and not OPEN_FRAME.fullmatch(name)]
    if told and len(small) > MOST_CAPITALISED * len(told):
        raise InputError(
            f"expected human symbols; {len(small)} of {len(names)} are written as a mouse's or a rat's are, the first",
            file=file,
            found=small[0],
        )


def harmonised(names: Sequence[str], kind: str, duplicates: str, table: dict[str, str] | None, file: Path) -> Genes:
    """The genes of a file in one spelling.

    Args:
        names: as the file has them, a column each.
        kind: symbol or ensembl.
        duplicates: refuse or sum, of a name that stands twice as it is.
        table: symbol by Ensembl id; None: ids stay.
        file: for messages.

    Raises:
        InputError: another species or kind, a name that stands twice, or no gene that is left.
    """
    given = [str(name).strip() for name in names]
    refuse_foreign(given, kind, file)
    twice = [name for name, count in Counter(filter(None, given)).items() if count > 1]
    if twice and duplicates == "refuse":
        raise InputError(
            f"expected each gene once ({len(twice)} stand more often; `duplicate_genes: sum` adds them up), the first",
            file=file,
            found=twice[0],
        )
    counts = dict.fromkeys(("without_name", "case_changed", "versions_taken_off", "without_symbol"), 0)
    spelled = []
    for name in given:
        new = name.upper()
        counts["case_changed"] += new != name
        if kind == "ensembl" and "." in new:
            new = new.partition(".")[0]
            counts["versions_taken_off"] += 1
        if table is not None and new:
            counts["without_symbol"] += new not in table
            new = table.get(new, "")
        counts["without_name"] += not name
        spelled.append(new)
    kept = sorted(set(filter(None, spelled)))
    if not kept:
        raise InputError("expected at least one gene with a name", file=file)
    at = {name: number for number, name in enumerate(kept)}
    place = np.array([at.get(name, -1) for name in spelled], dtype=np.int32)
    summed = int((place >= 0).sum()) - len(kept)
    return Genes(kept, place, {"columns": len(given), **counts, "summed": summed, "genes": len(kept)})


def shared(files: Sequence[Genes]) -> tuple[list[str], list[np.ndarray], list[int]]:
    """Genes that every file has, the place of each file's columns among them, and how many genes each file loses."""
    names = sorted(set.intersection(*(set(one.names) for one in files)))
    at = {name: number for number, name in enumerate(names)}
    places, lost = [], []
    for one in files:
        new = np.array([at.get(name, -1) for name in one.names] + [-1], dtype=np.int32)
        places.append(new[one.place])
        lost.append(len(one.names) - len(names))
    return names, places, lost
