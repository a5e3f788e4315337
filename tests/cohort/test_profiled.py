"""A specimen counts as profiled only where a readable table and every source that speaks of it say so."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as parquet
import pytest

from oncoraft.cohort.ingest import main
from oncoraft.foundation.errors import InputError

ONE, TWO, THREE = "P-0000001-T01-IM6", "P-0000002-T01-IM5", "P-0000003-T01-IM6"
EVERYONE = {ONE, TWO, THREE}
MUTATIONS = "Hugo_Symbol\tVariant_Classification\tTumor_Sample_Barcode\tt_alt_count\tHGVSp_Short\n"
MUTATION = f"KRAS\tMissense_Mutation\t{ONE}\t5\tp.(Gly12Cys)\n"
VARIANTS = "Sample_Id\tSite1_Hugo_Symbol\tSite2_Hugo_Symbol\n"
KINDS = ("mutations", "copy_number", "structural_variants")


@pytest.fixture
def profiled(study: Path, tmp_path: Path) -> Callable[..., dict[str, set[str]]]:
    """Files to write (None: to remove) -> kind -> specimens profiled for it."""

    def run(**files: str | None) -> dict[str, set[str]]:
        whole: dict[str, str | None] = {"data_mutations.txt": MUTATIONS + MUTATION, "data_sv.txt": VARIANTS}
        for name, text in (whole | {name.replace("__", "/") + ".txt": text for name, text in files.items()}).items():
            path = study / name
            path.parent.mkdir(exist_ok=True)
            path.unlink(missing_ok=True) if text is None else path.write_text(text)
        assert main([str(study), "--out", str(tmp_path / "tables")]) == 0
        rows = parquet.read_table(tmp_path / "tables" / "profiled.parquet").to_pylist()
        assert {row["sample_id"] for row in rows} == EVERYONE
        return {kind: {row["sample_id"] for row in rows if row[kind]} for kind in KINDS}

    return run


def test_a_panel_and_a_table_make_profiled(profiled: Callable[..., dict[str, set[str]]]) -> None:
    assert profiled() == dict.fromkeys(KINDS, EVERYONE)


@pytest.mark.parametrize(
    ("table", "kind"), [("data_mutations", "mutations"), ("data_cna", "copy_number"), ("data_sv", "structural_variants")]
)
def test_without_a_table_of_the_kind_nobody_was(profiled: Callable[..., dict[str, set[str]]], table: str, kind: str) -> None:
    found = profiled(**{table: None})
    assert found[kind] == set()
    assert all(found[other] == EVERYONE for other in KINDS if other != kind)


def test_a_table_of_which_every_row_is_refused_is_none(profiled: Callable[..., dict[str, set[str]]]) -> None:
    assert profiled(data_mutations=MUTATIONS + MUTATION.replace("\t5\t", "\tfive\t"))["mutations"] == set()


def test_a_refused_row_of_a_specimen_takes_its_silence_away(profiled: Callable[..., dict[str, set[str]]]) -> None:
    bad = MUTATION.replace("\t5\t", "\tfive\t").replace(ONE, TWO)
    assert profiled(data_mutations=MUTATIONS + MUTATION + bad)["mutations"] == {ONE, THREE}


@pytest.mark.parametrize("word", ["NA", "", "N/A", "[Not Available]", "null"])
def test_no_panel_in_a_column_is_not_profiled_for_that_kind_alone(profiled: Callable[..., dict[str, set[str]]], word: str) -> None:
    rows = f"SAMPLE_ID\tmutations\tcna\tstructural_variants\n{ONE}\tIMPACT468\t{word}\tIMPACT468\n{TWO}\tA\tA\tA\n{THREE}\tA\tA\t{word}\n"
    assert profiled(data_gene_panel_matrix=rows) == {
        "mutations": EVERYONE,
        "copy_number": {TWO, THREE},
        "structural_variants": {ONE, TWO},
    }


def test_case_lists_speak_where_there_is_no_panel_matrix(profiled: Callable[..., dict[str, set[str]]]) -> None:
    listed = f"cancer_study_identifier: s\nstable_id: s_sequenced\ncase_list_name: x\ncase_list_ids: {ONE}\t{TWO}\n"
    found = profiled(data_gene_panel_matrix=None, case_lists__cases_sequenced=listed)
    assert found == {"mutations": {ONE, TWO}, "copy_number": EVERYONE, "structural_variants": set()}


def test_a_case_list_without_a_specimen_outweighs_its_panel(profiled: Callable[..., dict[str, set[str]]]) -> None:
    listed = f"stable_id: s_sv\ncase_list_ids: {THREE}\n"
    assert profiled(case_lists__any_name=listed)["structural_variants"] == {THREE}


def test_a_specimen_without_a_measured_gene_has_no_copy_number(profiled: Callable[..., dict[str, set[str]]]) -> None:
    matrix = f"Hugo_Symbol\t{ONE}\t{TWO}\nERBB2\t0\tNA\nKIT\t0\tNA\n"
    assert profiled(data_cna=matrix)["copy_number"] == {ONE}


@pytest.mark.parametrize("heading", ["cna", "gistic", "cna_rae", "cna_consensus"])
def test_a_panel_counts_under_any_of_its_profiles_names(profiled: Callable[..., dict[str, set[str]]], heading: str) -> None:
    rows = f"SAMPLE_ID\tmutations\t{heading}\tstructural_variants\n{ONE}\tA\tNA\tA\n{TWO}\tA\tA\tA\n{THREE}\tA\tA\tA\n"
    assert profiled(data_gene_panel_matrix=rows)["copy_number"] == {TWO, THREE}


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ((f"ERBB2\t{ONE}\t2", f"KIT\t{TWO}\t0"), {ONE, TWO, THREE}),
        ((f"ERBB2\t{ONE}\tNA", f"KIT\t{TWO}\t0"), {TWO, THREE}),
        ((f"ERBB2\t{ONE}\t2", f"KIT\t{TWO}\t0", f"KIT\t{THREE}\t1.7"), {ONE, TWO}),
        ((f"ERBB2\t{ONE}\t2", f"KIT\t{TWO}\t0", f"PTEN\t{TWO}\t-7"), {ONE, THREE}),
    ],
)
def test_a_list_of_calls_is_silent_on_specimens_without_a_row_alone(
    profiled: Callable[..., dict[str, set[str]]], rows: tuple[str, ...], expected: set[str]
) -> None:
    assert profiled(data_cna="Hugo_Symbol\tSample_Id\tValue\n" + "".join(row + "\n" for row in rows))["copy_number"] == expected


def test_a_table_that_is_given_up_looked_for_nothing(study: Path, tmp_path: Path) -> None:
    (study / "data_mutations.txt").write_text(MUTATIONS.replace("HGVSp_Short", "Change") + MUTATION)
    settings = json.dumps({"ingest": {"accept_mostly_refused": ["mutations"]}})
    assert main([str(study), "--out", str(tmp_path / "tables"), "--settings", settings]) == 0
    profiled = parquet.read_table(tmp_path / "tables" / "profiled.parquet").to_pydict()
    assert profiled["mutations"] == [False] * 3
    assert all(profiled["copy_number"])


def test_where_no_source_speaks_nothing_is_claimed(profiled: Callable[..., dict[str, set[str]]]) -> None:
    found = profiled(data_gene_panel_matrix=None)
    assert found["mutations"] == found["structural_variants"] == set()


def test_a_case_list_without_its_ids_is_refused_in_one_line(profiled: Callable[..., dict[str, set[str]]]) -> None:
    with pytest.raises(InputError, match=r"cases_cna\.txt: expected a case list with a line `case_list_ids:`"):
        profiled(case_lists__cases_cna="stable_id: s_cna\n")


@pytest.mark.parametrize("broken", [f"KRAS\tMissense_Mutation\t{TWO}\t5\n", f"KRAS\tMissense_Mutation\t\t{TWO}\t5\tp.G12C\n"])
def test_a_row_of_another_length_takes_the_silence_of_the_specimen_that_it_names_away(
    profiled: Callable[..., dict[str, set[str]]], broken: str
) -> None:
    assert profiled(data_mutations=MUTATIONS + MUTATION + broken)["mutations"] == {ONE, THREE}


@pytest.mark.parametrize(
    ("lines", "known"),
    [
        (["ERBB2\t2\tseven\t0", "MYC\t0\t0\t0"], {THREE}),  # a bad cell: the line's calls are lost with it
        (["ERBB2\t2\t0\t0", "ERBB2\t0\t2\t0", "MYC\t0\t0\t0"], {THREE}),  # two lines of one gene
        (["ERBB2\t2\t0", "MYC\t0\t0\t0"], set()),  # a cell is missing: whose it is nobody knows
        (["ERBB2\t2\t0\t0", "", "MYC\t0\t0\t0", ""], EVERYONE),  # an empty line says nothing of any
        (["\t2\t0\t0", "MYC\t0\t0\t0"], {TWO, THREE}),  # no gene
        (["ERBB2\t2\t0\t0", "MYC\t0\t0\t0"], EVERYONE),
    ],
)
def test_a_refused_line_of_the_matrix_takes_the_silence_of_its_calls_away(
    profiled: Callable[..., dict[str, set[str]]], lines: list[str], known: set[str]
) -> None:
    matrix = "\n".join(["\t".join(["Hugo_Symbol", ONE, TWO, THREE]), *lines]) + "\n"
    assert profiled(data_cna=matrix)["copy_number"] == known


@pytest.mark.parametrize("gene", ["1-Mar", "2-Sep", "Sep-09", "2023-03-01", "3/1/2023", "01-Dec-2020"])
def test_a_gene_that_a_spreadsheet_made_a_date_is_set_aside_with_its_specimens_silence(
    profiled: Callable[..., dict[str, set[str]]], gene: str, tmp_path: Path
) -> None:
    bad = MUTATION.replace("KRAS", gene).replace(ONE, TWO)
    sound = "".join(MUTATION.replace("KRAS", name) for name in ("SEPT9", "MARCH1", "DEC1", "NKX2-1", "HLA-A"))
    assert profiled(data_mutations=MUTATIONS + sound + bad)["mutations"] == {ONE, THREE}
    assert parquet.read_table(tmp_path / "tables" / "mutations.parquet").num_rows == 5
