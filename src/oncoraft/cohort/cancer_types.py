"""The cancer type of specimens whose table does not give one: their OncoTree code tells it."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from oncoraft.knowledge.oncotree import cancer_types

FIRST_WORDS = 5


def with_cancer_types(samples: pa.Table) -> tuple[pa.Table, list[dict[str, Any]]]:
    """Specimens with `cancer_type` filled from `oncotree_code` where it is null, and what is worth telling: how many were, and
    how many have a code that the table of codes lacks.

    Args:
        samples: typed rows of clinical_sample.
    """
    given = samples["cancer_type"].combine_chunks().cast(pa.string())
    codes = pc.utf8_upper(samples["oncotree_code"].combine_chunks().cast(pa.string()))
    known = cancer_types()
    told = pa.array(list(known.values()), pa.string()).take(
        pc.index_in(codes, value_set=pa.array(list(known), pa.string()), skip_nulls=True)
    )
    lacking = pc.and_(pc.is_null(given), pc.is_valid(codes))
    notes = []
    for what, chosen in (("told_by_oncotree", pc.is_valid(told)), ("unknown_oncotree_codes", pc.is_null(told))):
        rows = codes.filter(pc.and_(lacking, chosen))
        if len(rows):
            words = sorted(pc.unique(rows).to_pylist())[:FIRST_WORDS]
            notes.append({"table": "clinical_sample", "column": "cancer_type", "what": what, "rows": len(rows), "first_words": words})
    at = samples.schema.get_field_index("cancer_type")
    return samples.set_column(at, "cancer_type", pc.coalesce(given, told)), notes
