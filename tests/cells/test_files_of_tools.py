"""Files as tools write them: what would be a wrong number without a word is right, or refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from oncoraft.cells.find_cases import found_cases
from oncoraft.cells.prompts import context, refuse_response
from oncoraft.cells.reading import opened
from oncoraft.foundation.errors import InputError
from tests.cells import made


def find(paths: list[Path], **values: Any) -> tuple[pd.DataFrame, dict[str, Any]]:
    study = made.study(**values)
    with opened(paths, study) as files:
        cases, _, _, flow = found_cases(files, study)
    return cases, flow


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.uint16, np.int64])
def test_sums_of_counts_do_not_overflow_the_small_integers_that_a_file_stores(tmp_path: Path, kind: type) -> None:
    counts = made.counts_of(60)
    counts[:, made.GENES.index("MT-ND1")] = 120
    counts[:, made.GENES.index("ND4")] = 240
    plain = made.write(tmp_path / "plain.h5ad", counts=sparse.csr_matrix(counts))
    small = made.write(tmp_path / "small.h5ad", counts=sparse.csr_matrix(counts.astype(kind)))
    settings = {"maximum_mitochondrial": 0.85}
    cases, flow = find([plain], **settings)
    assert 0 < len(cases) < 60
    found, small_flow = find([small], **settings)
    pd.testing.assert_frame_equal(found, cases)
    assert small_flow["steps"] == flow["steps"]


def test_columns_of_one_gene_in_small_integers_are_summed_without_overflow(tmp_path: Path) -> None:
    names = ["TP53", "tp53", *made.GENES]
    counts = made.counts_of(60, len(names))
    counts[:, :2] = 200
    cases = [
        find([made.write(tmp_path / f"{kind}.h5ad", names=names, counts=sparse.csr_matrix(counts.astype(kind)))])[0]
        for kind in ("uint8", "float32")
    ]
    pd.testing.assert_frame_equal(*cases)


def test_two_files_of_one_name_are_no_one_data_set(tmp_path: Path) -> None:
    obs = made.obs_of(60)
    paths = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        obs.index = [f"{name}-{k}" for k in range(60)]
        paths.append(made.write(tmp_path / name / "filtered.h5ad", obs=obs))
    with pytest.raises(InputError, match=r"second/filtered\.h5ad: expected files of different names, since each is a data set"):
        find(paths, columns={"data_set": None})
    assert find(paths)[0]["patient_id"].nunique() == 6


def test_a_pseudobulk_never_adds_up_cells_of_two_data_sets(tmp_path: Path) -> None:
    paths = [made.write(tmp_path / f"{name}.h5ad", obs=made.obs_of(60, data_set=name)) for name in ("one", "two")]
    cases, _ = find(paths, donors="of_all", unit="donor", designs={"leave_dataset_out": 2})
    assert cases["data_set"].value_counts().to_dict() == {"one": 6, "two": 6}
    assert cases["case_id"].is_unique
    assert cases["patient_id"].nunique() == 6


def test_words_of_recist_are_not_found_in_the_names_of_checkpoints() -> None:
    study = made.study(labels={"PR": 1.0, "PD": 0.0})
    told = context("pembrolizumab", "anti-PD-1 + anti-PD-L1", "tumour", "Lung Cancer")
    assert "PD-1" in told
    assert refuse_response([told], study, "context") == 1
    for text in ("Drug: pembrolizumab (PD).", "best response PD-like", "post-PD"):
        with pytest.raises(InputError, match="expected nothing of the response in the prompt"):
            refuse_response([text], study, "context")


def test_mitochondrial_genes_are_known_by_their_ensembl_ids_too(tmp_path: Path) -> None:
    names = [*(f"ENSG{k:011d}.1" for k in range(40)), "ENSG00000198888.2", "ENSG00000198763.3", "ENSG00000211459.2", "ENSG00000210082.2"]
    counts = made.counts_of(60)
    counts[:30, 40:] = 100
    path = made.write(tmp_path / "cells.h5ad", names=names, counts=sparse.csr_matrix(counts))
    _, flow = find([path], gene_ids="ensembl", maximum_mitochondrial=0.5)
    assert {row["step"]: row["cells"] for row in flow["steps"]}["larger mitochondrial share than maximum_mitochondrial"] == -30
    assert flow["mitochondrial_genes"] == 4


def test_that_no_gene_is_mitochondrial_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    names = [name for name in made.GENES if name not in ("MT-ND1", "ND4")]
    _, flow = find([made.write(tmp_path / "cells.h5ad", names=names)], maximum_mitochondrial=0.1)
    assert flow["mitochondrial_genes"] == 0
    assert "no gene that all files have is known as mitochondrial" in caplog.text


@pytest.mark.parametrize("words", [[0.03, 0.91, 0.4], ["DBL", "SNG", "AMB"]])
def test_a_word_for_doublets_that_is_not_known_is_refused(tmp_path: Path, words: list[Any]) -> None:
    path = made.write(tmp_path / "cells.h5ad", obs=made.obs_of(60).assign(calls=words * 20))
    with pytest.raises(InputError, match=re.escape("column calls: expected one of doublet, true, yes, 1, singlet, negative, false, no, 0")):
        find([path], columns={"doublet": "calls"})


def test_calls_of_doublets_are_read_in_the_words_of_tools(tmp_path: Path) -> None:
    told: dict[str, list[Any]] = {"hashtags": ["Singlet", "Doublet", "Negative"], "numbers": [0, 1, 0], "nulls": [None, True, False]}
    for name, words in told.items():
        calls: Any = pd.array(words * 20, dtype="boolean") if name == "nulls" else words * 20
        path = made.write(tmp_path / f"{name}.h5ad", obs=made.obs_of(60).assign(calls=calls))
        assert len(find([path], columns={"doublet": "calls"})[0]) == 40


def test_a_file_whose_x_is_null_names_the_matrices_that_there_are(tmp_path: Path) -> None:
    path = tmp_path / "cells.h5ad"
    data = anndata.AnnData(obs=made.obs_of(60), var=pd.DataFrame(index=made.GENES))
    data.layers["counts"] = sparse.csr_matrix(made.counts_of(60))
    data.write_h5ad(path)
    with pytest.raises(InputError, match="expected a matrix `X`; there is layers/counts"):
        find([path])


def test_a_matrix_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "cells.h5ad"
    anndata.AnnData(X=sparse.csr_matrix(made.counts_of(60)), obs=made.obs_of(60), var=pd.DataFrame(index=made.GENES)).write_h5ad(
        path, compression="gzip"
    )
    with h5py.File(path) as file:
        place = file["X/data"].id.get_chunk_info(0).byte_offset
    with path.open("r+b") as stream:
        stream.seek(place)
        stream.write(b"\0" * 30)
    with pytest.raises(InputError, match=re.escape(f"{path}: expected rows 0 to 60 of its matrix to be readable")):
        find([path])
