"""Patient ranges: where they may end, what is read of a table for one, and that what is written does not tell where they ended."""

import gc
import itertools
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oncoraft.foundation import ranges
from oncoraft.foundation.ranges import RangedTable, patient_ranges, without_cycle_search, write_ranges

# Ids as they sort: `P-10_...` before `P-1_...`, and `b` and `b_+1` among one another.
CASES = st.lists(st.tuples(st.sampled_from(["P-1", "P-10", "P-2", "a", "b", "b_+1"]), st.integers(-12, 12)), unique=True)


@given(cases=CASES, patients=st.integers(1, 8))
def test_ranges_hold_every_case_once_in_order_and_no_patient_twice(cases: list[tuple[str, int]], patients: int) -> None:
    ids = [f"{patient}_{day:+d}" for patient, day in cases]
    owner = dict(zip(ids, (patient for patient, _ in cases)))
    found = patient_ranges(pa.array(list(owner), pa.string()), pa.array(list(owner.values()), pa.string()), patients)
    assert [case_id for one in found for case_id in one.case_ids.to_pylist()] == sorted(owner)
    people = [one.patient_ids.to_pylist() for one in found]
    assert sorted(patient for own in people for patient in own) == sorted(set(owner.values()))
    for one, own in zip(found, people):
        assert {owner[case_id] for case_id in one.case_ids.to_pylist()} == set(own)


@given(cases=CASES, patients=st.integers(1, 8))
def test_ranges_are_the_same_where_patients_are_numbers_of_a_dictionary_in_whatever_order(
    cases: list[tuple[str, int]], patients: int
) -> None:
    ids = pa.array([f"{patient}_{day:+d}" for patient, day in cases], pa.string())
    words = ["b", "P-2", "nobody", "a", "P-10", "b_+1", "P-1"]
    coded = pa.DictionaryArray.from_arrays(pa.array([words.index(patient) for patient, _ in cases], pa.int32()), words)
    for one, other in zip(patient_ranges(ids, coded, patients), patient_ranges(ids, coded.dictionary_decode(), patients), strict=True):
        assert one.case_ids.equals(other.case_ids)
        assert one.patient_ids.equals(other.patient_ids)


def test_a_range_has_as_many_patients_as_were_asked_for_and_an_empty_cohort_is_one_range() -> None:
    ids = pa.array([f"P-{number}_{case}" for number in range(10) for case in "xy"])
    owners = pa.array([f"P-{number}" for number in range(10) for _ in "xy"])
    assert [len(one.patient_ids) for one in patient_ranges(ids, owners, 3)] == [3, 3, 3, 1]
    assert [len(one.case_ids) for one in patient_ranges(ids, None, 15)] == [15, 5]
    (nothing,) = patient_ranges(ids.slice(0, 0), owners.slice(0, 0), 3)
    assert len(nothing.case_ids) == len(nothing.patient_ids) == 0


@pytest.mark.parametrize("is_sorted", [True, False])
def test_rows_of_a_range_are_those_of_the_whole_table_with_its_types(tmp_path: Path, is_sorted: bool) -> None:
    owners = [f"P-{number // 4:02d}" for number in range(80)]
    owners = owners if is_sorted else [owners[number * 7 % 80] for number in range(80)]
    columns = {
        "patient_id": owners,
        "count": pa.array([None if number == 70 else number for number in range(80)], pa.int32()),
        "told": pa.array([None if number == 3 else number % 2 == 0 for number in range(80)], pa.bool_()),
        "word": pa.array([None if number % 5 else str(number) for number in range(80)], pa.string()),
    }
    pq.write_table(pa.table(columns), tmp_path / "t.parquet", row_group_size=16, store_schema=False)
    table = RangedTable(tmp_path / "t.parquet", "patient_id")
    whole = pd.read_parquet(tmp_path / "t.parquet")
    pd.testing.assert_frame_equal(table.every(), whole)
    for wanted in (["P-00"], ["P-03", "P-04"], ["P-17", "P-02"], ["nobody"], []):
        expected = whole[whole["patient_id"].isin(wanted)].reset_index(drop=True)
        pd.testing.assert_frame_equal(table.rows(pa.array(wanted, pa.string())), expected)


def test_of_a_table_in_the_order_of_patients_no_row_group_is_read_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    owners = [f"P-{number // 4:02d}" for number in range(80)]
    pq.write_table(pa.table({"patient_id": owners, "place": list(range(80))}), tmp_path / "t.parquet", row_group_size=10)
    table = RangedTable(tmp_path / "t.parquet", "patient_id", ["place"])
    read, own = [], pq.ParquetFile.read_row_group
    monkeypatch.setattr(pq.ParquetFile, "read_row_group", lambda self, number, **how: read.append(number) or own(self, number, **how))
    places = [table.rows(one.patient_ids)["place"].tolist() for one in patient_ranges(pa.array(sorted(set(owners))), None, 3)]
    assert [place for part in places for place in part] == list(range(80))
    assert read == list(range(8))


@given(stops=st.lists(st.integers(0, 100), max_size=6))
def test_the_bytes_of_a_table_do_not_tell_in_which_parts_it_was_written(tmp_path_factory: pytest.TempPathFactory, stops: list[int]) -> None:
    folder = tmp_path_factory.mktemp("written")
    whole = pa.table({"word": [f"w{number % 7}" * (number % 3) for number in range(100)], "number": pa.array(range(100), pa.int32())})
    edges = [0, *sorted(stops), 100]
    parts = [whole.slice(start, stop - start) for start, stop in itertools.pairwise(edges)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranges, "ROWS", 32)
        assert write_ranges(folder / "one.parquet", [whole]) == write_ranges(folder / "many.parquet", parts) == 100
    assert (folder / "one.parquet").read_bytes() == (folder / "many.parquet").read_bytes()
    assert pq.read_table(folder / "many.parquet").equals(whole)
    assert [pq.ParquetFile(folder / "many.parquet").metadata.row_group(group).num_rows for group in range(4)] == [32, 32, 32, 4]


def test_the_search_for_cycles_goes_on_after_a_range_that_fails_and_stays_off_where_it_was() -> None:
    def fail() -> None:
        with without_cycle_search():
            assert not gc.isenabled()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert gc.isenabled()
    gc.disable()
    try:
        with without_cycle_search():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
