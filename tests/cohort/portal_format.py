"""The cBioPortal file-format rules that a study folder must keep, as functions that return what breaks them.

Written from the portal's file-format documentation and from what its importer refuses as an error (not what it merely
warns of): meta files, case lists, shape of the files, clinical headers; `portal_genomics` has the genomic files and timelines.
Every function returns lines of text, "file: what is wrong"; none means the rules are kept.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

ID_CHARACTERS = re.compile(r"[A-Za-z0-9._()\[\]',+\-:;]+")
MISSING = {"", "na", "[not applicable]", "[not available]", "[pending]", "[discrepancy]", "[completed]", "[null]"}
MONTHS = {"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}
PATIENT_LEVEL = {"AGE", "GENDER", "SEX", "OS_STATUS", "OS_MONTHS", "DFS_STATUS", "DFS_MONTHS"}
SAMPLE_LEVEL = {"METASTATIC_SITE", "PRIMARY_SITE", "SAMPLE_CLASS", "SAMPLE_TYPE", "TUMOR_TISSUE_SITE"}
TEXT_ATTRIBUTES = {*SAMPLE_LEVEL, "GENDER", "SEX", "OS_STATUS", "CANCER_TYPE", "CANCER_TYPE_DETAILED"}
NUMERIC_ATTRIBUTES = {"AGE", "OS_MONTHS", "DFS_MONTHS"}
STABLE_IDS = {
    ("MUTATION_EXTENDED", "MAF"): {"mutations"},
    ("COPY_NUMBER_ALTERATION", "DISCRETE"): {"cna", "gistic", "cna_rae", "cna_consensus"},
    ("STRUCTURAL_VARIANT", "SV"): {"structural_variants"},
}
BASE_FIELDS = {"cancer_study_identifier", "genetic_alteration_type", "datatype", "data_filename"}
PROFILE_FIELDS = BASE_FIELDS | {"stable_id", "show_profile_in_analysis_tab", "profile_name", "profile_description"}
FIELDS = {
    ("CLINICAL", "PATIENT_ATTRIBUTES"): BASE_FIELDS,
    ("CLINICAL", "SAMPLE_ATTRIBUTES"): BASE_FIELDS,
    ("CLINICAL", "TIMELINE"): BASE_FIELDS,
    ("GENE_PANEL_MATRIX", "GENE_PANEL_MATRIX"): BASE_FIELDS,
    ("COPY_NUMBER_ALTERATION", "SEG"): BASE_FIELDS | {"reference_genome_id", "description"},
    **dict.fromkeys(STABLE_IDS, PROFILE_FIELDS),
}
STUDY_FIELDS = {"type_of_cancer": 63, "cancer_study_identifier": 255, "name": 255, "description": 1024}
CATEGORIES = {
    "all": "all_cases_in_study",
    "sequenced": "all_cases_with_mutation_data",
    "cna": "all_cases_with_cna_data",
    "cnaseq": "all_cases_with_mutation_and_cna_data",
    "sv": "all_cases_with_sv_data",
}
Rows = Iterator[tuple[int, dict[str, str]]]


def fields_of(path: Path) -> dict[str, str]:
    """A meta file or case list: `key: value` lines."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def header_of(path: Path) -> tuple[list[str], list[str], int]:
    """Comment lines, column names, line number of the header."""
    comments = []
    with path.open(encoding="utf-8") as stream:
        for number, line in enumerate(stream, start=1):
            if not line.startswith("#"):
                return comments, line.rstrip("\n").split("\t"), number
            comments.append(line.rstrip("\n"))
    return comments, [], 0


def rows_of(path: Path) -> Rows:
    """Line number and cells by column, of every row of as many cells as the header."""
    _, names, first = header_of(path)
    with path.open(encoding="utf-8") as stream:
        for number, cells in enumerate(csv.reader(stream, delimiter="\t", quoting=csv.QUOTE_NONE, strict=True), start=1):
            if number > first and len(cells) == len(names):
                yield number, dict(zip(names, cells, strict=True))


