"""Registry codes (ICD-O-3: topography, morphology, behaviour) into ICD-10 of the WHO, and how close two codes are.

`icd10_sites.csv`: the first row whose patterns fit decides, behaviour before histology before site. `=` keeps the topography, `C43=`
and the like keep its digit; an empty code says that a site alone cannot decide, with the reason, so that it is counted and never guessed.
Codes have four characters, three where the WHO does not divide the category (C19, C20, C61 ...). Laterality is in no registry row
of this kind, so that the longer codes of ICD-10-CM cannot be answers.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from oncoraft.knowledge.rule_rows import rule_rows

DATA_FILES = ("icd10_sites.csv",)
FOLDER = Path(__file__).parent
COLUMNS = ("behaviour", "topography", "morphology", "code", "reason")
# `HISTOLOGY | SITE (M8140/3 | C343)`, the dot of the topography and the M left out by some releases.
REGISTRY = re.compile(r"\(\s*M?(?P<morphology>\d{4})\s*/\s*(?P<behaviour>\d)\s*\|\s*(?P<topography>C\d{2}\.?\d)\s*\)\s*$", re.IGNORECASE)
# A code spelled in any way within text: C34.3, C343, c34-3, C34 3; M8140/3, 8140/3; a lone category (C61) too.
SPELLED = re.compile(r"(?<![A-Za-z0-9])(?:[CDcd]\s?\d\d(?:\s?[.\-_/ ]?\s?\d{1,4})?|[Mm]?-?\d{4}\s?/\s?\d)(?![A-Za-z0-9])")
CANONICAL = re.compile(r"[A-Z]\d{2}(?:\.\d{1,4})?")
UNDIVIDED = frozenset({"C19", "C20", "C33", "C61"})  # `.9` behind these is habit, not meaning: valid in no edition


class Mapped(NamedTuple):
    """An ICD-10 code, or None with the reason why a site and a histology cannot decide."""

    code: str | None
    reason: str


@lru_cache(maxsize=1)
def _rows() -> tuple[tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str], str, str], ...]:
    rows = rule_rows(FOLDER / DATA_FILES[0], COLUMNS, COLUMNS[:3])
    return tuple(
        (re.compile(row["behaviour"]), re.compile(row["topography"]), re.compile(row["morphology"]), row["code"], row["reason"])
        for _, row in rows
    )


def icd10_of(topography: str, morphology: str, behaviour: str) -> Mapped:
    """The code of a primary.

    Args:
        topography: ICD-O-3 site, `C34.3` or `C343`.
        morphology: four digits of the histology.
        behaviour: 0 benign, 1 uncertain, 2 in situ, 3 malignant, 6 and 9 metastatic.
    """
    site = topography.upper().replace(".", "")
    for how, where, what, code, reason in _rows():
        if how.fullmatch(behaviour) and where.match(site) and what.match(morphology):
            if not code:
                return Mapped(None, reason)
            own = f"{site[:3]}.{site[3]}"
            return Mapped(own if code == "=" else f"{code[:-1]}.{site[3]}" if code.endswith("=") else code, reason)
    return Mapped(None, "no row of the table fits this site and behaviour")


def icd10_of_description(description: str) -> Mapped:
    """The code of a registered diagnosis, `HISTOLOGY | SITE (M8140/3 | C343)`."""
    found = REGISTRY.search(description)
    if found is None:
        return Mapped(None, "no registry codes in the text")
    return icd10_of(found["topography"], found["morphology"], found["behaviour"])


def canonical(text: str) -> str | None:
    """A code as it is compared: upper case, a dot after three characters; None where the text is no code.

    `.9` is dropped behind the categories that no edition divides.
    """
    bare = re.sub(r"[\s.]", "", text).upper()
    code = bare if len(bare) <= 3 else f"{bare[:3]}.{bare[3:]}"
    if not CANONICAL.fullmatch(code):
        return None
    return code[:3] if code[:3] in UNDIVIDED and code[3:] == ".9" else code


def first_code(text: str) -> str | None:
    """The first code that stands in an answer, canonical; None where none does."""
    for found in re.finditer(r"(?<![A-Za-z0-9])[A-Za-z]\d{2}(?:\.?\d{1,4})?(?![A-Za-z0-9])", text):
        if (code := canonical(found.group())) is not None:
            return code
    return None


def agree(first: str, second: str, characters: int) -> bool:
    """Whether two canonical codes are the same up to a number of characters, the dot not counted.

    A code that is shorter agrees only with itself: C61 says less than C61.9 and is another answer at four characters.
    """
    one, other = first.replace(".", ""), second.replace(".", "")
    if min(len(one), len(other)) < characters:
        return one == other
    return one[:characters] == other[:characters]


def without_codes(text: str) -> str:
    """Text with every spelled code of a site or a histology taken out, and what stood around it closed up."""
    bare = SPELLED.sub(" ", REGISTRY.sub("", text))
    # What is left on both sides of a code may make another.
    while SPELLED.search(bare):
        bare = SPELLED.sub(" ", bare)
    return re.sub(r"\s+([,;)])", r"\1", " ".join(re.sub(r"\(\s*\|?\s*\)", " ", bare).split()))
