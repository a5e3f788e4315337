"""Verifiers on text that a model sampled, against a plain reader's rules: the figures of docs/verifiers.md, and not below what they were."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest

from oncoraft.knowledge.biomarkers import biomarkers
from oncoraft.knowledge.drugs import drugs
from oncoraft.rationales.teacher_template import compose
from oncoraft.verifiers.combine import verify
from oncoraft.verifiers.record import Record
from tests.verifiers.plain_reading import (
    conclusion,
    drugs_of,
    is_as_sure,
    is_broken,
    is_muddled,
    sampled,
    sentences_of,
    untrue,
)

PAGE = Path(__file__).parents[2] / "docs/verifiers.md"
WRONG = ("contradicted", "unsupported")


class Counts(NamedTuple):
    """What was judged, what a plain reader finds at fault, what the verifier does, and both."""

    judged: int
    at_fault: int
    found: int
    both: int

    @property
    def precision(self) -> float:
        return self.both / self.found

    @property
    def recall(self) -> float:
        return self.both / self.at_fault


def counted(pairs: list[tuple[bool, bool]]) -> Counts:
    return Counts(len(pairs), sum(a for a, _ in pairs), sum(b for _, b in pairs), sum(a and b for a, b in pairs))


def teachers_words(rows: list[dict]) -> set[str]:
    """Every word of the prompts, of the teacher's sentences on them, and of how drugs work."""
    prompts = {row["input"] for row in rows}
    texts = [
        compose(Record.from_prompt(prompt), score, seed)
        for prompt in prompts
        for score in (0.0, 0.3, 0.7, 1.0)
        for seed in range(0, 1000, 83)
    ]
    known = [drug.mechanism for drug in drugs().values()] + [*drugs()] + [row.statement for row in biomarkers()]
    known.append("the tumour was treated elsewhere before; the second, third, fourth, fifth, sixth, seventh, eighth line")
    return set(re.findall(r"[a-z]+", " ".join([*prompts, *texts, *known]).lower()))


@pytest.fixture(scope="module")
def table() -> dict[str, Counts]:
    rows = sampled()
    known, words = drugs_of([row["said"] for row in rows]), teachers_words(rows)
    found: dict[str, list[tuple[bool, bool]]] = {"factual": [], "consistency": [], "uncertainty": [], "form": []}
    for row in rows:
        text, score = row["text"], row["score"]
        verdicts = verify(text, Record.from_prompt(row["input"]), score).verdicts
        for start, end in sentences_of(text):
            flagged = any(one.outcome in WRONG and start <= one.span.start < end for one in verdicts["factual"].findings)
            found["factual"].append((bool(untrue(text[start:end], row["said"], known)), flagged))
        scores = conclusion(text)
        wrong_side = scores is None or ((sum(scores) > 1) != (score >= 0.5) and abs(score - 0.5) >= 0.1)
        found["consistency"].append((wrong_side or is_muddled(text), verdicts["consistency"].score < 1))
        found["uncertainty"].append((scores is None or not is_as_sure(scores, score), verdicts["uncertainty"].score < 0.5))
        found["form"].append((scores is None or is_broken(text, words), verdicts["form"].score < 1))
    return {name: counted(pairs) for name, pairs in found.items()}


def test_the_set_is_large_and_holds_both_good_and_bad(table: dict[str, Counts]) -> None:
    assert len(sampled()) == 340
    assert all(0 < counts.at_fault < counts.judged / 2 for counts in table.values())


@pytest.mark.parametrize(
    ("name", "precision", "recall"),
    [("factual", 0.93, 0.98), ("consistency", 0.74, 0.72), ("uncertainty", 0.95, 0.85), ("form", 0.85, 0.48)],
)
def test_precision_and_recall_are_not_below_what_they_were(table: dict[str, Counts], name: str, precision: float, recall: float) -> None:
    assert table[name].precision >= precision
    assert table[name].recall >= recall


def test_the_page_tells_these_figures(table: dict[str, Counts]) -> None:
    text = PAGE.read_text(encoding="utf-8")
    for name, counts in table.items():
        row = f"| {counts.judged:,} | {counts.at_fault} | {counts.found} | {counts.precision:.3f} | {counts.recall:.3f} |"
        assert re.search(rf"\| `{name}` \|[^|]*{re.escape(row)}", text), f"{name}: expected {row} in docs/verifiers.md"
