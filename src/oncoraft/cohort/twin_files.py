"""The twin's records into the files of a study folder: released headers, line ends, padding, meta files and case lists."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from oncoraft.knowledge.table_specification import Table
from oncoraft.knowledge.tables import TABLES

STUDY_ID = "oncoraft_twin"
EVENT_TYPES = {
    "timeline_treatment": ("Treatment", None), "timeline_progression": ("Diagnosis", "Progression"),
    "timeline_cancer_presence": ("Diagnosis", "HasCancer"), "timeline_tumor_sites": ("Diagnosis", "Tumor Sites"),
    "timeline_performance_status": ("Diagnosis", "Performance Status"), "timeline_diagnosis": ("Diagnosis", "Primary"),
    "timeline_specimen": ("Sequencing", ""), "timeline_specimen_surgery": ("Sample acquisition", ""),
    "timeline_surgery": ("Surgery", "PROCEDURE"), "timeline_radiation": ("Treatment", "Radiation Therapy"),
    "timeline_prior_meds": ("Treatment", "Prior Medications to MSK"), "timeline_gleason": ("Pathology", "Gleason Score"),
    "timeline_mmr": ("Pathology", "MMR (IHC)"), "timeline_pdl1": ("Pathology", "PD-L1 Positive"),
}  # fmt: skip
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


def write_meta(folder: Path, samples: list[str]) -> None:
    """Meta files of the study and of every data file, and the case lists."""
    about = f"cancer_study_identifier: {STUDY_ID}\n"
    (folder / "meta_study.txt").write_text(
        f"type_of_cancer: mixed\n{about}name: Synthetic twin of MSK-CHORD\ndescription: Made from parameters; no patient is real.\nadd_global_case_list: true\n"
    )
    kinds = {
        "clinical_patient": ("CLINICAL", "PATIENT_ATTRIBUTES", ""),
        "clinical_sample": ("CLINICAL", "SAMPLE_ATTRIBUTES", ""),
        "mutations": ("MUTATION_EXTENDED", "MAF", "mutations"),
        "cna": ("COPY_NUMBER_ALTERATION", "DISCRETE", "cna"),
        "cna_segments": ("COPY_NUMBER_ALTERATION", "SEG", ""),
        "sv": ("STRUCTURAL_VARIANT", "SV", "structural_variants"),
        "gene_panel_matrix": ("GENE_PANEL_MATRIX", "GENE_PANEL_MATRIX", ""),
    }
    for table in TABLES:
        kind, datatype, stable = kinds.get(table.name, ("CLINICAL", "TIMELINE", ""))
        text = about + f"genetic_alteration_type: {kind}\ndatatype: {datatype}\ndata_filename: {table.file}\n"
        if stable:
            text += f"stable_id: {stable}\nshow_profile_in_analysis_tab: true\nprofile_name: {stable}\nprofile_description: {stable}\n"
        if table.name == "cna_segments":
            text += "reference_genome_id: hg19\ndescription: segments\n"
        name = "meta_" + table.file.removeprefix("data_").removesuffix(".seg")
        (folder / (name if name.endswith(".txt") else f"{name}_seg.txt")).write_text(text)
    (folder / "case_lists").mkdir()
    for name in ("all", "sequenced", "cna", "sv"):
        ids = "\t".join(samples)
        head = f"{about}stable_id: {STUDY_ID}_{name}\ncase_list_name: {name}\ncase_list_description: {name}\n"
        (folder / "case_lists" / f"cases_{name}.txt").write_text(f"{head}case_list_ids: {ids}\n")
