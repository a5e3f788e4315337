"""The eighteen timelines: dated events, days counted from the patient's first sequencing.

Only treatment has a stop day. A row is known from its own start day on, except where said otherwise.
"""

from __future__ import annotations

from typing import Any

from oncoraft.knowledge.table_specification import LONGEST_NAME, Column, Table, column, flag, patient, sample

PROBABILITY: dict[str, Any] = {"unit": "probability", "minimum": 0, "maximum": 1}
VERDICTS = ("Y", "N", "Indeterminate")
PROCEDURES = ("CT", "MR", "PET", "Submitted Films")
REGIONS = ("CHEST", "ABDOMEN", "PELVIS", "HEAD", "OTHER")
SUBTYPES = ("Chemo", "Hormone", "Targeted", "Biologic", "Investigational", "Bone Treatment", "Immuno", "Other")
TUMOR_SITES = (
    "Lung",
    "Other",
    "Lymph Nodes",
    "Bone",
    "Liver",
    "CNS/Brain",
    "Intra-Abdominal",
    "Pleura",
    "Reproductive Organs",
    "Adrenal Glands",
)
AJCC = tuple(["0", "I", "IA", "IB", "II", "IIA", "IIB", "III", "IIIA", "IIIB", "IIIC", "IIINOS", "IV", "IEA", "OCCULT", "UNK"])
STAGE_GROUPS = tuple(
    [
        "0",
        "1",
        "1A",
        "1A1",
        "1A2",
        "1A3",
        "1B",
        "2",
        "2A",
        "2B",
        "2C",
        "3",
        "3A",
        "3B",
        "3C",
        "4",
        "4A",
        "4B",
        "4C",
        "9",
        "88",
        "99",
        "Occu",
        "OC",
    ]
)
SUMMARIES = (
    "Distant metastases/systemic disease",
    "Localized",
    "Distant",
    "Regional to lymph nodes",
    "Regional both 2and 3",
    "Regional, lymph nodes only",
    "Regional by direct extension",
    "Regional, extension and nodes",
    "Regional, direct extension",
    # A word of the released files, though elsewhere it means missing.
    "N/A",
    "In situ",
    "Unknown/Unstaged",
    "Unstaged unknown",
    "Regional nos",
)


def _timeline(
    name: str,
    event_type: str,
    subtype: tuple[str, ...],
    *columns: Column,
    file: str = "",
    has_subtype: bool = True,
    crlf: bool = False,
    ordered: tuple[tuple[str, str], ...] = (),
    note: str = "",
    without: str = "",
    needs_rows: bool = False,
    first_of: str = "",
) -> Table:
    """A timeline: the columns that all share, then its own."""
    start = (
        patient(),
        column("START_DATE", "day", nullable=False),
        column(
            "STOP_DATE",
            "day",
            required=False,
            note="blank" if name != "treatment" else "last administration or order",
            without="" if name != "treatment" else "each agent counts as given on its first day alone",
        ),
        column("EVENT_TYPE", required=False, vocabulary=(event_type,)),
    )
    second = (column("SUBTYPE", required=False, vocabulary=subtype),) if has_subtype else ()
    return Table(
        f"timeline_{name}",
        file or f"data_timeline_{name}.txt",
        (*start, *second, *columns),
        crlf=crlf,
        ordered=ordered,
        note=note,
        without=without,
        needs_rows=needs_rows,
        first_of=first_of,
    )


def _laboratory(name: str, test: str, unit: str) -> Table:
    """A tumour-marker file: no SUBTYPE column, CR LF line ends, unit padded with spaces."""
    return _timeline(
        f"{name.replace('-', '_')}_labs",
        "Lab_Test",
        (),
        column(
            "TEST", required=False, vocabulary=(test,), aliases=tuple((test.replace("_", mark), test) for mark in (" ", "") if "_" in test)
        ),
        column("RESULT", "number", unit=unit, minimum=0, note="0: below detection"),
        column("LR_UNIT_MEASURE", required=False, vocabulary=(unit,)),
        file=f"data_timeline_{name}_labs.txt",
        has_subtype=False,
        crlf=True,
        note="same-day repeats occur",
        without=f"no {test.replace('_', ' ')} in the evidence",
    )


def _verdict(source: str) -> Column:
    """A verdict of the report reader; its meaning hangs on the word, so no other word is accepted."""
    return column(source, vocabulary=VERDICTS, closed=True, nullable=False, note="Y from probability 0.8, N to 0.2, else Indeterminate")


STYLE = column("STYLE_COLOR", required=False, known="never", note="display colour")
PROCEDURE = column("PROCEDURE_TYPE", required=False, vocabulary=PROCEDURES, without="no word on the kind of imaging")


def _regions(true: str, false: str) -> tuple[Column, ...]:
    """Which body regions the report covers (OTHER is a region here, not the tumour site of that name)."""
    return tuple(flag(region, true, false, required=False, note="region imaged") for region in REGIONS)


