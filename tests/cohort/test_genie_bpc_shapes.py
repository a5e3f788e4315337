"""Releases of GENIE BPC as they really come: tables of other columns, empty ones, words and days that do not fit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from oncoraft.cohort.convert import main as convert
from oncoraft.cohort.ingest import main as ingest
from oncoraft.foundation.errors import InputError

from .release import A, rows, write

CANCERS, OTHERS = "cancer_level_dataset_index.csv", "cancer_level_dataset_non_index.csv"
PATIENTS, PANELS = "patient_level_dataset.csv", "cancer_panel_test_level_dataset.csv"
REGIMENS, SCANS = "regimen_cancer_level_dataset.csv", "imaging_level_dataset.csv"


def made(source: Path, home: Path) -> Path:
    """Tables of a release below `home`."""
    assert convert([str(source), "--reader", "genie_bpc", "--out", str(home / "study")]) == 0
    assert ingest([str(home / "study"), "--out", str(home / "tables")]) == 0
    return home / "tables"


def counts(home: Path) -> dict[str, int]:
    """What the mapping report counts."""
    return {row["what"]: row["rows"] for row in json.loads((home / "study" / "mapping.json").read_text())["rows"]}


def header_alone(source: Path, name: str) -> Path:
    path = source / "NSCLC" / "2.0-public" / "clinical_data" / name
    path.write_text(path.read_text().splitlines()[0] + "\n")
    return source


def test_a_table_of_other_cancers_may_lack_columns_that_the_index_cancers_have(tmp_path: Path) -> None:
    found: dict[str, list[dict[str, Any]]] = rows()
    for row in found[CANCERS]:
        row["naaccr_primary_site"] = "C341"
    found[OTHERS] = [{"cohort": "NSCLC", "record_id": A, "ca_seq": 5, "dob_ca_dx_days": 15000, "ca_d_site": "C50.9    Breast, NOS"}]
    tables = made(write(tmp_path / "source", found), tmp_path)
    told = pd.read_parquet(tables / "timeline_diagnosis.parquet").set_index(["patient_id", "start_day"])
    assert told.loc[(A, -5100), "dx_description"] == "| BREAST, NOS (M8000/3 | C509)"
    assert pd.isna(told.loc[(A, -5100), "stage_cdm_derived"])
    assert told.loc[(A, -100), "stage_cdm_derived"] == "Stage 4"


@pytest.mark.parametrize("name", [PATIENTS, CANCERS])
def test_a_release_without_patients_or_cancers_ends_in_one_line(name: str, tmp_path: Path) -> None:
    source = header_alone(write(tmp_path / "source", rows()), name)
    with pytest.raises(InputError, match=f"{name}: expected at least one row"):
        made(source, tmp_path)


def test_panels_that_name_none_of_the_patients_end_in_one_line(tmp_path: Path) -> None:
    found = rows()
    for row in found[PATIENTS]:
        row["record_id"] = row["record_id"].replace("-0", "-")
    with pytest.raises(InputError, match="expected at least one patient with a sequencing report"):
        made(write(tmp_path / "source", found), tmp_path)


def test_a_patient_of_two_cohorts_has_one_day_zero(tmp_path: Path) -> None:
    """The second cohort names an earlier panel of the same patient: the events that both tell are told once, on the same days."""
    source, other = write(tmp_path / "source", rows()), {}
    for name, found in rows().items():
        other[name] = [row | {"cohort": "CRC"} for row in found if row["record_id"] == A]
    other[PANELS][0] |= {"cpt_genie_sample_id": f"{A}-T02-IM6", "dob_cpt_report_days": 20050}
    write(tmp_path / "other", other)
    (tmp_path / "other" / "NSCLC").rename(source / "CRC")
    tables = made(source, tmp_path)
    treated = pd.read_parquet(tables / "timeline_treatment.parquet")
    assert list(treated.loc[treated["patient_id"] == A, "start_day"]) == [60, 250]
    sequenced = pd.read_parquet(tables / "timeline_specimen.parquet").set_index("sample_id")["start_day"]
    assert (sequenced[f"{A}-T02-IM6"], sequenced[f"{A}-T01-IM6"]) == (0, 50)
