"""A twin in the layout of GENIE BPC: one release a cancer type, curated scans, two clocks, and patients of an MSK twin among its own.

The lives are those of the other layout's twin, written down as curators would: from birth and from diagnosis instead of from
sequencing. Planted: patients who stand in an MSK twin too, second index cancers (whose drugs count from another day than their scans),
regimens and specimens that are linked to two cancers, masked drugs without an end, response words only where a scan shows cancer,
specimen ids with points in one copy-number header. The truth counts from the first sequencing, like the other twin's.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from oncoraft.knowledge.genie_bpc import COHORTS
from oncoraft.knowledge.tables import TABLES, table
from oncoraft.planning.config import Twin
from oncoraft.twin import genie_bpc_courses, genie_bpc_people, genie_bpc_scans
from oncoraft.twin.blocks import BLOCK, Block, Task, make_block
from oncoraft.twin.genes import MATRIX_GENES
from oncoraft.twin.genie_bpc_people import Rows, centre_of, each, record_id, sample_id
from oncoraft.twin.text import header

VERSIONS = {"NSCLC": "2.0-public", "CRC": "2.0-public", "BrCa": "1.0-public", "PANC": "1.0-public", "Prostate": "1.0-public"}
COHORT_OF = {cancer: cohort for cohort, (cancer, _) in COHORTS.items()}
POINTED = "BrCa"  # the cohort whose copy-number header has points for hyphens
WRITTEN = tuple(f"{cohort}/{version}/*/*" for cohort, version in VERSIONS.items())
ROW_TABLES = tuple(one.name for one in TABLES if one.layout == "rows" and one.name != "cna_segments")


def write_release(folder: Path, settings: Twin, overlap: int, overlap_seed: int) -> tuple[pd.DataFrame, Counter[str]]:
    """Every cohort's release below `folder`.

    Args:
        folder: to make.
        settings: patients in all, seed of those who are in no other twin.
        overlap: patients of the MSK twin of `overlap_seed`, its first ones, who stand here too.
        overlap_seed: of that twin.

    Returns:
        the truth (as the other twin's, ids of this one), and rows by file.
    """
    folder.mkdir()
    tables: dict[str, list[pd.DataFrame]] = {name: [] for name in ROW_TABLES}
    truths, matrices = [], []
    for shared, block in _blocks(settings, overlap, overlap_seed):
        names = _names(block, settings.seed, shared)
        for name in ROW_TABLES:
            tables[name].append(_renamed(_parsed(block, name), *names))
        truths.append(block.truth.assign(patient_id=block.truth["patient_id"].map(names[0])))
        columns = [names[1][sample] for sample in block.in_matrix]
        matrices.append(pd.DataFrame([line.decode().split("\t")[1:] for line in block.matrix], columns=columns, index=list(MATRIX_GENES)))
    together = {name: pd.concat(parts, ignore_index=True) for name, parts in tables.items()}
    rows: Counter[str] = Counter()
    cancer = together["clinical_sample"].drop_duplicates("PATIENT_ID").set_index("PATIENT_ID")["CANCER_TYPE"].map(COHORT_OF)
    matrix = pd.concat(matrices, axis=1)
    for cohort, version in VERSIONS.items():
        members = set(cancer[cancer == cohort].index)
        if members:
            home = folder / cohort / version
            mine = {
                name: part[_of(part, together["clinical_sample"]).isin(members)].reset_index(drop=True) for name, part in together.items()
            }
            rows.update(_write_cohort(home, cohort, mine, matrix, settings.seed))
    return pd.concat(truths, ignore_index=True), rows


def _blocks(settings: Twin, overlap: int, overlap_seed: int) -> Iterator[tuple[bool, Block]]:
    """Lives that another twin has too, then those of this one alone."""
    for seed, count in ((overlap_seed, overlap), (settings.seed, settings.patients - overlap)):
        for first in range(1, count + 1, BLOCK):
            yield seed == overlap_seed and count == overlap, make_block(Task(seed, first, min(first + BLOCK - 1, count), True))


def _parsed(block: Block, name: str) -> pd.DataFrame:
    """A table's rows as text."""
    text = header(table(name)) + block.texts[name]
    return pd.read_csv(
        io.BytesIO(text), sep="\t", comment="#" if table(name).header_rows else None, dtype=str, keep_default_na=False, quoting=3
    )


def _names(block: Block, seed: int, shared: bool) -> tuple[dict[str, str], dict[str, str]]:
    """New ids of the patients and of the specimens."""
    people = _parsed(block, "clinical_patient")["PATIENT_ID"]
    samples = _parsed(block, "clinical_sample")
    patients = {who: record_id(who, "MSK" if shared else centre_of(seed, who), shared) for who in people}
    return patients, {row.SAMPLE_ID: sample_id(row.SAMPLE_ID, patients[row.PATIENT_ID]) for row in each(samples)}


def _renamed(rows: pd.DataFrame, patients: dict[str, str], samples: dict[str, str]) -> pd.DataFrame:
    columns = {"PATIENT_ID": patients, "SAMPLE_ID": samples, "Sample_Id": samples, "Tumor_Sample_Barcode": samples}
    return rows.assign(**{name: rows[name].map(names) for name, names in columns.items() if name in rows})


def _of(rows: pd.DataFrame, samples: pd.DataFrame) -> pd.Series:
    """The patient of every row."""
    if "PATIENT_ID" in rows:
        return rows["PATIENT_ID"]
    owner = samples.set_index("SAMPLE_ID")["PATIENT_ID"]
    return rows[next(name for name in ("SAMPLE_ID", "Sample_Id", "Tumor_Sample_Barcode") if name in rows)].map(owner)


def _write_cohort(home: Path, cohort: str, tables: Rows, matrix: pd.DataFrame, seed: int) -> dict[str, int]:
    """One release: curated tables and the portal's genomic files."""
    people = genie_bpc_people.lives(tables, cohort, seed)
    made: dict[str, pd.DataFrame] = {}
    made |= genie_bpc_people.files(people, tables, cohort, seed)
    made |= genie_bpc_courses.files(people, tables, cohort, seed)
    made |= genie_bpc_scans.files(people, tables, cohort, seed)
    clinical, portal = home / "clinical_data", home / "cBioPortal_files"
    clinical.mkdir(parents=True)
    portal.mkdir()
    for name, rows in made.items():
        write_quoted(clinical / name, rows)
    samples = [name for name in matrix.columns if name in set(tables["clinical_sample"]["SAMPLE_ID"])]
    shown = [name.replace("-", ".") if cohort == POINTED else name for name in samples]
    lines = ["\t".join(["Hugo_Symbol", *shown])]
    lines += ["\t".join([gene, *cells]) for gene, cells in zip(matrix.index, matrix[samples].to_numpy().tolist(), strict=True)]
    (portal / "data_CNA.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for name, file in (("mutations", "data_mutations_extended.txt"), ("sv", "data_sv.txt"), ("gene_panel_matrix", "data_gene_matrix.txt")):
        tables[name].to_csv(portal / file, sep="\t", index=False, quoting=3, lineterminator="\n")
    return {f"{cohort}/{name}": len(rows) for name, rows in made.items()}


def write_quoted(path: Path, rows: pd.DataFrame) -> None:
    """Comma-separated; texts in quotes, numbers bare, a missing cell empty."""

    def cell(value: Any) -> str:
        if value is None or value == "" or value != value:
            return ""
        if isinstance(value, str):
            return '"' + value.replace('"', '""') + '"'
        return str(int(value)) if float(value).is_integer() else repr(float(value))

    lines = [",".join(f'"{name}"' for name in rows.columns)]
    lines += [",".join(map(cell, row)) for row in rows.itertuples(index=False, name=None)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
