"""One normal form of a protein change, in tables and in prose alike: `p.(Gly12Cys)`, `Gly12Cys`, `p.G12C` and `G12C` are `G12C`.

The form is the short one of the MAF (`HGVSp_Short` without `p.`), by the HGVS recommendations: one-letter residues, `*` for a stop,
deleted and doubled residues left out, `=` for no change. What is no protein change is kept as it stands, so that nothing is lost.
"""

from __future__ import annotations

import re
from functools import lru_cache

from oncoraft.knowledge.missing import is_missing_word

RESIDUES = {
    **{"ALA": "A", "ARG": "R", "ASN": "N", "ASP": "D", "CYS": "C", "GLN": "Q", "GLU": "E", "GLY": "G", "HIS": "H", "ILE": "I", "LEU": "L"},
    **{"LYS": "K", "MET": "M", "PHE": "F", "PRO": "P", "SER": "S", "THR": "T", "TRP": "W", "TYR": "Y", "VAL": "V"},
    **{"TER": "*", "STOP": "*", "SEC": "U", "PYL": "O", "XAA": "X"},
}
RESIDUE = re.compile("|".join(RESIDUES), re.IGNORECASE)
LONG = re.compile(rf"(?:{RESIDUE.pattern})-?\d", re.IGNORECASE)
# Without X, which was once the sign of a stop in HGVS and is left to the full grammar.
SIMPLE = re.compile(r"(?:p\.)?([A-WY])(\d+)([A-WY*])")
# What callers mostly write stands in the normal form but for `p.`: here the group is it. A pattern has no references back, so that a
# residue that changes into another is written out residue by residue.
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWY"
_PLACE = f"[{_LETTERS}][0-9]+"
_PLACES = f"{_PLACE}(?:_{_PLACE})?"
_SETTLED = (
    *(f"{letter}[0-9]+[{_LETTERS.replace(letter, '')}*]" for letter in _LETTERS),
    *(
        f"{_PLACE}[=?]",
        rf"{_PLACE}[{_LETTERS}]?fs\*[0-9]+",
        f"{_PLACES}(?:del|dup)",
        f"{_PLACES}(?:del)?ins[{_LETTERS}]+",
        "X[0-9]+_splice",
    ),
)
SETTLED = rf"^(?:p\.)?({'|'.join(_SETTLED)})$"
# Accession or gene before a colon, the prefix of protein notation, brackets of a predicted change.
WRAPPING = re.compile(r"^(?:[\w.()-]+:)?\s*(?:p\.)?\s*[\[(]*(?:p\.)?(?P<change>.*?)[\])]*$", re.IGNORECASE | re.DOTALL)
RANGE = re.compile(r"([A-Z*]\d+)(?:_([A-Z*]?\d+))?(DELINS|DEL|INS|DUP|>)(.*)")
SPLICE = re.compile(r"([A-Z*]?\d+(?:_[A-Z*]?\d+)?)_?SPLICE")
SHIFT = re.compile(r"([A-Z*]\d+)([A-Z*]?)FS(?:[*X]?(\d+|\?)?)?")
EXTENSION = re.compile(r"(M1|[*X]\d+)([A-Z]?)EXT([*X]?-?\d+|[*X]?\?|[*X])?")
SUBSTITUTION = re.compile(r"([A-Z*])(\d+)([A-Z*=?])")
# Beside the words for missing: what callers write where no protein change is told (`p.0`: there is no protein).
UNTOLD = ("0", "0?", "-9")
UNCHANGED = "="
# The change of the coding sequence that some callers write behind that of the protein.
CODING = re.compile(r" ?[(/;,|]? ?\bc\.[^ ()]{1,80}\)?$", re.IGNORECASE)
# Variant classes of the MAF that change no protein, and the terms of the Sequence Ontology for them; without case or marks.
SILENT_CLASSES = frozenset(
    [
        "silent",
        "synonymous",
        "synonymousvariant",
        "synonymousmutation",
        "intron",
        "intronvariant",
        "3utr",
        "5utr",
        "3primeutrvariant",
        "5primeutrvariant",
        "3flank",
        "5flank",
        "upstreamgenevariant",
        "downstreamgenevariant",
        "igr",
        "rna",
        "stopretainedvariant",
        "startretainedvariant",
        "noncodingexonvariant",
        "intergenicvariant",
        "lincrna",
        # ANNOVAR's words for the same.
        "synonymoussnv",
        "intronic",
        "utr3",
        "utr5",
        "upstream",
        "downstream",
        "intergenic",
        *(f"ncrna{place}" for place in ("exonic", "intronic", "utr3", "utr5")),
    ]
)


@lru_cache(maxsize=8192)
def protein_change(text: str) -> str | None:
    """The normal form of a protein change.

    Args:
        text: as a table or a text has it, in any case, with three-letter or one-letter residues, with or without `p.` and brackets.

    Returns:
        `G12C`, `E746_A750del`, `A767_V769dup`, `K1006Rfs*4`, `Q37*`, `M1?`, `X1010_splice`, `L210=`; None where none is told; what is no
        protein change as it stands, without `p.`.
    """
    if simple := SIMPLE.fullmatch(text):
        first, place, second = simple.groups()
        return f"{first}{place}{UNCHANGED if first == second else second}"
    # VEP writes `=` as `%3D`, as in a web address.
    plain = " ".join(text.replace("%3D", UNCHANGED).replace("%3d", UNCHANGED).split())
    while (shorter := CODING.sub("", plain).strip()) != plain:
        plain = shorter
    wrapped = WRAPPING.match(plain)
    bare = wrapped["change"].strip() if wrapped else ""
    if is_missing_word(bare) or bare in UNTOLD:
        return None
    if bare == UNCHANGED:
        return bare
    short = RESIDUE.sub(lambda residue: RESIDUES[residue.group().upper()], bare) if LONG.match(bare) else bare
    return _parsed(short.upper().replace(" ", "").replace("(", "").replace(")", "")) or bare


def _parsed(change: str) -> str | None:
    """A change in capital one-letter residues by its grammar; None where it has none."""
    if found := SUBSTITUTION.fullmatch(change):
        first, place, second = found.groups()
        first, second = first.replace("X", "*"), second.replace("X", "*")
        return f"{first}{place}{UNCHANGED if first == second else second}"
    if found := SHIFT.fullmatch(change):
        first, second, length = found.groups()
        return f"{first}{second}fs" + (f"*{length}" if length and length != "?" else "")
    if found := RANGE.fullmatch(change):
        first, last, event, rest = found.groups()
        # `>` between several residues is an older notation of a deletion-insertion.
        event = event.lower().replace(">", "delins")
        return first + (f"_{last}" if last else "") + event + (rest.replace("X", "*") if event.endswith("ins") else "")
    if found := SPLICE.fullmatch(change):
        return f"{found.group(1)}_splice"
    if found := EXTENSION.fullmatch(change):
        first, second, length = found.groups()
        return f"{first.replace('X', '*')}{second}ext{(length or '').replace('X', '*')}"
    return "M1?" if change in ("M1?", "M1", "M1_?") else None


def is_unchanged(change: str) -> bool:
    """Whether a normal form says that the protein stays as it is."""
    return change.endswith(UNCHANGED)


@lru_cache(maxsize=1024)
def is_silent_class(word: str) -> bool:
    """Whether a variant class, or every one of several, changes no protein, whatever its case and marks: `Silent`, `5'UTR`, `synonymous SNV`."""
    parts = ["".join(letter for letter in part if letter.isalnum()) for part in re.split(r"[,;&|]", word.lower())]
    return all(part in SILENT_CLASSES for part in parts)