def shape_breaches(path: Path) -> list[str]:
    """Text in UTF-8, one kind of line end, each column once, every row as wide as the header and not blank."""
    data = path.read_bytes()
    found = [] if data.count(b"\r") in (0, data.count(b"\n")) else [f"{path.name}: mixed line ends"]
    if b"\n" not in data:
        found.append(f"{path.name}: no line break")
    _, names, first = header_of(path)
    if len(set(names)) < len(names):
        found.append(f"{path.name}: a column twice")
    for number, line in enumerate(data.decode("utf-8").splitlines(), start=1):
        if number > first and (line.count("\t") != len(names) - 1 or not line.strip() or line.startswith("#")):
            found.append(f"{path.name}: line {number} is not a row of {len(names)} cells")
    return found


def meta_breaches(study: Path) -> list[str]:
    """One meta file a data file, with the fields of its kind, one study id throughout, each stable id once."""
    about = fields_of(study / "meta_study.txt")
    found = [f"meta_study.txt: {key}" for key, limit in STUDY_FIELDS.items() if not 0 < len(about.get(key, "")) <= limit]
    if not re.fullmatch(r"[a-z0-9_]+", about.get("cancer_study_identifier", "")):
        found.append("meta_study.txt: cancer_study_identifier")
    if about.get("reference_genome", "hg19") not in {"hg19", "hg38"}:
        found.append("meta_study.txt: reference_genome")
    named: list[str] = []
    for path in sorted(study.glob("meta_*")):
        fields = fields_of(path)
        if path.name == "meta_study.txt":
            continue
        kind = fields.get("genetic_alteration_type", ""), fields.get("datatype", "")
        if missing := FIELDS.get(kind, {"a known type"}) - set(fields):
            found.append(f"{path.name}: lacks {sorted(missing)}")
        if fields.get("cancer_study_identifier") != about.get("cancer_study_identifier"):
            found.append(f"{path.name}: another study's identifier")
        if kind in STABLE_IDS and fields.get("stable_id") not in STABLE_IDS[kind]:
            found.append(f"{path.name}: stable_id")
        if extra := set(fields) - FIELDS.get(kind, set(fields)):
            found.append(f"{path.name}: unknown field {sorted(extra)}")
        if not (study / fields.get("data_filename", "-")).is_file():
            found.append(f"{path.name}: no such data file")
        named.append(fields.get("data_filename", ""))
    if sorted(named) != sorted(path.name for path in study.glob("data_*")):
        found.append("meta files: not one for each data file")
    return found


def list_breaches(study: Path, lists: dict[str, dict[str, str]], samples: set[str]) -> list[str]:
    """The lists that the profiles ask for, each specimen known and once; `all` has all, `sequenced` every mutated one."""
    about = fields_of(study / "meta_study.txt")
    identifier = about["cancer_study_identifier"]
    defined_by_study = about.get("add_global_case_list", "false").lower() == "true"
    found = [f"case list {name}: missing" for name in CATEGORIES if name not in lists and not (name == "all" and defined_by_study)]
    if defined_by_study and "all" in lists:
        found.append("case list all: defined twice")
    for name, fields in lists.items():
        ids = fields.get("case_list_ids", "").split("\t")
        if fields.get("stable_id") != f"{identifier}_{name}" or fields.get("cancer_study_identifier") != identifier:
            found.append(f"case list {name}: identifier")
        if fields.get("case_list_category") != CATEGORIES.get(name, "other"):
            found.append(f"case list {name}: category")
        if not fields.get("case_list_name") or not fields.get("case_list_description"):
            found.append(f"case list {name}: name or description")
        if len(set(ids)) < len(ids) or not set(ids) <= samples:
            found.append(f"case list {name}: a specimen unknown or twice")
    members = {name: set(fields.get("case_list_ids", "").split("\t")) for name, fields in lists.items()}
    if members.get("all", samples) != samples:
        found.append("case list all: not all")
    mutated = {row["Tumor_Sample_Barcode"] for _, row in rows_of(study / "data_mutations.txt")}
    if not mutated <= members.get("sequenced", set()):
        found.append("case list sequenced: lacks a specimen with mutations")
    if members.get("cna", set()) != set(header_of(study / "data_cna.txt")[1]) & samples:
        found.append("case list cna: not the columns of the matrix")
    return found


