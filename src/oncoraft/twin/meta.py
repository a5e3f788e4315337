"""Meta files and case lists of a made-up study, by the cBioPortal file format.

One meta file for the study and one for every data file that is there; five case lists (all specimens, and those
profiled for mutations, copy number, both, structural variants), read off the data files so that they cannot disagree.
Fields, data types and stable ids are those that the portal's importer knows (cBioPortal file-format documentation).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from oncoraft.knowledge.study_files import PORTAL_KINDS
from oncoraft.knowledge.tables import TABLES, Table

STUDY_ID = "oncoraft_twin"
STUDY = {
    "type_of_cancer": "mixed",
    "cancer_study_identifier": STUDY_ID,
    "name": "Synthetic twin of MSK-CHORD",
    "description": "A made-up cohort in the released layout of MSK-CHORD, drawn from stated parameters. No row describes a real person.",
    "reference_genome": "hg19",
}
# Table -> stable id, profile name, profile description.
PROFILES = {
    "mutations": ("mutations", "Mutations", "Made-up somatic mutations of the sequenced specimens."),
    "cna": ("cna", "Copy-number alterations", "Made-up calls: -2 deep deletion, -1.5 loss, 0 none, 2 amplification."),
    "sv": ("structural_variants", "Structural variants", "Made-up rearrangements of the sequenced specimens."),
}
TIMELINE = ("CLINICAL", "TIMELINE")
TRAILING_SPACE = "timeline_ca_19_9_labs"  # the released meta file of this table has a space after the file name

# Case list -> its category, its name, the words that follow the count in its description.
CASE_LISTS = {
    "all": ("all_cases_in_study", "All specimens", "specimens in the study"),
    "sequenced": ("all_cases_with_mutation_data", "Specimens with mutation data", "specimens profiled for mutations"),
    "cna": ("all_cases_with_cna_data", "Specimens with copy-number data", "specimens profiled for copy number"),
    "cnaseq": (
        "all_cases_with_mutation_and_cna_data",
        "Specimens with mutation and copy-number data",
        "specimens profiled for mutations and copy number",
    ),
    "sv": ("all_cases_with_sv_data", "Specimens with structural-variant data", "specimens profiled for structural variants"),
}


def meta_file_name(table: Table) -> str:
    """`meta_cna.txt` for `data_cna.txt`, `meta_cna_hg19_seg.txt` for `data_cna_hg19.seg`."""
    stem, _, suffix = table.file.removeprefix("data_").rpartition(".")
    return f"meta_{stem}.txt" if suffix == "txt" else f"meta_{stem}_{suffix}.txt"


def meta_fields(table: Table) -> dict[str, str]:
    """The fields of a data file's meta file, in the order in which they are written."""
    kind, datatype = PORTAL_KINDS.get(table.name, TIMELINE)
    fields = {"cancer_study_identifier": STUDY_ID, "genetic_alteration_type": kind, "datatype": datatype}
    if table.name in PROFILES:
        stable_id, name, description = PROFILES[table.name]
        fields |= {"stable_id": stable_id, "show_profile_in_analysis_tab": "true", "profile_name": name, "profile_description": description}
    if table.name == "cna_segments":
        fields |= {"reference_genome_id": "hg19", "description": "Made-up segments: mean log2 ratio of tumour to matched normal."}
    return fields | {"data_filename": table.file}


def case_lists(folder: Path) -> dict[str, list[str]]:
    """Case list -> its specimens in the order of data_clinical_sample, from the data files of the study."""
    everyone = _column(folder / "data_clinical_sample.txt", "SAMPLE_ID")
    panels = folder / "data_gene_panel_matrix.txt"
    profiled = {name: _profiled(panels, name) for name in ("mutations", "structural_variants")}
    matrix = folder / "data_cna.txt"
    measured = set(_header(matrix)) if matrix.is_file() else set()
    chosen = {
        "all": set(everyone),
        "sequenced": profiled["mutations"],
        "cna": measured,
        "cnaseq": profiled["mutations"] & measured,
        "sv": profiled["structural_variants"],
    }
    return {name: [sample for sample in everyone if sample in chosen[name]] for name in CASE_LISTS}


def write_meta(folder: Path, samples: Sequence[str] | None = None, *, clean: bool = True) -> None:
    """Write the meta files and case lists of the study in `folder`, whose data files are already there.

    Args:
        folder: the study folder.
        samples: not needed; every specimen if the study has no data_clinical_sample.txt yet.
        clean: leave out the released files' stray space after one file name.
    """
    _write_fields(folder / "meta_study.txt", STUDY)
    for table in TABLES:
        if (folder / table.file).is_file():
            fields = meta_fields(table)
            if table.name == TRAILING_SPACE and not clean:
                fields["data_filename"] += " "
            _write_fields(folder / meta_file_name(table), fields)
    has_samples = (folder / "data_clinical_sample.txt").is_file()
    lists = case_lists(folder) if has_samples else {name: list(samples or ()) for name in CASE_LISTS}
    (folder / "case_lists").mkdir(exist_ok=True)
    for name, (category, title, words) in CASE_LISTS.items():
        if not lists[name]:
            continue
        fields = {"cancer_study_identifier": STUDY_ID, "stable_id": f"{STUDY_ID}_{name}", "case_list_name": title}
        fields |= {"case_list_description": f"{title} ({len(lists[name])} {words})", "case_list_category": category}
        _write_fields(folder / "case_lists" / f"cases_{name}.txt", fields | {"case_list_ids": "\t".join(lists[name])})


def _write_fields(path: Path, fields: dict[str, str]) -> None:
    path.write_text("".join(f"{key}: {value}\n" for key, value in fields.items()), encoding="utf-8")


def _header(path: Path) -> list[str]:
    with path.open(encoding="utf-8") as stream:
        return next((line.rstrip("\r\n").split("\t") for line in stream if not line.startswith("#")), [])


def _column(path: Path, name: str) -> list[str]:
    """The cells of one column below the header."""
    with path.open(encoding="utf-8") as stream:
        rows = (line.rstrip("\r\n").split("\t") for line in stream if not line.startswith("#"))
        position = next(rows).index(name)
        return [row[position].strip() for row in rows]


def _profiled(panels: Path, profile: str) -> set[str]:
    """Specimens that have a panel for a profile."""
    if not panels.is_file():
        return set()
    pairs = zip(_column(panels, "SAMPLE_ID"), _column(panels, profile), strict=True)
    return {sample for sample, panel in pairs if panel not in {"", "NA"}}
