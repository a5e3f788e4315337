"""Ids that are looked up among those that stand near say what a look-up among all says."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as parquet
from hypothesis import given
from hypothesis import strategies as st

from oncoraft.cohort.cells import kinds
from oncoraft.cohort.identifiers import Identifiers
from oncoraft.foundation.ranges import write_ranges

WORDS = st.none() | st.sampled_from(["P-1", "P-10", "P-2", "p-1", "", "é", "\uffff", "\U00010000"]) | st.text(max_size=3)


@given(st.lists(WORDS, max_size=12), st.lists(WORDS, max_size=12))
def test_each_text_is_found_where_its_first_equal_stands(ids: list[str | None], texts: list[str | None]) -> None:
    found = Identifiers(pa.array(ids, pa.string()))
    expected = [ids.index(text) if text is not None and text in ids else -1 for text in texts]
    asked = pa.array(texts, pa.string())
    assert found.places(asked).tolist() == expected
    assert found.lacks(asked).tolist() == [place < 0 for place in expected]


def test_ids_and_numbers_have_statistics_and_other_text_has_none(tmp_path):
    rows = pa.table({"sample_id": ["S-1", "S-2"], "gene": ["TP53", "KRAS"], "call": [2.0, None]})
    write_ranges(tmp_path / "cna.parquet", [rows], store_schema=False, kinds=kinds("cna"))
    group = parquet.ParquetFile(tmp_path / "cna.parquet").metadata.row_group(0)
    identifier, gene, call = (group.column(place).statistics for place in range(3))
    assert (identifier.min, identifier.max, call.null_count) == ("S-1", "S-2", 1)
    assert gene is None or not gene.has_min_max
