"""The twin's records into the files of a study folder: released headers, line ends, padding, and (from `twin_meta`) meta files and case lists."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from oncoraft.cohort.twin_meta import write_meta
from oncoraft.knowledge.table_specification import Table

__all__ = ["as_text", "complete", "write_matrix", "write_meta", "write_rows"]

EVENT_TYPES = {
    "timeline_treatment": ("Treatment", None), "timeline_progression": ("Diagnosis", "Progression"),
    "timeline_cancer_presence": ("Diagnosis", "HasCancer"), "timeline_tumor_sites": ("Diagnosis", "Tumor Sites"),
    "timeline_performance_status": ("Diagnosis", "Performance Status"), "timeline_diagnosis": ("Diagnosis", "Primary"),
    "timeline_specimen": ("Sequencing", ""), "timeline_specimen_surgery": ("Sample acquisition", ""),
    "timeline_surgery": ("Surgery", "PROCEDURE"), "timeline_radiation": ("Treatment", "Radiation Therapy"),
    "timeline_prior_meds": ("Treatment", "Prior Medications to MSK"), "timeline_gleason": ("Pathology", "Gleason Score"),
    "timeline_mmr": ("Pathology", "MMR (IHC)"), "timeline_pdl1": ("Pathology", "PD-L1 Positive"),
}  # fmt: skip
# Display colour by the value that it stands for; the portal refuses a row whose colour is blank.
COLOURS: dict[str, tuple[str, dict[Any, str]]] = {
    "timeline_progression": ("progression", {"Y": "#D62727", "N": "#2AA02B", "Indeterminate": "#7F7F7F"}),
    "timeline_cancer_presence": ("has_cancer", {"Y": "#D62727", "N": "#2AA02B", "Indeterminate": "#7F7F7F"}),
    "timeline_prior_meds": ("prior_med_to_msk", {"No prior medications": "#2AA02B", "Prior medications to MSK": "#D62727"}),
    "timeline_performance_status": ("ecog", {0: "#FFCCCC", 1: "#FF9999", 2: "#FF6666", 3: "#FF3333", 4: "#CC0000"}),
}
UNITS = {"PSA": "ng/ml", "CEA": "ng/ml", "CA_19-9": "Units/ml", "CA_15-3": "Units/ml"}


def as_text(frame: pd.DataFrame, table: Table) -> pd.DataFrame:
    """Cells as the released files spell them, columns in the order of the specification."""
    out = pd.DataFrame(index=frame.index)
    for column in table.columns:
        values = frame[column.name] if column.name in frame else pd.Series(np.nan, index=frame.index, dtype=object)
        if column.kind == "boolean":
            words = {True: column.true[0], False: column.false[0]}
            text = values.map(words).fillna("")
        elif column.kind in {"integer", "day"}:
            text = values.map(lambda value: "" if pd.isna(value) else str(int(value)))
        else:
            text = values.map(lambda value: "" if value is None or value != value else str(value))
        out[column.source] = text
    return out


def complete(table: Table, rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Rows with the constant columns of their table."""
    frame = pd.DataFrame(rows)
    if table.name in EVENT_TYPES:
        event, subtype = EVENT_TYPES[table.name]
        frame["event_type"] = event
        if subtype is not None:
            frame["subtype"] = subtype
    elif table.name.endswith("_labs"):
        frame["event_type"] = "Lab_Test"
    if table.name in COLOURS:
        source, colours = COLOURS[table.name]
        frame["style_color"] = frame[source].map(colours)
    return frame


def write_rows(folder: Path, table: Table, rows: list[dict[str, Any]], draw: np.random.Generator, clean: bool) -> None:
    """One data file; unless `clean`, unsorted, with duplicates and padding, without a final newline, as released."""
    if not rows:
        frame = pd.DataFrame(columns=[column.name for column in table.columns])
    else:
        frame = complete(table, rows)
    if table.name.endswith("_labs") and rows:
        frame["lr_unit_measure"] = frame["test"].map(UNITS).map(lambda unit: unit if clean else unit.ljust(15))
    if not clean and rows and table.name.startswith("timeline_"):
        frame = frame.iloc[draw.permutation(len(frame))]
        if table.name in {"timeline_radiation", "timeline_mmr", "timeline_pdl1"}:
            frame = pd.concat([frame, frame.sample(frac=0.05, random_state=int(draw.integers(2**31)))])
    text = as_text(frame, table)
    lines = ["\t".join(text.columns), *("\t".join(row) for row in text.itertuples(index=False, name=None))]
    if table.header_rows:
        names = [column.source for column in table.columns]
        kinds = ["NUMBER" if column.kind in {"number", "integer"} else "STRING" for column in table.columns]
        heads = [[name.replace("_", " ").title() for name in names], names, kinds, ["1"] * len(names)]
        lines = ["#" + "\t".join(head) for head in heads] + lines
    end = "\r\n" if table.crlf and not clean else "\n"
    last = end if clean or not table.name.startswith("timeline_") else ""
    (folder / table.file).write_bytes((end.join(lines) + last).encode())


def write_matrix(folder: Path, table: Table, samples: list[str], genes: tuple[str, ...], calls: dict[tuple[str, str], float]) -> None:
    """The copy-number matrix, genes by samples."""
    lines = ["\t".join(["Hugo_Symbol", *samples])]
    for gene in genes:
        lines.append("\t".join([gene, *(f"{calls.get((gene, sample), 0):g}" for sample in samples)]))
    (folder / table.file).write_text("\n".join(lines) + "\n")
