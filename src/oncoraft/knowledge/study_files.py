"""Where a study keeps its tables: by the released name, whatever its case, or as its meta file says.

Pure and light, so that the workflow can ask it while it is parsed.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from oncoraft.foundation.errors import InputError
from oncoraft.knowledge.tables import TABLES, Table

# Table -> genetic alteration type and data type of its meta file, where these two say which table it is
# (a timeline's do not). From the cBioPortal file-format documentation.
PORTAL_KINDS = {
    "clinical_patient": ("CLINICAL", "PATIENT_ATTRIBUTES"),
    "clinical_sample": ("CLINICAL", "SAMPLE_ATTRIBUTES"),
    "mutations": ("MUTATION_EXTENDED", "MAF"),
    "cna": ("COPY_NUMBER_ALTERATION", "DISCRETE"),
    "cna_segments": ("COPY_NUMBER_ALTERATION", "SEG"),
    "sv": ("STRUCTURAL_VARIANT", "SV"),
    "gene_panel_matrix": ("GENE_PANEL_MATRIX", "GENE_PANEL_MATRIX"),
}
# Until 2024-12-11 the release held its four laboratory tables in this one file.
MARKERS_FILE = "data_timeline_tumor_markers.txt"
# Case lists that say which specimens were profiled for what (cBioPortal file formats, "Case Lists").
PROFILING_LISTS = ("sequenced", "cna", "sv")
PACKED_SUFFIXES = (".gz", ".bz2", ".xz", ".zip")


def meta_fields(path: Path) -> dict[str, str]:
    """The `key: value` lines of a meta file; none if it is not text."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    return {key.strip(): value.strip() for key, colon, value in (line.partition(":") for line in lines) if colon}


def study_name(study: Path) -> dict[str, str]:
    """Identifier and name of a study by its meta_study.txt; empty texts where it has none."""
    fields = meta_fields(study / "meta_study.txt")
    return {"identifier": fields.get("cancer_study_identifier", ""), "name": fields.get("name", "")}


def find_file(study: Path, table: Table) -> Path | None:
    """The data file of a table in a study folder, or None if the study lacks it.

    The specified name comes first, then the same name in another case, then the file that a meta file of the
    table's kind names (`data_mutations_extended.txt`, `<study>_data_cna_hg19.seg`).

    Raises:
        InputError: two files differ from the name only in case, or the file is there only packed.
    """
    exact = study / table.file
    if exact.is_file():
        return exact
    names = sorted(path.name for path in study.iterdir() if path.is_file()) if study.is_dir() else []
    alike = [name for name in names if name.casefold() == table.file.casefold()]
    if len(alike) > 1:
        raise InputError(f"expected one file for {table.name}", file=study, found=" and ".join(alike))
    if alike:
        return study / alike[0]
    if declared := _declared(study, table, names):
        return declared
    for name in names:
        if name.casefold() in {table.file.casefold() + suffix for suffix in PACKED_SUFFIXES}:
            raise InputError(f"expected the unpacked table {table.file}; unpack it or take it away", file=study / name)
    return None


def is_marker_table(table: Table) -> bool:
    """Whether a table is one of the four laboratory tables."""
    return table.name.endswith("_labs")


def markers_file(study: Path, table: Table) -> Path | None:
    """The file of all tumour markers, for a laboratory table of a study that has a file of its own for none of them."""
    if not is_marker_table(table) or any(find_file(study, other) for other in TABLES if is_marker_table(other)):
        return None
    return find_file(study, replace(table, file=MARKERS_FILE))


def case_list_files(study: Path) -> dict[str, Path]:
    """Name of a case list (`sequenced`, `cna`, `sv`) -> its file, told by its stable id or, without one, by the file's name."""
    found: dict[str, Path] = {}
    for path in sorted((study / "case_lists").glob("*.txt")):
        name = meta_fields(path).get("stable_id", path.stem).rpartition("_")[2]
        if name in PROFILING_LISTS:
            found.setdefault(name, path)
    return found


def case_list(path: Path) -> frozenset[str]:
    """Specimens of a case list.

    Raises:
        InputError: the file has no list.
    """
    fields = meta_fields(path)
    if "case_list_ids" not in fields:
        raise InputError("expected a case list with a line `case_list_ids:`", file=path)
    return frozenset(fields["case_list_ids"].split())


def data_files(study: Path) -> dict[str, Path]:
    """Table -> the file that ingestion reads it from, for every table that the study has.

    Raises:
        InputError: as `find_file`.
    """
    found = {table.name: find_file(study, table) or markers_file(study, table) for table in TABLES}
    return {name: path for name, path in found.items() if path is not None}


def _declared(study: Path, table: Table, names: list[str]) -> Path | None:
    kind = PORTAL_KINDS.get(table.name)
    if kind is None:
        return None
    for name in names:
        if name.casefold().startswith("meta_"):
            fields = meta_fields(study / name)
            if (fields.get("genetic_alteration_type"), fields.get("datatype")) == kind and fields.get("data_filename") in names:
                return study / fields["data_filename"]
    return None
