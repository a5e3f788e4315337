"""A word for "missing" is missing in every column, unless the column lists it; where a value must be, the row is set aside."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oncoraft.cohort.cells import type_distinct
from oncoraft.knowledge.missing import MISSING_WORDS
from oncoraft.knowledge.tables import TABLES, Column, table

from .test_reader_faults import MUTATIONS, PATIENT, SAMPLE, SPECIMEN, TREATMENT, ingested, put, swap

COLUMNS = [column for specification in TABLES if specification.layout == "rows" for column in specification.columns]
MAF = b"Hugo_Symbol\tVariant_Classification\tHGVSp_Short\tTumor_Sample_Barcode\tReference_Allele\tStrand\n"


def own_words(column: Column) -> set[str]:
    """Words that a column lists, in lower case."""
    return {word.casefold() for word in (*column.vocabulary, *(word for word, _ in column.aliases), *column.literal)}


@given(st.sampled_from(COLUMNS), st.sampled_from(sorted(MISSING_WORDS)), st.randoms(use_true_random=False))
def test_a_word_for_missing_is_missing_in_every_column_that_does_not_list_it(column: Column, word: str, random: Random) -> None:
    written = "".join(random.choice([letter.upper(), letter.lower()]) for letter in word)
    values, bad = type_distinct(column, pa.array([f" {written} "]))
    if word in own_words(column):
        assert values[0].as_py() is not None
        assert not bad[0]
    else:
        assert values[0].as_py() is None
        assert bad[0] == (not column.nullable)


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
