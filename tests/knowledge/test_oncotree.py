"""Codes of the tumour tree lead to the names that the portal writes into CANCER_TYPE."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from oncoraft.knowledge import oncotree
from oncoraft.knowledge.clinical_tables import CANCER_TYPES


@pytest.mark.parametrize(
    ("code", "cancer_type"),
    [
        ("LUAD", "Non-Small Cell Lung Cancer"),
        ("SCLC", "Small Cell Lung Cancer"),
        ("IDC", "Breast Cancer"),
        ("COADREAD", "Colorectal Cancer"),
        ("PRAD", "Prostate Cancer"),
        ("PAAD", "Pancreatic Cancer"),
        ("HGSOC", "Ovarian Cancer"),
        ("BLCA", "Bladder Cancer"),
        ("STAD", "Esophagogastric Cancer"),
    ],
)
def test_a_code_has_the_main_type_of_the_tree(code: str, cancer_type: str) -> None:
    assert oncotree.cancer_types()[code] == cancer_type


def test_a_code_stands_once_and_the_released_cancer_types_are_all_there() -> None:
    with Path(oncotree.__file__).with_name("oncotree.csv").open(encoding="utf-8", newline="") as stream:
        codes = [code for row in csv.DictReader(stream) for code in row["codes"].split()]
    assert len(codes) == len(set(codes)) == len(oncotree.cancer_types())
    assert all(code == code.upper() for code in codes)
    assert set(CANCER_TYPES) <= set(oncotree.cancer_types().values())
