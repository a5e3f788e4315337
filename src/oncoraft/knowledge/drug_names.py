"""One normal form of a drug's name: whatever a source writes in a cell, the agents of the drug table that it means.

`drug_names.csv` lists names that are no agent's own: brands (labels at Drugs@FDA and the Purple Book; EMA), research codes, spellings
and named combinations (NCI Drug Dictionary and thesaurus). Beside the lists three rules hold: a biologic's suffix of four letters is
devoid of meaning (FDA guidance on nonproprietary naming, 2017), a salt or ester is the same agent, so is another pack or dose.
Nothing is ever found inside a longer name, so that a conjugate or another carrier stays an agent of its own.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from oncoraft.knowledge.drugs import drugs
from oncoraft.knowledge.missing import is_missing_word

DATA_FILES = ("drug_names.csv",)
TABLE = Path(__file__).parent / DATA_FILES[0]
Way = Literal["name", "brand", "code", "spelling", "shorthand", "suffix", "salt", "form", "isotope", "combination", "unknown"]
WAYS: tuple[Way, ...] = ("brand", "code", "spelling", "shorthand", "suffix", "salt", "form", "isotope", "combination")

SALTS = (
    "hydrochloride|monohydrochloride|dihydrochloride|hcl|hydrobromide|bromide|hydroiodide|chloride|dichloride|sodium|disodium|potassium|calcium"
    "|magnesium|mesylate|mesilate|dimesylate|methanesulfonate|ditosylate|tosylate|besylate|camsylate|edisylate|isethionate|esylate|citrate"
    r"|\(?[ls]\)?-malate|dimaleate|malate|maleate|bitartrate|tartrate|ditartrate|hemifumarate|fumarate|succinate|acetate|diacetate|pamoate|embonate"
    "|phosphate|sulfate|sulphate|hemisulfate|nitrate|lactate|dilactate|gluconate|oxalate|benzoate|adipate|decanoate|enanthate|valerate|caproate"
    "|ditromethamine|tromethamine|meglumine|arginine|dimethyl sulfoxide|monohydrate|dihydrate|trihydrate|sesquihydrate|hemihydrate|hydrate"
    "|anhydrous|heptahydrate|hexahydrate|pentahydrate|free base|lysine|hemiethanolate|ethanolate|dimeglumine"
)
FORMS = (
    r"injections?|inj|infusions?|tablets?|tabs?|capsules?|caps?|oral(?:ly)?|p\.?o\.?|i\.?v\.?|i\.?m\.?|s\.?c\.?|subq|sq|intravenous|intramuscular"
    r"|subcutaneous|solution|suspension|powder|vials?|depot|implant|kit|pen|syringes?|extended[- ]release|er|xr|pf|preservative[- ]free|generic|biosimilar"
    r"|(?:once|twice)?\s*(?:daily|weekly|biweekly|monthly)|q\.?\d+(?:-\d+)?\s*(?:w(?:eek|k)?s?|d(?:ay)?s?|h(?:r|our)?s?)|q\.?d\.?|b\.?i\.?d\.?|t\.?i\.?d\.?"
    r"|every\s+\d+\s+(?:days|weeks|hours)|auc\s*=?\s*\d+(?:\.\d+)?"
    r"|\d+(?:[.,]\d+)?\s*(?:mg|mcg|µg|μg|ug|g|ml|units?|iu|mci)(?:\s*/\s*(?:\d+\s*)?(?:m2|m²|kg|ml|day|dose))?"
)
ENDINGS: tuple[tuple[Way, re.Pattern[str]], ...] = (
    ("form", re.compile(rf"(?:^(?:{FORMS})\s+|[\s,-]+(?:{FORMS})$)", re.IGNORECASE)),
    ("salt", re.compile(rf"[\s,-]+(?:{SALTS})$", re.IGNORECASE)),
    # After a space only behind a biologic's stem: PACLITAXEL LIPO is no suffix.
    ("suffix", re.compile(r"(?:-|(?<=MAB)\s|(?<=CEPT)\s|(?<=STIM)\s|(?<=ALFA)\s)[A-Z]{4}$")),
)
IMAGING = r"GA-?6[78]|F-?18|C-?11|N-?13|O-?15|RB-?82|TC-?99M?|IN-?111|I-?12[345]|TL-?201|ZR-?89|CU-?64|XE-?133"
IMAGING += r"|6[78]-?GA|18-?F|11-?C|13-?N|99M-?TC|111-?IN|12[345]-?I|89-?ZR|64-?CU"
THERAPY = r"LU-?177|177-?LU|RA-?223|223-?RA|I-?131|131-?I|Y-?90|90-?Y|SM-?153|153-?SM|SR-?89|89-?SR|AC-?225|225-?AC|RE-?18[68]|HO-?166"
ISOTOPES = tuple(
    (re.compile(rf"(?<![A-Z0-9])(?:{isotopes})(?![0-9])"), agent)
    for isotopes, agent in ((THERAPY, "RADIOPHARMACEUTICAL"), (IMAGING, "TRACER"))
)
BRACKETS = re.compile(r"^(?P<outside>[^()\[\]]*?)\s*[(\[](?P<inside>[^()\[\]]+)[)\]]\s*$")
# Between marks an unknown part stands for itself; a hyphen or a space must part known names alone.
MARKED = (re.compile(r"\s*(?:\+|;|&|\||(?<![A-Z])(?:AND|WITH|PLUS|W/)(?![A-Z]))\s*"), re.compile(r"\s*[/,]\s*"))
JOINED = (re.compile(r"-"), re.compile(r"\s+"))
HYPHENS = re.compile("[‐‑‒–—−﹣－]")
MARKS = re.compile("[®™©]|\\((?:R|TM)\\)")
SLASHED = re.compile(r"(?<![A-Z0-9])N\s*/\s*[AK](?![A-Z0-9])")  # a word for missing that holds a mark
LEAST_NAME = 4  # letters of an unknown part that may stand for an agent ("A/B" alone is none)


@dataclass(frozen=True)
class Resolution:
    """What a cell means.

    Args:
        agents: of the drug table, in the order of the cell; an unknown name stands for itself.
        way: what it took to find them.
    """

    agents: tuple[str, ...]
    way: Way


def plain(text: str) -> str:
    """Upper case, one kind of hyphen, single spaces, no trade marks."""
    return " ".join(HYPHENS.sub("-", unicodedata.normalize("NFKC", MARKS.sub(" ", text))).upper().split())


def key(name: str) -> str:
    """Letters, digits and plus signs of a name alone: NAB-PACLITAXEL and NABPACLITAXEL are one."""
    return "".join(letter for letter in name if letter.isalnum() or letter == "+")


@lru_cache(maxsize=1)
def listed_names() -> dict[str, Resolution]:
    """Every name of `drug_names.csv`, as it stands there."""
    with TABLE.open(encoding="utf-8", newline="") as stream:
        return {row["name"]: Resolution(tuple(row["agents"].split(";")), row["kind"]) for row in csv.DictReader(stream)}  # type: ignore[arg-type]


@lru_cache(maxsize=1)
def names() -> dict[str, Resolution]:
    """Every known name by its key."""
    found = {key(name): meant for name, meant in listed_names().items()}
    found |= {key(synonym): Resolution((drug.agent,), "spelling") for drug in drugs().values() for synonym in drug.synonyms}
    # An agent's own name goes before a brand or spelling of the same letters.
    return found | {key(agent): Resolution((agent,), "name") for agent in drugs()}


@lru_cache(maxsize=65536)
def resolve(text: str) -> Resolution:
    """The agents that a cell names.

    Args:
        text: as the source has it.

    Returns:
        an unknown name as it stands, upper-case with single spaces, `way` "unknown".
    """
    name = plain(text)
    if known := _one(name):
        return known
    name = _told(name)
    return _known(name) or _known(_without_form(name)) or Resolution((name,), "unknown")


def _told(name: str) -> str:
    """A name without the parts of it that say that nothing is known: `CARBOPLATIN + NA`, `NIVOLUMAB (unknown)`."""
    name = SLASHED.sub("NA", name)
    if (match := BRACKETS.match(name)) and match["outside"]:
        left = [part for part in (match["outside"], match["inside"]) if not is_missing_word(part)]
        name = left[0] if len(left) == 1 else name
    for mark in MARKED:
        parts = mark.split(name)
        # Nothing between two marks is no word ("HTTP://"): what is unknown stays as it stands. A mark at an end joins nothing.
        last = len(parts) - 1
        left = [part for place, part in enumerate(parts) if not is_missing_word(part) or (not part and 0 < place < last)]
        name = " + ".join(left) if left and len(left) < len(parts) else name
    return name


def _known(name: str) -> Resolution | None:
    # Whole names first: what the tables know is never taken apart.
    return _one(name) or _bracketed(name) or _marked(name) or _isotope(name) or _joined(name)


def _one(name: str) -> Resolution | None:
    """A name of the tables, with or without what does not change the agent."""
    found, way, bare = names().get(key(name)), None, name
    while found is None:
        for kind, ending in ENDINGS:
            shorter = ending.sub("", bare).strip(" ,-")
            if shorter and shorter != bare:
                bare, way = shorter, way or kind
                break
        else:
            return None
        found = names().get(key(bare))
    return Resolution(found.agents, way) if way and len(found.agents) == 1 else found


def _without_form(name: str) -> str:
    """A name without dose, pack and schedule behind it: `PACLITAXEL (TAXOL) 80 MG/M2 WEEKLY` is then a name with its brand."""
    form = dict(ENDINGS)["form"]
    while (shorter := form.sub("", name).strip(" ,-")) and shorter != name:
        name = shorter
    return name


def _bracketed(name: str) -> Resolution | None:
    """NAME (BRAND): what stands in brackets is the closer name, but where it is a supportive or masked one."""
    match = BRACKETS.match(name)
    if match is None:
        return None
    outside, inside = _known(match["outside"]) if match["outside"] else None, _known(match["inside"])
    if inside and (outside is None or not any(drugs()[agent].is_aside for agent in inside.agents if agent in drugs())):
        return inside
    return outside


def _isotope(name: str) -> Resolution | None:
    """A tracer or radiopharmaceutical that the table does not list by name."""
    agent = next((agent for isotope, agent in ISOTOPES if isotope.search(name)), None)
    return Resolution((agent,), "isotope") if agent else None


def _marked(name: str) -> Resolution | None:
    """Several agents with marks between them, of which at least one is known."""
    for mark in MARKED:
        parts = [part for part in mark.split(name) if part]
        found = [_known(part) for part in parts] if len(parts) > 1 else []
        if any(found) and all(one or len(key(part)) >= LEAST_NAME for part, one in zip(parts, found)):
            return _together(agent for part, one in zip(parts, found) for agent in (one.agents if one else (part,)))
    return None


def _joined(name: str) -> Resolution | None:
    """Several known agents with a hyphen or a space between them."""
    for mark in JOINED:
        found = [_one(part) for part in mark.split(name) if part]
        if len(found) > 1 and all(found):
            return _together(agent for one in found if one for agent in one.agents)
    return None


def _together(agents: Iterable[str]) -> Resolution:
    return Resolution(tuple(dict.fromkeys(agents)), "combination")
