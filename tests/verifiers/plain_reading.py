"""What a plain reader with the prompt beside the text says of it: rules of their own, which share no code and no word list with the verifiers.

The texts are samples of the demo's tiny model at temperature 1 (`data/sampled.jsonl`: prompts of invented patients, the head's score, two
texts each). The model writes its teacher's sentences, well or badly, so that a fixed list of these sentences reads all of them.
"""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

SAMPLED = Path(__file__).parent / "data/sampled.jsonl"
Statements = dict[str, list[str]]

CHANGE = re.compile(r"\b([A-Z][A-Z0-9]{1,7}) ([A-Z*]\d+[\w*>]*)")
COPIES = re.compile(r"\b([A-Z][A-Z0-9]{1,7}) (amplification|deletion)")
FUSION = re.compile(r"\b([A-Z][A-Z0-9-]{1,14}) (fusion|rearrangement)")
TREND = re.compile(r"\b(CEA|PSA|CA 15-3|CA 19-9) is (rising|falling)")
EARLIER = re.compile(r"\bearlier ((?:[a-z0-9-]+ )+?)was of the same class")
ORDINALS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8}
# Phrase of the text -> statement of the prompt that bears it out.
PHRASES = {
    "the disease progressed on the last imaging": "progression yes",
    "no progression was seen on the last imaging": "progression no",
    "liver disease is a poor sign": "liver disease",
    "brain disease is a poor sign": "cns/brain disease",
    "stage 4 disease": "stage 4",
    "microsatellite instability": "msi instable",
    "microsatellite stable tumour": "msi stable",
    "deficient mismatch repair": "mismatch repair deficient",
    "intact mismatch repair": "mismatch repair intact",
    "positive pd-l1": "pd-l1 positive",
    "negative pd-l1": "pd-l1 negative",
    "positive her2": "her2 positive",
    "negative her2": "her2 negative",
    "hormone receptor positive disease": "hormone receptor positive",
    "hormone receptor negative disease": "hormone receptor negative",
    "a high mutational burden": "tmb high",
    "a low mutational burden": "tmb low",
    "a very low mutational burden": "tmb very low",
}
# Words of the last sentence, and the scores that a reader lets them stand for.
CONCLUSIONS = (
    ("very unlikely", (0.0, 0.25)),
    ("rather unlikely", (0.1, 0.5)),
    ("unlikely", (0.05, 0.4)),
    ("very likely", (0.75, 1.0)),
    ("may well help", (0.5, 0.9)),
    ("likely", (0.6, 0.95)),
)
SENTENCE_ENDS = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")


def statements(prompt: str) -> Statements:
    """Heading of each line -> its statements, lower case."""
    lines = (line.split(": ", 1) for line in prompt.splitlines() if ": " in line)
    return {heading: [statement.lower() for statement in rest.split("; ")] for heading, rest in lines}


def drugs_of(cohort: list[Statements]) -> set[str]:
    """Every drug that some prompt of the set names."""
    found = set()
    for said in cohort:
        found |= {statement.split(" (")[0] for statement in said["Drugs"] if " (" in statement}
        found |= {statement.removeprefix("earlier ") for statement in said.get("Prior treatment", []) if statement.startswith("earlier ")}
    return found - {"investigational"}


