"""Real cells: 200 T cells of 14 cancer patients, raw counts, in a file that the package scirpy (0.22.5) ships.

Nobody told who responded. Labels drawn at random by patient have no signal, so that whatever a model finds in them is the patient.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import anndata
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from oncoraft.cells.baselines import regression
from oncoraft.cells.expression import log_normalised, variable_genes
from oncoraft.cells.find_cases import found_cases
from oncoraft.cells.folds import assigned
from oncoraft.cells.reading import opened, summed
from oncoraft.cells.tables import parts_of_fold
from tests.cells import made

NAME = "tests/data/wu2020_200_v0_11.h5ad"
DRAWS, FOLDS = 8, 3


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = importlib.util.find_spec("scirpy")  # looked for, not imported: its own dependencies are many
    path = Path(found.submodule_search_locations[0]) / NAME if found and found.submodule_search_locations else None
    if path is None or not path.is_file():
        pytest.skip("the package scirpy 0.22.5 is not installed; `pip install --no-deps scirpy==0.22.5` brings the file")
    data = anndata.read_h5ad(path)
    donors = sorted(data.obs["patient"].unique())
    draw = np.random.default_rng(5)
    for number in range(DRAWS):
        answer = dict(zip(donors, draw.permutation(np.arange(len(donors)) % 2)))
        data.obs[f"drawn-{number}"] = data.obs["patient"].map(answer).map({1: "sensitive", 0: "resistant"}).astype(str)
    out = tmp_path_factory.mktemp("real") / "wu2020.h5ad"
    data.obs = data.obs[["patient", "source", *(f"drawn-{number}" for number in range(DRAWS))]]
    data.write_h5ad(out)
    return out


def declared(number: int) -> dict[str, object]:
    columns = {"donor": "patient", "data_set": None, "label": f"drawn-{number}", "drug": None, "tissue": "source", "cancer": None}
    return {
        "columns": columns,
        "maximum_mitochondrial": 0.2,
        "minimum_genes": 200,
        "designs": {"pooled_by_donor": FOLDS, "pooled_by_cell": FOLDS},
    }


def test_a_real_file_is_read_whole_with_its_losses_counted(real: Path) -> None:
    study = made.study(**declared(0))
    with opened([real], study) as files:
        cases, _, top, flow = found_cases(files, study)
        names = np.array(files.names)
    steps = {row["step"]: row["cells"] for row in flow["steps"]}
    assert steps["cells in the files"] == 200
    assert steps["cells analysed"] == 200 + sum(value for name, value in steps.items() if value < 0) == len(cases)
    assert flow["genes"][0]["columns"] == 30727
    assert flow["donors"] <= 14
    # This file spells the genes of the mitochondrion without a prefix: a filter on `MT-` alone would leave them at the top.
    shown = set(names[top[top >= 0]])
    assert not shown & {"RNR2", "COX2", "ND4"}
    assert {"RNR2", "COX2", "ND4"} <= set(names)
    whole = anndata.read_h5ad(real)
    cell = cases["case_id"].iloc[0].partition(":")[2]
    counts = dict(zip(whole.var_names.str.upper(), np.asarray(whole[cell].X.todense()).ravel()))
    values = [counts[name] for name in names[top[0]]]
    assert values == sorted(values, reverse=True)


@pytest.mark.slow
def test_labels_without_signal_are_found_by_cell_and_not_by_donor(real: Path) -> None:
    areas: dict[str, list[float]] = {"pooled_by_donor": [], "pooled_by_cell": []}
    for number in range(DRAWS):
        study = made.study(**declared(number))
        with opened([real], study) as files:
            cases, members, _, _ = found_cases(files, study)
            counts = summed(files, study, members, len(cases))
        folds = assigned(cases, study)
        values = log_normalised(counts)[:, variable_genes(counts, 1000)].toarray()
        values = (values - values.mean(axis=0)) / (values.std(axis=0) + 1e-6)
        label, donor = cases["responder"].to_numpy(), cases["patient_id"].to_numpy()
        for design, found in areas.items():
            table = folds[folds["design"] == design]
            for fold in range(FOLDS):
                train, held = parts_of_fold(cases, table, fold, design == "pooled_by_cell")
                if len(set(label[held])) == 2 and len(set(label[train])) == 2:
                    score, _ = regression(values[train], label[train], donor[train], values[held])
                    found.append(roc_auc_score(label[held], score))
    by_cell, by_donor = (float(np.mean(areas[name])) for name in ("pooled_by_cell", "pooled_by_donor"))
    print(f"AUROC of random labels: by cell {by_cell:.3f}, by donor {by_donor:.3f}")
    assert by_cell > 0.65
    assert 0.35 < by_donor < 0.6
