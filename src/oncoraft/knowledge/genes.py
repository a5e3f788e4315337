"""Gene symbols that a cancer record may name, and the names that prose uses instead.

`genes.txt` holds HGNC symbols, current and former, of genes on targeted cancer panels or among drug targets. It decides what is a
gene in running text and what is an abbreviation (ECOG, DNA, PSA); a symbol that is not listed is still found where it stands beside
a protein change ("XYZ1 R12H").
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

DATA_FILES = ("genes.txt",)
TABLE = Path(__file__).parent / DATA_FILES[0]

# Protein and receptor names of everyday clinical prose, lower case -> the symbols any of which is meant.
SPOKEN: dict[str, tuple[str, ...]] = {
    "her2": ("ERBB2",),
    "her-2": ("ERBB2",),
    "her2/neu": ("ERBB2",),
    "her3": ("ERBB3",),
    "pd-1": ("PDCD1",),
    "pd1": ("PDCD1",),
    "pd-l1": ("CD274",),
    "pdl1": ("CD274",),
    "ctla-4": ("CTLA4",),
    "vegf": ("VEGFA",),
    "vegf-a": ("VEGFA",),
    "vegfr": ("KDR", "FLT1", "FLT4"),
    "vegfr2": ("KDR",),
    "vegfr-2": ("KDR",),
    "trop2": ("TACSTD2",),
    "trop-2": ("TACSTD2",),
    "p53": ("TP53",),
    "p16": ("CDKN2A",),
    "c-met": ("MET",),
    "c-kit": ("KIT",),
    "ras": ("KRAS", "NRAS", "HRAS"),
    "brca": ("BRCA1", "BRCA2"),
    "brca1/2": ("BRCA1", "BRCA2"),
    "pi3k": ("PIK3CA", "PIK3CB", "PIK3CD", "PIK3CG"),
    "mek": ("MAP2K1", "MAP2K2"),
    "erk": ("MAPK1", "MAPK3"),
    "akt": ("AKT1", "AKT2", "AKT3"),
    "parp": ("PARP1",),
    "ntrk": ("NTRK1", "NTRK2", "NTRK3"),
    "fgfr": ("FGFR1", "FGFR2", "FGFR3", "FGFR4"),
    "cdk4/6": ("CDK4", "CDK6"),
    "lkb1": ("STK11",),
    "bcr-abl": ("ABL1",),
    "abl": ("ABL1",),
}


@lru_cache(maxsize=1)
def genes() -> frozenset[str]:
    """Every symbol of the table."""
    return frozenset(TABLE.read_text(encoding="utf-8").split())
