#!/usr/bin/env bash
# anndata 0.12.19 and scanpy 1.11.5 (the last for Python 3.11): samples normalised one by one with log1p(base=2), joined by concat
#
# Guess: what is in X after concat means what it meant before. scanpy knows that it is a logarithm and of which base, and says so where it matters:
#        a second log1p warns, rank_genes_groups and highly_variable_genes undo the logarithm with the right base.
# Fact:  scanpy notes the logarithm in uns, and concat leaves uns out (uns_merge=None). X is still in base 2, the fold changes are computed as if in base e:
#        exp(x) - 1 in place of 2^x - 1. Too large, by more the larger they are; z-scores and p-values are right, so that nothing looks amiss.
#        Other genes are chosen as highly variable (40 of 100 in a trial), and log1p called once more says nothing. uns_merge="same" keeps the note.
# Why:   responders against non-responders over samples of several patients is this very sequence, and a cut on the fold change chooses the genes that
#        a report or a prompt then names. Here: a cut at 2, fourfold, lets through all genes that are only trebled.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export OMP_NUM_THREADS=1 NUMBA_CACHE_DIR="$folder/numba" MPLCONFIGDIR="$folder/matplotlib"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile scanpy==1.11.5 anndata==0.12.19 numpy==2.4.6 pandas==2.3.3 scipy==1.17.1
cat > joined.py <<'PYTHON'
import contextlib
import io
import sys
import warnings

import anndata
import numpy as np
import scanpy

TREBLED, FIVEFOLD, GENES, CUT = range(10), range(10, 20), 1000, 2.0
scanpy.settings.verbosity = 1  # warnings, no hints


def sample(seed: int) -> anndata.AnnData:
    """Cells of a patient, half of them of a resistant clone, normalised as the tutorials do."""
    draw = np.random.default_rng(seed)
    resistant = draw.integers(0, 2, 400)
    means = np.tile(np.full(GENES, 6.0), (400, 1))
    means[np.ix_(resistant == 1, TREBLED)] *= 3
    means[np.ix_(resistant == 1, FIVEFOLD)] *= 5
    cells = anndata.AnnData(draw.poisson(means).astype(np.float32))
    cells.obs_names = [f"{seed}-{number}" for number in range(400)]
    cells.obs["clone"] = np.where(resistant == 1, "resistant", "sensitive")
    scanpy.pp.normalize_total(cells, target_sum=6000)
    scanpy.pp.log1p(cells, base=2)
    return cells


def changes(cells: anndata.AnnData) -> tuple[float, float, int, np.ndarray]:
    """Median log2 fold change of the trebled and of the fivefold genes, trebled genes above the cut, and all z-scores."""
    cells.obs["clone"] = cells.obs["clone"].astype("category")
    scanpy.tl.rank_genes_groups(cells, "clone", groups=["resistant"], reference="sensitive", method="wilcoxon")
    table = scanpy.get.rank_genes_groups_df(cells, "resistant").set_index("names")
    fold = table.loc[[str(gene) for gene in range(GENES)], "logfoldchanges"].to_numpy()
    return float(np.median(fold[TREBLED])), float(np.median(fold[FIVEFOLD])), int((fold[TREBLED] > CUT).sum()), table.scores.sort_index().to_numpy()


def said_of_second_logarithm(cells: anndata.AnnData) -> bool:
    printed = io.StringIO()
    with warnings.catch_warnings(record=True) as said, contextlib.redirect_stderr(printed):
        warnings.simplefilter("always")
        scanpy.settings.logfile = printed
        scanpy.pp.log1p(cells.copy())
    return "already log-transformed" in printed.getvalue() + " ".join(str(one.message) for one in said)


warnings.simplefilter("ignore")
samples = [sample(1), sample(2)]
kept, joined = anndata.concat(samples, uns_merge="same"), anndata.concat(samples)
right, wrong = changes(kept), changes(joined)
told = said_of_second_logarithm(kept), said_of_second_logarithm(joined)
for name, (trebled, fivefold, above, _) in (("uns_merge='same'", right), ("concat", wrong)):
    print(f"{name:17} log2 fold change of trebled genes {trebled:.2f} (truth 1.58), fivefold {fivefold:.2f} (truth 2.32); trebled above {CUT}: {above} of 10")
same_scores = np.allclose(right[3], wrong[3])
print(f"z-scores equal: {same_scores}; a second log1p warns: {told[0]} with uns_merge='same', {told[1]} without")
if same_scores and told == (True, False) and right[2] == 0 and wrong[2] >= 8 and wrong[1] - right[1] > 0.5:
    sys.exit(0)
sys.exit("changed: the base of the logarithm outlives concat, or something is said")
PYTHON
venv/bin/python joined.py
