"""The genomic files that lie beside the CSV tables of GENIE BPC, those of several cohorts joined.

Some tools turn the hyphens of specimen ids in the copy-number header into points; whole ids are matched, with and without, and nothing
is cut off.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from oncoraft.cohort.conversion import Converted, Origin
from oncoraft.cohort.source_tables import LINE, read_source
from oncoraft.foundation.errors import InputError
from oncoraft.knowledge.tables import table

GENE, ENTREZ = "Hugo_Symbol", "Entrez_Gene_Id"
FILES = {
    "mutations": ("data_mutations_extended.txt", "data_mutations.txt"),
    "cna": ("data_CNA.txt", "data_cna.txt"),
    "sv": ("data_sv.txt",),
    "gene_panel_matrix": ("data_gene_matrix.txt", "data_gene_panel_matrix.txt"),
}


def read(folders: list[Path], made: Converted) -> None:
    """Join the genomic files of the portal's folders; a folder that is not there has none."""
    samples = set(made.tables["clinical_sample"]["SAMPLE_ID"])
    for name, spellings in FILES.items():
        paths = [folder / file for folder in folders for file in spellings if (folder / file).is_file()]
        parts = [read_source(path, (), "\t").drop(columns=LINE) for path in paths]
        made.inputs += paths
        if parts:
            made.tables[name] = _matrix(parts, samples, paths, made) if name == "cna" else pd.concat(parts, ignore_index=True).fillna("")
            headers = [one.source for one in table(name).columns if name == "cna" or _has(made.tables[name], one.source, one.other_headers)]
            made.origins |= {f"{name}.{header}": Origin("mapped", f"cBioPortal_files/{paths[0].name}") for header in headers}


def _has(rows: pd.DataFrame, *names: str | tuple[str, ...]) -> bool:
    folded = {name.casefold() for name in rows.columns}
    wanted = [word for name in names for word in ([name] if isinstance(name, str) else name)]
    return any(word.casefold() in folded for word in wanted)


def _matrix(parts: list[pd.DataFrame], samples: set[str], paths: list[Path], made: Converted) -> pd.DataFrame:
    """Genes by specimens; a gene that a cohort's matrix lacks was not measured there.

    Raises:
        InputError: a matrix that names no genes.
    """
    pointed = {sample.replace("-", "."): sample for sample in samples}
    joined: pd.DataFrame | None = None
    for part, path in zip(parts, paths, strict=True):
        spelt = {name: own for name in part.columns for own in (GENE, ENTREZ) if name.casefold() == own.casefold()}
        if GENE not in spelt.values():
            raise InputError("this column is required", file=path, column=GENE, found="no such header")
        named = part.rename(columns=spelt | {name: pointed[name] for name in part.columns if name not in samples and name in pointed})
        named = made.once(path, named.drop(columns=[ENTREZ], errors="ignore"), GENE).set_index(GENE)
        fresh = named if joined is None else named.drop(columns=[name for name in named.columns if name in joined])
        joined = fresh if joined is None else joined.join(fresh, how="outer")
    assert joined is not None
    return joined.fillna("NA").reset_index(names=GENE)
