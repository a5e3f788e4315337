"""A made-up study small enough to check by hand, with the released files' quirks, and one of another kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from oncoraft.cohort.ingest import main

HASHES = "#Patient Identifier\tSex\n#text\ttext\n#STRING\tSTRING\n#1\t0\n"

# Months are days x 12/365 to nine decimals: 365 d, 730 d, 100 d.
STUDY = {
    "data_clinical_patient.txt": HASHES + "PATIENT_ID\tGENDER\tCURRENT_AGE_DEID\tLIVER\tOS_MONTHS\tOS_STATUS\tHR\tHER2\n"
    "P-0000002\tMale\t70\tNo\t24.0\t0:LIVING\t\t\n"
    "P-0000001\tFemale\t61\tYes\t12.0\t1:DECEASED\tYes\tNo\n"
    "P-0000003\tFEMALE\t\tUnknown\t3.287671233\t1:DECEASED\t\t",
    "data_clinical_sample.txt": "#a\n#b\n#c\n#d\nSAMPLE_ID\tPATIENT_ID\tCANCER_TYPE\tTMB_NONSYNONYMOUS\tPDL1_POSITIVE\n"
    "P-0000001-T01-IM6\tP-0000001\tBreast Cancer\t0.864698095\tYes\n"
    "P-0000002-T01-IM5\tP-0000002\tProstate Cancer\t\t\n"
    "P-0000003-T01-IM6\tP-0000003\tColorectal Cancer\t2.5\tNo\n",
    "data_gene_panel_matrix.txt": "SAMPLE_ID\tmutations\tcna\tstructural_variants\n"
    "P-0000001-T01-IM6\tIMPACT468\tIMPACT468\tIMPACT468\n"
    "P-0000002-T01-IM5\tIMPACT410\tIMPACT410\tIMPACT410\n"
    "P-0000003-T01-IM6\tIMPACT468\tIMPACT468\tIMPACT468\n",
    "data_cna.txt": "Hugo_Symbol\tP-0000001-T01-IM6\tP-0000002-T01-IM5\tP-0000003-T01-IM6\n"
    "ERBB2\t2\t0\t0\n"
    "PTEN\tNA\t-2\tNA\n"
    "KIT\tNA\tNA\tNA\n"
    "TP53\t-1.5\t0\t-2\n",
    "data_timeline_specimen.txt": "PATIENT_ID\tSTART_DATE\tSTOP_DATE\tEVENT_TYPE\tSUBTYPE\tSAMPLE_ID\n"
    "P-0000001\t0\t\tSequencing\t\tP-0000001-T01-IM6\n"
    "P-0000002\t0\t\tSEQUENCING\t\tP-0000002-T01-IM5\n"
    "P-0000003\t0\t\tSequencing\t\tP-0000003-T01-IM6",
    "data_timeline_treatment.txt": "PATIENT_ID\tSTART_DATE\tSTOP_DATE\tEVENT_TYPE\tSUBTYPE\tAGENT\tRX_INVESTIGATIVE\tFLAG_OROTOPICAL\n"
    "P-0000002\t-30\t200\tTreatment\tHormone\tLEUPROLIDE\tN\t0\n"
    "P-0000001\t5\t90\tTreatment\tChemo\tPACLITAXEL PROTEIN-BOUND\tN\t0\n"
    "P-0000001\t100\t100\tTreatment\tInvestigational\tINVESTIGATIONAL\tY\t1\n"
    "P-0000001\t100\t100\tTreatment\tInvestigational\tINVESTIGATIONAL\tY\t1",
    "data_timeline_progression.txt": "PATIENT_ID\tSTART_DATE\tSTOP_DATE\tEVENT_TYPE\tSUBTYPE\t"
    "PROGRESSION\tNLP_PROGRESSION_PROBABILITY\tPROCEDURE_TYPE\n"
    "P-0000001\t60\t\tDiagnosis\tProgression\tn\t0.012345678\tCT\n"
    "P-0000001\t120\t\tDiagnosis\tProgression\tY\t0.93\tPET\n"
    "P-0000003\t400\t\tDiagnosis\tProgression\tindeterminate\t0.5\tMR",
    "data_timeline_prior_meds.txt": "PATIENT_ID\tSTART_DATE\tSTOP_DATE\tEVENT_TYPE\tSUBTYPE\t"
    "Treatment_TYPE\tINFERRED_TX_PROB\tPRIOR_MED_TO_MSK\n"
    "P-0000001\t-34\t\tTreatment\tPrior Medications to MSK\tMedical Therapy\t0.99\tPrior medications to MSK",
    "data_timeline_mmr.txt": "PATIENT_ID\tSTART_DATE\tSTOP_DATE\tEVENT_TYPE\tSUBTYPE\tMMR_ABSENT\n"
    "P-0000003\t-38\t\tPATHOLOGY\tMMR (IHC)\tTRUE",
    "data_timeline_tumor_sites.txt": "PATIENT_ID\tSTART_DATE\tSTOP_DATE\tEVENT_TYPE\tSUBTYPE\tTUMOR_SITE\tCHEST\tABDOMEN\n"
    "P-0000001\t60\t\tDiagnosis\tTumor Sites\tLiver\t1\t0",
    "data_timeline_diagnosis.txt": "PATIENT_ID\tSTART_DATE\tSTOP_DATE\tEVENT_TYPE\tSUBTYPE\tSUMMARY\n"
    "P-0000001\t-50\t\tDiagnosis\tPrimary\tN/A" + " " * 47 + "\n"
    "P-0000002\t-90\t\tDiagnosis\tPrimary\tLocalized" + " " * 41,
    "data_timeline_psa_labs.txt": "PATIENT_ID\tSTART_DATE\tSTOP_DATE\tEVENT_TYPE\tTEST\tRESULT\tLR_UNIT_MEASURE\r\n"
    "P-0000002\t10\t\tLab_Test\tPSA\t1.25\tng/ml          \r\n"
    "P-0000002\tten\t\tLab_Test\tPSA\t1.25\tng/ml          \r\n"
    "P-0000002\t12\t\tLab_Test\tPSA\t0\tng/ml          \r\n",
}

# Another centre: five files, other panels and words, columns in another order.
OTHER_STUDY = {
    "data_clinical_patient.txt": "OS_STATUS\tOS_MONTHS\tPATIENT_ID\tSMOKER\n0:LIVING\t10.02\tX1\tno\n1:DECEASED\t5.01\tX2\tyes\n",
    "data_clinical_sample.txt": "PATIENT_ID\tSAMPLE_ID\tCANCER_TYPE\nX1\tS1\tGlioma\nX2\tS2\tGlioma\n",
    "data_timeline_specimen.txt": "PATIENT_ID\tSTART_DATE\tSAMPLE_ID\nX1\t0\tS1\nX2\t0\tS2\n",
    "data_timeline_treatment.txt": "PATIENT_ID\tSTART_DATE\tSTOP_DATE\tAGENT\nX1\t3\t40\tTemozolomide\n",
    "data_timeline_progression.txt": "PATIENT_ID\tSTART_DATE\tPROGRESSION\nX1\t50\tN\n",
}


def write_study(folder: Path, files: dict[str, str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_bytes(text.encode())
    return folder


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return write_study(tmp_path / "study", STUDY)


@pytest.fixture
def other_study(tmp_path: Path) -> Path:
    return write_study(tmp_path / "other", OTHER_STUDY)


@pytest.fixture
def ingested(study: Path, tmp_path: Path) -> Callable[[str], pa.Table]:
    assert main([str(study), "--out", str(tmp_path / "tables")]) == 0
    return lambda name: parquet.read_table(tmp_path / "tables" / f"{name}.parquet")
