"""From a file of AnnData to prompts, beside one backed pass that only ranks: processor time and memory, both in one run.

    python benchmarks/cells.py --cells 500000 --genes 20000 FOLDER

The file is made in FOLDER, uncompressed, about a thousand expressed genes a cell. Each side is a process of its own, so that the largest
memory is its own too. Two passes that only rank stand beside: anndata's backed mode with a sort a cell, and the product's own reading and
ranking alone. Neither describes a cell, judges its quality, checks a value, takes a digest or writes anything.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

EXPRESSED = 1000  # genes of a cell, on average
PART = 5000  # cells drawn at once
# As anndata's users do it: backed mode, a sort a cell, ties by symbol (columns are in alphabetical order).
PLAIN = """
import sys
import anndata
import numpy as np
for chunk, _, _ in anndata.read_h5ad(sys.argv[1], backed="r").chunked_X(4000):
    chunk = chunk.tocsr()
    for low, high in zip(chunk.indptr[:-1], chunk.indptr[1:]):
        chunk.indices[low:high][np.lexsort((chunk.indices[low:high], -chunk.data[low:high]))[:int(sys.argv[2])]]
"""
# The product's own reading and ranking, and nothing else of it.
RANKING = """
import sys
from pathlib import Path
import numpy as np
from oncoraft.cells.h5ad import CellFile
from oncoraft.cells.ranking import top_genes
with CellFile(Path(sys.argv[1]), "X") as file:
    place, shown = np.arange(file.columns, dtype=np.int32), np.ones(file.columns, dtype=bool)
    for _, chunk in file.chunks():
        top_genes(chunk, place, shown, int(sys.argv[2]))
"""


def make(path: Path, cells: int, genes: int) -> None:
    """A file as anndata writes it, its matrix drawn and written in parts."""
    import anndata
    import h5py
    import numpy as np
    import pandas as pd

    draw = np.random.default_rng(7)
    donor = np.arange(cells) % 400
    obs = pd.DataFrame(
        {
            "donor": pd.Categorical([f"P{k:03d}" for k in donor]),
            "data_set": pd.Categorical([f"set-{k % 8}" for k in donor]),
            "response": pd.Categorical(np.where(donor % 3 == 0, "sensitive", "resistant")),
            "drug": pd.Categorical(np.array(["cisplatin", "erlotinib", "pembrolizumab"])[donor % 3]),
            "tissue": pd.Categorical(np.where(donor % 2 == 0, "blood", "tumour")),
            "cancer": pd.Categorical(["Lung Cancer"] * cells),
        },
        index=[f"cell-{k:07d}" for k in range(cells)],
    )
    anndata.AnnData(obs=obs, var=pd.DataFrame(index=[f"GENE{k:05d}" for k in range(genes)])).write_h5ad(path)
    with h5py.File(path, "r+") as file:
        if "X" in file:
            del file["X"]
        group = file.create_group("X")
        group.attrs.update({"encoding-type": "csr_matrix", "encoding-version": "0.1.0", "shape": np.array([cells, genes])})
        ends = np.concatenate([[0], np.cumsum(draw.poisson(EXPRESSED, cells))]).astype(np.int64)
        group["indptr"] = ends
        data = group.create_dataset("data", (int(ends[-1]),), dtype=np.float32)
        indices = group.create_dataset("indices", (int(ends[-1]),), dtype=np.int32)
        for start in range(0, cells, PART):
            low, high = int(ends[start]), int(ends[min(start + PART, cells)])
            # A run of neighbouring genes a cell, thinned: sorted columns without a gene twice, in a fraction of the time of a true draw.
            step = draw.integers(1, max(2, 2 * genes // EXPRESSED - 1), high - low, dtype=np.int32)
            columns = np.cumsum(step, dtype=np.int64)
            first = np.repeat(ends[start : min(start + PART, cells)] - low, np.diff(ends[start : min(start + PART, cells) + 1]))
            indices[low:high] = np.minimum(columns - columns[first] + step[first] - 1, genes - 1)
            data[low:high] = draw.geometric(0.5, high - low)


def measured(words: list[str]) -> tuple[float, float]:
    """Processor seconds of a process, and the most memory that it held, in GB."""
    process = subprocess.Popen([sys.executable, *words], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{words[:4]}: status {status}")
    return used.ru_utime + used.ru_stime, used.ru_maxrss * 1024 / 1e9


def main() -> None:
    """Make, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cells", type=int, default=500_000)
    parser.add_argument("--genes", type=int, default=20_000)
    parser.add_argument("--make", action="store_true", help="only make the file")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    path, out = given.folder / f"cells-{given.cells}.h5ad", given.folder / "out"
    if given.make:
        make(path, given.cells, given.genes)
        return
    if not path.is_file():
        # In a process of its own: the memory of this one would be inherited by those that are measured.
        subprocess.run([sys.executable, __file__, "--make", *sys.argv[1:]], check=True)
    settings = json.dumps({"cell_study": {"columns": {"regimen": None}, "genes_shown": 60}})
    plain, plain_memory = measured(["-c", PLAIN, str(path), "60"])
    ranking, ranking_memory = measured(["-c", RANKING, str(path), "60"])
    cases, cases_memory = measured(["-m", "oncoraft", "cell-cases", str(path), "--out", str(out / "cases"), "--settings", settings])
    words = ["cell-prompts", str(out / "cases"), "--out", str(out / "prompts.jsonl"), "--audit", str(out / "audit.json")]
    prompts, prompts_memory = measured(["-m", "oncoraft", *words, "--settings", settings])
    figures = {
        "cells": given.cells,
        "genes": given.genes,
        "file_gb": round(path.stat().st_size / 1e9, 2),
        "prompts": sum(1 for _ in (out / "prompts.jsonl").open("rb")),
        "anndata_ranking_only_seconds": round(plain, 1),
        "own_ranking_only_seconds": round(ranking, 1),
        "cases_seconds": round(cases, 1),
        "prompts_seconds": round(prompts, 1),
        "ratio_to_anndata": round((cases + prompts) / plain, 2),
        "ratio_to_own": round((cases + prompts) / ranking, 2),
        "memory_gb": {
            "anndata_ranking_only": round(plain_memory, 2),
            "own_ranking_only": round(ranking_memory, 2),
            "cases": round(cases_memory, 2),
            "prompts": round(prompts_memory, 2),
        },
    }
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
