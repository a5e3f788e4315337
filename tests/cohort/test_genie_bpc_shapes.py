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
from oncoraft.knowledge.tables import table as spec

from .release import A, B, rows, write

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


def test_what_is_left_empty_for_a_word_or_a_day_that_does_not_fit_is_counted(tmp_path: Path) -> None:
    found = rows()
    found[CANCERS][0]["stage_dx"] = "Stage IIIA"
    found[PANELS][0]["sample_type"] = "Metastatic tumor"
    found[REGIMENS][0]["dx_drug_end_int_1"] = 50
    found[SCANS][0]["scan_sites"] = "Chest, Thorax"
    tables = made(write(tmp_path / "source", found), tmp_path)
    told = counts(tmp_path)
    assert told["cells of stage_dx with a word that is not known ('Stage IIIA'); left empty"] == 1
    assert told["cells of sample_type with a word that is not known ('Metastatic tumor'); left empty"] == 1
    assert told["cells of scan_sites with a word that is not known ('Thorax'); left empty"] == 1
    assert told["ends of drugs before their start; left empty"] == 1
    scan = pd.read_parquet(tables / "timeline_progression.parquet").merge(pd.read_parquet(tables / "timeline_cancer_presence.parquet"))
    first = scan[(scan["patient_id"] == A) & (scan["start_day"] == -10)].iloc[0]
    assert first["chest"]
    # What is not known may be the abdomen: only a scan whose every part is known leaves a region out.
    assert pd.isna(first["abdomen"])


def test_events_of_patients_without_day_zero_are_counted_in_every_table(tmp_path: Path) -> None:
    found: dict[str, list[dict[str, Any]]] = rows()
    stranger = {"cohort": "NSCLC", "record_id": "GENIE-VICC-9", "ca_seq": 0}
    found["tm_level_dataset.csv"] = [stranger | {"tm_type": "CEA", "tm_num_result": 3, "tm_spec_collect_int": 20110, "dx_tm_days": 110}]
    found["ca_radtx_dataset.csv"] = [stranger | {"dx_rt_start_days": 110, "rt_rt_int": 10}]
    made(write(tmp_path / "source", found), tmp_path)
    told = counts(tmp_path)
    assert told["set aside: markers of patients without day 0"] == 1
    assert told["set aside: radiation of patients without day 0"] == 1


def test_the_column_of_genes_is_found_in_any_case_and_required(tmp_path: Path) -> None:
    source = write(tmp_path / "source", rows())
    matrix = source / "NSCLC" / "2.0-public" / "cBioPortal_files" / "data_CNA.txt"
    matrix.parent.mkdir()
    matrix.write_text(f"hugo_symbol\t{A}-T01-IM6\nTP53\t-2\n")
    made(source, tmp_path)
    found = pd.read_csv(tmp_path / "study" / spec("cna").file, sep="\t")
    assert found.to_dict("records") == [{"Hugo_Symbol": "TP53", f"{A}-T01-IM6": -2}]
    matrix.write_text(f"gene\t{A}-T01-IM6\nTP53\t-2\n")
    with pytest.raises(InputError, match=r"data_CNA\.txt, column Hugo_Symbol: this column is required"):
        made(source, tmp_path / "other")


def test_keys_that_a_tool_has_written_as_fractions_join_all_the_same(tmp_path: Path) -> None:
    found: dict[str, list[dict[str, Any]]] = rows()
    for row in found[REGIMENS]:
        row["ca_seq"] = f"{row['ca_seq']}.0"
    treated = pd.read_parquet(made(write(tmp_path / "source", found), tmp_path) / "timeline_treatment.parquet")
    assert list(treated["stop_day"].dropna()) == [50, 80]


def test_regimens_and_diagnoses_of_which_something_is_missing_are_counted(tmp_path: Path) -> None:
    found: dict[str, list[dict[str, Any]]] = rows()
    found[REGIMENS][0]["ca_seq"] = 7
    found[REGIMENS][1]["drugs_drug_1"] = ""
    found[OTHERS] = [{"cohort": "NSCLC", "record_id": A, "ca_seq": 5, "dob_ca_dx_days": ""}]
    made(write(tmp_path / "source", found), tmp_path)
    told = counts(tmp_path)
    assert told["regimens of a cancer that is not there; days from its diagnosis cannot be told"] == 1
    assert told["set aside: regimens that name no drug"] == 1
    assert told["set aside: diagnoses without a day"] == 1


def test_of_a_patient_of_two_cohorts_the_row_that_was_followed_longest_counts(tmp_path: Path) -> None:
    source, other = write(tmp_path / "source", rows()), {}
    for name, found in rows().items():
        other[name] = [row | {"cohort": "CRC"} for row in found if row["record_id"] == B]
    other[PATIENTS][0] |= {"hybrid_death_int": 19830, "last_alive_int": ""}
    write(tmp_path / "other", other)
    (tmp_path / "other" / "NSCLC").rename(source / "CRC")
    told = pd.read_parquet(made(source, tmp_path) / "clinical_patient.parquet").set_index("patient_id")
    assert set(told.index) == {A, B}
    assert (told.loc[B, "is_deceased"], told.loc[B, "os_days"]) == (True, 730)
    assert counts(tmp_path)["set aside: further rows of one PATIENT_ID that differ from the first"] == 1
    assert counts(tmp_path)["set aside: further rows of one SAMPLE_ID that differ from the first"] == 1


def test_rows_of_a_patient_or_a_gene_that_stand_twice_are_counted(tmp_path: Path) -> None:
    found = rows()
    found[PATIENTS] = [*found[PATIENTS], found[PATIENTS][0], found[PATIENTS][1] | {"last_alive_int": 19300}]
    source = write(tmp_path / "source", found)
    matrix = source / "NSCLC" / "2.0-public" / "cBioPortal_files" / "data_CNA.txt"
    matrix.parent.mkdir()
    matrix.write_text(f"Hugo_Symbol\t{A}-T01-IM6\nTP53\t-2\nMYC\t2\nTP53\t0\n")
    tables = made(source, tmp_path)
    told = pd.read_parquet(tables / "clinical_patient.parquet").set_index("patient_id")
    assert dict(told["os_days"]) == {A: 400, B: 365}
    told_counts = counts(tmp_path)
    assert told_counts["set aside: further rows of one PATIENT_ID, equal to the first"] == 1
    assert told_counts["set aside: further rows of one PATIENT_ID that differ from the first"] == 1
    assert told_counts["set aside: further rows of one Hugo_Symbol that differ from the first"] == 1
