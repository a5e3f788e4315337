"""The offline teacher: for and against, from the biomarker table, the drug table and the case's own record.

The side that agrees with the label comes last and decides the conclusion (as published, the teacher sees the label); without the label
the weight of the arguments decides. Wording, order and number of the arguments vary with a seed that is derived from the case.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from oncoraft.foundation.stable import stable_seed
from oncoraft.knowledge.biomarkers import rows_of_markers, statements
from oncoraft.knowledge.drugs import drugs
from oncoraft.rationales.teacher import Lesson
from oncoraft.verifiers.attributes import ORDINALS
from oncoraft.verifiers.record import Record
from oncoraft.verifiers.vocabulary import drug_of

MOST_ARGUMENTS = 3  # on a side
PROTEIN_CHANGE = re.compile(r"\d")
FOR = ("In favour, {}.", "Speaking for it, {}.", "{}, which favours a benefit.", "On the side of a benefit, {}.")
AGAINST = ("Against it, {}.", "On the other side, {}.", "{}, which weighs against a benefit.", "Speaking against it, {}.")
# (for a benefit, certain) -> closings; certain where the score is further than 0.35 from 0.5.
CLOSINGS = {
    (True, True): ("Overall a benefit is very likely.", "On balance this treatment is very likely to help."),
    (True, False): ("Overall a benefit is likely.", "On balance this treatment may well help."),
    (False, True): ("Overall a benefit is very unlikely.", "On balance this treatment is very unlikely to help."),
    (False, False): ("Overall a benefit is rather unlikely.", "On balance this treatment is unlikely to help."),
}
# Of the labels' scores 1.0 and 0.0 lie beyond it, 0.7 and 0.3 within.
CERTAIN_FROM = 0.35
MARKER_WORDS = {
    ("msi", "instable"): "microsatellite instability",
    ("msi", "stable"): "a microsatellite stable tumour",
    ("mmr", "deficient"): "deficient mismatch repair",
    ("mmr", "intact"): "intact mismatch repair",
    ("tmb", "high"): "a high mutational burden",
    ("tmb", "low"): "a low mutational burden",
    ("tmb", "very low"): "a very low mutational burden",
    ("pdl1", "positive"): "positive PD-L1",
    ("pdl1", "negative"): "negative PD-L1",
    ("her2", "positive"): "positive HER2",
    ("her2", "negative"): "negative HER2",
    ("hormone_receptor", "positive"): "hormone receptor positive disease",
    ("hormone_receptor", "negative"): "hormone receptor negative disease",
}
POOR_SITES = {"liver": "liver disease is a poor sign", "brain": "brain disease is a poor sign"}
SILENT_MECHANISMS = ("not disclosed", "given for another condition")


class Argument(NamedTuple):
    """A clause that speaks for or against, and how much it weighs beside others."""

    text: str
    favours: bool
    weight: int


class TemplateTeacher:
    """Composes rationales; `plain` is the last resort of every teacher."""

    name = "template"
    instruction = ""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def propose(self, lessons: Sequence[Lesson], attempt: int) -> dict[str, str | None]:
        """A rationale of each case; another attempt is another wording."""
        return {lesson.case_id: compose(lesson.record, lesson.score, stable_seed(self.seed, lesson.case_id, attempt)) for lesson in lessons}

    def plain(self, lesson: Lesson) -> str:
        """The plainest rationale: what is given to whom, one argument, the conclusion."""
        return plain(lesson.record, lesson.score)


def compose(record: Record, score: float | None, seed: int) -> str:
    """Two to four sentences: how a drug works, both sides, the conclusion.

    Args:
        record: what stands in the prompt.
        score: the label's score, or None if the teacher does not see it.
        seed: picks order and wording.
    """
    found = list(arguments(record))
    favours, certain = side(found, score)
    sides = {}
    for which in (True, False):
        mine = sorted((argument for argument in found if argument.favours == which), key=lambda argument: -argument.weight)
        most = MOST_ARGUMENTS if which == favours else MOST_ARGUMENTS - 1 + seed % 2
        sides[which] = [argument.text for argument in mine[:most]] or [stand_in(record, which, favours)]
        # Each choice reads other digits of the seed, so that they vary apart.
        if seed // 2 % 3 == 0:
            sides[which].reverse()
    texts = {
        True: sentence(FOR[seed // 6 % len(FOR)], sides[True]),
        False: sentence(AGAINST[seed // 24 % len(AGAINST)], sides[False]),
    }
    # Where the record argues little, patient and drugs are named first: a rationale speaks of its case.
    opening = (mechanism(record, seed // 96) if len(found) >= 2 else "") or setting(record)
    return " ".join([opening, texts[not favours], texts[favours], CLOSINGS[favours, certain][seed // 480 % 2]])


def side(found: Iterable[Argument], score: float | None) -> tuple[bool, bool]:
    """Which side the conclusion takes, and whether it is certain; from the label's score, else from the arguments."""
    if score is not None:
        return score >= 0.5, abs(score - 0.5) > CERTAIN_FROM
    balance = sum(argument.weight if argument.favours else -argument.weight for argument in found)
    return balance > 0, False


def plain(record: Record, score: float | None) -> str:
    """What is given to whom, the strongest argument of the side taken, the conclusion."""
    found = list(arguments(record))
    favours, certain = side(found, score)
    mine = sorted((argument for argument in found if argument.favours == favours), key=lambda argument: -argument.weight)
    reason = mine[0].text if mine else stand_in(record, favours, favours)
    template = (FOR if favours else AGAINST)[0]
    return f"{setting(record)} {sentence(template, [reason])} {CLOSINGS[favours, certain][0]}"


