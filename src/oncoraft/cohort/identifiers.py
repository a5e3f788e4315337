"""Ids that are looked up part after part of a large file: sorted once, so that no look-up costs more for all that it does not ask for."""

from __future__ import annotations

from bisect import bisect_left, bisect_right

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


class Identifiers:
    """Ids of patients or of specimens, and where each stands."""

    def __init__(self, ids: pa.StringArray) -> None:
        self.ids = ids
        self.order = pc.sort_indices(ids)[: len(ids) - ids.null_count]  # nulls come last, and are nobody's id
        self.ordered = ids.take(self.order)

    def places(self, texts: pa.StringArray) -> np.ndarray:
        """Where each text stands among the ids, the first place if several; -1: nowhere."""
        least, most = pc.min_max(texts).as_py().values()
        if least is None:
            return np.full(len(texts), -1, dtype=np.int64)
        # Arrow makes a hash table of all that it is to look among, with each call; rows mostly stand by patient, so that few are near.
        # Python compares texts by code points, Arrow by bytes of UTF-8: both are of one order.
        start = bisect_left(self.ordered, least, key=_text)
        near = self.ordered[start : bisect_right(self.ordered, most, lo=start, key=_text)]
        found = pc.index_in(texts, value_set=near, skip_nulls=True)
        at = found.fill_null(0).to_numpy() + start
        is_known = found.is_valid().to_numpy(zero_copy_only=False)
        places = np.full(len(texts), -1, dtype=np.int64)
        places[is_known] = self.order.to_numpy()[at[is_known]]
        return places

    def lacks(self, texts: pa.StringArray) -> np.ndarray:
        """Which texts are none of the ids."""
        return self.places(texts) < 0


def _text(scalar: pa.StringScalar) -> str:
    text: str = scalar.as_py()
    return text
