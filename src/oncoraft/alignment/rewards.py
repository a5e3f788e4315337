"""How good an answer is: the verifiers, a proper score of the confidence that it states, its length, and functions of the user's own.

A reward lies in [0, 1]. One that does not apply to an answer is no 0: it is left out, and the weights of the others are scaled up.
"""

from __future__ import annotations

import importlib
import math
import re
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import Any

from oncoraft.foundation.errors import InputError
from oncoraft.inference.layout import score_in
from oncoraft.planning.config import Alignment
from oncoraft.verifiers.combine import verify
from oncoraft.verifiers.direction import confidence, leans
from oncoraft.verifiers.record import Record

OPENING = re.compile(r"\A\s*(?:Score:[^\n]*\n)?\s*(?:Reasoning:[ \t]*\n)?")  # the published layout of an answer, up to its rationale
GATE_FLOOR = 0.1  # of the mean is left where a gate stands at 0, so that among formless answers the better one still is
Own = Callable[..., float | None]


@dataclass(frozen=True)
class Answered:
    """An answer and all that its rewards may look at.

    Args:
        text: as it was written: the rationale, after the line of the score where no head gave it.
        prompt: the `input` of the prompt.
        instruction: what stands before it.
        score: of the score head, in [0, 1]; None for a strategy without one.
        responder: the label; None for a held-out text that is only described.
        is_ended: whether the answer came to its end before the longest length.
    """

    text: str
    prompt: str
    instruction: str
    score: float | None
    responder: bool | None
    is_ended: bool


@dataclass(frozen=True)
class Judged:
    """Rewards by name (None: does not apply), and their weighted mean; None where none applies."""

    parts: dict[str, float | None]
    total: float | None


class Rewards:
    """The rewards of a configuration.

    Raises:
        InputError: a function of the user's own that cannot be imported.
    """

    def __init__(self, settings: Alignment) -> None:
        self.weights: dict[str, float] = {name: weight for name, weight in settings.rewards.items() if weight > 0}
        self.gates: dict[str, float] = {name: least for name, least in settings.gates.items() if least > 0}
        self.own: dict[str, Own] = {}
        for name, reward in settings.own_rewards.items():
            self.own[name] = imported(name, reward.function)
            self.weights[name] = reward.weight
        self._records: dict[str, Record] = {}

    def judge(self, answer: Answered) -> Judged:
        """Every reward of an answer.

        Raises:
            InputError: a function of the user's own fails, or returns something else than a number in [0, 1] or None.
        """
        stated = answer.score if answer.score is not None else score_in(answer.text)
        rationale = OPENING.sub("", answer.text, count=1)
        verdicts = verify(rationale, self._record(answer.prompt), stated, instruction=answer.instruction).verdicts
        parts: dict[str, float | None] = {name: verdict.score for name, verdict in verdicts.items()}
        parts["calibration"] = None if answer.responder is None else calibration(answer.text, answer.responder)
        parts["length"] = float(answer.is_ended)
        for name, function in self.own.items():
            parts[name] = checked(name, asked(name, function, answer))
        return Judged(parts, combined(parts, self.weights, self.gates))

    def _record(self, prompt: str) -> Record:
        if prompt not in self._records:
            if len(self._records) >= 4096:
                self._records.clear()
            self._records[prompt] = Record.from_prompt(prompt)
        return self._records[prompt]


def combined(parts: dict[str, float | None], weights: dict[str, float], gates: dict[str, float] | None = None) -> float | None:
    """Weighted mean of the rewards that apply, shrunk where a gate is missed; None where none with a weight applies.

    Args:
        parts: rewards by name; None: does not apply.
        weights: by name; a reward without one weighs nothing.
        gates: least score by name.
    """
    applying = {name: value for name, value in parts.items() if value is not None and weights.get(name, 0.0) > 0}
    total = sum(weights[name] for name in applying)
    if not total:
        return None
    mean = sum(weights[name] * value for name, value in applying.items()) / total
    for name, least in (gates or {}).items():
        if (value := parts.get(name)) is not None and value < least:
            mean *= GATE_FLOOR + (1 - GATE_FLOOR) * value / least
    return mean


def stated_probability(text: str) -> float:
    """The probability of response that an answer stands for: the score that it states, or what the words of its conclusion say.

    Words: 0.5 plus or minus half their confidence, on the side that is concluded; 0.5 where nothing is concluded, or both.
    """
    if (score := score_in(text)) is not None:
        return score
    concluding = [part for part in leans(text) if part.is_conclusion and part.sign]
    signs = {part.sign for part in concluding}
    if len(signs) != 1:
        return 0.5
    said, _ = confidence(text, [part.span for part in concluding])
    return 0.5 + 0.5 * signs.pop() * said


def calibration(text: str, responder: bool) -> float:
    """1 less the squared error of the stated probability (Brier 1950): in the mean, nothing pays but to say what one believes."""
    return 1.0 - (stated_probability(text) - float(responder)) ** 2


def imported(name: str, place: str) -> Own:
    """The function at `module:function`.

    Raises:
        InputError: there is none.
    """
    module, _, function = place.partition(":")
    key = f"alignment.own_rewards.{name}.function"
    try:
        found: Any = getattr(importlib.import_module(module), function)
    except Exception as error:  # whatever a module of the user's own does while it is imported
        raise InputError(f"{key}: expected a function that can be imported ({type(error).__name__}: {error})", found=place) from None
    if not callable(found):
        raise InputError(f"{key}: expected a function", found=place)
    return found


def asked(name: str, function: Own, answer: Answered) -> Any:
    """What a function of the user's own says of an answer.

    Raises:
        InputError: it fails; says where, by file and line.
    """
    try:
        return function(text=answer.text, prompt=answer.prompt, score=answer.score, responder=answer.responder)
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        told = f"alignment.own_rewards.{name}: expected a reward from its function, which failed ({type(error).__name__}: {error})"
        raise InputError(told, file=where.filename, line=where.lineno) from None


def checked(name: str, value: Any) -> float | None:
    """What a function of the user's own returned, if it is a reward.

    Raises:
        InputError: it is neither None nor a number in [0, 1].
    """
    if value is None:
        return None
    # Real: numpy's own numbers too, whatever their width.
    number = float(value) if isinstance(value, Real) else math.nan
    if 0 <= number <= 1:
        return number
    raise InputError(f"alignment.own_rewards.{name}: expected a number in [0, 1] or None from its function", found=str(value)[:80])
