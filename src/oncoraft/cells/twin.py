"""A synthetic single-cell cohort: `oncoraft twin-cells --out DIR`, files of AnnData as real ones are, and the truth beside them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import anndata
import pandas as pd
from scipy import sparse

from oncoraft.cells.edge import cell_parser
from oncoraft.cells.twin_law import ACTIVE, NULL, PROGRAMME, Cells, data_set, gene_names
from oncoraft.foundation.csv_file import write_csv
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.foundation.publishing import claim
from oncoraft.planning.config import CellStudy
from oncoraft.planning.edge import read_settings, run, settings_record

WRITTEN = ("*.h5ad",)
log = logging.getLogger("oncoraft")


def file_name(number: int) -> str:
    """Name of the file of one data set, from 0."""
    return f"twin-{number + 1}.h5ad"


def write_file(path: Path, cells: Cells, names: Sequence[str]) -> None:
    """One data set as anndata writes it: counts by rows, words as categories."""
    obs = cells.obs.astype({name: "category" for name in cells.obs.columns if cells.obs[name].dtype == object})
    var = pd.DataFrame({"feature_types": pd.Categorical(["Gene Expression"] * len(names))}, index=pd.Index(names))
    anndata.AnnData(X=sparse.csr_matrix(cells.counts), obs=obs, var=var).write_h5ad(path, compression="gzip")


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the files and the truth."""
    parser = cell_parser("twin-cells", "example:\n  oncoraft twin-cells --data-sets 4 --donors 36 --cells-of-donor 40 --out twin")
    for name, meaning in (
        ("data-sets", "data sets"),
        ("donors", "donors of each"),
        ("null-donors", "further donors of each, under null drugs"),
        ("cells-of-donor", "cells of a donor"),
        ("genes", "genes"),
        ("seed", "seed"),
    ):
        parser.add_argument(f"--{name}", type=int, metavar="N", help=f"{meaning}, in place of the settings'")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write")
    given = parser.parse_args(arguments)
    is_told = given.settings or given.config
    blocks = (
        read_settings("twin-cells", given, **({"cell_study": given.cells} if given.cells else {}))
        if is_told
        else {"cell_study": CellStudy()}
    )
    asked = {
        "data_sets": given.data_sets,
        "donors": given.donors,
        "null_donors": given.null_donors,
        "cells": given.cells_of_donor,
        "genes": given.genes,
        "seed": given.seed,
    }
    changed = {name: value for name, value in asked.items() if value is not None}
    settings = type(blocks["cell_study"].twin).model_validate(blocks["cell_study"].twin.model_dump() | changed)
    folder = given.out / "files"
    files = [folder, *(given.out / name for name in ("truth.parquet", "programme.csv", "drugs.csv", "manifest.json"))]
    claim(*files, step="twin-cells", home=given.out, folders=[folder], own=WRITTEN)
    names, programme = gene_names(settings.genes)
    with publishing(*files, step="twin-cells", home=given.out, folders=[folder], own=WRITTEN) as written:
        truth = []
        written[0].mkdir()
        for number in range(settings.data_sets):
            cells = data_set(number, settings, names, programme)
            write_file(written[0] / file_name(number), cells, names)
            truth.append(cells.truth)
        joined = pd.concat(truth, ignore_index=True)
        joined.to_parquet(written[-4], index=False)
        half = PROGRAMME // 2
        write_csv(written[-3], pd.DataFrame({"gene": programme, "direction": ["up"] * half + ["down"] * half}))
        write_csv(written[-2], pd.DataFrame({"drug": [*ACTIVE, *NULL], "is_null": [False] * len(ACTIVE) + [True] * len(NULL)}))
        counts = {"cells": len(joined), "genes": len(names), "data_sets": settings.data_sets}
        record = settings_record(given, {"twin": settings})
        outputs = dict(zip(files[1:-1], written[1:-1])) | {folder / path.name: path for path in sorted(written[0].iterdir())}
        write_json(
            written[-1],
            manifest("twin-cells", inputs=[], outputs=outputs, settings=record, counts=counts, beside=files[-1]),
        )
    log.info("twin-cells: %s", counts)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
