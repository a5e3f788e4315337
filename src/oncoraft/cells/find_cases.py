"""Cases of a single-cell cohort: `oncoraft cell-cases FILE.h5ad ... --out DIR`.

Every file is read once, in chunks of rows: values are checked, each cell's quality is judged and its genes are ranked, so that memory
holds obs and one short row a cell. A pseudobulk takes a second pass, in which the kept cells of a donor are added up.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from oncoraft.cells.declared import LEVELS, refuse_one_class
from oncoraft.cells.edge import cell_parser, cell_settings
from oncoraft.cells.genes import is_mitochondrial, is_ribosomal
from oncoraft.cells.quality import CAPPED, RESPONDER_FROM, flow, judged, quality
from oncoraft.cells.ranking import top_genes
from oncoraft.cells.reading import CellFiles, cells_of, opened, summed
from oncoraft.cells.spelling import one_spelling
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.foundation.publishing import claim
from oncoraft.foundation.stable import stable_fraction
from oncoraft.planning.config import CellStudy
from oncoraft.planning.edge import run, settings_record

log = logging.getLogger("oncoraft")
GROUP_ROWS = 50_000  # sentences of a row group


def genes_shown(names: Sequence[str], study: CellStudy) -> np.ndarray:
    """(genes,), whether a gene may stand in a sentence."""
    hidden = [(is_mitochondrial(name) and not study.mitochondrial) or (is_ribosomal(name) and not study.ribosomal) for name in names]
    return ~np.array(hidden, dtype=bool)


def read_cells(files: CellFiles, cells: pd.DataFrame, study: CellStudy, with_genes: bool) -> tuple[pd.DataFrame, np.ndarray]:
    """Quality of every cell, and the top genes of those that may be kept, in the order of `cells`.

    Returns:
        the cells with counts, genes, mitochondrial and reason filled in; (cells, genes_shown) of places among the genes, -1 beyond the
        last. Without `with_genes` the second is empty.
    """
    shown = genes_shown(files.names, study)
    of_mitochondrion = np.array([is_mitochondrial(name) for name in files.names] + [False], dtype=float)
    reason = cells["reason"].to_numpy(object)
    counts, genes, share = np.zeros(len(cells)), np.zeros(len(cells), dtype=np.int32), np.full(len(cells), np.nan)
    top = np.full((len(cells) if with_genes else 0, study.genes_shown), -1, dtype=np.int32)
    first = 0
    for number, file in enumerate(files.files):
        for start, chunk, place in files.chunks(number, study):
            rows = slice(first + start, first + start + chunk.shape[0])
            found = quality(chunk, of_mitochondrion[place])
            counts[rows], genes[rows], share[rows] = found
            here = reason[rows]
            here[here == ""] = judged(found, study)[here == ""]
            kept = np.flatnonzero(here == "")
            if with_genes and len(kept):
                part = chunk if len(kept) == chunk.shape[0] else chunk[kept]
                top[first + start + kept] = top_genes(part, place, shown, study.genes_shown)
        first += file.rows
    return cells.assign(counts=counts, genes=genes, mitochondrial=share, reason=reason), top


def capped(cells: pd.DataFrame, study: CellStudy) -> pd.DataFrame:
    """Cells beyond a donor's cap marked, by a stable hash: a higher cap adds cells and takes none away."""
    if study.cells_per_donor is None:
        return cells
    kept = cells[cells["reason"] == ""]
    draw = pd.Series([stable_fraction(study.seed, "cell", name) for name in kept["case_id"]], index=kept.index)
    beyond = draw.groupby(kept["patient_id"]).rank(method="first") > study.cells_per_donor
    reason = cells["reason"].copy()
    reason[beyond.index[beyond]] = CAPPED
    return cells.assign(reason=reason)


def cases_of(cells: pd.DataFrame, study: CellStudy) -> tuple[pd.DataFrame, np.ndarray]:
    """Cases, sorted, and the case of each kept cell.

    Args:
        cells: those that are kept.
        study: `unit` donor makes a case of a donor's cells of one drug and one tissue in one data set; its score is their mean.
    """
    if study.unit == "cell":
        cases = cells.assign(cells=1).sort_values("case_id")
        order: np.ndarray = cases.index.get_indexer(cells.index)
    else:
        # Where donors are of all data sets one may have cells in several: a case made of both would be on both sides of leave_dataset_out.
        keys = ["patient_id", "drug", "tissue", "data_set"]
        grouped = cells.groupby(keys, sort=True)
        cases = grouped.agg(
            **{name: (name, "first") for name in LEVELS if name not in keys},
            score=("score", "mean"),
            cells=("cell", "size"),
            counts=("counts", "sum"),
        ).reset_index()
        names = cases["patient_id"] + "|" + cases["drug"] + "|" + cases["tissue"]
        cases["case_id"] = names + "|" + cases["data_set"] if study.donors == "of_all" else names
        order = grouped.ngroup().to_numpy()
    cases = cases.assign(responder=cases["score"] >= RESPONDER_FROM).reset_index(drop=True)
    return cases[["case_id", "patient_id", *LEVELS, "score", "responder", "cells", "counts"]], order


