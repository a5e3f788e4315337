"""A radiation regimen read from free text: dose, fractions and schedule of each phase, in one unit.

Doses are in Gy (100 cGy = 1 Gy, 1 rad = 1 cGy); Gy (RBE), CGE and GyE are the same number with a flag, never converted. Where a text names
a dose `x` a number (`2 Gy x 25`, `25 x 2 Gy`) the dose is that of a fraction and the total their product. What is not understood, or
contradicts itself (a total that is not the dose of a fraction times the fractions), is None, and is counted as a wrong answer, never guessed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

ALPHA_BETA = 10.0  # Gy, of tumour; the usual value where none is known
DOSE_TOLERANCE = 0.1  # Gy: 50.4 and 50.40 are one dose, 50 and 50.4 are not
LARGEST_FRACTION = 34.0  # Gy; the largest in use (single-fraction lung). "60 Gy x 30" can only name the total
MOST_FRACTIONS = 80
MOST_DOSE = 200.0  # Gy of a phase; more is another unit, or a total taken for the dose of a fraction: "30 Gy x 10"

NUMBER = r"\d+(?:\.\d+)?"
UNIT = r"(?P<unit>c?gy)"
WORD = r"(?:fractions?|fracs?|fxs?|frx|frs?\b|treatments?|sessions?|#)"
NO_FRACTIONS = "fields?|beams?|arcs?|phases?|months?|prior|missed|additional|boost"
# Adjectives: `25 daily fractions`; `2 Gy fractions` are not two, and `4 field treatments` no four.
BETWEEN = rf"(?:\s+(?!(?:c?gy|{NO_FRACTIONS}|weeks?|days?|hundred)\b)[a-z][a-z\-]*){{0,3}}?"
# `5 fractions per week` and `5 fractions weekly` are not all of them, nor are `2 fractions daily`; of `30 fractions daily` they are.
OFTEN = r"\s*(?:(?:/|per|a|each|every)\s*(?:week|wk|day|d\b)|weekly\b)"
SOME_DAILY = rf"[123](?:\s+daily\b|{BETWEEN}\s*{WORD}\s+daily\b)"
COUNT = rf"(?<![\d.])(?!{SOME_DAILY})(?P<count>\d+){BETWEEN}\s*{WORD}(?!\w)(?!{OFTEN})"
# `5 x 2 Gy per week` is what a week brings; how many weeks is not said.
A_WEEKS = re.compile(rf"\d+\s*(?:{WORD})?\s*x\s*{NUMBER}\s*c?gy{OFTEN}|{NUMBER}\s*c?gy\s*x\s*\d+\s*(?:{WORD})?{OFTEN}")
# What is not a course, though dose and fractions stand side by side.
NO_COURSE = re.compile(
    # `2 Gy x 5 x 6 weeks` is a product of three, and `8 Gy x 3 lesions` counts no fractions
    rf"x\s*\d+\s*(?:{WORD}|days?|daily)?(?:{OFTEN})?\s*x\s*\d|x\s*\d+\s*(?:lesions?|sites?|mets?\b|metastas[ei]s|targets?|courses?|weeks?)\b"
    # `20 Gy in 5 fractions x 2` is two courses, or somebody's slip
    rf"|c?gy\b[^;+x]*{WORD}\s*x\s*\d+(?!\.?\d|\s*c?gy)"
    # `5.040 cGy` may be 5,040 with the point of another country
    r"|(?<![\d.])\d{1,2}\.\d{3}\s*cgy\b"
    # `boost to 59.4 Gy` tells what both phases come to
    rf"|\bboost(?:ed)?\s+to\s+(?:a\s+)?(?:(?:cumulative\s+)?total\s+(?:dose\s+)?(?:of\s+)?)?{NUMBER}\s*c?gy"
    # `20 of 30 fractions` and `40 of 60 Gy` are part of one; `30/30 fractions` are all
    rf"|(?<![\d.])(?P<some>\d+)\s*(?:(?:out\s+)?of|/)\s*(?:planned\s+)?(?!(?P=some)\b)\d+\s*{WORD}|(?<![\w.]){NUMBER}\s*(?:c?gy\s*)?(?:out\s+)?of\s+(?:planned\s+)?{NUMBER}\s*c?gy"
    # `BED of 60 Gy in 30 fractions` is what a regimen is worth
    rf"|\b(?:bed\d*|eqd2?)\s*(?:\([^)]*\))?\s*(?:of|=|:|is)\s*{NUMBER}\s*c?gy\s*(?:in|/|over)\s*\d|{NUMBER}\s*c?gy\s+(?:bed|eqd2?)\b"
)
# Of `planned 60 Gy in 30 fractions; received 40 Gy in 20 fractions` one was given, not both.
INTENDED = re.compile(r"\b(?:planned|prescribed|intended)\b")
DOSE = re.compile(rf"(?P<levels>(?:{NUMBER}\s*/\s*)*)(?P<dose>{NUMBER})\s*{UNIT}\b")
# Doses of another kind: what a regimen is worth, not what is given.
WORTH = re.compile(r"\b(?:bed|eqd2?)\w*\s*(?:\([^)]*\))?\s*(?:of|=|:|is)?\s*$")
ROUNDING = 0.02  # share by which two numbers of one dose may differ: 2.67 Gy x 15 is told as 40 Gy
COUNTED = re.compile(COUNT)
BID = re.compile(r"\bb\.?\s?i\.?\s?d\b|\btwice[\s-]+(?:a[\s-]+)?(?:day|daily)\b|\b2\s?x\s?/\s?(?:day|d)\b|\btwo times (?:a day|daily)\b")
RBE = re.compile(
    r"(?<=\d)\s*(?:(?P<c>c?)gy\s*[\[(]\s*rbe\s*[\])]|(?P<d>c?)gy\s?rbe\b|cge\b|gye\b|cobalt[\s-]+gray[\s-]+equivalents?\b|ge\b)"
)
PHASES = re.compile(r"\s*(?:\+|;|\bplus\b|\bthen\b|\bfollowed by\b|\band (?:a )?(?=boost)|,\s*(?=(?:with\s+)?(?:a\s+)?boost))\s*")
RANGE = re.compile(rf"{NUMBER}\s?(?:c?gy\s?)?(?:-|–|to)\s?{NUMBER}\s*{UNIT}|(?<![.\d])\d+\s?(?:-|–|to)\s?\d+\s*{WORD}")
# Numbers of fractions that are written out; more are as rare as they are long.
_SMALL = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_WRITTEN = {word: number for number, word in enumerate(_SMALL.split(), 1)}
for _number, _ten in enumerate(_TENS.split(), 2):
    _WRITTEN |= {_ten: 10 * _number}
    _WRITTEN |= {f"{_ten}{mark}{word}": 10 * _number + number for number, word in enumerate(_SMALL.split()[:9], 1) for mark in "- "}
_WORDS = "|".join(sorted(_WRITTEN, key=len, reverse=True))
# Of `one fraction daily`, `two daily fractions` and `five fractions weekly` nobody knows how many they are in all.
WRITTEN_OUT = re.compile(rf"\b(?!(?:one|two|three)\s+daily\b)(?P<word>{_WORDS})(?={BETWEEN}\s+{WORD}(?!\w)(?!\s+(?:daily|weekly)\b))")
# `number of fractions 30`, `fractions: 30`; of `2 Gy fractions: 30` the dose is that of one.
COUNT_BEHIND = re.compile(r"(?:(?:number|no\.|#) of fractions\s*[:=]?|(?<!gy )(?<!\d )\bfractions\s*[:=])\s*(\d+)(?!\.?\d)(?!\s*c?gy)")
# What joins a dose with its fractions, as a comma does; of `60 Gy; 10 fractions of 2 Gy` the fractions have a dose of their own, and
# `5 fractions missed` belong to none.
JOINED = re.compile(
    rf"(?P<dose>{NUMBER})\s*{UNIT}\s*[;:–—-]\s*(?={COUNT}(?!(?:(?!\b(?:plus|then|followed by)\b)[^;+])*\d\s*c?gy)\s*"
    r"(?:$|[;,.+)]|(?:in total|total|then|plus|followed by|over|to|daily|once|twice|bid|b\.i\.d|imrt|vmat|sbrt|photons?|protons?|electrons?)\b))"
)
LEAST_JOINED = 0.5  # Gy a fraction; of `2 Gy; 30 fractions` the dose is that of one
SAID_OF_ALL = re.compile(r"\b(?:in|over|as|into|with|using|total\w*)\b")
OF_A_FRACTION = re.compile(r"(?:(?:per|/)\s*(?:fraction|fx)|\bfraction(?:al)? (?:dose|size))\s*(?:of|:|=)?\s*$")
# What a fraction has, said behind all of them.
EACH_BEHIND = re.compile(rf"\s*,?\s*(?:of|at|@|x|each(?: of)?)\s*({NUMBER})\s*(c?gy)")
# What a product comes to, said again behind it: `2 Gy x 25 = 50 Gy`; it must not be taken for the dose of a fraction.
SAID_AGAIN = re.compile(rf"\s*(?:=|,?\s*\(?\s*(?:for a |to a )?total (?:dose )?(?:of )?:?)\s*{NUMBER}\s*c?gy\)?\s*$")
MODALITIES = {
    "proton": re.compile(r"\bprotons?\b|\bimpt\b|\bpencil beam scanning\b|\bpbt\b"),
    "brachytherapy": re.compile(r"\bbrachy\w*|\bhdr\b|\bldr\b|\bseed implants?\b|\binterstitial\b|\bintracavitary\b"),
    "electron": re.compile(r"\belectrons?\b|\biort\b"),
    "photon": re.compile(r"\bphotons?\b|\bimrt\b|\bvmat\b|\b3d[\s-]?crt\b|\bsbrt\b|\bsabr\b|\bx-?rays?\b|\bexternal beam\b|\bebrt\b"),
}


@dataclass(frozen=True)
class Phase:
    """One phase: total dose in Gy, number of fractions."""

    dose: float
    fractions: int

    @property
    def per_fraction(self) -> float:
        """Dose of one fraction in Gy."""
        return self.dose / self.fractions


@dataclass(frozen=True)
class Regimen:
    """A course: its phases in their order, whether two fractions a day, whether the dose is stated as RBE-weighted, the modality if told."""

    phases: tuple[Phase, ...]
    is_twice_daily: bool = False
    is_rbe: bool = False
    modality: str | None = None

    @property
    def dose(self) -> float:
        """Total dose of all phases in Gy."""
        return sum(phase.dose for phase in self.phases)

    @property
    def fractions(self) -> int:
        """Fractions of all phases."""
        return sum(phase.fractions for phase in self.phases)

    def biologically_effective_dose(self, alpha_beta: float = ALPHA_BETA) -> float:
        """Sum over the phases of D (1 + d / (alpha/beta)), in Gy (Fowler 1989)."""
        return sum(phase.dose * (1 + phase.per_fraction / alpha_beta) for phase in self.phases)

    def text(self) -> str:
        """The regimen as it is written here: `50.4 Gy in 28 fractions + 9 Gy in 5 fractions`."""
        words = " + ".join(
            f"{phase.dose:.2f}".rstrip("0").rstrip(".") + f" Gy in {phase.fractions} fraction" + ("" if phase.fractions == 1 else "s")
            for phase in self.phases
        )
        return words + (" twice daily" if self.is_twice_daily else "")


PATTERNS = tuple(
    re.compile(pattern)
    for pattern in (
        # dose per fraction: 2 Gy, 25 fractions
        rf"(?:(?<!gy)(?<!gy )(?:per|/)\s*(?:fraction|fx)|\bfraction(?:al)? (?:dose|size))\s*(?:of|:|=)?\s*(?P<each>{NUMBER})\s*{UNIT}\s*,\s*{COUNT}",
        # 2 Gy x 25 (fractions), and what it comes to is said or not
        rf"(?P<each>{NUMBER})\s*{UNIT}\s*(?:/\s?(?:fraction|fx|frs?\b)|per fraction)?\s*(?:{BID.pattern})?\s*x\s*(?P<count>\d+)",
        # 25 (fractions) x 2 Gy
        rf"(?P<count>\d+)\s*(?:{WORD})?\s*x\s*(?P<each>{NUMBER})\s*{UNIT}",
        # 50 Gy in 25 (daily) fractions; 50 Gy/25#; 9 Gy in 5; `60 Gy/2` and `30 Gy/3` are as often fractions of 2 and 3 Gy
        rf"(?P<dose>{NUMBER})\s*{UNIT}\s*(?:total\s*)?(?:[a-z]+\s+)?(?:in|/|over|as|into)\s*{COUNT}",
        rf"(?P<dose>{NUMBER})\s*{UNIT}\s*(?:total\s*)?(?:with|using)\s*(?P<count>\d+)\s*(?:daily\s+)?(?:fractions?|fxs?)\b(?=\s*(?:$|[,.)]|with\b|of\s*\d))",
        rf"(?P<dose>{NUMBER})\s*{UNIT}\s*(?:in|/(?!\s*[23](?!\.?\d)))\s*(?P<count>\d+)(?!\.?\d)(?!\s*(?:c?gy|weeks?|days?|{NO_FRACTIONS})|{BETWEEN}\s*{WORD}(?!\w))",
        # 25 fractions of 2 Gy
        rf"{COUNT}\s*(?:of|at|@)\s*(?P<each>{NUMBER})\s*{UNIT}(?!{OFTEN})",
        # 50 Gy at 2 Gy per fraction; 60 Gy, 2 Gy/fx; 60 Gy in 2 Gy fractions
        rf"(?P<dose>{NUMBER})\s*{UNIT}\s*(?:,|at|@|in|with|\()\s*(?P<each>{NUMBER})\s*(?P<unit_each>c?gy)\s*(?:(?:/|per|a)\s*(?:fraction|fx|frs?\b|day)|(?:daily\s+)?fractions)",
        # 2 Gy per fraction to 50 Gy
        rf"(?P<each>{NUMBER})\s*(?P<unit_each>c?gy)\s*(?:/|per|a)\s*(?:fraction|fx|frs?\b|day)\s*(?:,|to)?\s*(?:a total (?:dose )?of\s*)?(?P<dose>{NUMBER})\s*{UNIT}",
        # 25 fractions, total 50 Gy
        rf"{COUNT}\s*(?:,|to|for)?\s*(?:a\s+)?(?:total(?:ing| dose)?(?: of)?)?\s*(?P<dose>{NUMBER})\s*{UNIT}(?!\s*(?:(?:/|per|a)\s*(?:fraction|fx|frs?\b|day)|(?:each|daily)\b))",
        # 50 Gy, 25 fractions
        rf"(?P<dose>{NUMBER})\s*{UNIT}\s*,?\s*\(?\s*{COUNT}",
    )
)


def plain(text: str) -> str:
    """Lower case, one kind of space, multiplication sign and unit, thousands without their comma."""
    text = " ".join(text.lower().replace("\u00d7", "x").replace("\u2217", "x").replace("*", "x").split())
    text = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text)
    text = re.sub(r"(?<=\d),(?=\d{1,2}\s?c?gy)", ".", text)
    text = re.sub(r"\b(?:centi-?grays?|cgys)\b|(?<=\d)\s?rads?\b", " cgy", text)
    text = re.sub(r"(?<!cobalt )(?<!cobalt-)\b(?:grays?|gys)\b", "gy", text)
    # `in 2-Gy fractions` and `.5 Gy`
    text = re.sub(r"(?<=\d)-(?=c?gy\b)", " ", text)
    text = re.sub(r"(?<![\w.])\.(?=\d)", "0.", text)
    text = re.sub(r"\b(?:a |one )?single[\s-](?=fraction|dose)", "1 ", text)
    text = WRITTEN_OUT.sub(lambda found: str(_WRITTEN[found["word"]]), text)
    text = COUNT_BEHIND.sub(r"\1 fractions", text.replace("1 dose", "1 fraction"))
    return JOINED.sub(_with_comma, text)


def _with_comma(found: re.Match[str]) -> str:
    dose = float(found["dose"]) * (0.01 if found["unit"] == "cgy" else 1.0)
    is_of_one = OF_A_FRACTION.search(found.string, 0, found.start()) is not None
    return found[0] if dose < LEAST_JOINED * int(found["count"]) and not is_of_one else f"{found['dose']} {found['unit']}, "


def modality_of(text: str) -> str | None:
    """The modality that a text names; None where it names none, or several."""
    found = [name for name, pattern in MODALITIES.items() if pattern.search(text.lower())]
    # A technique such as IMRT or "external beam" says photon only where no particle is named.
    if len(found) > 1 and "photon" in found and not re.search(r"\bphotons?\b", text.lower()):
        found.remove("photon")
    return found[0] if len(found) == 1 else None


def phase_of(text: str) -> Phase | None:
    """The phase that a piece of plain text describes; None where it does not say dose and fractions, or says two."""
    if RANGE.search(text) or A_WEEKS.search(text) or NO_COURSE.search(text):
        return None
    phase, rest = _first(text)
    # Another dose with fractions of its own: whether both are given, or one instead of the other, is not said.
    return None if any(_first(part)[0] not in (None, phase) for part in rest) else phase


def _first(text: str) -> tuple[Phase | None, tuple[str, ...]]:
    """The phase of the first pattern that fits, and the text before and behind it."""
    for pattern in PATTERNS:
        if (found := pattern.search(text)) is None:
            continue
        parts = found.groupdict()
        size = 0.01 if parts["unit"] == "cgy" else 1.0
        each = float(parts["each"]) * (0.01 if (parts.get("unit_each") or parts["unit"]) == "cgy" else 1.0) if parts.get("each") else None
        dose = float(parts["dose"]) * size if parts.get("dose") else None
        count = int(parts["count"]) if parts.get("count") else None
        behind = text[found.end() :]
        if dose and count and not each and dose < LEAST_JOINED * count and not SAID_OF_ALL.search(found[0]):
            return None, ()  # `2 Gy, 30 fractions`
        if dose and count and (own := EACH_BEHIND.match(behind)):
            its = float(own[1]) * (0.01 if own[2] == "cgy" else 1.0)
            if abs(its * count / dose - 1) > ROUNDING:  # `60 Gy in 2 daily fractions of 1.5 Gy`
                return None, ()
        if count is None and dose and each and any(abs(dose / each - int(said["count"])) > 0.02 for said in COUNTED.finditer(text)):
            return None, ()  # `60 Gy at 2 Gy per fraction in 25 fractions`
        return _phase(dose, each, count), (text[: found.start()], behind)
    return None, ()


def _phase(dose: float | None, each: float | None, count: int | None) -> Phase | None:
    """A phase from two of its three numbers; None where they contradict what fractions can be."""
    if count is None:
        if not dose or not each or abs(dose / each - round(dose / each)) > 0.02:
            return None
        count = round(dose / each)
    elif dose is None and each is not None:
        is_total = count > 1 and (each > LARGEST_FRACTION or each * count > MOST_DOSE)
        dose = each if is_total else each * count
    if not dose or dose > MOST_DOSE or not 1 <= count <= MOST_FRACTIONS:
        return None
    return Phase(round(dose, 4), count)


def _agrees(piece: str, phase: Phase, total: float) -> bool:
    """Whether every dose of a piece of text is that of the phase, of one of its fractions or of the course, but for rounding.

    Another is a contradiction (`60 Gy, 25 fractions of 2 Gy`) or a second dose level (`60 Gy and 54 Gy in 30 fractions`).
    """
    for found in DOSE.finditer(piece):
        if WORTH.search(piece, 0, found.start()):
            continue
        size = 0.01 if found["unit"] == "cgy" else 1.0
        told = [float(number) * size for number in (*re.findall(NUMBER, found["levels"]), found["dose"])]
        if any(all(abs(dose / known - 1) > ROUNDING for known in (phase.dose, phase.per_fraction, total)) for dose in told):
            return False
    return True


def parse_regimen(text: str) -> Regimen | None:
    """The regimen of a text; None where any of its phases cannot be read."""
    plainly = plain(text)
    is_rbe = RBE.search(plainly) is not None
    plainly = RBE.sub(lambda found: " " + (found["c"] or found["d"] or "") + "gy", plainly)
    phases: list[Phase] = []
    pieces: list[str] = []
    for piece in filter(None, PHASES.split(plainly)):
        if not re.search(r"\d\s*c?gy", piece):
            continue
        phase = phase_of(SAID_AGAIN.sub("", piece)) or phase_of(piece)
        if phase is None:
            return None
        phases.append(phase)
        pieces.append(piece)
    total = sum(phase.dose for phase in phases)
    if len(phases) > 1 and INTENDED.search(plainly):
        return None
    if not phases or not all(_agrees(piece, phase, total) for piece, phase in zip(pieces, phases, strict=True)):
        return None
    return Regimen(tuple(phases), bool(BID.search(plainly)), is_rbe, modality_of(text))


def same_dose(first: Regimen, second: Regimen) -> bool:
    """The same total dose within the tolerance, in as many fractions."""
    return abs(first.dose - second.dose) <= DOSE_TOLERANCE and first.fractions == second.fractions


def same_record(first: Regimen, second: Regimen) -> bool:
    """Phase by phase the same dose and fractions, the same schedule, and no other modality where both name one."""
    return (
        len(first.phases) == len(second.phases)
        and all(abs(a.dose - b.dose) <= DOSE_TOLERANCE and a.fractions == b.fractions for a, b in zip(first.phases, second.phases))
        and first.is_twice_daily == second.is_twice_daily
        and (first.modality is None or second.modality is None or first.modality == second.modality)
    )
