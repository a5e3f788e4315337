"""The twin's study folder keeps the cBioPortal file-format rules, and each rule bites when it is broken."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from oncoraft.knowledge.tables import TABLES, table
from oncoraft.twin.meta import TRAILING_SPACE, meta_file_name, write_meta
from oncoraft.twin.twin import main

from .portal_format import clinical_breaches, fields_of, header_of, list_breaches, meta_breaches, rows_of, shape_breaches
from .portal_genomics import matrix_breaches, mutation_breaches, panel_breaches, segment_breaches, timeline_breaches, variant_breaches


def breaches(study: Path) -> list[str]:
    """All that breaks the rules in a study folder."""
    clinical = [row for _, row in rows_of(study / "data_clinical_sample.txt")]
    samples, patients = {row["SAMPLE_ID"] for row in clinical}, {row["PATIENT_ID"] for row in clinical}
    lists = {path.stem.removeprefix("cases_"): fields_of(path) for path in sorted((study / "case_lists").iterdir())}
    found = [*meta_breaches(study), *list_breaches(study, lists, samples), *clinical_breaches(study)]
    found += [line for path in sorted(study.glob("data_*")) for line in shape_breaches(path)]
    found += [*mutation_breaches(study, samples), *matrix_breaches(study, samples), *segment_breaches(study, samples)]
    return [*found, *variant_breaches(study, samples), *panel_breaches(study, samples, lists), *timeline_breaches(study, patients)]


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("portal")
    assert main(["--patients", "120", "--seed", "11", "--out", str(folder / "study"), "--truth", str(folder / "truth.parquet")]) == 0
    return folder / "study"


def test_a_twin_keeps_the_rules(twin: Path) -> None:
    assert breaches(twin) == []


def test_a_twin_without_quirks_keeps_the_rules(tmp_path: Path) -> None:
    arguments = [
        "--clean",
        "--patients",
        "60",
        "--seed",
        "12",
        "--out",
        str(tmp_path / "study"),
        "--truth",
        str(tmp_path / "truth.parquet"),
    ]
    assert main(arguments) == 0
    assert breaches(tmp_path / "study") == []


def test_every_data_file_has_its_meta_file_and_every_profile_its_case_list(twin: Path) -> None:
    assert {path.name for path in twin.glob("data_*")} == {table.file for table in TABLES}
    assert {path.name for path in twin.glob("meta_*")} == {"meta_study.txt", *(meta_file_name(table) for table in TABLES)}
    assert meta_file_name(table("cna_segments")) == "meta_cna_hg19_seg.txt"
    names = {path.name for path in (twin / "case_lists").iterdir()}
    assert names == {f"cases_{name}.txt" for name in ("all", "sequenced", "cna", "cnaseq", "sv")}


def test_the_stray_space_of_one_released_meta_file_is_written_only_when_asked(twin: Path, tmp_path: Path) -> None:
    study = tmp_path / "study"
    shutil.copytree(twin, study)
    name = meta_file_name(table(TRAILING_SPACE))
    write_meta(study, clean=False)
    assert (study / name).read_text().endswith("data_timeline_ca_19-9_labs.txt \n")
    assert breaches(study) == []  # the portal strips it
    write_meta(study)
    assert (study / name).read_text().endswith("data_timeline_ca_19-9_labs.txt\n")


def test_a_specimen_without_copy_number_is_in_no_copy_number_list(twin: Path, tmp_path: Path) -> None:
    study = tmp_path / "study"
    shutil.copytree(twin, study)
    path = study / "data_cna.txt"
    lines = [line.split("\t") for line in path.read_text().splitlines()]
    lost = lines[0][1]
    path.write_text("".join("\t".join(cells[:1] + cells[2:]) + "\n" for cells in lines))
    write_meta(study)
    lists = {name: fields_of(study / "case_lists" / f"cases_{name}.txt")["case_list_ids"].split("\t") for name in ("all", "cna", "cnaseq")}
    assert lost in lists["all"]
    assert lost not in lists["cna"]
    assert lost not in lists["cnaseq"]
    assert breaches(study) == []


def cell(column: str, value: str) -> Callable[[Path], None]:
    """An edit that puts `value` into a column of the last row (of the MAF: the last missense mutation)."""

    def edit(path: Path) -> None:
        lines = path.read_text(encoding="utf-8").rstrip("\n").split("\n")
        silent = path.name == "data_mutations.txt"  # the portal looks only at rows that it loads
        row = max(number for number, line in enumerate(lines) if not silent or "\tMissense_Mutation\t" in line)
        cells = lines[row].split("\t")
        cells[header_of(path)[1].index(column)] = value
        path.write_text("\n".join([*lines[:row], "\t".join(cells), *lines[row + 1 :]]) + "\n", encoding="utf-8")

    return edit


def header(old: str, new: str) -> Callable[[Path], None]:
    """An edit that renames a column."""

    def edit(path: Path) -> None:
        lines = path.read_text(encoding="utf-8").split("\n")
        number = header_of(path)[2] - 1
        cells = lines[number].split("\t")
        cells[cells.index(old)] = new
        path.write_text("\n".join([*lines[:number], "\t".join(cells), *lines[number + 1 :]]), encoding="utf-8")

    return edit


def text(old: str, new: str) -> Callable[[Path], None]:
    """An edit that replaces a text once, which must be there."""

    def edit(path: Path) -> None:
        content = path.read_bytes().decode()
        assert old in content
        path.write_bytes(content.replace(old, new, 1).encode())

    return edit


def last_row_twice(path: Path) -> None:
    content = path.read_text(encoding="utf-8").rstrip("\n")
    path.write_text(content + "\n" + content.split("\n")[-1] + "\n", encoding="utf-8")


FAULTS: list[tuple[str, Callable[[Path], None]]] = [
    ("meta_study.txt", text("cancer_study_identifier: oncoraft_twin", "cancer_study_identifier: Oncoraft-Twin")),
    ("meta_study.txt", text("type_of_cancer: mixed", "type_of_cancer:")),
    ("meta_study.txt", text("reference_genome: hg19", "add_global_case_list: true")),
    ("meta_mutations.txt", text("stable_id: mutations\n", "")),
    ("meta_cna.txt", text("stable_id: cna", "stable_id: copies")),
    ("meta_cna_hg19_seg.txt", text("reference_genome_id: hg19\n", "")),
    ("meta_sv.txt", text("datatype: SV", "datatype: FUSION")),
    ("meta_timeline_treatment.txt", text("data_timeline_treatment.txt", "data_timeline_drugs.txt")),
    ("case_lists/cases_all.txt", text("case_list_ids: P-", "case_list_ids: Q-")),
    ("case_lists/cases_sequenced.txt", text("stable_id: oncoraft_twin_sequenced", "stable_id: sequenced")),
    ("case_lists/cases_cnaseq.txt", text("all_cases_with_mutation_and_cna_data", "both")),
    ("data_clinical_patient.txt", text("#", "")),
    ("data_clinical_patient.txt", cell("OS_STATUS", "2:LOST")),
    ("data_clinical_patient.txt", cell("OS_MONTHS", "a year")),
    ("data_clinical_patient.txt", last_row_twice),
    ("data_clinical_patient.txt", header("GENDER", "SAMPLE_TYPE")),
    ("data_clinical_sample.txt", cell("SAMPLE_ID", "P 1")),
    ("data_clinical_sample.txt", cell("PRIMARY_SITE", "20-Oct")),
    ("data_clinical_sample.txt", header("GENE_PANEL", "gene_panel")),
    ("data_gene_panel_matrix.txt", cell("cna", "")),
    ("data_gene_panel_matrix.txt", last_row_twice),
    ("data_mutations.txt", cell("Tumor_Sample_Barcode", "P-9999999-T01-IM6")),
    ("data_mutations.txt", cell("NCBI_Build", "GRCh38")),
    ("data_mutations.txt", cell("t_alt_count", "many")),
    ("data_mutations.txt", cell("HGVSp_Short", "p.G12C;p.G13D")),
    ("data_mutations.txt", cell("End_Position", "1")),
    ("data_cna.txt", text("\t0\t", "\t2.5\t")),
    ("data_cna.txt", last_row_twice),
    ("data_cna_hg19.seg", cell("loc.end", "999999999")),
    ("data_cna_hg19.seg", cell("seg.mean", "")),
    ("data_timeline_surgery.txt", cell("START_DATE", "1.5")),
    ("data_timeline_surgery.txt", cell("PATIENT_ID", "P-9999999")),
    ("data_timeline_progression.txt", cell("STYLE_COLOR", "red")),
    ("data_timeline_specimen.txt", header("STOP_DATE", "END_DATE")),
    ("data_timeline_surgery.txt", text("\n", "\tno such column\n")),
    ("data_timeline_psa_labs.txt", text("\r\n", "\n")),
]


@pytest.mark.parametrize(("name", "edit"), FAULTS, ids=[f"{position}-{name}" for position, (name, _) in enumerate(FAULTS)])
def test_a_broken_rule_is_found(name: str, edit: Callable[[Path], None], twin: Path, tmp_path: Path) -> None:
    study = tmp_path / "study"
    shutil.copytree(twin, study)
    edit(study / name)
    assert breaches(study)


VARIANT = {"SV_Status": "SOMATIC", "Site1_Hugo_Symbol": "EML4", "Site2_Hugo_Symbol": "ALK", "NCBI_Build": "GRCh37", "Class": "INVERSION"}


@pytest.mark.parametrize(
    "fault",
    [{"SV_Status": "MAYBE"}, {"Site1_Hugo_Symbol": "", "Site2_Hugo_Symbol": ""}, {"NCBI_Build": "hg19"}, {"Sample_Id": "P-9999999"}, {}],
)
def test_a_variant_that_breaks_a_rule_is_found(fault: dict[str, str], twin: Path, tmp_path: Path) -> None:
    study = tmp_path / "study"
    shutil.copytree(twin, study)
    path, sample = study / "data_sv.txt", fields_of(study / "case_lists" / "cases_sv.txt")["case_list_ids"].split("\t")[0]
    names = header_of(path)[1]

    def append(row: dict[str, str]) -> None:
        content = path.read_text().rstrip("\n")
        path.write_text(content + "\n" + "\t".join(row.get(name, "") for name in names) + "\n")

    append(VARIANT | {"Sample_Id": sample})
    assert breaches(study) == []
    append(VARIANT | {"Sample_Id": sample} | fault)  # without a fault: a duplicate
    assert breaches(study)