TIMELINE_TABLES = (
    _timeline(
        "treatment",
        "Treatment",
        SUBTYPES,
        column("AGENT", nullable=False, longest=LONGEST_NAME, note="upper-case generic name; masked trial drugs are INVESTIGATIONAL"),
        flag("RX_INVESTIGATIVE", "Y", "N", required=False),
        flag("FLAG_OROTOPICAL", "1", "0", required=False, note="oral or topical"),
        ordered=(("start_day", "stop_day"),),
        note="one interval of one agent, gaps under about 90 days merged; not a dose, not a regimen",
        without="no regimens, so no cases and nothing after them",
        needs_rows=True,
    ),
    _timeline(
        "progression",
        "Diagnosis",
        ("Progression",),
        _verdict("PROGRESSION"),
        column("NLP_PROGRESSION_PROBABILITY", "number", required=False, **PROBABILITY),
        PROCEDURE,
        STYLE,
        note="one radiology report's verdict",
        without="no response labels, no progression-free survival, no imaging history",
        needs_rows=True,
    ),
    _timeline(
        "cancer_presence",
        "Diagnosis",
        ("HasCancer",),
        _verdict("HAS_CANCER"),
        column("NLP_HAS_CANCER_PROBABILITY", "number", required=False, **PROBABILITY),
        PROCEDURE,
        *_regions("TRUE", "FALSE"),
        STYLE,
        note="one radiology report's verdict",
        without="no complete response, no disease state in the evidence",
    ),
    _timeline(
        "tumor_sites",
        "Diagnosis",
        ("Tumor Sites",),
        column("SOURCE", required=False, vocabulary=("Radiology Reports (NLP)",)),
        column("SOURCE_SPECIFIC", required=False, vocabulary=PROCEDURES),
        column("TUMOR_SITE", nullable=False, vocabulary=TUMOR_SITES),
        *_regions("1", "0"),
        note="one site of one report; the primary organ is among them",
        without="no partial response, no tumour sites in the evidence",
    ),
    _timeline(
        "performance_status",
        "Diagnosis",
        ("Performance Status",),
        column("ECOG", "integer", required=False, unit="ECOG 0-4", minimum=0, maximum=5),
        STYLE,
        without="no performance status in the evidence",
    ),
    _timeline(
        "diagnosis",
        "Diagnosis",
        ("Primary",),
        column("SOURCE", required=False, vocabulary=("Tumor Registry",)),
        column("DX_DESCRIPTION", required=False, note="HISTOLOGY | SITE (morphology | topography)"),
        column("AJCC", required=False, vocabulary=AJCC),
        column("CLINICAL_GROUP", required=False, vocabulary=STAGE_GROUPS, note="88 not applicable, 99 unknown"),
        column("PATH_GROUP", required=False, vocabulary=STAGE_GROUPS, note="88 not applicable, 99 unknown"),
        column("STAGE_CDM_DERIVED", required=False, vocabulary=("Stage 1-3", "Stage 4")),
        column("SUMMARY", required=False, vocabulary=SUMMARIES, note="padded to 50 characters; N/A is a word, not a missing value"),
        note="one row a registered cancer that was sequenced",
        without="no diagnosis day, stage or histology in the evidence",
    ),
    _timeline(
        "specimen",
        "Sequencing",
        (),
        sample(),
        note="day 0 is the patient's earliest row here; of several rows of a specimen the earliest counts",
        without="no day of sequencing, so no genomic evidence and no cases, and day 0 cannot be checked",
        needs_rows=True,
        first_of="sample_id",
    ),
    _timeline(
        "specimen_surgery",
        "Sample acquisition",
        (),
        sample(),
        column("SEQ_DATE", "day", required=False, note="the specimen's sequencing, never before its acquisition"),
        ordered=(("start_day", "sequencing_day"),),
        without="a specimen is known from its sequencing on",
        first_of="sample_id",
    ),
    _timeline("surgery", "Surgery", ("PROCEDURE", "SAMPLE"), note="no name of the procedure", without="no surgery in the evidence"),
    _timeline(
        "radiation",
        "Treatment",
        ("Radiation Therapy",),
        note="no dose, no site; thousands of exact duplicates",
        without="no radiotherapy in the evidence",
    ),
    _timeline(
        "prior_meds",
        "Treatment",
        ("Prior Medications to MSK",),
        column("Treatment_TYPE", required=False, vocabulary=("Medical Therapy",), note="TREATMENT_TYPE before 2026-01-30"),
        column("INFERRED_TX_PROB", "number", required=False, **PROBABILITY),
        column("PRIOR_MED_TO_MSK", required=False, vocabulary=("No prior medications", "Prior medications to MSK")),
        STYLE,
        note="one row a patient",
        without="no word on treatment elsewhere in the evidence",
    ),
    _timeline(
        "gleason",
        "Pathology",
        ("Gleason Score",),
        column("SOURCE", required=False, vocabulary=("Pathology Reports (NLP)",)),
        column("GLEASON_SCORE", "integer", required=False, unit="Gleason score 6-10", minimum=2, maximum=10),
        without="no Gleason score in the evidence",
    ),
    _timeline(
        "mmr",
        "Pathology",
        ("MMR (IHC)",),
        flag("MMR_ABSENT", "TRUE", "FALSE", required=False, note="true: mismatch-repair deficient"),
        without="no mismatch repair in the evidence",
    ),
    _timeline(
        "pdl1",
        "Pathology",
        ("PD-L1 Positive",),
        column("SOURCE", required=False, vocabulary=("CDM",)),
        flag("PDL1_POSITIVE", "Yes", "No", required=False),
        without="no PD-L1 in the evidence",
    ),
    _laboratory("ca_15-3", "CA_15-3", "Units/ml"),
    _laboratory("ca_19-9", "CA_19-9", "Units/ml"),
    _laboratory("cea", "CEA", "ng/ml"),
    _laboratory("psa", "PSA", "ng/ml"),
)
