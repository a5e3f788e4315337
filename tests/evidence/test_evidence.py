"""What may be shown of a case: each field's rule at its boundary, its wording, and independence of order, origin and strangers."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oncoraft.evidence.allow_list import declared_columns, undeclarable
from oncoraft.evidence.declaration import KINDS_IN_WORDS, KNOWN_IN_WORDS
from oncoraft.evidence.evidence import collect, main
from oncoraft.evidence.fields import BY_NAME, FIELDS, SECTIONS
from oncoraft.evidence.perturb import SAME_DAY
from oncoraft.evidence.reading import read_cases, read_fields, read_tables
from oncoraft.evidence.statements import EVIDENCE_COLUMNS
from oncoraft.foundation.errors import InputError
from oncoraft.knowledge.tables import table
from tests.evidence.study import CASE, cases, draw_study, tables


def test_every_case_has_drugs_cancer_type_and_line_even_where_nothing_is_recorded() -> None:
    found = collect(tables(), cases(CASE), "sequenced", 3)
    assert found["field"].tolist() == ["drug", "setting", "drug_mechanism", "line", "cancer_type"]
    assert list(found.columns) == EVIDENCE_COLUMNS


STUDY = draw_study(5, seed=2)


def test_the_order_of_rows_changes_nothing() -> None:
    made, listed = STUDY
    mixed = {name: rows.sample(frac=1, random_state=5).reset_index(drop=True) for name, rows in made.items()}
    pd.testing.assert_frame_equal(
        collect(made, listed, "acquired", 3), collect(mixed, listed.sample(frac=1, random_state=6), "acquired", 3)
    )


def test_a_stranger_changes_nobodys_evidence() -> None:
    made, listed = STUDY
    everyone = collect(made, listed, "sequenced", 3)
    one = listed[listed["patient_id"] == "P-0000003"]
    own = everyone[everyone["case_id"].isin(one["case_id"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(collect(made, one, "sequenced", 3), own)


@pytest.mark.parametrize(
    "fields", [{"histology", "surgery"}, {"mmr", "drug", "tmb"}, {"cancer_type"}, set()], ids=["two", "three", "one", "none"]
)
def test_with_fields_named_these_alone_stand_and_read_as_they_do_among_all(fields: set[str]) -> None:
    made, listed = STUDY
    everything = collect(made, listed, "acquired", 3)
    wanted = everything[everything["field"].isin(fields)].drop(columns="order").reset_index(drop=True)
    pd.testing.assert_frame_equal(collect(made, listed, "acquired", 3, fields=fields).drop(columns="order"), wanted)


def test_a_file_of_fields_is_read_and_a_strange_one_refused(tmp_path: Path) -> None:
    (tmp_path / "fields.txt").write_text("histology\nstage\n")
    assert read_fields(tmp_path / "fields.txt") == {"histology", "stage"}
    (tmp_path / "fields.txt").write_text("histology\noutcome\n")
    with pytest.raises(InputError, match="line 2: expected a field of the allow-list, found 'outcome'"):
        read_fields(tmp_path / "fields.txt")


def test_a_case_whose_evidence_lies_elsewhere_is_taken_from_there_and_the_rest_collected(tmp_path: Path) -> None:
    made, listed = STUDY
    for name, rows in made.items():
        rows.to_parquet(tmp_path / f"{name}.parquet")
    late = listed["case_id"] == listed["case_id"].max()
    parts = {"first": listed[~late], "second": listed, "moved": listed.assign(index_day=listed["index_day"] + late)}
    for name, part in parts.items():
        (tmp_path / name).mkdir()
        part.to_parquet(tmp_path / name / "cases.parquet")
        (tmp_path / name / "fields.txt").write_text("histology\nstage\nprior_agents\n")

    def run(name: str, *more: str) -> pd.DataFrame:
        out = tmp_path / name / "evidence.parquet"
        words = [str(tmp_path), str(tmp_path / name), "--fields", str(tmp_path / name / "fields.txt"), "--out", str(out), *more]
        assert main([*words, "--settings", json.dumps({"evidence": {"genomics_known": "acquired"}})]) == 0
        return pd.read_parquet(out)

    whole = run("second")
    run("first")
    pd.testing.assert_frame_equal(run("second", "--taken", str(tmp_path / "first")), whole)
    # One that is planted there shows that it is not collected anew, unless it is another case by now.
    planted = whole.assign(text=whole["text"] + " (planted)")
    planted.to_parquet(tmp_path / "second/evidence.parquet")
    assert run("first", "--taken", str(tmp_path / "second"))["text"].str.endswith("(planted)").all()
    moved = run("moved", "--taken", str(tmp_path / "second"))
    assert set(moved.loc[~moved["text"].str.endswith("(planted)"), "case_id"]) <= set(listed.loc[late, "case_id"])
    (tmp_path / "second/fields.txt").write_text("histology\n")
    with pytest.raises(InputError, match="--taken: expected evidence of the same fields"):
        run("first", "--taken", str(tmp_path / "second"))
    (tmp_path / "first/fields.txt").write_text("prior_regimen\n")
    with pytest.raises(InputError, match="--taken: expected fields, and none of other cases"):
        run("first", "--taken", str(tmp_path / "second"))


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(shift=st.integers(-3000, 3000))
def test_shifting_every_day_changes_nothing(shift: int) -> None:
    made, listed = STUDY
    moved = {}
    for name, rows in made.items():
        days = [column for column in ("start_day", "stop_day", "sequencing_day", "os_days") if column in rows]
        moved[name] = rows.assign(**{column: rows[column] + shift for column in days})
    before = collect(made, listed, "acquired", 2).drop(columns="case_id")
    pd.testing.assert_frame_equal(
        before, collect(moved, listed.assign(index_day=listed["index_day"] + shift), "acquired", 2).drop(columns="case_id")
    )


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    name=st.sampled_from(
        ["timeline_progression", "timeline_tumor_sites", "timeline_psa_labs", "timeline_pdl1", "timeline_treatment", "timeline_surgery"]
    ),
    later=st.integers(0, 2000),
    seed=st.integers(0, 1000),
)
def test_no_record_beyond_the_index_date_changes_evidence(name: str, later: int, seed: int) -> None:
    made, listed = STUDY
    last = listed.sort_values("index_day").groupby("patient_id").tail(1)
    source = made[name].sample(20, random_state=seed)
    index = source["patient_id"].map(last.set_index("patient_id")["index_day"])
    of_index_day = 1 if name in SAME_DAY else 0
    added = source.assign(start_day=(index + later + of_index_day).astype("int32"))
    more = made | {name: pd.concat([made[name], added], ignore_index=True)}
    expected, found = collect(made, listed, "sequenced", 3), collect(more, listed, "sequenced", 3)
    own = last["case_id"]
    pd.testing.assert_frame_equal(*(frame[frame["case_id"].isin(own)].reset_index(drop=True) for frame in (expected, found)))


def test_the_allow_list_is_sound() -> None:
    assert undeclarable() == {}
    assert len(BY_NAME) == len(FIELDS)
    for field in FIELDS:
        assert field.section in SECTIONS
        assert field.known in KNOWN_IN_WORDS
        assert field.sources
    never_cut = {field.name for field in FIELDS if field.priority == 100}
    assert {"drug", "cancer_type", "mutation", "copy_number", "structural_variant", "msi", "tmb"} <= never_cut


def test_only_declared_columns_are_read_so_that_a_new_column_is_refused_by_default(tmp_path: Path) -> None:
    made, listed = STUDY
    for name, rows in made.items():
        rows.assign(brand_new=1).to_parquet(tmp_path / f"{name}.parquet")
    found = read_tables(tmp_path)
    assert {name: sorted(rows.columns) for name, rows in found.items()} == declared_columns()
    assert not {"os_status", "stage_highest_recorded", "history_of_pdl1", "smoking_predictions_3_classes"} & set(found["clinical_patient"])
    pd.testing.assert_frame_equal(collect(found, listed, "sequenced", 3), collect(made, listed, "sequenced", 3))


def test_bad_input_is_one_line_that_names_file_and_column(tmp_path: Path) -> None:
    made, listed = STUDY
    with pytest.raises(InputError, match=r"cases\.parquet: expected cases written by"):
        read_cases(tmp_path)
    listed.drop(columns="agents").to_parquet(tmp_path / "cases.parquet")
    with pytest.raises(InputError, match=r"cases\.parquet, column agents: expected this column"):
        read_cases(tmp_path)
    with pytest.raises(InputError, match="expected a table written by `oncoraft ingest`"):
        read_tables(tmp_path)
    for name, rows in made.items():
        rows.drop(columns="ecog", errors="ignore").to_parquet(tmp_path / f"{name}.parquet")
    with pytest.raises(InputError, match=r"timeline_performance_status\.parquet, column ecog: expected this column"):
        read_tables(tmp_path)


def test_the_command_writes_evidence_with_its_counts(tmp_path: Path) -> None:
    made, listed = STUDY
    for name, rows in made.items():
        rows.to_parquet(tmp_path / f"{name}.parquet")
    listed.to_parquet(tmp_path / "cases.parquet")
    out = tmp_path / "out" / "evidence.parquet"
    assert main([str(tmp_path), str(tmp_path), "--out", str(out)]) == 0
    found = pd.read_parquet(out)
    assert found["case_id"].nunique() == len(listed)
    assert (
        found.dtypes.astype(str).to_dict() | {"days_before_index": "Int32", "order": "int32", "priority": "int16"}
        == found.dtypes.astype(str).to_dict()
    )
    assert (found["days_before_index"].dropna() >= 0).all()


@pytest.mark.parametrize("name", sorted(declared_columns()))
def test_a_study_without_a_table_or_with_nothing_in_its_optional_columns_still_has_evidence(name: str) -> None:
    made, listed = STUDY
    blank = made[name].copy()
    for column in table(name).columns:
        if column.nullable:
            blank[column.name] = pd.Series(
                [None] * len(blank), dtype=blank[column.name].dtype if blank[column.name].dtype != object else object
            )
    for rows in (made[name].head(0), blank):
        found = collect(made | {name: rows}, listed, "acquired", 3)
        assert set(found["case_id"]) == set(listed["case_id"])
        assert not found["text"].str.contains(r"\b(?:nan|None|NaN|<NA>)\b").any()


ABSENCE = re.compile(
    r"\b(?:unknown|missing|unavailable|not (?:yet )?(?:known|recorded|available|sequenced|measured|tested|reported|noted|imaged|stated)"
    r"|no (?:[\w-]+ ){0,3}(?:known|recorded|available|informative|specimen|record|measurement|information|data))\b",
    re.IGNORECASE,
)


def test_no_declaration_asserts_the_absence_of_a_record() -> None:
    for field in FIELDS:
        assert not ABSENCE.search(f"{field.text} {field.brief} {field.listed}"), field.name


@pytest.mark.parametrize("known", ["sequenced", "acquired"])
@pytest.mark.parametrize("name", ["", *sorted(declared_columns())])
def test_no_statement_tells_that_a_record_is_absent_whatever_table_is_empty(name: str, known: str) -> None:
    made, listed = STUDY
    found = collect(made | ({name: made[name].head(0)} if name else {}), listed, known, 3)
    told = found.loc[found["text"].str.contains(ABSENCE), "text"]
    assert told.empty, told.tolist()


def test_what_is_not_there_says_nothing_so_that_statements_without_a_table_are_among_those_with_it() -> None:
    """Taking records away may take statements away, and may add none but of the same field: absence is no statement."""
    made, listed = STUDY
    whole = collect(made, listed, "sequenced", 3).groupby("case_id")["field"].agg(set)
    for name, rows in made.items():
        fields = collect(made | {name: rows.head(0)}, listed, "sequenced", 3).groupby("case_id")["field"].agg(set)
        assert all(fields[case] <= whole[case] for case in whole.index), name


def test_values_are_of_the_kind_that_the_declaration_states() -> None:
    made, listed = draw_study(12, seed=3)
    found = collect(made, listed, "acquired", 3)
    assert (found["kind"] == found["field"].map({field.name: field.kind for field in FIELDS})).all()
    assert set(found["kind"]) <= set(KINDS_IN_WORDS)
    values = found.groupby("kind")["value"]
    assert values.get_group("number").str.fullmatch(r"\d+(?:\.\d+)?").all()
    for kind in ("count", "days"):
        assert values.get_group(kind).str.fullmatch(r"\d+").all()
    for kind in ("category", "agents"):
        shown = values.get_group(kind)
        assert (shown == shown.str.lower()).all(), shown[shown != shown.str.lower()].unique()
    assert values.get_group("genes").str.fullmatch(r"[A-Z0-9-]+(?: .+)?").all()
    days = found[found["kind"] == "days"]
    assert (days["value"].astype(int) == days["days_before_index"]).all()
