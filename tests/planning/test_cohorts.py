"""Further cohorts in the configuration: one develops, the others are judged, and no two have one name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from oncoraft.foundation.errors import InputError
from oncoraft.planning.config_files import load_config
from oncoraft.planning.plan import Plan

MODELS: dict[str, Any] = {"models": {"tiny": {"build": {}}}}
BPC = {"role": "validate", "reader": "genie_bpc"}


def plan(**values: Any) -> Plan:
    return Plan(MODELS | values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"cohort": "demo", "cohorts": {"demo": BPC}}, "cohorts.demo: expected a name of its own"),
        ({"cohorts": {"pretraining": BPC}}, "cohorts.pretraining: expected a name of its own"),
        ({"cohorts": {"a": {"role": "develop"}, "b": {"role": "develop"}}}, "cohorts: expected one of role develop, found a and b"),
        ({"cohorts": {"own": {"role": "validate", "reader": "csv", "study": "x"}}}, "cohorts.own: mapping: expected the file"),
        ({"cohorts": {"own": {"role": "validate", "reader": "meds"}}}, "cohorts.own: study: expected a folder"),
        ({"cohorts": {"bpc": BPC | {"twin": {"patients": 60, "overlap": 61}}}}, "expected at most 60"),
        (
            {"study": "real", "cohorts": {"bpc": BPC | {"twin": {"overlap": 5}}}},
            "cohorts.bpc.twin.overlap: expected a cohort that is a twin",
        ),
        ({"external": {"centre_pattern": "GENIE-"}}, "external: centre_pattern: expected one group"),
        ({"cohorts": {"a": {"role": "develop", "study": "x"}}, "study": "y"}, "study: expected 'x', as cohorts.a says"),
        ({"cohorts": {"bpc": BPC | {"readr": "csv"}}}, "cohorts.bpc.readr: unknown key; did you mean 'reader'?"),
    ],
)
def test_cohorts_that_cannot_be_are_refused_in_one_line(values: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        plan(**values)
    assert message in str(caught.value)


def test_two_cohorts_of_one_name_are_named_by_their_lines(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("cohorts:\n  bpc: {role: validate, reader: genie_bpc}\n  bpc: {role: validate}\n")
    with pytest.raises(InputError, match="the key 'bpc' is given twice, in line 2 and line 3"):
        load_config(file)


def test_the_cohort_that_develops_gives_its_name_and_study() -> None:
    found = plan(cohorts={"msk": {"role": "develop", "study": "msk_chord_2024"}, "bpc": BPC}).config
    assert (found.cohort, found.study) == ("msk", "msk_chord_2024")


def test_a_second_cohort_changes_no_setting_of_the_first() -> None:
    alone, both = plan(), plan(cohorts={"bpc": BPC})
    for step in (
        "twin",
        "ingest",
        "regimens",
        "labels",
        "folds",
        "evidence",
        "render",
        "split",
        "train",
        "infer",
        "baselines",
        "metrics",
        "survival",
    ):
        assert alone.settings(step, cohort="msk-chord") == both.settings(step, cohort="msk-chord"), step


def test_of_a_second_cohort_only_those_are_kept_whom_no_model_has_seen() -> None:
    found = plan(cohorts={"bpc": BPC | {"twin": {"patients": 77, "seed": 3}}})
    assert json.loads(found.settings("regimens", cohort="bpc"))["cohort_filter"]["patients"] == "results/bpc/overlap/patients.txt"
    assert found.filter_files("bpc") == ["results/bpc/overlap/patients.txt"]
    twin = json.loads(found.settings("twin", cohort="bpc"))["twin"]
    assert (twin["patients"], twin["seed"]) == (77, 3)


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        ("tables: {timeline_treatment: {file: drugs.tsv, columns: {PATIENT_ID: id, AGENT: Drugs}}}", ["drugs.tsv, column Drugs: this column is required by", "(tables.timeline_treatment.columns.AGENT); did you mean 'drug'?"]),
        ("clocks: {birth: {file: drugs.tsv, patient: who, first_sequencing: start}}", ["column who", "(clocks.birth.patient); it has id, start, drug"]),
        ("tables: {timeline_treatment: {file: pills.tsv, columns: {PATIENT_ID: id}}}", ["pills.tsv: expected a table of the source"]),
        ("tables: [", ["mapping.yaml, line 1: expected YAML"]),
        ("tables: {timeline_treatment: {file: drugs.tsv, columns: {PATIENT_ID: {column: id}, AGENT: {value: x}, START_DATE: start}}}", []),
    ],
)  # fmt: skip
@pytest.mark.parametrize("role", ["validate", "develop"])
def test_a_column_that_a_mapping_asks_for_and_no_table_has_is_told_before_anything_runs(
    tmp_path: Path, role: str, mapping: str, said: list[str]
) -> None:
    (tmp_path / "drugs.tsv").write_text("# of the registry\nid\tstart\tdrug\n")
    (tmp_path / "mapping.yaml").write_text(mapping)
    own = {"role": role, "reader": "csv", "study": str(tmp_path), "mapping": str(tmp_path / "mapping.yaml")}
    missing = plan(cohorts={"own": own}).missing()
    assert len(missing) == (1 if said else 0), missing
    assert all(one in missing[0] for one in said)


def test_what_a_second_cohort_lacks_is_told_before_anything_runs(tmp_path: Path) -> None:
    missing = plan(
        cohorts={"own": {"role": "validate", "reader": "csv", "study": str(tmp_path / "no"), "mapping": str(tmp_path / "no.yaml")}}
    ).missing()
    assert any("no such folder (configuration key `cohorts.own.study`)" in line for line in missing)
    assert any("no such file (configuration key `cohorts.own.mapping`)" in line for line in missing)
