"""Quality of every cell from its counts, and the flow: from cells in the files to cells that are analysed, each loss with its reason."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse

from oncoraft.cells.declared import LEVELS, REASONS
from oncoraft.planning.config import CellStudy

FEW_GENES, MITOCHONDRIAL, CAPPED = (
    "fewer genes than minimum_genes",
    "larger mitochondrial share than maximum_mitochondrial",
    "beyond cells_per_donor",
)
RESPONDER_FROM = 0.5
ORDER = (*REASONS, FEW_GENES, MITOCHONDRIAL, CAPPED)


class Quality(NamedTuple):
    """Of each cell of a chunk: sum of its values, expressed genes, share of the sum that is mitochondrial (nan of an empty cell)."""

    total: np.ndarray
    genes: np.ndarray
    mitochondrial: np.ndarray


def quality(chunk: sparse.csr_matrix, mitochondrial: np.ndarray) -> Quality:
    """Quality of a chunk; `mitochondrial` is (columns,), 1.0 where a column is of the mitochondrion."""
    total = np.zeros(chunk.shape[0])
    full = np.diff(chunk.indptr) > 0
    # Rows without a value are passed over, so that each sum ends where the next begins; a sum of counts is exact below 2**24.
    total[full] = np.add.reduceat(chunk.data, chunk.indptr[:-1][full]) if full.any() else 0
    genes = np.diff(chunk.indptr)
    if (zeros := chunk.data == 0).any():
        # Some writers keep explicit zeros; they express nothing.
        genes = genes - np.bincount(np.repeat(np.arange(len(genes)), genes)[zeros], minlength=len(genes))
    # In the chunk's own kind of number: otherwise the whole chunk would be copied.
    share = np.divide(chunk @ mitochondrial.astype(chunk.dtype), total, out=np.full(len(total), np.nan), where=total > 0)
    return Quality(total, genes, share)


def judged(found: Quality, study: CellStudy) -> np.ndarray:
    """Why each cell is left out for its quality; "" where it is not."""
    reason = np.full(len(found.total), "", dtype=object)
    reason[found.genes < study.minimum_genes] = FEW_GENES
    reason[(reason == "") & ~(found.mitochondrial <= study.maximum_mitochondrial)] = MITOCHONDRIAL
    return reason


def flow(cells: pd.DataFrame, cases: pd.DataFrame, genes: list[dict[str, Any]], study: CellStudy) -> dict[str, Any]:
    """Counts from all cells to cases; losses by reason add up, by file too.

    Args:
        cells: every cell of every file: file (name), donor, patient_id, data_set, drug, score, reason.
        cases: what was made of those that are kept.
        genes: losses of genes, an entry a file.
    """

    def steps(part: pd.DataFrame) -> list[dict[str, Any]]:
        rows, left = [{"step": "cells in the files", "cells": len(part)}], len(part)
        for reason in ORDER:
            if count := int((part["reason"] == reason).sum()):
                left -= count
                rows.append({"step": reason, "cells": -count})
        return [*rows, {"step": "cells analysed", "cells": left}]

    kept = cells[cells["reason"] == ""]
    both = (kept["score"] >= RESPONDER_FROM).groupby([kept["patient_id"], kept["drug"]]).nunique() > 1
    several = kept.groupby("donor")["data_set"].nunique() > 1
    return {
        "unit": study.unit,
        "steps": steps(cells),
        "files": {str(name): steps(part) for name, part in cells.groupby("file", sort=True)},
        "cells": len(kept),
        "donors": int(kept["patient_id"].nunique()),
        "cases": len(cases),
        "donors_of_both_responses": int(both[both].index.get_level_values(0).nunique()),
        "donor_names_in_several_data_sets": int(several.sum()) if study.donors == "of_data_set" else 0,
        "responders": int(cases["responder"].sum()),
        "data_sets": int(cases["data_set"].nunique()),
        "levels": {name: {str(k): int(n) for k, n in cases[name].value_counts().sort_index().items()} for name in LEVELS},
        "genes": genes,
    }
