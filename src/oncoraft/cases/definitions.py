"""The label definitions: what each changes in the rule `strict`, and the windows that the published rule uses.

The sensitivity grid varies one thing at a time: the window (60, 90, 120, 180 days), what an Indeterminate read means (nothing,
progression, no progression, or drawn by its probability), whether the first or any scan decides, whether death before a scan is
progression or leaves the case out, whether a new regimen before any scan counts as progression, and whether sites are compared
only where the scan could show them.
"""

from __future__ import annotations

from typing import Literal, NamedTuple


class Definition(NamedTuple):
    """One variant of the strict rule. `window_days` None: as configured, by drug class."""

    name: str
    window_days: int | None = None
    indeterminate: Literal["exclude", "progression", "none", "drawn"] = "exclude"
    scans: Literal["first", "any"] = "first"
    death: Literal["progression", "exclude"] = "progression"
    switch: Literal["ignore", "progression"] = "ignore"
    in_view: bool = False  # compare only sites that the scan could show, and let no scan decide that could show none of them
    target: Literal["response", "disease_control"] = "response"


STRICT_DEFINITIONS = (
    Definition("strict"),
    Definition("disease_control", target="disease_control"),
    Definition("strict_60", window_days=60),
    Definition("strict_90", window_days=90),
    Definition("strict_120", window_days=120),
    Definition("strict_180", window_days=180),
    Definition("strict_indeterminate_progression", indeterminate="progression"),
    Definition("strict_indeterminate_none", indeterminate="none"),
    Definition("strict_indeterminate_drawn", indeterminate="drawn"),
    Definition("strict_any_scan", scans="any"),
    Definition("strict_death_excluded", death="exclude"),
    Definition("strict_switch_progression", switch="progression"),
    Definition("strict_in_view", in_view=True),
)
PUBLISHED = "oncoraft"
PUBLISHED_DAYS, PUBLISHED_LONG_DAYS = 56, 84
PUBLISHED_LONG_CLASSES = ("Hormone", "Immuno", "Investigational")
SCORES = {"CR": 1.0, "PR": 0.7, "SD": 0.3, "PD": 0.0}
