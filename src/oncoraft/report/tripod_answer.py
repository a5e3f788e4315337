"""What a run answers to an item of a checklist."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    """An answer and where it stands.

    Args:
        text: what the run says; None where it says nothing.
        page: the place on the page, as a link within it.
        file: the file below the results that holds it.
        is_partial: the item asks for more than a run can know.
        is_unknown: the text says why there is nothing to report.
    """

    text: str | None
    page: str = ""
    file: str = ""
    is_partial: bool = False
    is_unknown: bool = False

    @property
    def is_absent(self) -> bool:
        """Whether the item counts as not reported."""
        return not self.text or self.is_unknown
