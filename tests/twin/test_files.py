"""The twin's files: sizes, spellings and quirks of the release, and a round trip through the reader."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as parquet
import pytest

from oncoraft.cohort import ingest
from oncoraft.knowledge.missing import is_missing_word
from oncoraft.knowledge.tables import TABLES, Table
from oncoraft.twin import twin
from oncoraft.twin.blocks import all_columns, patient_ids
from oncoraft.twin.cohort import make_cohort
from oncoraft.twin.genes import OFF_PANEL, PANEL_GENES
from oncoraft.twin.patients import BLANK
from oncoraft.twin.samples import make_samples
from oncoraft.twin.text import CONSTANT, DROPPED, fixed, header

ROOT = Path(__file__).parents[2]
PATIENTS = 1000
ROWS = [table for table in TABLES if table.layout == "rows"]


def load_benchmark() -> ModuleType:
    """benchmarks/twin.py, which is a script and not in the package."""
    specification = importlib.util.spec_from_file_location("benchmark_of_the_twin", ROOT / "benchmarks" / "twin.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    common = ["--patients", str(PATIENTS), "--seed", "9"]
    assert twin.main([*common, "--out", str(folder / "study"), "--truth", str(folder / "truth.parquet")]) == 0
    assert twin.main([*common, "--clean", "--out", str(folder / "clean"), "--truth", str(folder / "clean.parquet")]) == 0
    for name in ("study", "clean"):
        assert ingest.main([str(folder / name), "--out", str(folder / f"{name}-tables")]) == 0
    return folder


def text(work: Path, name: str, study: str = "study") -> str:
    return (work / study / f"data_{name}.txt").read_bytes().decode()


def test_every_file_is_within_a_fifth_of_the_released_size(work: Path) -> None:
    benchmark = load_benchmark()
    for name, released in benchmark.SIZES.items():
        ratio = (work / "study" / name).stat().st_size / released * benchmark.RELEASED_PATIENTS / PATIENTS
        margin = 0.2 if released > 5_000_000 else 0.35  # a small twin has few rows in small files; full size stands on the page
        assert 1 - margin < ratio < 1 + margin, (name, ratio)


def test_nothing_is_refused_and_duplicates_are_those_written(work: Path) -> None:
    for name in ("study", "clean"):
        ledger = parquet.read_table(work / f"{name}-tables/ledger.parquet").to_pandas().set_index("table")
        assert ledger["rows_refused"].sum() == 0
        for table in ROWS:
            lines = (work / name / table.file).read_bytes().decode().replace("\r\n", "\n").rstrip("\n").split("\n")[1 + table.header_rows :]
            assert ledger.loc[table.name, "rows_read"] == len(lines)
            assert ledger.loc[table.name, "rows_duplicate"] == len(lines) - len(set(lines)), table.name
    radiation = parquet.read_table(work / "study-tables/ledger.parquet").to_pandas().set_index("table").loc["timeline_radiation"]
    assert 0.08 < radiation["rows_duplicate"] / radiation["rows_read"] < 0.16  # released: 3,378 of 29,158


def generated(table: Table, columns: dict[str, Any], ids: Any) -> pd.DataFrame:
    """What was drawn, before any file: the columns of a table in the reader's types."""
    columns = CONSTANT.get(table.name, {}) | columns
    if "person" in columns:
        columns["patient_id"] = ids[columns["person"]]
    frame = pd.DataFrame({column.name: columns[column.name] for column in table.columns if column.name in columns})
    for column in table.columns:
        if column.name not in frame:
            continue
        values = frame[column.name]
        if column.kind in {"integer", "number"}:
            frame[column.name] = pd.to_numeric(values).astype(float).mask(lambda series: series == BLANK)
        elif column.kind == "boolean":
            frame[column.name] = values.map({True: 1.0, False: 0.0, "Yes": 1.0, "No": 0.0, "": np.nan}).astype(float)
        elif column.kind == "text":
            words = values.astype(str).str.strip().replace("", None).str.lower()
            kept = {word.lower() for word in (*column.vocabulary, *column.literal)}
            # A word that means missing is read as missing, unless the column's vocabulary lists it.
            frame[column.name] = words.mask([word is not None and is_missing_word(word) and word not in kept for word in words])
        else:
            frame[column.name] = values.astype(float)
    return frame


