"""The published layout of an answer: its score texts, its categories, what is read from it and how it is shown.

An answer begins `Score: 0.7`, a new line `Reasoning:`, then the rationale. The four texts stand for CR, PR, SD and PD. A probability
belongs to the nearest of the four scores, so the borders are their mid-points; one that lies on a border belongs to the better
category, as 0.5 counts as a response in the published quick start.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from oncoraft.answers import answer_text
from oncoraft.recalibration import Recalibration

SCORE_TEXTS = ("1.0", "0.7", "0.3", "0.0")  # complete response, partial response, stable disease, progression
CATEGORIES = ("CR", "PR", "SD", "PD")
BORDERS = (0.85, 0.5, 0.15)  # mid-points of neighbouring scores
RESPONDER_BORDER = 0.5
STATED = re.compile(r"(?:(\w+)[ \t]+)?\b(score)(\s*:|\s+of)\s*(\d+(?:\.\d+)?)", re.IGNORECASE)
# A clinical score that a rationale quotes ("MSI score: 0.3", "Gleason score of 9") is evidence, not the answer's own score.
CLINICAL = frozenset(
    ("msi", "mantis", "gleason", "positive", "proportion", "cps", "tps", "l1", "allred", "recurrence", "ecog", "performance", "hrd", "sum")
)
WIDTH = 80


def category_index(probability: float) -> int:
    """Place in `CATEGORIES` of a probability: 0.85 and more is 0 (CR), 0.15 and less than 0.5 is 2 (SD)."""
    return sum(probability < border for border in BORDERS)


def category(probability: float) -> str:
    """CR, PR, SD or PD: whose score is nearest."""
    return CATEGORIES[category_index(probability)]


def opening(probability: float) -> str:
    """The first lines of an answer that carries this score, as the training answers write it."""
    return answer_text(float(SCORE_TEXTS[category_index(probability)]), "")


def is_own_score(found: re.Match[str]) -> bool:
    """Whether a stated score is the answer's own: no clinical score's name stands before it, and it lies between 0 and 1."""
    return (found.group(1) or "").lower() not in CLINICAL and float(found.group(4)) <= 1


def score_in(text: str) -> float | None:
    """The first score of its own that a text states; None if it states none."""
    return next((float(found.group(4)) for found in STATED.finditer(text) if is_own_score(found)), None)


def with_score(text: str, probability: float) -> str:
    """The text with every score of its own replaced by the head's, four decimals, as published."""

    def replace(found: re.Match[str]) -> str:
        whole = found.group(0)
        return f"{whole[: found.start(4) - found.start()].rstrip()} {probability:.4f}" if is_own_score(found) else whole

    return STATED.sub(replace, text)


@dataclass(frozen=True)
class Answer:
    """What is said of one case: the score as delivered and, if asked for, the text; what the model's recalibration makes of the score."""

    probability: float
    rationale: str | None
    recalibration: Recalibration | None = None

    @property
    def recalibrated(self) -> float | None:
        """The recalibrated probability of response; None where nothing was fitted."""
        return self.recalibration.probability(self.probability) if self.recalibration else None

    @property
    def threshold(self) -> float:
        """The score from which on a response is expected: the model's own, else 0.5."""
        stored = self.recalibration.threshold if self.recalibration else None
        return RESPONDER_BORDER if stored is None else stored

    @property
    def is_response(self) -> bool:
        """Whether a response is likely: a score of the threshold or more."""
        return self.probability >= self.threshold

    def report(self) -> str:
        """The answer as people read it, in the layout of the published quick start."""
        verdict = "Likely Response (CR/PR)" if self.is_response else "Unlikely Response (SD/PD)"
        lines = ["=" * WIDTH, "ONCORAFT PREDICTION RESULTS", "=" * WIDTH, "", f"Prediction Score: {self.probability:.4f}"]
        if (told := self.recalibrated) is not None and self.recalibration is not None:
            fitted = f"fitted on {self.recalibration.cases} tuning cases; a response is expected from a score of {self.threshold:.4f} on"
            lines += [f"Recalibrated Probability: {told:.4f} ({fitted})"]
        lines += [f"Response Category: {verdict}", f"Nearest Label: {category(self.probability)}"]
        if self.rationale is not None:
            lines += ["", "Clinical Rationale:", "-" * WIDTH, self.rationale]
        return "\n".join([*lines, "=" * WIDTH])
