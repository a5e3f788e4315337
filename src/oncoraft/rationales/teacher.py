"""What every teacher is given of a case, and what it gives back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from oncoraft.verifiers.record import Record


@dataclass(frozen=True)
class Lesson:
    """A labelled case that needs a rationale.

    Args:
        case_id: of the case; never shown to a teacher.
        statements: (section, text) of its evidence, in prompt order.
        record: the same, in the language of claims.
        score: the label's score in [0, 1] if the teacher may see it, else None.
    """

    case_id: str
    statements: tuple[tuple[str, str], ...]
    record: Record
    score: float | None


class Teacher(Protocol):
    """Writes rationales; a rejected one is asked for again with the next `attempt`."""

    name: str
    instruction: str  # what it is told beside the case; a rationale may not hand it back

    def propose(self, lessons: Sequence[Lesson], attempt: int) -> dict[str, str | None]:
        """A rationale of each case by case_id; None where the teacher has none (it failed, or has no more)."""
        ...