@pytest.mark.parametrize("table", ROWS, ids=lambda table: table.name)
def test_what_was_drawn_is_what_is_read(work: Path, table: Table) -> None:
    numbers = np.arange(1, PATIENTS + 1)
    cohort = make_cohort(9, numbers)
    tables = _columns(cohort)
    drawn = generated(table, tables[table.name], patient_ids(numbers))
    if table.name.endswith("_labs"):  # written with the test's own number of decimals
        drawn["result"] = drawn["result"].round(2)
    if table.name == "mutations":
        drawn["hgvsp_short"] = drawn["hgvsp_short"].str.removeprefix("p.")
    read = parquet.read_table(work / f"study-tables/{table.name}.parquet").to_pandas()[list(drawn.columns)]
    for column in table.columns:
        if column.name in drawn and column.kind == "text":
            read[column.name] = read[column.name].str.lower()
        elif column.name in drawn:
            read[column.name] = read[column.name].astype(float)
    order = list(drawn.columns)
    drawn = drawn.drop_duplicates().sort_values(order, ignore_index=True)
    read = read.drop_duplicates().sort_values(order, ignore_index=True)
    pd.testing.assert_frame_equal(drawn, read, check_dtype=False, rtol=1e-12)


_CACHE: dict[str, Any] = {}


def _columns(cohort: Any) -> dict[str, Any]:
    if "tables" not in _CACHE:
        _CACHE["tables"] = all_columns(cohort, make_samples(cohort), False)
    return dict(_CACHE["tables"])


def test_line_ends_and_final_newlines(work: Path) -> None:
    for table in TABLES:
        data = (work / "study" / table.file).read_bytes()
        assert (b"\r\n" in data) is table.crlf, table.name
        assert data.endswith(b"\n") is not (table.name.startswith("timeline_") or table.name == "clinical_patient"), table.name
        clean = (work / "clean" / table.file).read_bytes()
        assert b"\r" not in clean
        assert clean.endswith(b"\n")


def test_padding_spellings_and_words_of_the_release(work: Path) -> None:
    psa = text(work, "timeline_psa_labs").split("\r\n")
    assert {len(line.split("\t")[6]) for line in psa[1:]} == {15}
    assert {len(line.split("\t")[-1]) for line in text(work, "timeline_diagnosis").split("\n")[1:]} == {50}
    assert "  " not in text(work, "timeline_diagnosis", "clean")
    assert "Treatment_TYPE" in text(work, "timeline_prior_meds").split("\n")[0]
    assert "IMPPRECISE" in text(work, "sv")
    assert "Comments" not in text(work, "sv").split("\n")[0]
    assert "\tN/A" in text(work, "timeline_diagnosis")
    assert "Lymph Node\t" in text(work, "clinical_sample")
    trial = [line.split("\t") for line in text(work, "timeline_treatment").split("\n")[1:] if "INVESTIGATIONAL" in line]
    assert all(row[1] == row[2] and row[6] == "Y" for row in trial)
    assert len({tuple(row) for row in trial}) < len(trial)


def test_booleans_are_spelt_in_four_ways(work: Path) -> None:
    words = {"timeline_cancer_presence": {"TRUE", "FALSE"}, "timeline_tumor_sites": {"1", "0"}}
    for name, expected in words.items():
        lines = text(work, name).split("\n")
        place = lines[0].split("\t").index("CHEST")
        assert {line.split("\t")[place] for line in lines[1:]} == expected
    assert {line.split("\t")[6] for line in text(work, "timeline_treatment").split("\n")[1:]} == {"Y", "N"}


