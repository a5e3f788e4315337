"""How a statement reads where only a few hundred tokens fit: its declaration's brief form, and no passenger alteration."""

from __future__ import annotations

import re
from functools import cache

from oncoraft.evidence.fields import BY_NAME
from oncoraft.knowledge.biomarkers import biomarkers

GENOMIC = {"mutation", "copy_number", "structural_variant"}


@cache
def telling_genes() -> frozenset[str]:
    """Genes of the biomarker table, and TP53."""
    return frozenset(row.marker for row in biomarkers()) | {"TP53"}


@cache
def brief(field: str, value: str, text: str) -> str:
    """How a statement reads in the compact template; empty where it does not stand there.

    Of altered genes it shows those that decide about a drug or mark the disease; passengers would fill a short context.
    """
    # A fusion names both of its genes: `EML4-ALK fusion`.
    if field in GENOMIC and not set(re.split(r"[ -]", value)) & telling_genes():
        return ""
    return BY_NAME[field].brief.format(value=value, text=text)
