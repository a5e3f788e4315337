"""Follow-up of an endpoint from the chosen day: what is analysed, from when on each case is under observation, and what falls out.

A case exists from its index date on (before, nobody knew its regimen or score), and a patient is in the cohort from the first sequencing on.
So a case comes under observation at the later of the two, whatever day time is counted from: from the index date entry is max(0, -index_day),
from the first sequencing max(0, index_day), from the diagnosis the later of the two less the day of diagnosis. To count the time before
would be to count days on which nobody in the table could have died (immortal time).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

CODES = {"overall_survival": "os", "progression_free_survival": "rwpfs", "time_to_next_treatment": "ttnt"}


class Observed(NamedTuple):
    """Cases under observation with entry_days, exit_days and event; and how many cases are not, by reason."""

    frame: pd.DataFrame
    left_out: dict[str, int]


def observe(frame: pd.DataFrame, followup: pd.DataFrame, anchor: str) -> Observed:
    """Cases with their follow-up, counted from the anchor.

    Args:
        frame: cases with case_id and index_day; with diagnosis_day where that is the anchor.
        followup: case_id, entry_days, exit_days and event of one endpoint, in days from the index date.
        anchor: `index`, `diagnosis` or `sequencing` (day 0).
    """
    joined = frame.merge(followup, on="case_id", validate="one_to_one")
    index = joined["index_day"].to_numpy(float)
    day = {"index": index, "sequencing": np.zeros(len(joined))}.get(anchor)
    day = joined["diagnosis_day"].to_numpy(float, na_value=np.nan) if day is None else day
    entry = np.maximum(joined["entry_days"].to_numpy(float) + index - day, 0.0)
    leave = joined["exit_days"].to_numpy(float) + index - day
    known, seen = ~np.isnan(day), entry < leave
    left_out = {
        "cases_without_follow_up": len(frame) - len(joined),
        "cases_without_anchor": int(np.sum(~known)),
        "cases_over_before_anchor": int(np.sum(known & ~seen)),
    }
    return Observed(joined.assign(entry_days=entry, exit_days=leave)[known & seen], left_out)


def at_landmark(group: pd.DataFrame, days: int) -> tuple[pd.DataFrame, int]:
    """Cases that are event-free and followed beyond a landmark, with time counted from it; and how many are not.

    Args:
        group: cases with follow-up from the index date. Who comes under observation after the landmark enters then.
        days: from the index date.
    """
    beyond = group["exit_days"] > days
    kept = group[beyond]
    moved = kept.assign(entry_days=np.maximum(kept["entry_days"] - days, 0.0), exit_days=kept["exit_days"] - days)
    return moved, int(np.sum(~beyond))