def test_verdicts_follow_the_thresholds(work: Path) -> None:
    reads = parquet.read_table(work / "study-tables/timeline_progression.parquet").to_pandas()
    chance, word = reads["nlp_progression_probability"], reads["progression"]
    assert word.eq(np.select([chance >= 0.8, chance <= 0.2], ["Y", "N"], "Indeterminate")).all()


def test_rows_stand_in_no_order_unless_clean(work: Path) -> None:
    for study, sorted_rows in (("study", False), ("clean", True)):
        rows = [line.split("\t") for line in text(work, "timeline_tumor_sites", study).rstrip("\n").split("\n")[1:]]
        keys = [(row[0], int(row[1])) for row in rows]
        assert (keys == sorted(keys)) is sorted_rows


def test_genes_off_the_panel_are_zero_and_unread_genes_missing(work: Path) -> None:
    lines = [line.split("\t") for line in text(work, "cna").rstrip("\n").split("\n")]
    assert {cell for line in lines if line[0] in OFF_PANEL for cell in line[1:]} == {"NA"}
    old = [place for place, name in enumerate(lines[0]) if name.endswith("IM3")]
    late = [line for line in lines if line[0] in set(PANEL_GENES["IMPACT505"]) - set(PANEL_GENES["IMPACT341"])]
    assert {line[place] for line in late for place in old} == {"0"}
    assert {cell for line in lines[1:] for cell in line[1:]} == {"0", "2", "-2", "-1.5", "NA"}


def test_mutations_lie_on_the_panel_and_burden_is_their_count(work: Path) -> None:
    mutations = parquet.read_table(work / "study-tables/mutations.parquet").to_pandas()
    samples = parquet.read_table(work / "study-tables/clinical_sample.parquet").to_pandas().set_index("sample_id")
    panel = mutations["tumor_sample_barcode"].map(samples["gene_panel"])
    assert all(gene in PANEL_GENES[name] for gene, name in zip(mutations["hugo_symbol"], panel))
    coverage = parquet.read_table(work / "study-tables/cna_coverage.parquet").to_pandas()
    read = set(map(tuple, coverage.loc[coverage["is_covered"], ["gene", "panel"]].to_numpy()))
    assert set(zip(mutations["hugo_symbol"], panel)) <= read, "what the copy-number table tells of the panels bears it out"
    loud = mutations[~mutations["variant_classification"].isin(["Silent", "5'Flank", "Intron"])]
    count = loud.groupby("tumor_sample_barcode").size().reindex(samples.index, fill_value=0)
    unit = samples["gene_panel"].map(
        {"IMPACT341": 1.109155301, "IMPACT410": 0.978719698, "IMPACT468": 0.864698095, "IMPACT505": 0.820347237}
    )
    assert np.allclose(samples["tmb_nonsynonymous"], count * unit.fillna(0), atol=1e-6)


def test_follow_up_is_whole_days_and_events_end_with_it(work: Path) -> None:
    patients = parquet.read_table(work / "study-tables/clinical_patient.parquet").to_pandas().set_index("patient_id")
    assert np.allclose(patients["os_months"] * 365 / 12, patients["os_days"], atol=1e-6)
    for table in ROWS:
        if table.name.startswith("timeline_"):
            rows = parquet.read_table(work / f"study-tables/{table.name}.parquet").to_pandas()
            assert (rows["start_day"] <= rows["patient_id"].map(patients["os_days"])).all(), table.name


def test_headers_follow_the_specification() -> None:
    for table in TABLES:
        names = header(table).decode().rstrip("\n").split("\n")[-1].split("\t")
        assert names == [column.source for column in table.columns if column.source not in DROPPED]
        assert len(header(table).splitlines()) == 1 + table.header_rows


def test_fixed_decimals() -> None:
    assert fixed(np.array([0.0, 4.34, 12.0, 0.07]), 2).to_pylist() == ["0.00", "4.34", "12.00", "0.07"]
    assert fixed(np.array([0.0, 4.3, 120.0]), 1).to_pylist() == ["0.0", "4.3", "120.0"]
