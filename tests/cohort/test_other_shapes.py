"""Tables in the portal's other shapes are read; one that cannot be kept ends the run unless the configuration consents."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet
import pytest

from oncoraft.cohort.ingest import main
from oncoraft.planning.edge import run

from .conftest import STUDY, write_study
from .test_reader_faults import CNA, LABS, MMR, MUTATIONS, PATIENT, SPECIMEN, TREATMENT, Edit, add, ingested, put, swap

PANELS = "data_gene_panel_matrix.txt"
SAMPLES = ("P-0000001-T01-IM6", "P-0000002-T01-IM5", "P-0000003-T01-IM6")
META = b"genetic_alteration_type: COPY_NUMBER_ALTERATION\ndata_filename: data_cna.txt\ndatatype: "
SV = "data_sv.txt"


def column(tables: Path, table: str, name: str) -> list[Any]:
    values: list[Any] = parquet.read_table(tables / f"{table}.parquet")[name].to_pylist()
    return values


def rejects(tables: Path, file: str) -> list[tuple[int, str | None]]:
    return [
        (row["source_line"], row["column"]) for row in parquet.read_table(tables / "rejects.parquet").to_pylist() if row["file"] == file
    ]


def calls(tables: Path) -> set[tuple[str, str, float]]:
    return set(zip(*(column(tables, "cna", name) for name in ("sample_id", "gene", "call")), strict=True))


def error_of(capsys: pytest.CaptureFixture[str]) -> str:
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    return line


MATRIX_CALLS = {(SAMPLES[0], "ERBB2", 2.0), (SAMPLES[1], "PTEN", -2.0), (SAMPLES[0], "TP53", -1.5), (SAMPLES[2], "TP53", -2.0)}


def test_copy_number_in_long_form_gives_the_calls_and_the_coverage_of_the_matrix(tmp_path: Path) -> None:
    matrix = [line.split("\t") for line in STUDY[CNA].splitlines()]
    cells = [(row[0], matrix[0][place], row[place]) for row in matrix[1:] for place in range(1, len(row))]
    rows = "".join(f"{gene}\t7157\t{sample}\t{value}\tx\n" for gene, sample, value in cells)
    plain = ingested(tmp_path / "matrix")[1]
    status, tables = ingested(tmp_path / "long", put(CNA, f"Hugo_Symbol\tEntrez_Gene_Id\tSample_Id\tValue\tcbp_driver\n{rows}".encode()))
    assert status == 0
    assert calls(tables) == calls(plain) == MATRIX_CALLS
    coverage = [parquet.read_table(folder / "cna_coverage.parquet").to_pylist() for folder in (plain, tables)]
    assert coverage[0] == coverage[1]
    assert any(not row["is_covered"] for row in coverage[0])
    line = next(line for line in parquet.read_table(tables / "ledger.parquet").to_pylist() if line["table"] == "cna")
    assert (line["rows_read"], line["rows_kept"]) == (12, 12)


def test_log2_ratios_are_called_where_the_meta_file_says_that_they_are(tmp_path: Path) -> None:
    ratios = b"Hugo_Symbol\tP-0000001-T01-IM6\tP-0000002-T01-IM5\tP-0000003-T01-IM6\nERBB2\t2.123456789\t0.1\t-0.99\nPTEN\tNA\t-1.0\t0.000000000\n"
    status, tables = ingested(tmp_path, put(CNA, ratios), put("meta_cna.txt", META + b"LOG2-VALUE\n"))
    assert status == 0
    assert calls(tables) == {(SAMPLES[0], "ERBB2", 2.0), (SAMPLES[1], "PTEN", -2.0)}
    notes = json.loads((tables / "checks.json").read_text())["notes"]
    assert [note["rows"] for note in notes if note["what"] == "log2_called"] == [2]


def many_log2(files: dict[str, bytes]) -> None:
    files[CNA] = b"Hugo_Symbol\tP-0000001-T01-IM6\n" + b"".join(b"GENE%d\t0.123\n" % number for number in range(9))


def test_numbers_that_are_no_calls_end_the_run_unless_the_configuration_consents(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, _ = ingested(tmp_path, many_log2)
    assert status == 2
    assert "9 of 9 rows cannot be kept" in (line := error_of(capsys))
    assert "data_cna.txt, line 2, column P-0000001-T01-IM6" in line
    assert "ingest.accept_mostly_refused" in line
    assert not (tmp_path / "tables").exists()
    settings = json.dumps({"ingest": {"accept_mostly_refused": ["cna"]}})
    assert run(main, [str(tmp_path / "study"), "--out", str(tmp_path / "tables"), "--settings", settings]) == 0
    assert calls(tmp_path / "tables") == set()
    assert len(rejects(tmp_path / "tables", CNA)) == 9


def mostly_bad(bad: int, good: int) -> Edit:
    rows = [b"P-0000001\t%d\tTRUE\n" % number for number in range(good)] + [b"P-0000001\t%d\tmaybe\n" % number for number in range(bad)]
    return put(MMR, b"PATIENT_ID\tSTART_DATE\tMMR_ABSENT\n" + b"".join(rows))


@pytest.mark.parametrize(("bad", "good", "status"), [(6, 5, 2), (5, 5, 0), (4, 1, 0), (40, 41, 0), (7, 0, 2)])
def test_a_table_that_loses_most_of_its_rows_ends_the_run(bad: int, good: int, status: int, tmp_path: Path) -> None:
    assert ingested(tmp_path, mostly_bad(bad, good))[0] == status


def test_an_optional_table_without_a_required_column_is_given_up_only_with_consent(tmp_path: Path) -> None:
    edit = swap("data_timeline_tumor_sites.txt", b"TUMOR_SITE", b"SITE")
    assert ingested(tmp_path, edit)[0] == 2
    settings = json.dumps({"ingest": {"accept_mostly_refused": ["timeline_tumor_sites"]}})
    assert run(main, [str(tmp_path / "study"), "--out", str(tmp_path / "tables"), "--settings", settings]) == 0
    ledger = {line["table"]: line for line in parquet.read_table(tmp_path / "tables" / "ledger.parquet").to_pylist()}
    assert (ledger["timeline_tumor_sites"]["status"], ledger["timeline_tumor_sites"]["rows_read"]) == ("given_up", 0)
    assert column(tmp_path / "tables", "timeline_tumor_sites", "tumor_site") == []


def test_consent_names_a_table_that_there_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = json.dumps({"ingest": {"accept_mostly_refused": ["copy_number"]}})
    assert run(main, [str(write_study(tmp_path / "study", STUDY)), "--out", str(tmp_path / "tables"), "--settings", settings]) == 2
    assert "accept_mostly_refused" in error_of(capsys)


@pytest.mark.parametrize("heading", ["cna", "gistic", "cna_rae", "cna_consensus"])
def test_the_panel_of_copy_number_is_found_under_any_of_its_profiles_names(heading: str, tmp_path: Path) -> None:
    rows = "".join(f"{sample}\tIMPACT468\tIMPACT410\tIMPACT505\tNA\n" for sample in SAMPLES)
    status, tables = ingested(tmp_path, put(PANELS, f"SAMPLE_ID\tmutations\t{heading}\tstructural_variants\tmrna\n{rows}".encode()))
    assert (status, rejects(tables, PANELS)) == (0, [])
    assert column(tables, "gene_panel_matrix", "cna") == ["IMPACT410"] * 3
    assert set(column(tables, "cna_coverage", "panel")) == {"IMPACT410"}


def padded(file: str, cells: int) -> Edit:
    def edit(files: dict[str, bytes]) -> None:
        header, *rows = files[file].rstrip(b"\n").split(b"\n")
        files[file] = b"\n".join([header, *(row + b"\t" * cells for row in rows)])

    return edit


@pytest.mark.parametrize("file", [PANELS, CNA, TREATMENT, MMR])
@pytest.mark.parametrize("cells", [1, 2, 7])
def test_empty_cells_behind_the_last_column_change_nothing(file: str, cells: int, tmp_path: Path) -> None:
    plain, odd = ingested(tmp_path / "plain"), ingested(tmp_path / "odd", padded(file, cells))
    assert plain[0] == odd[0] == 0
    for path in sorted(plain[1].glob("*.parquet")):
        if path.stem != "ledger":
            assert parquet.read_table(path).equals(parquet.read_table(odd[1] / path.name)), path.stem


def test_a_cell_behind_the_last_column_that_holds_something_is_refused(tmp_path: Path) -> None:
    status, tables = ingested(tmp_path, add(MMR, b"P-0000003\t-38\t\tPATHOLOGY\tMMR (IHC)\tTRUE\t\tx"))
    assert (status, rejects(tables, MMR)) == (0, [(3, None)])


CURRENT_SV = (
    "Sample_Id\tSV_Status\tSite1_Hugo_Symbol\tSite1_Ensembl_Transcript_Id\tSite1_Entrez_Gene_Id\tSite1_Region\tSite1_Region_Number\t"
    "Site1_Chromosome\tSite1_Contig\tSite1_Position\tSite2_Hugo_Symbol\tSite2_Entrez_Gene_Id\tSite2_Position\tClass\tTumor_Split_Read_Count\t"
    "DNA_Support\tEvent_Info\n"
    "P-0000001-T01-IM6\tSOMATIC\tEML4\tENST0\t27436\tEXON\t13\t2\tp\t42522656\tALK\t238\t29446394\tINVERSION\tNA\tYes\tEML4-ALK\n"
    "P-0000003-T01-IM6\tSOMATIC\tRET\tENST1\t5979\tEXON\t12\t10\tq\t4.36e+07\tNA\t\t\tNA\t-1\tNo\tRET-intergenic\n"
)


def test_variants_in_the_portals_current_layout_are_read(tmp_path: Path) -> None:
    status, tables = ingested(tmp_path, put(SV, CURRENT_SV.encode()))
    assert (status, rejects(tables, SV)) == (0, [])
    assert column(tables, "sv", "site1_hugo_symbol") == ["EML4", "RET"]
    assert column(tables, "sv", "site2_hugo_symbol") == ["ALK", None]
    assert column(tables, "sv", "site1_position") == [42_522_656, 43_600_000]


def test_variants_need_one_column_of_genes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = CURRENT_SV.replace("Site2_Hugo_Symbol", "Site2_Gene")
    assert ingested(tmp_path / "one", put(SV, one.encode()))[0] == 0
    assert ingested(tmp_path / "none", put(SV, one.replace("Site1_Hugo_Symbol", "Site1_Gene").encode()))[0] == 2
    assert "at least one of Site1_Hugo_Symbol and Site2_Hugo_Symbol is required" in error_of(capsys)


def test_only_columns_that_are_read_must_be_unique(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, tables = ingested(tmp_path / "unread", put(MMR, b"PATIENT_ID\tSTART_DATE\tMMR_ABSENT\tNotes\tNOTES\nP-0000003\t-38\t1\ta\tb\n"))
    assert (status, column(tables, "timeline_mmr", "mmr_absent")) == (0, [True])
    assert ingested(tmp_path / "read", put(MMR, b"PATIENT_ID\tSTART_DATE\tMMR_ABSENT\tMmr_Absent\nP-0000003\t-38\t1\t0\n"))[0] == 2
    assert "column Mmr_Absent: expected each column once, found 'twice'" in error_of(capsys)
    assert ingested(tmp_path / "matrix", swap(CNA, SAMPLES[1].encode(), SAMPLES[0].encode()))[0] == 2
    assert f"column {SAMPLES[0]}: expected each specimen's column once" in error_of(capsys)


def folder(path: Path) -> None:
    path.mkdir()


def link_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


def link_to_nothing(path: Path) -> None:
    path.symlink_to("nowhere.txt")


@pytest.mark.parametrize("make", [folder, link_to_itself, link_to_nothing, os.mkfifo])
def test_an_optional_table_that_is_no_file_is_not_taken_for_absent(
    make: Callable[[Path], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = write_study(tmp_path / "study", STUDY)
    (study / MMR).unlink()
    make(study / MMR)
    assert run(main, [str(study), "--out", str(tmp_path / "tables")]) == 2
    assert f"{MMR}: expected the table timeline_mmr, found" in error_of(capsys)


def test_a_cell_of_a_megabyte_is_set_aside_and_shown_in_short(tmp_path: Path) -> None:
    status, tables = ingested(tmp_path, swap(TREATMENT, b"LEUPROLIDE", b"X" * 1_000_000))
    assert (status, rejects(tables, TREATMENT)) == (0, [(2, "AGENT")])
    row = next(row for row in parquet.read_table(tables / "rejects.parquet").to_pylist() if row["file"] == TREATMENT)
    assert len(row["reason"]) < 300
    assert "1,000,000 characters" in row["reason"]


@pytest.mark.parametrize("row", [b"P-0000003\t1\t\tPathology\tMMR (IHC)\tTR\xdcE", b"P-0000003\t1\tZ\xfcrich\tx\ty\tTRUE\textra\tcells"])
def test_a_row_in_latin_1_gives_its_line_and_nothing_else(row: bytes, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert ingested(tmp_path, add(MMR, row))[0] == 2
    written = capfd.readouterr().err
    assert f"{MMR}, line 3: expected text in UTF-8" in written
    assert "Exception" not in written
    assert "Traceback" not in written


def test_a_specimen_that_two_patients_name_belongs_to_the_owner_by_the_sample_table(tmp_path: Path) -> None:
    status, tables = ingested(tmp_path, swap(SPECIMEN, b"P-0000003-T01-IM6", b"P-0000002-T01-IM5"))
    assert (status, rejects(tables, SPECIMEN)) == (0, [(4, "PATIENT_ID")])
    owners = dict(zip(column(tables, "timeline_specimen", "sample_id"), column(tables, "timeline_specimen", "patient_id"), strict=True))
    assert owners == {SAMPLES[0]: "P-0000001", SAMPLES[1]: "P-0000002"}
    checks = json.loads((tables / "checks.json").read_text())
    assert {"table": "timeline_specimen", "rows": 1, "first_ids": [SAMPLES[1]]} in checks["specimens_of_others"]


@pytest.mark.parametrize("day", [400, 7])
def test_a_specimen_that_is_sequenced_twice_counts_from_its_first_day_whatever_the_order(day: int, tmp_path: Path) -> None:
    again = f"P-0000001\t{day}\t\tSequencing\t\t{SAMPLES[0]}"
    before = swap(SPECIMEN, b"P-0000001\t0", again.encode() + b"\nP-0000001\t0")
    for name, edit, line in (("after", add(SPECIMEN, again.encode()), 5), ("before", before, 2)):
        status, tables = ingested(tmp_path / name, edit)
        assert (status, rejects(tables, SPECIMEN)) == (0, [(line, "SAMPLE_ID")])
        assert column(tables, "timeline_specimen", "start_day") == [0, 0, 0]
        assert json.loads((tables / "checks.json").read_text())["specimens_repeated"][0]["rows"] == 1


@pytest.mark.parametrize(
    ("written", "age"),
    [
        (">89", 90),
        ("> 89", 90),
        (">=90", 90),
        ("90+", 90),
        ("≥90", 90),
        ("89 or older", 89),
        ("<18", 17),
        ("<=18", 18),
        ("70", 70),
        ("over 89", 90),
        ("> 89 years", 90),
        (">89.0", 90),
        ("90+ years", 90),
        ("90 years or older", 90),
        ("Under 18 yrs", 17),
    ],
)
def test_an_age_that_is_given_by_a_bound_is_read_and_told(written: str, age: int, tmp_path: Path) -> None:
    status, tables = ingested(tmp_path, swap(PATIENT, b"\t70\t", f"\t{written}\t".encode()))
    assert (status, rejects(tables, PATIENT)) == (0, [])
    assert column(tables, "clinical_patient", "current_age_deid")[0] == age
    told = [note["rows"] for note in json.loads((tables / "checks.json").read_text())["notes"] if note["what"] == "bounds"]
    assert told == ([] if written == "70" else [1])


@pytest.mark.parametrize("written", [">", "<-3", "old", ">999", "89-90"])
def test_an_age_that_is_no_number_is_set_aside(written: str, tmp_path: Path) -> None:
    status, tables = ingested(tmp_path, swap(PATIENT, b"\t70\t", f"\t{written}\t".encode()))
    assert (status, rejects(tables, PATIENT)) == (0, [(6, "CURRENT_AGE_DEID")])


def test_a_bound_is_no_number_of_another_column(tmp_path: Path) -> None:
    status, tables = ingested(tmp_path, swap(LABS, b"\t0\t", b"\t>89\t"))
    assert (status, rejects(tables, LABS)) == (0, [(3, "START_DATE"), (4, "RESULT")])


def test_a_file_of_mutations_with_padding_and_words_for_missing_is_kept_whole(tmp_path: Path) -> None:
    maf = b"Hugo_Symbol\tVariant_Classification\tHGVSp_Short\tTumor_Sample_Barcode\tt_alt_count\n"
    rows = b"".join(b"TP53\tMissense_Mutation\t%s\tP-0000001-T01-IM6\t%s\t\t\n" % pair for pair in ((b"p.R1H", b"NA"), (b".", b"12")))
    status, tables = ingested(tmp_path, put(MUTATIONS, maf + rows))
    assert (status, rejects(tables, MUTATIONS)) == (0, [])
    assert column(tables, "mutations", "hgvsp_short") == ["R1H", None]
    assert column(tables, "mutations", "t_alt_count") == [None, 12]