def clinical_breaches(study: Path) -> list[str]:
    """Four lines of attribute definitions, upper-case names at their level and of their type, values of the type."""
    found: list[str] = []
    columns: list[set[str]] = []
    for level, name in (("PATIENT", "data_clinical_patient.txt"), ("SAMPLE", "data_clinical_sample.txt")):
        comments, names, _ = header_of(study / name)
        columns.append(set(names) - {"PATIENT_ID"})
        definitions = [line[1:].split("\t") for line in comments]
        if len(definitions) != 4 or any(len(cells) != len(names) for cells in definitions):
            found.append(f"{name}: not four lines of definitions as wide as the header")
            continue
        found += _definition_breaches(name, level, names, definitions)
        found += _clinical_value_breaches(study / name, dict(zip(names, definitions[2], strict=True)), f"{level}_ID")
    if shared := columns[0] & columns[1]:
        found.append(f"clinical files: {sorted(shared)} at both levels")
    return found


def _definition_breaches(name: str, level: str, names: list[str], definitions: list[list[str]]) -> list[str]:
    found = [f"{name}: empty definition" for cells in definitions for cell in cells if cell.strip().lower() in MISSING]
    found += [f"{name}: data type {cell}" for cell in definitions[2] if cell not in {"STRING", "NUMBER", "BOOLEAN"}]
    found += [f"{name}: priority {cell}" for cell in definitions[3] if not re.fullmatch(r"-1|\d+", cell)]
    found += [f"{name}: {column} not in upper case" for column in names if not column.isupper()]
    found += [f"{name}: {column} is computed by the portal" for column in names if column in {"MUTATION_COUNT", "FRACTION_GENOME_ALTERED"}]
    wrong = (SAMPLE_LEVEL | {"SAMPLE_ID"}) if level == "PATIENT" else PATIENT_LEVEL
    found += [f"{name}: {column} at the wrong level" for column in names if column in wrong]
    for column, kind in zip(names, definitions[2], strict=True):
        wanted = "STRING" if column in TEXT_ATTRIBUTES else "NUMBER" if column in NUMERIC_ATTRIBUTES else kind
        if kind != wanted:
            found.append(f"{name}: {column} must be {wanted}")
    return found


def _clinical_value_breaches(path: Path, kinds: dict[str, str], key: str) -> list[str]:
    found, seen = [], set()
    for number, row in rows_of(path):
        for column, cell in row.items():
            value = cell.strip()
            if kinds[column] == "NUMBER" and value.lower() not in MISSING and not is_number(value.lstrip("<>")):
                found.append(f"{path.name}: line {number}, {column}: not a number")
            parts = value.lower().split("-")
            if len(parts) == 2 and MONTHS & set(parts) and "DATE" not in column:
                found.append(f"{path.name}: line {number}, {column}: reads as a date")
        if not ID_CHARACTERS.fullmatch(row[key]) or row[key] in seen or len(row[key]) > 63 or not row["PATIENT_ID"]:
            found.append(f"{path.name}: line {number}: id")
        seen.add(row[key])
        if row.get("OS_STATUS", "").lower() not in MISSING | {"living", "deceased", "0:living", "1:deceased"}:
            found.append(f"{path.name}: line {number}: OS_STATUS")
    return found


def is_number(text: str) -> bool:
    """Whether a text reads as a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True