def untrue(text: str, said: Statements, drugs: set[str]) -> list[str]:
    """What the text says of its case and the prompt does not."""
    low, known = text.lower(), [statement for group in said.values() for statement in group]
    found = [f"{gene} {change}" for gene, change in CHANGE.findall(text) if f"{gene} {change}".lower() not in known]
    found += [f"{gene} {what}" for gene, what in COPIES.findall(text) if f"{gene} {what}".lower() not in known]
    found += [name for name, _ in FUSION.findall(text) if not any("fusion" in one and name.lower() in one for one in known)]
    found += [phrase for phrase, statement in PHRASES.items() if re.search(rf"(?<!very ){phrase}", low) and statement not in known]
    found += [f"ECOG {grade}" for grade in re.findall(r"\bECOG (\d)", text) if f"ecog {grade}" not in known]
    found += [f"{who} {trend}" for who, trend in TREND.findall(text) if f"{who.lower()} {trend}" not in known]
    found += [f"line {line}" for line in re.findall(r"\b[Ll]ine (\d+)", text) if f"line {line}" not in known]
    found += [f"{word} line" for word in re.findall(r"\bthe (\w+) line\b", low) if f"line {ORDINALS.get(word)}" not in known]
    found += [f"{word} treatment" for word in re.findall(r"\b(adjuvant|neoadjuvant|metastatic) treatment", low) if word not in known]
    found += [
        f"{word} cancer" for word in re.findall(r"\b(breast|lung|prostate|colorectal|pancreatic) cancer", low) if not has_cancer(word, said)
    ]
    if "treated elsewhere before" in low:  # no prompt of the set tells of treatment elsewhere
        found.append("treated elsewhere")
    found += [name for name in EARLIER.findall(text) if f"earlier {name.strip()}" not in known]
    return found + [name for name in drugs if misplaced(name, low, said)]


def has_cancer(word: str, said: Statements) -> bool:
    """Whether the diagnosis is a cancer of this organ."""
    return any(f"{word} cancer" in statement for statement in said["Diagnosis"])


def misplaced(drug: str, low: str, said: Statements) -> bool:
    """Whether a drug is named as given now, though it is not."""
    given = [statement.split(" (")[0] for statement in said["Drugs"]]
    # "is turned into fluorouracil": how a drug works, not what is given.
    low = low.replace("turned into fluorouracil", "")
    named = [match for match in re.finditer(rf"(?<![\w-]){re.escape(drug)}(?![\w-]| liposomal| protein-bound)", low)]
    now = [match for match in named if not low[: match.start()].endswith("earlier ")]
    return bool(now) and drug not in given


def sentences_of(text: str) -> list[tuple[int, int]]:
    """Start and end of each sentence."""
    ends = [0, *(match.end() for match in SENTENCE_ENDS.finditer(text)), len(text)]
    return list(pairwise(ends))


def conclusion(text: str) -> tuple[float, float] | None:
    """The scores that the last sentence stands for; None where it concludes nothing."""
    last = text.strip().split(". ")[-1].lower()
    return next((scores for words, scores in CONCLUSIONS if words in last), None)


FAVOURABLE = ("no progression was seen", "first line of", "allows full treatment", "promises good tolerance", "is falling")
UNFAVOURABLE = (
    "the disease progressed",
    "a poor sign",
    "hard to clear",
    "limits what can be given",
    "pretreated tumour",
    "is rising",
    "aggressive",
)
FOR = ("In favour", "Speaking for it", "On the side of a benefit")
AGAINST = ("Against it", "On the other side", "Speaking against it")


def is_muddled(text: str) -> bool:
    """Whether a finding stands on the side where it does not belong."""
    for start, end in sentences_of(text):
        said = text[start:end].strip()
        speaks_for = said.startswith(FOR) or said.endswith("which favours a benefit.")
        speaks_against = said.startswith(AGAINST) or said.endswith("which weighs against a benefit.")
        if (speaks_for and any(words in said for words in UNFAVOURABLE)) or (speaks_against and any(words in said for words in FAVOURABLE)):
            return True
    return False


def is_as_sure(scores: tuple[float, float], score: float) -> bool:
    """Whether the words stand for the score or for its mirror image: how sure, whichever side."""
    return any(scores[0] <= one <= scores[1] for one in (score, 1 - score))


def is_broken(text: str, words: set[str]) -> bool:
    """Whether a word stands in it that neither a prompt nor the teacher uses, or five words come twice over."""
    flat = re.findall(r"[a-z]+", text.lower())
    runs = [tuple(flat[place : place + 5]) for place in range(len(flat) - 4)]
    return any(len(word) > 2 and word not in words for word in flat) or len(set(runs)) < len(runs)


def sampled() -> list[dict[str, Any]]:
    """A row a text: prompt, its statements, score, text."""
    rows = [json.loads(line) for line in SAMPLED.read_text(encoding="utf-8").split("\n") if line]
    return [row | {"text": text, "said": statements(row["input"])} for row in rows for text in row["texts"]]