def agent_name(agent: str) -> str:
    """An agent as prose names it; trial drugs are masked in the source."""
    return "an investigational agent" if agent == "INVESTIGATIONAL" else agent.lower()


def setting(record: Record) -> str:
    """What is given to whom, in which line."""
    names = listed([agent_name(agent) for agent in sorted(record.given)[:3]]) or "the treatment"
    line, cancer = line_words(record), record.first("cancer")
    return f"{capital(names)} is planned{f' as {line}' if line else ''}{f' for {cancer} cancer' if cancer else ''}."


def line_words(record: Record) -> str:
    """The line as prose says it: of its setting where that is told; the first of all only where nothing came before."""
    if record.line is None:
        return ""
    if told := record.first("setting"):
        ordinal = next((word for word, place in ORDINALS.items() if place == str(record.line)), "")
        return f"the {ordinal} line of {told} treatment" if ordinal else ""
    return f"line {record.line}" if record.line > 1 or record.was_treated is False else ""


def arguments(record: Record) -> Iterator[Argument]:
    """Everything in the record that speaks for or against the drugs given."""
    yield from _biomarkers(record)
    yield from _clinical(record)
    yield from _history(record)


def _biomarkers(record: Record) -> Iterator[Argument]:
    known = sorted(record.alterations.keys() & rows_of_markers().keys())
    states = [(gene, state, phrase(gene, state)) for gene in known for state in sorted(record.alterations[gene])]
    states += [(name, value, words) for (name, value), words in MARKER_WORDS.items() if record.first(name) == value]
    given = sorted(record.given)
    said = set()  # one finding a kind of argument: two that "offer pembrolizumab few targets" tell no more than one
    for marker, state, words in states:
        for agent in given:
            for row in statements(marker, state, agent):
                if row.statement in said:
                    continue
                said.add(row.statement)
                yield Argument(row.statement.format(finding=words, drug=agent.lower()), row.favours, 3)
    for change in sorted(record.alterations.get("TP53", ())):
        yield Argument(f"{phrase('TP53', change)} marks aggressive disease", False, 1)


def phrase(gene: str, state: str) -> str:
    """An alteration as prose names it."""
    return f"{'an' if gene[0] in 'AEIO' else 'a'} {gene} {state}" if state in ("fusion", "rearrangement") else f"{gene} {state}"


def _clinical(record: Record) -> Iterator[Argument]:
    ecog = record.first("ecog")
    if ecog == "0":
        yield Argument("ECOG 0 promises good tolerance", True, 2)
    elif ecog == "1":
        yield Argument("ECOG 1 allows full treatment", True, 1)
    elif ecog:
        yield Argument(f"ECOG {ecog} limits what can be given", False, 2)
    for site in dict.fromkeys(record.values.get("site", [])):
        if site in POOR_SITES:
            yield Argument(POOR_SITES[site], False, 2)
    progression = record.first("progression")
    if progression == "yes":
        yield Argument("the disease progressed on the last imaging", False, 2)
    elif progression == "no":
        yield Argument("no progression was seen on the last imaging", True, 2)
    for name, trends in record.values.items():
        if name.startswith("marker:") and trends and trends[0] in ("rising", "falling"):
            yield Argument(f"{marker_name(name)} is {trends[0]}", trends[0] == "falling", 2)
    if "4" in (value.rstrip("abc") for value in record.values.get("stage", [])):
        yield Argument("stage 4 disease is hard to clear", False, 1)


def marker_name(name: str) -> str:
    """`marker:ca15-3` -> CA 15-3."""
    return re.sub(r"^CA(\d)", r"CA \1", name.removeprefix("marker:").upper())


def _history(record: Record) -> Iterator[Argument]:
    line, told = record.line, record.first("setting")
    if line == 1 and record.was_treated is False:
        yield Argument("this is the first line of treatment", True, 2)
    elif line == 1 and told:
        yield Argument(f"this is the first line of {told} treatment", True, 1)
    elif line is not None and line >= 3:
        yield Argument(f"line {line} meets a pretreated tumour", False, 2)
    if "yes" in record.values.get("elsewhere", []):
        yield Argument("the tumour was treated elsewhere before", False, 1)
    classes = {drug.drug_class for drug in map(drug_of, record.given) if drug}
    for agent in sorted(record.prior - record.given):
        drug = drug_of(agent)
        if drug and drug.drug_class in classes and not drug.supportive:
            yield Argument(f"earlier {agent.lower()} was of the same class", False, 2)


def mechanism(record: Record, seed: int) -> str:
    """A sentence on how one of the drugs works, empty if the table does not tell; the seed picks the drug."""
    known = [
        (agent, drug.mechanism.split(";")[0].rstrip("."))
        for agent, drug in ((agent, drugs().get(agent)) for agent in sorted(record.given))
        if drug and drug.mechanism and not drug.mechanism.lower().startswith(SILENT_MECHANISMS) and not drug.supportive
    ]
    if not known:
        return ""
    agent, how = known[seed % len(known)]
    return f"{capital(agent.lower())} {how[0].lower()}{how[1:]}."


def stand_in(record: Record, which: bool, favours: bool) -> str:
    """What is said on a side for which the record gives no argument."""
    if which != favours:
        return "the record holds little"
    if not favours:
        return "the record holds no finding that predicts a benefit"
    return f"{agent_name(min(record.given, default='the treatment'))} can work without a marker"


def sentence(template: str, parts: list[str]) -> str:
    """Arguments in a sentence frame, capital first."""
    return capital(template.format(listed(parts)))


def listed(parts: list[str]) -> str:
    """a; a and b; a, b and c."""
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1] if parts else ""


def capital(text: str) -> str:
    """First letter upper case, the rest as it is."""
    return text[:1].upper() + text[1:]
