"""The twin's columns into the bytes of released files: headers, spellings, padding, line ends, order of rows."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv

from oncoraft.knowledge.tables import Column, Table
from oncoraft.twin.copy_number import CALL_WORDS
from oncoraft.twin.draws import Integers, mix
from oncoraft.twin.patients import BLANK
from oncoraft.twin.records import TESTS, Columns

# Constant columns of each timeline.
CONSTANT: dict[str, dict[str, str]] = {
    "timeline_treatment": {"event_type": "Treatment"},
    "timeline_progression": {"event_type": "Diagnosis", "subtype": "Progression"},
    "timeline_cancer_presence": {"event_type": "Diagnosis", "subtype": "HasCancer"},
    "timeline_tumor_sites": {"event_type": "Diagnosis", "subtype": "Tumor Sites", "source": "Radiology Reports (NLP)"},
    "timeline_performance_status": {"event_type": "Diagnosis", "subtype": "Performance Status"},
    "timeline_diagnosis": {"event_type": "Diagnosis", "subtype": "Primary", "source": "Tumor Registry"},
    "timeline_specimen": {"event_type": "Sequencing"},
    "timeline_specimen_surgery": {"event_type": "Sample acquisition"},
    "timeline_surgery": {"event_type": "Surgery"},
    "timeline_radiation": {"event_type": "Treatment", "subtype": "Radiation Therapy"},
    "timeline_prior_meds": {"event_type": "Treatment", "subtype": "Prior Medications to MSK", "treatment_type": "Medical Therapy"},
    "timeline_gleason": {"event_type": "Pathology", "subtype": "Gleason Score", "source": "Pathology Reports (NLP)"},
    "timeline_mmr": {"event_type": "Pathology", "subtype": "MMR (IHC)"},
    "timeline_pdl1": {"event_type": "Pathology", "subtype": "PD-L1 Positive", "source": "CDM"},
}
UNITS = {"CEA": "ng/ml", "PSA": "ng/ml", "CA_15-3": "Units/ml", "CA_19-9": "Units/ml"}
PADDED = {"lr_unit_measure": 15, "summary": 50}  # columns padded with spaces to a width
DROPPED = {"Comments"}  # a column that the current release lacks
UNSORTED = 0.45  # share of patients whose rows of a file stand in no order
DISPLAY = {
    "GENDER": "Sex",
    "OS_MONTHS": "Overall Survival (Months)",
    "OS_STATUS": "Overall Survival Status",
    "PATIENT_ID": "Patient Identifier",
}
PRIORITIES = {"OS_STATUS": 1000, "RACE": 980, "GENDER": 970, "STAGE_HIGHEST_RECORDED": 960, "ETHNICITY": 950, "CURRENT_AGE_DEID": 880,
              "SMOKING_PREDICTIONS_3_CLASSES": 870, "OS_MONTHS": 760, "CANCER_TYPE": 3000, "CANCER_TYPE_DETAILED": 2000, "SAMPLE_TYPE": 990,
              "MSI_TYPE": 910, "GENE_PANEL": 900, "SOMATIC_STATUS": 860}  # fmt: skip


def columns_of(table: Table) -> list[Column]:
    """The columns that the current release has."""
    return [column for column in table.columns if column.source not in DROPPED]


def header(table: Table) -> bytes:
    """The header lines of a file, the clinical files' four comment lines included."""
    names = [column.source for column in columns_of(table)]
    lines = ["\t".join(names)]
    if table.header_rows:
        kinds = ["NUMBER" if column.kind in {"number", "integer"} else "STRING" for column in columns_of(table)]
        shown = [DISPLAY.get(name, name.replace("_", " ").title()) for name in names]
        told = [f"DESCRIPTION: {text}. ---MISSING DATA: left empty. ---SOURCE: made from parameters" for text in shown]
        ranks = [str(PRIORITIES.get(name, 1 if name in ("PATIENT_ID", "SAMPLE_ID") else 0)) for name in names]
        lines = ["#" + "\t".join(row) for row in (shown, told, kinds, ranks)] + lines
    return ("\n".join(lines) + "\n").encode()


