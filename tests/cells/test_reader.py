"""Files of AnnData: read in chunks as anndata reads them whole, every loss counted, bad input one line."""

from __future__ import annotations

import re
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from oncoraft.cells import h5ad
from oncoraft.cells.find_cases import found_cases
from oncoraft.cells.genes import harmonised, is_mitochondrial, is_ribosomal
from oncoraft.cells.reading import cells_of, opened, summed
from oncoraft.foundation.errors import InputError
from tests.cells import made

MICE = ["Trp53", "Actb", "Gapdh", "Cd3e", "Cd8a", "Mki67"]


def find(path: Path, **values: Any) -> tuple[pd.DataFrame, dict[str, Any]]:
    study = made.study(**values)
    with opened([path], study) as files:
        cases, _, _, flow = found_cases(files, study)
    return cases, flow


def no_donor(path: Path) -> None:
    made.write(path, obs=made.obs_of(60).drop(columns="donor"))


def normalised(path: Path) -> None:
    made.write(path, counts=sparse.csr_matrix(np.log1p(made.counts_of(60))))


def scaled(path: Path) -> None:
    made.write(path, counts=sparse.csr_matrix(made.counts_of(60) - 0.5))


def duplicates(path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made.write(path, names=[made.GENES[0], *made.GENES[:-1]])


def one_class(path: Path) -> None:
    made.write(path, obs=made.obs_of(60).assign(response="sensitive"))


def another_word(path: Path) -> None:
    made.write(path, obs=made.obs_of(60).replace("sensitive", "responsive"))


def old(path: Path) -> None:
    """As anndata wrote before 0.7: obs is a compound array without an encoding."""
    made.write(path)
    with h5py.File(path, "r+") as file:
        del file["obs"]
        file["obs"] = np.array([(b"cell-0", b"P0")], dtype=[("index", "S6"), ("donor", "S2")])


def by_columns(path: Path) -> None:
    made.write(path, counts=sparse.csc_matrix(made.counts_of(60)))


def mice(path: Path) -> None:
    made.write(path, names=[*MICE, "RPL3"])


def rat_ids(path: Path) -> None:
    made.write(path, names=[f"ENSRNOG{number:011d}" for number in range(10)])


def ensembl(path: Path) -> None:
    made.write(path, names=[f"ENSG{number:011d}.3" for number in range(10)])


def no_file(path: Path) -> None:
    assert not path.exists()


def text(path: Path) -> None:
    path.write_text("no HDF5")


def twice(path: Path) -> None:
    obs = made.obs_of(60)
    obs.index = ["cell-0", *obs.index[:-1]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made.write(path, obs=obs)


BAD = {
    "no donor column": (no_donor, {}, "column donor: expected this column of obs (cells.columns.donor)"),
    "normalised values where counts are asked": (normalised, {}, "expected counts, whole numbers; these values are normalised"),
    "scaled values": (scaled, {}, "expected no value below zero"),
    "duplicate genes": (duplicates, {}, "expected each gene once (1 stand more often"),
    "one class": (one_class, {}, "expected sensitive and resistant cases; all 60 are sensitive"),
    "a word of the label that is not declared": (
        another_word,
        {},
        "column response: expected one of sensitive, resistant (cells.labels), found 'responsive'",
    ),
    "no raw": (made.write, {"matrix": "raw"}, "expected a matrix `raw`; there is X"),
    "no such layer": (made.write, {"matrix": "layers/counts"}, "expected a matrix `layers/counts`; there is X"),
    "an old encoding": (old, {}, "expected the encoding of anndata 0.7 or newer; obs is older"),
    "a matrix by columns": (by_columns, {}, "expected `X` stored by rows (csr_matrix) or dense"),
    "genes of a mouse": (mice, {}, "expected human symbols; 6 of 7 are written as a mouse's or a rat's are, the first, found 'Trp53'"),
    "ids of a rat": (rat_ids, {}, "expected genes of Homo sapiens; 10 of 10 are ids of another species"),
    "ids where symbols are declared": (ensembl, {}, "expected symbols of genes; these are Ensembl ids"),
    "symbols where ids are declared": (made.write, {"gene_ids": "ensembl"}, "expected Ensembl ids of genes"),
    "no such file": (no_file, {}, "expected a file of AnnData (.h5ad)"),
    "no HDF5": (text, {}, "expected a file of AnnData, which is HDF5"),
    "a cell twice": (twice, {}, "expected each cell's name once (index of obs), found 'cell-0'"),
    "too few genes everywhere": (
        made.write,
        {"minimum_genes": 5000},
        "expected cells that pass; all 60 are left out (fewer genes than minimum_genes: 60)",
    ),
    "no such time column": (
        made.write,
        {"times": ["before"], "columns": {"time": "visit"}},
        "column visit: expected this column of obs (cells.columns.time)",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line_that_names_the_file(tmp_path: Path, name: str) -> None:
    make, values, said = BAD[name]
    path = tmp_path / "cells.h5ad"
    make(path)
    with pytest.raises(InputError, match=re.escape(said)) as caught:
        find(path, **values)
    assert "\n" not in str(caught.value)
    assert name in ("one class", "too few genes everywhere") or str(path) in str(caught.value)


def test_a_matrix_in_chunks_is_the_matrix_that_anndata_reads_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = made.write(tmp_path / "cells.h5ad")
    monkeypatch.setattr(h5ad, "CHUNK_VALUES", 200)
    with h5ad.CellFile(path, "X") as file:
        chunks = list(file.chunks())
    assert len(chunks) > 5
    whole = anndata.read_h5ad(path).X
    assert (sparse.vstack([chunk for _, chunk in chunks]) != whole).nnz == 0


@pytest.mark.parametrize("kind", ["dense", "integers", "layer", "raw"])
def test_dense_matrices_layers_and_raw_say_the_same_as_a_sparse_one(tmp_path: Path, kind: str) -> None:
    counts = made.counts_of(60)
    plain = made.write(tmp_path / "plain.h5ad", counts=sparse.csr_matrix(counts))
    path = tmp_path / "other.h5ad"
    logs = sparse.csr_matrix(np.log1p(counts))
    if kind == "dense":
        made.write(path, counts=counts)
    elif kind == "integers":
        made.write(path, counts=sparse.csr_matrix(counts.astype(np.int64)))
    elif kind == "layer":
        made.write(path, counts=logs, layers={"counts": sparse.csr_matrix(counts)})
    else:
        data = anndata.AnnData(X=sparse.csr_matrix(counts), obs=made.obs_of(60), var=pd.DataFrame(index=made.GENES))
        data.raw = data
        data.X = logs
        data.write_h5ad(path)
    matrix = {"dense": "X", "integers": "X", "layer": "layers/counts", "raw": "raw"}[kind]
    pd.testing.assert_frame_equal(find(path, matrix=matrix)[0], find(plain)[0])


def test_names_are_brought_to_one_spelling_and_every_change_is_counted() -> None:
    found = harmonised(["tp53", "TP53.1", "", "C1orf112", "EGFR"], "symbol", "refuse", None, Path("f"))
    assert found.names == ["C1ORF112", "EGFR", "TP53", "TP53.1"]
    assert found.counts == {
        "columns": 5,
        "without_name": 1,
        "case_changed": 2,
        "versions_taken_off": 0,
        "without_symbol": 0,
        "summed": 0,
        "genes": 4,
    }
    ids = ["ENSG00000141510.17", "ENSG00000141510.9", "ENSG00000146648.1", "ENSG00000000003.2"]
    table = {"ENSG00000141510": "TP53", "ENSG00000146648": "EGFR"}
    found = harmonised(ids, "ensembl", "refuse", table, Path("f"))
    assert (found.names, found.place.tolist()) == (["EGFR", "TP53"], [1, 1, 0, -1])
    assert (found.counts["versions_taken_off"], found.counts["without_symbol"], found.counts["summed"]) == (4, 1, 1)


def test_what_is_mitochondrial_or_ribosomal_goes_by_the_symbol_also_without_prefix() -> None:
    assert all(map(is_mitochondrial, ["MT-ND1", "ND4", "COX2", "RNR2"]))
    assert all(map(is_ribosomal, ["RPL3", "RPS4X", "RPS4Y1", "RPLP0", "RPSA", "RPL7A", "RPL36AL", "RPL22L1", "RPS27L"]))
    assert not any(map(is_ribosomal, ["RPS6KA1", "RPS6KB2", "RPL", "MRPL3"]))
    assert not is_mitochondrial("MTOR")


def test_genes_that_two_files_do_not_share_are_left_out_and_counted(tmp_path: Path) -> None:
    one = made.write(tmp_path / "one.h5ad", obs=made.obs_of(60, data_set="one"))
    other = made.write(tmp_path / "two.h5ad", names=[*reversed(made.GENES[5:]), "EXTRA1"], obs=made.obs_of(60, data_set="two"))
    study = made.study()
    with opened([one, other], study) as files:
        assert files.names == sorted(made.GENES[5:])
        assert [loss["not_in_every_file"] for loss in files.losses] == [5, 1]
        cells = cells_of(files, study)
        total = summed(files, study, cells.assign(case=np.arange(120)), 120)
    whole = anndata.read_h5ad(other)
    assert (total[60:].toarray() == whole[:, files.names].X.toarray()).all()


def test_the_flow_adds_up_and_every_reason_has_its_cells(tmp_path: Path) -> None:
    obs = made.obs_of(60).assign(visit="before", doublet=False)
    obs.loc["cell-0", "donor"] = np.nan
    obs.loc[["cell-1", "cell-2"], "response"] = np.nan
    obs.loc[["cell-3", "cell-4", "cell-5"], "visit"] = "after"
    obs.loc["cell-6", "doublet"] = True
    counts = made.counts_of(60)
    counts[7] = 0
    counts[8] = 0
    counts[8, made.GENES.index("ND4")] = 9
    counts[8, 0] = 1
    path = made.write(tmp_path / "cells.h5ad", obs=obs, counts=sparse.csr_matrix(counts))
    columns = {"time": "visit", "doublet": "doublet"}
    cases, flow = find(path, times=["before"], columns=columns, maximum_mitochondrial=0.5, cells_per_donor=6)
    steps = {row["step"]: row["cells"] for row in flow["steps"]}
    assert steps == {
        "cells in the files": 60,
        "no donor": -1,
        "sampled at another time": -3,
        "no response told": -2,
        "called a doublet": -1,
        "fewer genes than minimum_genes": -1,
        "larger mitochondrial share than maximum_mitochondrial": -1,
        "beyond cells_per_donor": steps["beyond cells_per_donor"],
        "cells analysed": len(cases),
    }
    assert sum(steps.values()) == 2 * len(cases)
    assert cases["patient_id"].value_counts().max() == 6


def test_a_higher_cap_adds_cells_and_takes_none_away(tmp_path: Path) -> None:
    path = made.write(tmp_path / "cells.h5ad")
    few, more = (set(find(path, cells_per_donor=cap)[0]["case_id"]) for cap in (3, 7))
    assert few < more


def test_a_pseudobulk_is_the_sum_of_a_donors_cells_under_one_drug_in_one_tissue(tmp_path: Path) -> None:
    path = made.write(tmp_path / "cells.h5ad")
    study = made.study(unit="donor", designs={"pooled_by_donor": 2})
    with opened([path], study) as files:
        cases, members, _, _ = found_cases(files, study)
        total = summed(files, study, members, len(cases))
        names = files.names
    whole = anndata.read_h5ad(path)
    assert cases["cells"].sum() == 60
    for row, case in cases.iterrows():
        donor = case["patient_id"].partition("/")[2]
        mine = whole[whole.obs["donor"] == donor, names].X.sum(axis=0)
        np.testing.assert_allclose(total[row].toarray(), mine)


def test_graded_responses_are_kept_and_cut_at_one_half(tmp_path: Path) -> None:
    obs = made.obs_of(60).assign(response=np.tile([0.0, 0.3, 0.7, 1.0], 15))
    cases, _ = find(made.write(tmp_path / "cells.h5ad", obs=obs), labels={})
    assert sorted(cases["score"].unique()) == [0.0, 0.3, 0.7, 1.0]
    assert (cases["responder"] == (cases["score"] >= 0.5)).all()
    wrong = obs.assign(response=3.0)
    with pytest.raises(InputError, match="expected a grade from 0 to 1"):
        find(made.write(tmp_path / "wrong.h5ad", obs=wrong), labels={})


def test_donors_of_one_name_are_two_people_unless_it_is_said_otherwise(tmp_path: Path) -> None:
    paths = [made.write(tmp_path / f"{name}.h5ad", obs=made.obs_of(60, data_set=name)) for name in ("one", "two")]
    for donors, people in (("of_data_set", 12), ("of_all", 6)):
        study = made.study(donors=donors)
        with opened(paths, study) as files:
            assert cells_of(files, study)["patient_id"].nunique() == people


@pytest.mark.parametrize("matrix", ["X", "layers/counts"])
def test_the_line_that_a_matrix_by_columns_is_refused_with_converts_it(tmp_path: Path, matrix: str) -> None:
    path = tmp_path / "columns.h5ad"
    by_columns(path)
    if matrix != "X":
        whole = anndata.read_h5ad(path)
        whole.layers["counts"] = whole.X.copy()
        whole.write_h5ad(path)
    with pytest.raises(InputError) as refused:
        h5ad.CellFile(path, matrix)
    (line,) = re.findall(r'python -c "(.*)"', str(refused.value))
    subprocess.run([sys.executable, "-c", line], cwd=tmp_path, check=True, capture_output=True)
    with h5ad.CellFile(tmp_path / "rows-columns.h5ad", matrix) as made_by_rows:
        assert (made_by_rows.chunk(0, 60).toarray() == made.counts_of(60)).all()
