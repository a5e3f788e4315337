"""How answers are measured beside the right ones: text, overlap of words, classes, codes.

An answer that cannot be read is wrong and stays in every denominator.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import precision_recall_fscore_support

UNREAD = "(not read)"  # of the answers that name no class; never a class of the truth
ROUGE = ("rouge1", "rouge2", "rougeL")


def normalised(text: str) -> str:
    """Text as it is compared: lower case, one space between words, no mark at its ends."""
    return re.sub(r"\s+", " ", text).strip(" .,;:!?\"'`").lower()


def rouge(truth: Sequence[str], answers: Sequence[str]) -> dict[str, np.ndarray]:
    """F1 of ROUGE-1, ROUGE-2 and ROUGE-L (Lin 2004) of each answer, by the rouge-score library, words unstemmed.

    Args:
        truth, answers: texts, as they were written.
    """
    from rouge_score.rouge_scorer import RougeScorer  # here: it brings nltk, a second of import

    scorer = RougeScorer(list(ROUGE), use_stemmer=False)
    found = [scorer.score(right, answer) for right, answer in zip(truth, answers, strict=True)]
    return {name: np.array([one[name].fmeasure for one in found], dtype=float) for name in ROUGE}


def classes_table(truth: Sequence[str], answers: Sequence[str | None]) -> tuple[pd.DataFrame, dict[str, float]]:
    """Precision, recall and F1 of every class, and their micro and macro means.

    Args:
        truth: the class of each case.
        answers: the class that each answer names; None where it names none: wrong, and no class's false positive.

    Returns:
        a row a class of the truth (class, precision, recall, f1, support, answered), the largest first; micro means over all answers,
        macro means over the classes that the truth holds.
    """
    given = [UNREAD if answer is None else answer for answer in answers]
    present = sorted(set(truth))
    named = sorted({*present, *given} - {UNREAD})
    how: dict[str, Any] = {"zero_division": 0.0}
    precision, recall, f1, support = precision_recall_fscore_support(truth, given, labels=present, average=None, **how)
    table = pd.DataFrame(
        {
            "class": present,
            "precision": precision,
            "recall": recall,
            "f1": f1,
            "support": np.asarray(support, dtype=int),
            "answered": [given.count(name) for name in present],
        }
    )
    means: dict[str, float] = {}
    for average, labels in (("micro", named), ("macro", present)):
        values = precision_recall_fscore_support(truth, given, labels=labels, average=average, **how)[:3]
        means |= {f"{name}_{average}": float(value) for name, value in zip(("precision", "recall", "f1"), values)}
    return table.sort_values(["support", "class"], ascending=[False, True], ignore_index=True), means


def resampled_means(values: np.ndarray, patients: Sequence[str], resamples: int, seed: int) -> np.ndarray:
    """Means over cases in resamples of whole patients, (resamples, columns).

    Args:
        values: (cases, columns), no nan.
        patients: whose case each row is.
        resamples, seed: of the bootstrap.
    """
    _, code = np.unique(np.asarray(patients, dtype=object).astype(str), return_inverse=True)
    people = int(code.max()) + 1
    size = np.bincount(code, minlength=people).astype(float)
    sums = np.stack([np.bincount(code, weights=column, minlength=people) for column in values.T], axis=1)
    drawn = np.random.default_rng(seed).multinomial(people, np.full(people, 1 / people), size=resamples).astype(float)
    return (drawn @ sums) / (drawn @ size)[:, None]


def interval(draws: np.ndarray) -> tuple[float, float]:
    """The 95 % percentile interval."""
    lower, upper = np.percentile(draws, [2.5, 97.5])
    return float(lower), float(upper)


def share_of(values: np.ndarray, law: np.ndarray, patients: Sequence[str], resamples: int, seed: int) -> tuple[float, float, float] | None:
    """What answers are worth over what the law's answers to the same cases are worth: the share, and its 95 % interval.

    Args:
        values, law: of each case on one measure, (cases,).
        patients: whose case each is; they are resampled, and both means are taken of the same resample.
        resamples, seed: of the bootstrap.

    Returns:
        None where the law is right of nothing, in the sample or in a resample: there is nothing to have a share of.
    """
    draws = resampled_means(np.stack([values, law], axis=1), patients, resamples, seed)
    if not law.mean() > 0 or not (draws[:, 1] > 0).all():
        return None
    return (float(values.mean() / law.mean()), *interval(draws[:, 0] / draws[:, 1]))
