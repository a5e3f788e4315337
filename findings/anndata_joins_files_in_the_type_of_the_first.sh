#!/usr/bin/env bash
# anndata 0.12.19 (h5py 3.16.0, scipy 1.17.1): experimental.concat_on_disk of sparse files whose numbers are of different types
#
# Guess: joining h5ad files on the disk gives what ad.concat gives in memory, which takes the type that holds them all, whatever the order of the files.
# Fact:  the joined matrix has the type of the first file, and what the others hold is pressed into it as it is appended. After a file of counts in uint8 every
#        larger count is 255 and every negative value 0; after a file of integers, normalised expression loses its decimals, so that 0.7 is 0. The same files
#        in another order are right. Nothing is said.
# Why:   donors come from laboratories that store the same thing in different types (uint8 for a shallow run, integers, float32), and this is the way that the manual
#        shows for atlases which do not fit into memory. Immunoglobulins and mitochondrial genes, of the highest counts, are the first to be cut: filters
#        by mitochondrial share and all that is normalised by total counts then differ by donor, which looks like biology or like a batch effect.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile anndata==0.12.19 h5py==3.16.0 scipy==1.17.1 numpy==2.4.6 pandas==2.3.3
venv/bin/python - <<'PYTHON'
import sys
import warnings
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
from scipy import sparse

GENES = pd.DataFrame(index=["CD3E", "MALAT1", "IGHG1"])
shallow = np.array([[1, 200, 0], [0, 31, 3]], dtype=np.uint8)
deep = np.array([[2, 4180, 70000], [0, 300, 0]], dtype=np.int32)
normalised = np.array([[0.7, 2.9, 0.0], [0.0, 1.5, 0.4]], dtype=np.float32)


def joined(*matrices: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """The files joined in memory and on the disk, and how often anything was said."""
    files, donors = [], []
    for place, matrix in enumerate(matrices):
        cells = pd.DataFrame({"donor": f"donor{place}"}, index=[f"donor{place}-cell{cell}" for cell in range(len(matrix))])
        donors.append(ad.AnnData(sparse.csr_matrix(matrix), obs=cells, var=GENES))
        files.append(f"donor{place}.h5ad")
        donors[-1].write_h5ad(files[-1])
    Path("atlas.h5ad").unlink(missing_ok=True)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        ad.experimental.concat_on_disk(files, "atlas.h5ad")
        said = [one for one in said if issubclass(one.category, (UserWarning, RuntimeWarning))]
    return ad.concat(donors).X.toarray(), ad.read_h5ad("atlas.h5ad").X.toarray(), len(said)


memory, disk, said = joined(shallow, deep)
_, turned, _ = joined(deep, shallow)
print(f"uint8, then int32: guess (in memory) {memory[2:].tolist()}, fact {disk[2:].tolist()}; warnings: {said}")
print(f"int32, then uint8: {turned[:2].tolist()}")
decimals, cut, _ = joined(deep, normalised)
print(f"int32, then float32: guess (in memory) {decimals[2:].round(1).tolist()}, fact {cut[2:].tolist()}")
assert (memory[2:] == deep).all() and np.allclose(decimals[2:], normalised), "the guess itself"
cut_as_told = disk[2:].tolist() == [[2, 255, 255], [0, 255, 0]] and cut[2:].tolist() == [[0, 2, 0], [0, 1, 0]]
if cut_as_told and (turned[:2] == deep).all() and said == 0:
    sys.exit(0)
sys.exit("changed: numbers keep their values on the disk, or something is said")
PYTHON