def write_sentences(path: Path, case_ids: Sequence[str], top: np.ndarray) -> None:
    """Places of genes by case, in order, as lists."""
    schema = pa.schema([("case_id", pa.string()), ("genes", pa.list_(pa.int32()))])
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, len(case_ids), GROUP_ROWS):
            part = top[start : start + GROUP_ROWS]
            lengths = (part >= 0).sum(axis=1)
            offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))
            lists = pa.ListArray.from_arrays(offsets, pa.array(part[part >= 0]))
            writer.write_table(pa.table([pa.array(case_ids[start : start + GROUP_ROWS]), lists], schema=schema))


def found_cases(files: CellFiles, study: CellStudy) -> tuple[pd.DataFrame, pd.DataFrame, np.ndarray, dict[str, Any]]:
    """Cases, the cells that they are made of (number, row, case), their top genes, and the flow.

    Raises:
        InputError: nothing is left, or labels of one class.
    """
    is_cell = study.unit == "cell"
    described, spelled = one_spelling(cells_of(files, study))
    cells, top = read_cells(files, described, study, is_cell)
    cells = capped(cells, study)
    kept = cells[cells["reason"] == ""]
    if kept.empty:
        counted = ", ".join(f"{name}: {count}" for name, count in cells["reason"].value_counts().items())
        raise InputError(f"expected cells that pass; all {len(cells)} are left out ({counted})")
    cases, case = cases_of(kept, study)
    refuse_one_class(cases["responder"], "cases")
    members = kept[["number", "row"]].assign(case=case.astype(np.int32)).reset_index(drop=True)
    if is_cell:
        place = np.empty(len(cases), dtype=np.int64)
        place[case] = kept.index.to_numpy()
        top = top[place]
    else:
        total = summed(files, study, members, len(cases))
        top = top_genes(total, np.arange(len(files.names), dtype=np.int32), genes_shown(files.names, study), study.genes_shown)
    told: dict[str, Any] = {"mitochondrial_genes": sum(map(is_mitochondrial, files.names)), "spelled_otherwise": spelled}
    counts = flow(cells, cases, files.losses, study) | told
    warn(counts)
    return cases, members, top, counts


def warn(counts: dict[str, Any]) -> None:
    """Say what may be as it should, and more often is not."""
    if not counts["mitochondrial_genes"]:
        log.warning("cell-cases: no gene that all files have is known as mitochondrial; maximum_mitochondrial leaves nobody out")
    if number := counts["donor_names_in_several_data_sets"]:
        log.warning("cell-cases: %d names of donors stand in several data sets, taken for other people (cells.donors: of_all)", number)
    if number := counts["donors_of_both_responses"]:
        log.warning("cell-cases: %d donors are sensitive and resistant to one drug", number)


def main(arguments: Sequence[str] | None = None) -> int:
    """Find the cases of one single-cell cohort."""
    parser = cell_parser(
        "cell-cases",
        "in:  files of AnnData, as the block `cells` declares them\n"
        "out: cases.parquet, sentences.parquet (top genes by case), members.parquet (the cells of each case), genes.txt, flow.json\n\n"
        "example:\n  oncoraft cell-cases study.h5ad --out cells/lung --config config/cells.yaml --cells lung",
    )
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help="files of AnnData, or a folder of them")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write")
    given = parser.parse_args(arguments)
    blocks = cell_settings("cell-cases", given)
    names = ("cases.parquet", "sentences.parquet", "members.parquet", "genes.txt", "flow.json", "manifest.json")
    files = [given.out / name for name in names]
    claim(*files, step="cell-cases", home=given.out)
    paths = [path for one in given.files for path in (sorted(one.glob("*.h5ad")) if one.is_dir() else [one])]
    with opened(paths, blocks["cell_study"]) as cell_files:
        cases, members, top, counts = found_cases(cell_files, blocks["cell_study"])
        genes = cell_files.names
    with publishing(*files, step="cell-cases", home=given.out) as (out_cases, out_top, out_members, out_genes, out_flow, note):
        cases.to_parquet(out_cases, index=False)
        write_sentences(out_top, cases["case_id"].tolist(), top)
        members.to_parquet(out_members, index=False)
        out_genes.write_text("".join(f"{name}\n" for name in genes), encoding="utf-8")
        write_json(out_flow, counts)
        outputs = dict(zip(files[:-1], (out_cases, out_top, out_members, out_genes, out_flow)))
        told = {name: counts[name] for name in ("cells", "donors", "cases", "responders", "data_sets")}
        settings = settings_record(given, blocks)
        write_json(note, manifest("cell-cases", inputs=paths, outputs=outputs, settings=settings, counts=told, beside=files[-1]))
    log.info("cell-cases: %s", told)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
