"""A release of GENIE BPC small enough to check by hand: no real row, names and vocabularies alone are the release's."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

YES = "Yes, the Impression states or implies there is evidence of cancer"
NO = "No, the Impression states or implies there is no evidence of cancer"
SILENT = "The Impression does not mention cancer"
# Patient A: one cancer, diagnosed on day 20000 of life, sequenced on day 20100. Patient B: two index cancers (days 18000 and 19000),
# sequenced on day 19100, so that drugs of the second count from another day than scans.
ZERO = {"GENIE-MSK-P-0000001": 20100, "GENIE-DFCI-000002": 19100}
A, B = ZERO


def rows() -> dict[str, list[dict[str, Any]]]:
    """File -> rows, as they would stand in `clinical_data/`."""
    cancer = {
        "cohort": "NSCLC",
        "redcap_ca_index": "Yes",
        "ca_type": "",
        "stage_dx": "Stage IV",
        "ca_d_site": "C34.1    Upper lobe lung",
        "naaccr_histology_cd": "8140",
    }
    drug = {"cohort": "NSCLC", "drugs_ct_yn": "No"}
    panel = {"cohort": "NSCLC", "cpt_seq_assay_id": "DFCI-ONCOPANEL-3", "cpt_oncotree_code": "LUAD", "sample_type": "Primary tumor"}
    scan = {"cohort": "NSCLC", "image_scan_type": "CT", "scan_sites": "Chest, Abdomen", "image_casite1": ""}
    return {
        "patient_level_dataset.csv": [
            {"cohort": "NSCLC", "record_id": A, "institution": "MSK", "naaccr_sex_code": "Female", "hybrid_death_int": 20500, "last_alive_int": ""},
            {"cohort": "NSCLC", "record_id": B, "institution": "DFCI", "naaccr_sex_code": "Male", "hybrid_death_int": "", "last_alive_int": 19465},
        ],
        "cancer_level_dataset_index.csv": [
            {**cancer, "record_id": A, "ca_seq": 0, "dob_ca_dx_days": 20000, "first_index_ca_days": ""},
            {**cancer, "record_id": B, "ca_seq": 1, "dob_ca_dx_days": 18000, "first_index_ca_days": ""},
            {**cancer, "record_id": B, "ca_seq": 2, "dob_ca_dx_days": 19000, "first_index_ca_days": 1000},
        ],
        "regimen_cancer_level_dataset.csv": [
            {**drug, "record_id": A, "ca_seq": 0, "regimen_number": 1, "drugs_drug_1": "Pemetrexed Disodium(Alimta,LY231514)", "drugs_startdt_int_1": 20110, "dx_drug_start_int_1": 110, "dx_drug_end_int_1": 180},
            {**drug, "record_id": A, "ca_seq": 0, "regimen_number": 2, "drugs_ct_yn": "Yes", "drugs_drug_1": "Investigational Drug", "drugs_startdt_int_1": 20300, "dx_drug_start_int_1": 300, "dx_drug_end_int_1": ""},
            # Linked to both cancers: two rows, one regimen.
            {**drug, "record_id": B, "ca_seq": 2, "regimen_number": 1, "drugs_drug_1": "Cetuximab, C225, Erbitux", "drugs_startdt_int_1": 19110, "dx_drug_start_int_1": 110, "dx_drug_end_int_1": 150},
            {**drug, "record_id": B, "ca_seq": 1, "regimen_number": 1, "drugs_drug_1": "Cetuximab, C225, Erbitux", "drugs_startdt_int_1": 19110, "dx_drug_start_int_1": 1110, "dx_drug_end_int_1": 1150},
        ],
        "imaging_level_dataset.csv": [
            {**scan, "record_id": A, "scan_number": 1, "image_scan_int": 20090, "dx_scan_days": 90, "image_ca": YES, "image_overall": "Stable/No change", "image_casite1": "C34.1    Upper lobe lung"},
            {**scan, "record_id": A, "scan_number": 2, "image_scan_int": 20150, "dx_scan_days": 150, "image_ca": NO, "image_overall": ""},
            {**scan, "record_id": A, "scan_number": 3, "image_scan_int": 20160, "dx_scan_days": 160, "image_ca": SILENT, "image_overall": ""},
            {**scan, "record_id": A, "scan_number": 4, "image_scan_int": 20200, "dx_scan_days": 200, "image_ca": YES, "image_overall": "Mixed"},
            {**scan, "record_id": B, "scan_number": 1, "image_scan_int": 19150, "dx_scan_days": 1150, "image_ca": YES, "image_overall": "Progressing/Worsening/Enlarging", "image_casite1": "C50.9    Breast, NOS"},
        ],
        "cancer_panel_test_level_dataset.csv": [
            {**panel, "record_id": A, "ca_seq": 0, "cpt_genie_sample_id": f"{A}-T01-IM6", "dob_cpt_report_days": 20100, "dx_cpt_rep_days": 100},
            {**panel, "record_id": B, "ca_seq": 1, "cpt_genie_sample_id": f"{B}-11", "dob_cpt_report_days": 19100, "dx_cpt_rep_days": 1100},
            {**panel, "record_id": B, "ca_seq": 2, "cpt_genie_sample_id": f"{B}-11", "dob_cpt_report_days": 19100, "dx_cpt_rep_days": 100},
        ],
    }  # fmt: skip


def write(folder: Path, tables: dict[str, list[dict[str, Any]]]) -> Path:
    """The release below `folder`, texts in quotes, missing cells empty."""
    home = folder / "NSCLC" / "2.0-public" / "clinical_data"
    home.mkdir(parents=True)
    for name, found in tables.items():
        with (home / name).open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(
                stream, list(dict.fromkeys(key for row in found for key in row)), quoting=csv.QUOTE_NONNUMERIC, restval=""
            )
            writer.writeheader()
            writer.writerows(found)
    return folder
