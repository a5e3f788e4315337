"""Where a study keeps its tables: by the released name, whatever its case, or as its meta file says.

Pure and light, so that the workflow can ask it while it is parsed.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from oncoraft.foundation.errors import InputError
from oncoraft.foundation.input_file import require_file
from oncoraft.knowledge.tables import TABLES, Table

LOG2 = "LOG2-VALUE"  # copy number that is no call but a log2 ratio; the portal's CONTINUOUS is linear, and no table of ours
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
# Other data types of a table's meta file, read where the first is not there, in this order.
OTHER_TYPES = {"cna": ("DISCRETE_LONG", LOG2)}
# Until 2024-12-11 the release held its four laboratory tables in this one file.
MARKERS_FILE = "data_timeline_tumor_markers.txt"
# Case lists that say which specimens were profiled for what (cBioPortal file formats, "Case Lists").
PROFILING_LISTS = ("sequenced", "cna", "sv")
PACKED_SUFFIXES = (".gz", ".bz2", ".xz", ".zip")


def meta_fields(path: Path) -> dict[str, str]:
    """The `key: value` lines of a meta file; none if it is not text."""
    try:
        if not path.is_file():  # opening a pipe would wait for ever
            return {}
        lines = path.read_text(encoding="utf-8").split("\n")
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
        InputError: two files differ from the name only in case, the file is there only packed, or what has its name is no file.
    """
    exact = study / table.file
    if os.path.lexists(exact):
        return require_file(exact, f"the table {table.name}")
    names = sorted(path.name for path in study.iterdir()) if study.is_dir() else []
    alike = [name for name in names if name.casefold() == table.file.casefold()]
    if len(alike) > 1:
        raise InputError(f"expected one file for {table.name}", file=study, found=" and ".join(alike))
    if alike:
        return _readable(study / alike[0])
    if declared := _declared(study, table, names):
        return _readable(declared)
    for name in names:
        if name.casefold() in {table.file.casefold() + suffix for suffix in PACKED_SUFFIXES}:
            raise InputError(f"expected the unpacked table {table.file}; unpack it or take it away", file=study / name)
    return None


def _readable(path: Path) -> Path:
    """A path that is a regular file; a folder, a pipe, or a link that leads nowhere is not taken for an absent table."""
    if not path.is_file():
        found = "a folder" if path.is_dir() else "a link that leads to no file" if path.is_symlink() else "something that is no file"
        raise InputError("expected a file of text; take it away if the study has no such table", file=path, found=found)
    return path


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
    ids = fields["case_list_ids"]
    # Separated by tabs (cBioPortal file formats, "Case Lists"), so that an id may hold a space; lists of older hands have spaces alone.
    return frozenset(filter(None, map(str.strip, ids.split("\t") if "\t" in ids else ids.split())))


def data_files(study: Path) -> dict[str, Path]:
    """Table -> the file that ingestion reads it from, for every table that the study has.

    Raises:
        InputError: as `find_file`.
    """
    found = {table.name: find_file(study, table) or markers_file(study, table) for table in TABLES}
    return {name: path for name, path in found.items() if path is not None}


def data_type(study: Path, path: Path) -> str:
    """The data type that the meta file of a data file gives it; empty where none names the file."""
    for meta in sorted(study.iterdir()):
        if meta.name.casefold().startswith("meta_") and meta.is_file():
            fields = meta_fields(meta)
            if fields.get("data_filename") == path.name:
                return fields.get("datatype", "").upper()
    return ""


def _declared(study: Path, table: Table, names: list[str]) -> Path | None:
    if table.name not in PORTAL_KINDS:
        return None
    alteration, first = PORTAL_KINDS[table.name]
    found: dict[str, Path] = {}
    for name in names:
        if name.casefold().startswith("meta_") and (study / name).is_file():
            fields = meta_fields(study / name)
            if fields.get("genetic_alteration_type") == alteration and fields.get("data_filename") in names:
                found.setdefault(fields.get("datatype", "").upper(), study / fields["data_filename"])
    return next((found[kind] for kind in (first, *OTHER_TYPES.get(table.name, ())) if kind in found), None)
