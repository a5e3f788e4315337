"""OncoTree codes of solid tumours and the cancer type that each belongs to (`oncotree.csv`).

From OncoTree's tumour tree (Kundra et al., JCO Clin Cancer Inform 2021; CC BY 4.0): its main types under the names that the portal
writes into CANCER_TYPE. Main types of blood and brain have changed between its versions, so most of their codes are left out:
such a specimen has no cancer type unless its table gives one.
"""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

DATA_FILES = ("oncotree.csv",)


@cache
def cancer_types() -> dict[str, str]:
    """OncoTree code, in upper case -> cancer type."""
    with Path(__file__).with_name(DATA_FILES[0]).open(encoding="utf-8", newline="") as stream:
        return {code: row["cancer_type"] for row in csv.DictReader(stream) for code in row["codes"].split()}
