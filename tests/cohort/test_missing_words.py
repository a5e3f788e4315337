"""A word for "missing" is missing in every column, unless the column lists it; where a value must be, the row is set aside."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from oncoraft.cases.build import main as cases
from oncoraft.cohort.cells import type_distinct
from oncoraft.cohort.ingest import main as ingest
from oncoraft.cohort.reader import unquoted
from oncoraft.knowledge.missing import is_missing_word
from oncoraft.knowledge.tables import TABLES, Column, table
from oncoraft.prompts.build import main as prompts

from ..knowledge.test_missing import missing_texts
from .test_reader_faults import MUTATIONS, PATIENT, PROGRESSION, SAMPLE, SPECIMEN, TREATMENT, ingested, put, swap
from .test_second_study import bladder_study

COLUMNS = [column for specification in TABLES if specification.layout == "rows" for column in specification.columns]
MAF = b"Hugo_Symbol\tVariant_Classification\tHGVSp_Short\tTumor_Sample_Barcode\tReference_Allele\tStrand\n"


def own_words(column: Column) -> set[str]:
    """Words that a column lists, in lower case."""
    return {word.casefold() for word in (*column.vocabulary, *(word for word, _ in column.aliases), *column.literal)}


@given(st.sampled_from(COLUMNS), missing_texts())
@settings(deadline=None)
def test_a_word_for_missing_is_missing_in_every_column_that_does_not_list_it(column: Column, written: str) -> None:
    values, bad = type_distinct(column, pa.array([written]))
    if unquoted(written.strip()).casefold() in own_words(column):
        assert values[0].as_py() is not None
        assert not bad[0]
    else:
        assert values[0].as_py() is None
        assert bad[0] == (not column.nullable)


# What reaches a case, of a study that has it all: columns of text by their tables.
TEXTS = {
    "DATA_CLINICAL_PATIENT.txt": ("SEX", "SMOKER"),
    SAMPLE: ("CANCER_TYPE_DETAILED", "SAMPLE_TYPE", "METASTATIC_SITE", "PRIMARY_SITE", "MSI_TYPE", "MSI_COMMENT"),
    TREATMENT: ("EVENT_TYPE", "SUBTYPE"),
    PROGRESSION: ("PROCEDURE_TYPE",),
    "data_mutations_extended.txt": ("HGVSp_Short",),
}
ROWS = 40


def rewritten(study: Path, words: Mapping[tuple[str, str, int], str]) -> None:
    """Put a word into some cells, by file, header and row; a column that the file lacks is added, with a value in every other cell."""
    for file in {file for file, _, _ in words}:
        start = [line for line in (study / file).read_text().split("\n") if line.startswith("#")]
        header, *rows = [line.split("\t") for line in (study / file).read_text().split("\n") if line and not line.startswith("#")]
        for name in (*TEXTS[file], *(name for other, name, _ in words if other == file)):
            if name not in header:
                header.append(name)
                rows = [[*row, "Liver" if "SITE" in name else "Stable" if name == "MSI_TYPE" else "words"] for row in rows]
        for (other, name, at), word in words.items():
            if other == file:
                rows[at % len(rows)][header.index(name)] = word
        (study / file).write_text("\n".join([*start, *("\t".join(row) for row in (header, *rows))]) + "\n")


def what_cases_are_told(study: Path, out: Path) -> tuple[list[str], list[str], str]:
    """Regimens, cancer types and prompts of a study."""
    assert ingest([str(study), "--out", str(out / "tables")]) == 0
    assert cases([str(out / "tables"), "--out", str(out / "cases")]) == 0
    assert prompts([str(out / "tables"), str(out / "cases"), "--out", str(out / "prompts.jsonl")]) == 0
    found = parquet.read_table(out / "cases" / "cases.parquet")
    return found["regimen"].to_pylist(), found["cancer_type"].to_pylist(), (out / "prompts.jsonl").read_text()


@given(
    st.dictionaries(
        st.sampled_from(
            [(file, name) for file, names in TEXTS.items() for name in names] + [(SAMPLE, "CANCER_TYPE"), (TREATMENT, "AGENT")]
        ).flatmap(lambda place: st.tuples(st.just(place[0]), st.just(place[1]), st.integers(0, ROWS - 1))),
        missing_texts(),
        min_size=20,
        max_size=40,
    )
)
@settings(deadline=None, max_examples=3, phases=[Phase.generate])
def test_no_word_for_missing_tells_a_case_anything_that_an_empty_cell_does_not(words: dict[tuple[str, str, int], str]) -> None:
    own = {column.source: own_words(column) for column in COLUMNS}
    words = {place: word for place, word in words.items() if unquoted(word.strip()).casefold() not in own.get(place[1], set())}
    told = []
    with TemporaryDirectory() as folder:
        for name, cells in (("words", words), ("nothing", dict.fromkeys(words, ""))):
            study = bladder_study(Path(folder) / name / "study")
            rewritten(study, cells)
            told.append(what_cases_are_told(study, Path(folder) / name))
    assert told[0] == told[1]
    assert "Liver".lower() in told[0][2].lower()


@pytest.mark.parametrize("word", [b"NA", b"[Not Available]", b"unknown", b"None", b"-", b"."])
def test_a_required_id_or_agent_that_is_missing_sets_its_row_aside(word: bytes, tmp_path: Path) -> None:
    status, tables = ingested(
        tmp_path,
        swap(TREATMENT, b"LEUPROLIDE", word),
        swap(TREATMENT, b"P-0000001\t5", word + b"\t5"),
        swap(SAMPLE, b"Breast Cancer", word),
    )
    assert status == 0
    rejects = {(row["file"], row["column"]) for row in parquet.read_table(tables / "rejects.parquet").to_pylist()}
    assert {(TREATMENT, "AGENT"), (TREATMENT, "PATIENT_ID")} <= rejects
    assert parquet.read_table(tables / "clinical_sample.parquet")["cancer_type"].to_pylist()[0] is None


def test_a_level_that_is_called_unknown_and_an_allele_that_is_a_dash_are_kept(tmp_path: Path) -> None:
    row = b"TP53\tFrame_Shift_Del\t[Not Available]\tP-0000001-T01-IM6\t-\t-\n"
    status, tables = ingested(tmp_path, swap(PATIENT, b"Male", b"Unknown"), put(MUTATIONS, MAF + row))
    assert status == 0
    assert parquet.read_table(tables / "clinical_patient.parquet")["gender"].to_pylist()[0] == "Unknown"
    (mutation,) = parquet.read_table(tables / "mutations.parquet").to_pylist()
    assert (mutation["reference_allele"], mutation["strand"], mutation["hgvsp_short"]) == ("-", "-", None)
    summary = next(column for column in table("timeline_diagnosis").columns if column.name == "summary")
    assert type_distinct(summary, pa.array(["N/A"]))[0].to_pylist() == ["N/A"]


def test_an_id_of_digits_keeps_its_zeros_in_every_table(tmp_path: Path) -> None:
    def renamed(files: dict[str, bytes]) -> None:
        for name in files:
            files[name] = files[name].replace(b"P-0000001", b"007").replace(b"P-0000002", b"7").replace(b"P-0000003", b"1e5")

    status, tables = ingested(tmp_path, renamed)
    assert status == 0
    assert parquet.read_table(tables / "clinical_patient.parquet")["patient_id"].to_pylist() == ["7", "007", "1e5"]
    assert set(parquet.read_table(tables / "timeline_treatment.parquet")["patient_id"].to_pylist()) == {"7", "007"}
    assert set(parquet.read_table(tables / "cna.parquet")["sample_id"].to_pylist()) == {"007-T01-IM6", "7-T01-IM5", "1e5-T01-IM6"}
    assert SPECIMEN not in {row["file"] for row in parquet.read_table(tables / "rejects.parquet").to_pylist()}


NAMES = st.text(
    st.one_of(st.sampled_from("0123456789.eE-+"), st.characters(exclude_categories=["C", "Z"], exclude_characters='"#')),
    min_size=1,
    max_size=12,
)


@given(st.lists(NAMES.filter(lambda name: not is_missing_word(name)), min_size=3, max_size=3, unique=True))
@settings(deadline=None, max_examples=15, phases=[Phase.generate])
def test_ids_of_any_text_are_kept_as_that_text_in_every_table(names: list[str]) -> None:
    def renamed(files: dict[str, bytes]) -> None:
        for file in files:
            for number, name in enumerate(names, 1):
                files[file] = files[file].replace(b"P-000000%d" % number, name.encode())

    with TemporaryDirectory() as folder:
        status, tables = ingested(Path(folder), renamed)
        assert status == 0
        assert parquet.read_table(tables / "clinical_patient.parquet")["patient_id"].to_pylist() == [names[1], names[0], names[2]]
        assert set(parquet.read_table(tables / "timeline_specimen.parquet")["patient_id"].to_pylist()) == set(names)
        assert set(parquet.read_table(tables / "timeline_treatment.parquet")["patient_id"].to_pylist()) == set(names[:2])
        samples = [f"{names[0]}-T01-IM6", f"{names[1]}-T01-IM5", f"{names[2]}-T01-IM6"]
        assert parquet.read_table(tables / "clinical_sample.parquet")["sample_id"].to_pylist() == samples
        assert set(parquet.read_table(tables / "cna.parquet")["sample_id"].to_pylist()) == set(samples)