def row_order(table: Table, columns: Columns, keys: Any, clean: bool) -> Integers | None:
    """The order of a block's rows: patients shuffled, and many patients' rows too; `clean`: as made, by patient and day."""
    if "person" not in columns:
        return None
    person = columns["person"]
    day = columns.get("start_day", np.zeros(len(person), dtype=np.int64))
    if clean:
        return np.lexsort((day, person))
    word = np.uint64(sum(map(ord, table.name)) * 1_000_003)
    shuffled = mix(keys ^ word)
    loose = (shuffled % np.uint64(1000)) < np.uint64(int(1000 * UNSORTED))
    salt = mix((np.arange(len(person)).astype(np.uint64) << np.uint64(20)) ^ shuffled[person])
    within = np.where(loose[person], (salt >> np.uint64(40)).astype(np.int64), day + 200_000)
    return np.lexsort((within, shuffled[person]))


def block(table: Table, columns: Columns, ids: Any, keys: Any, clean: bool) -> bytes:
    """The rows of one block of patients, each line ended, without a header.

    Args:
        columns: by Parquet name; `person` is the row of the patient in the block; a missing column is empty.
        ids: patient ids of the block.
        keys: the patients' keys, for the order of rows.
    """
    columns = CONSTANT.get(table.name, {}) | columns
    order = row_order(table, columns, keys, clean)
    if "person" in columns:
        columns = columns | {"patient_id": ids[columns["person"]]}
    count = max((len(values) for values in columns.values() if isinstance(values, np.ndarray)), default=0)
    if not count:
        return b""
    if "test" in columns:
        columns |= {"event_type": "Lab_Test", "lr_unit_measure": UNITS[columns["test"]]}
    arrays = []
    for column in columns_of(table):
        values = columns.get(column.name, "")
        if isinstance(values, np.ndarray) and order is not None:
            values = values[order]
        arrays.append(cells(column, values, count, columns.get("test"), clean))
    out = io.BytesIO()
    # The release quotes nothing; by default pyarrow puts every text in quotes.
    options = arrow_csv.WriteOptions(include_header=False, delimiter="\t", quoting_style="none", batch_size=65536)
    arrow_csv.write_csv(pa.table(arrays, names=[str(number) for number in range(len(arrays))]), out, options)
    text = out.getvalue()
    return text.replace(b"\n", b"\r\n") if table.crlf and not clean else text


def cells(column: Column, values: Any, count: int, test: str | None, clean: bool) -> pa.Array:
    """A column's cells as the file spells them."""
    width = 0 if clean else PADDED.get(column.name, 0)
    if not isinstance(values, np.ndarray):
        text = "" if values is None else str(values)
        return pa.repeat(pa.scalar(text.ljust(width)), count)
    if values.dtype == bool:
        return pc.if_else(pa.array(values), column.true[0], column.false[0])
    if values.dtype == object:
        encoded = pa.array(values, pa.string())
        return pc.utf8_rpad(encoded, width) if width else encoded
    if column.name == "result" and test is not None:
        return fixed(values, TESTS[test][4])
    if column.kind != "day" and (values == BLANK).any():
        return pa.array(values, mask=values == BLANK)
    return pa.array(values)


def fixed(values: Any, decimals: int) -> pa.Array:
    """Numbers with a fixed count of decimals; nothing after the point where there are none."""
    scaled = np.rint(values * 10**decimals).astype(np.int64)
    if not decimals:
        return pa.array(scaled)
    whole, part = pa.array(scaled // 10**decimals).cast(pa.string()), pa.array(scaled % 10**decimals).cast(pa.string())
    return pc.binary_join_element_wise(whole, pc.utf8_lpad(part, decimals, "0"), ".")


def matrix_lines(codes: Any) -> list[bytes]:
    """The cells of the copy-number matrix, a text per gene: each cell preceded by a tab."""
    words = [b"\t" + word.encode() for word in CALL_WORDS]
    lines = []
    for row in codes:
        if (row == row[0]).all():
            lines.append(words[row[0]] * len(row))
        else:
            lines.append(b"".join([words[code] for code in row.tolist()]))
    return lines
