"""The label definitions: what each changes in the rule `strict`, and the windows that the published rule uses.

The sensitivity grid varies one thing at a time: the window (60, 90, 120, 180 days), what an Indeterminate read means (nothing,
progression, no progression, or drawn by its probability), whether the first or any scan decides, whether death before a scan is
progression or leaves the case out, whether a new regimen before any scan counts as progression, what local treatment before the
deciding scan does, and whether reports are taken as they are or held against the regions that they cover and the sites that they name.
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
    local: Literal["flag", "exclude", "censor"] = "flag"
    as_reported: bool = False  # "no cancer" holds against sites named that day, and a site not named is gone wherever the scan looked
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
    Definition("strict_local_excluded", local="exclude"),
    Definition("strict_local_censored", local="censor"),
    Definition("strict_as_reported", as_reported=True),
)
PUBLISHED = "oncoraft"
PUBLISHED_DAYS, PUBLISHED_LONG_DAYS = 56, 84
PUBLISHED_LONG_CLASSES = ("Hormone", "Immuno", "Investigational")
SCORES = {"CR": 1.0, "PR": 0.7, "SD": 0.3, "PD": 0.0}
KINDS = ("PD", "CR", "PR", "SD", "NED", "NE")  # categories; behind progression the best first
