"""What may be shown of a case: each field's rule at its boundary, its wording, and independence of order, origin and strangers."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oncoraft.errors import InputError
from oncoraft.knowledge.tables import table
from oncoraft.prompts.allow_list import declared_columns, undeclarable
from oncoraft.prompts.declaration import KNOWN_IN_WORDS
from oncoraft.prompts.evidence import EVIDENCE_COLUMNS, collect, main, read_cases, read_tables
from oncoraft.prompts.fields import BY_NAME, FIELDS, SECTIONS
from tests.prompts.study import cases, draw_study, tables

LUNG = "Non-Small Cell Lung Cancer"
CASE = {"patient_id": "P-0000001", "index_day": 100, "cancer_type": LUNG, "agents": ["OSIMERTINIB"]}


def texts(
    field: str, rows: dict[str, list[dict[str, Any]]], case: dict[str, Any] | None = None, known: str = "sequenced", **more: Any
) -> list[str]:
    """How one field reads for one case of one patient, whose rows need not name the patient."""
    case = CASE | (case or {})
    named = {
        name: [{"patient_id": "P-0000001"} | row if "patient_id" in columns(name) else row for row in part] for name, part in rows.items()
    }
    found = collect(tables(**named), cases(case), known, 3, **more)
    return found.loc[found["field"] == field, "text"].tolist()


def columns(name: str) -> set[str]:
    return {column.name for column in table(name).columns}


def ecog(day: int, grade: int) -> dict[str, int]:
    return {"start_day": day, "ecog": grade}


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (99, ["ECOG performance status 1 (1 day before treatment)"]),
        (100, []),  # the order within a day is not recorded
        (101, []),
        (-265, ["ECOG performance status 1 (365 days before treatment)"]),
        (-266, []),  # stale after 365 days
    ],
)
def test_performance_status_counts_from_the_day_after_until_it_is_stale(day: int, expected: list[str]) -> None:
    assert texts("ecog", {"timeline_performance_status": [ecog(day, 1)]}) == expected


def test_the_three_closest_records_are_shown_and_the_worst_of_a_day() -> None:
    rows = [ecog(10, 0), ecog(40, 1), ecog(70, 3), ecog(70, 2), ecog(90, 1)]
    assert texts("ecog", {"timeline_performance_status": rows}) == [
        "ECOG performance status 1 (10 days before treatment)",
        "ECOG performance status 3 (30 days before treatment)",
        "ECOG performance status 1 (60 days before treatment)",
    ]


def test_imaging_days_say_progression_where_any_report_does_and_leave_indeterminate_out() -> None:
    rows = [
        {"start_day": 80, "progression": "N", "procedure_type": "CT"},
        {"start_day": 80, "progression": "Y", "procedure_type": "MR"},
        {"start_day": 60, "progression": "Indeterminate", "procedure_type": "CT"},
        {"start_day": 50, "progression": "N", "procedure_type": "Submitted Films"},
    ]
    found = {"timeline_progression": rows}
    assert texts("progression", found) == [
        "progression on MR (20 days before treatment)",
        "no progression on imaging from elsewhere (50 days before treatment)",
    ]
    assert texts("imaging_history", found) == ["progression on 1 of 2 imaging days so far"]


def test_sites_are_those_of_the_last_ninety_days_each_once() -> None:
    rows = [(10, "Liver"), (9, "Bone"), (40, "CNS/Brain"), (60, "CNS/Brain"), (100, "Lung")]
    found = {"timeline_tumor_sites": [{"start_day": day, "tumor_site": site} for day, site in rows]}
    assert texts("tumor_sites", found) == ["brain or central nervous system (40 days before treatment)", "liver (90 days before treatment)"]


@pytest.mark.parametrize(
    ("before", "now", "reading"),
    [
        (10.0, 12.0, "12 ng/ml, steady"),  # a fifth up exactly is not more than a fifth
        (10.0, 12.1, "12.1 ng/ml, rising"),
        (10.0, 8.0, "8 ng/ml, steady"),
        (10.0, 7.9, "7.9 ng/ml, falling"),
        (0.0, 0.2, "0.2 ng/ml, rising"),
        (0.0, 0.0, "below detection, steady"),
        (5.0, 0.0, "below detection, falling"),
        (900_000.0, 1_270_000.0, "1270000 ng/ml, rising"),
    ],
)
def test_a_marker_reads_with_unit_and_direction(before: float, now: float, reading: str) -> None:
    rows = [{"start_day": 60, "result": before, "lr_unit_measure": "ng/ml"}, {"start_day": 90, "result": now, "lr_unit_measure": "ng/ml"}]
    (text,) = texts("tumor_marker", {"timeline_psa_labs": rows})
    assert text.startswith(f"PSA {reading} (10 days before treatment), earlier ")
    assert text.endswith(" (40 days before)")


def test_markers_older_than_180_days_are_stale_and_a_single_one_has_no_direction() -> None:
    rows = [{"start_day": -80, "result": 5.0}, {"start_day": -81, "result": 1.0}]
    assert texts("tumor_marker", {"timeline_cea_labs": rows}) == ["CEA 5, measured once (180 days before treatment)"]


@pytest.mark.parametrize(
    ("recorded", "os_days", "expected"),
    [
        (70, 100 + 1461, ["age 60 to 69"]),  # 70.5 - 4 years = 66.5
        (62, 100 + 913, ["age 60 to 69"]),  # 62.5 - 2.4997 = 60.0003
        (62, 100 + 914, ["age 50 to 59"]),  # 62.5 - 2.5024 = 59.9976
        (88, 100, ["age 80 or over"]),
        (89, 100 + 365, ["age 80 or over"]),  # capped, and surely over 80
        (89, 100 + 4383, []),  # capped: at least 77.5, nothing more is known
        (19, 100, ["age under 20"]),
        (None, 100, []),
    ],
)
def test_age_is_that_at_the_end_less_the_years_since_in_bands(recorded: int | None, os_days: int, expected: list[str]) -> None:
    assert texts("age_at_index", {"clinical_patient": [{"current_age_deid": recorded, "os_days": os_days}]}) == expected


DIAGNOSES = [
    {
        "start_day": -400,
        "stage_cdm_derived": "Stage 1-3",
        "clinical_group": "2",
        "dx_description": "ADENOCARCINOMA, NOS | LUNG, LOWER LOBE (M8140/3 | C343)",
    },
    {
        "start_day": 50,
        "stage_cdm_derived": "Stage 4",
        "clinical_group": "4",
        "dx_description": "ADENOCARCINOMA, NOS | PROSTATE GLAND (M8140/3 | C619)",
    },
    {
        "start_day": 101,
        "stage_cdm_derived": "Stage 4",
        "clinical_group": "4B",
        "dx_description": "CARCINOMA, NOS | LUNG, NOS (M8010/3 | C349)",
    },
]


def test_the_diagnosis_is_that_of_the_organ_known_at_index() -> None:
    found = {"timeline_diagnosis": DIAGNOSES}
    assert texts("stage", found) == ["Stage 1-3 at diagnosis"]
    assert texts("stage", found, {"cancer_type": "Prostate Cancer"}) == ["Stage 4 at diagnosis"]
    assert texts("stage", found, {"cancer_type": "Pancreatic Cancer"}) == ["Stage 4 at diagnosis"]
    assert texts("stage", found, {"index_day": 101}) == ["Stage 4 at diagnosis"]
    assert texts("diagnosed", found) == ["diagnosed 500 days before treatment"]
    assert texts("diagnosed", found, {"index_day": 101}) == ["diagnosed on the day treatment starts"]
    assert texts("histology", found) == ["histology: adenocarcinoma"]
    assert texts("primary_site", found) == ["primary site: lung, lower lobe"]
    assert texts("clinical_group", found) == ["clinical stage group 2"]


def test_a_stage_that_only_stands_for_unknown_groups_is_not_told() -> None:
    unknown = {"start_day": 0, "stage_cdm_derived": "Stage 1-3", "clinical_group": "99", "path_group": "88", "ajcc": "UNK"}
    assert texts("stage", {"timeline_diagnosis": [unknown]}) == []
    assert texts("stage", {"timeline_diagnosis": [unknown | {"ajcc": "II"}]}) == ["Stage 1-3 at diagnosis"]
    assert texts("extent", {"timeline_diagnosis": [unknown | {"summary": "N/A"}]}) == []


def test_receptors_are_shown_once_breast_cancer_is_diagnosed_or_never() -> None:
    person = {"clinical_patient": [{"hr": True, "her2": False}]}
    known = person | {"timeline_diagnosis": [{"start_day": 100}]}
    assert texts("her2", known, {"cancer_type": "Breast Cancer"}) == ["HER2 negative"]
    assert texts("her2", person | {"timeline_diagnosis": [{"start_day": 101}]}) == []
    assert texts("hormone_receptor", known, receptor_status="never") == []


@pytest.mark.parametrize(("field", "name", "column"), [("pdl1", "timeline_pdl1", "pdl1_positive"), ("mmr", "timeline_mmr", "mmr_absent")])
def test_pathology_is_dated_and_tells_the_earlier_reports(field: str, name: str, column: str) -> None:
    words = {"pdl1": ("PD-L1 positive", "negative"), "mmr": ("mismatch repair deficient", "intact")}[field]
    rows = [
        {"start_day": 90, column: True},
        {"start_day": 90, column: False},
        {"start_day": 30, column: False},
        {"start_day": 100, column: False},
    ]
    assert texts(field, {name: rows}) == [f"{words[0]} (10 days before treatment), earlier {words[1]} (70 days before)"]


def test_an_impossible_date_is_no_record() -> None:
    assert texts("gleason", {"timeline_gleason": [{"start_day": -43_624, "gleason_score": 7}]}) == []


def specimen(sequenced: int, acquired: int, kind: str = LUNG, number: int = 1) -> dict[str, list[dict[str, Any]]]:
    sample = f"P-0000001-T0{number}-IM6"
    return {
        "clinical_sample": [
            {
                "sample_id": sample,
                "cancer_type": kind,
                "sample_type": "Metastasis",
                "metastatic_site": "Liver",
                "primary_site": "Lung",
                "tmb_nonsynonymous": 9.996,
            }
        ],
        "timeline_specimen": [{"start_day": sequenced, "sample_id": sample}],
        "timeline_specimen_surgery": [{"start_day": acquired, "sample_id": sample}],
        "mutations": [
            {
                "tumor_sample_barcode": sample,
                "hugo_symbol": "EGFR",
                "hgvsp_short": "p.L858R",
                "variant_classification": "Missense_Mutation",
            },
            {"tumor_sample_barcode": sample, "hugo_symbol": "TP53", "hgvsp_short": "p.P72P", "variant_classification": "Silent"},
            {"tumor_sample_barcode": sample, "hugo_symbol": "TERT", "variant_classification": "5'Flank"},
        ],
    }


@pytest.mark.parametrize(
    ("sequenced", "acquired", "known", "expected"),
    [
        (100, 60, "sequenced", ["EGFR L858R"]),
        (101, 60, "sequenced", []),
        (101, 100, "acquired", ["EGFR L858R"]),
        (150, 101, "acquired", []),
    ],
)
def test_genomics_count_from_the_day_of_sequencing_or_of_taking(sequenced: int, acquired: int, known: str, expected: list[str]) -> None:
    assert texts("mutation", specimen(sequenced, acquired), known=known) == expected
    status = texts("genomics_status", specimen(sequenced, acquired), known=known)
    assert status == ([] if expected else ["no sequenced specimen known by this date"])


def test_specimens_of_another_cancer_of_the_patient_are_left_out() -> None:
    assert texts("mutation", specimen(0, 0, "Breast Cancer")) == []


def test_a_specimen_reads_with_its_site_and_burden() -> None:
    assert texts("specimen_type", specimen(90, 60)) == ["specimen of a metastasis, sequenced 10 days before treatment"]
    assert texts("specimen_site", specimen(90, 60)) == ["specimen taken from liver"]
    assert texts("tmb", specimen(90, 60)) == ["tumour mutational burden intermediate (10 mutations per megabase)"]  # 9.996 is below 10
    assert texts("tmb_value", specimen(90, 60)) == ["10"]


def test_fusions_read_once_whichever_way_the_source_has_them_and_lone_genes_are_rearranged() -> None:
    rows = [("EML4", "ALK", None), ("ALK", "EML4", None), ("EGFR", "EGFR", "DELETION"), ("MET", None, None), ("BRCA2", "BRCA2", None)]
    sample = specimen(0, 0)
    sample["sv"] = [
        {"sample_id": "P-0000001-T01-IM6", "site1_hugo_symbol": first, "site2_hugo_symbol": second, "class": kind}
        for first, second, kind in rows
    ]
    assert texts("structural_variant", sample) == [
        "EGFR intragenic deletion",
        "ALK-EML4 fusion",
        "MET rearrangement",
        "BRCA2 intragenic rearrangement",
    ]


def test_of_many_alterations_those_that_decide_treatment_come_first_and_the_rest_is_counted() -> None:
    sample = specimen(0, 0)
    genes = [f"AAA{number}" for number in range(40)] + ["EGFR"]
    sample["mutations"] = [
        {
            "tumor_sample_barcode": "P-0000001-T01-IM6",
            "hugo_symbol": gene,
            "hgvsp_short": "p.A1B",
            "variant_classification": "Nonsense_Mutation",
        }
        for gene in genes
    ]
    shown = texts("mutation", sample, alterations_shown=5)
    assert shown[0] == "EGFR A1B"
    assert len(shown) == 5
    assert texts("not_listed", sample, alterations_shown=5) == ["36 further mutations not listed"]
    assert texts("not_listed", sample, alterations_shown=41) == []


def line_history() -> tuple[dict[str, list[dict[str, Any]]], pd.DataFrame]:
    """Three lines on days 0, 200 and 400: a scan on day 14 of the first (too early), progression on day 150, clearance in the second."""
    treatment = [(0, "CARBOPLATIN"), (0, "PEMETREXED"), (200, "OSIMERTINIB"), (400, "DOCETAXEL")]
    rows = {
        "timeline_treatment": [{"patient_id": "P-0000001", "start_day": day, "agent": agent} for day, agent in treatment],
        "timeline_progression": [
            {"patient_id": "P-0000001", "start_day": day, "progression": verdict}
            for day, verdict in [(14, "Y"), (80, "N"), (150, "Y"), (300, "N"), (450, "Y")]
        ],
        "timeline_cancer_presence": [
            {"patient_id": "P-0000001", "start_day": day, "has_cancer": verdict} for day, verdict in [(80, "Y"), (300, "N")]
        ],
    }
    base = {"patient_id": "P-0000001", "cancer_type": LUNG}
    lines = [(0, ["CARBOPLATIN", "PEMETREXED"]), (200, ["OSIMERTINIB"]), (400, ["DOCETAXEL"])]
    listed = cases(
        *(base | {"index_day": day, "agents": agents, "line_of_therapy": number} for number, (day, agents) in enumerate(lines, 1))
    )
    return rows, listed


def test_earlier_lines_tell_what_imaging_said_while_they_lasted() -> None:
    rows, listed = line_history()
    found = collect(tables(**rows), listed, "sequenced", 3)
    prior = found[found["field"] == "prior_regimen"].groupby("case_id")["text"].agg(list).to_dict()
    first = "line 1, carboplatin + pemetrexed (begun {} days before treatment): progression on imaging on day 150"
    assert prior == {
        "P-0000001_+200": [first.format(200)],
        "P-0000001_+400": ["line 2, osimertinib (begun 200 days before treatment): no cancer seen on imaging", first.format(400)],
    }


def test_an_agent_of_an_earlier_line_that_began_after_the_index_date_is_not_named() -> None:
    rows, listed = line_history()
    rows["timeline_treatment"][1]["start_day"] = 205  # pemetrexed, of line 1 by the case list, began within the second line
    found = collect(tables(**rows), listed, "sequenced", 3)
    (text,) = found.loc[(found["field"] == "prior_regimen") & (found["case_id"] == "P-0000001_+200"), "text"]
    assert text.startswith("line 1, carboplatin (")


def test_radiation_and_surgery_count_days_and_leave_specimen_taking_out() -> None:
    radiation = [{"start_day": day} for day in (10, 10, 40, 70, 99)]
    assert texts("radiation", {"timeline_radiation": radiation}) == [
        "radiation therapy begun 4 times (the last 3: 1, 30, 60 days before treatment)"
    ]
    surgery = [{"start_day": 99, "subtype": "PROCEDURE"}, {"start_day": 50, "subtype": "SAMPLE"}]
    assert texts("surgery", {"timeline_surgery": surgery}) == ["surgery on one day (1 day before treatment)"]


def test_every_case_has_drugs_cancer_type_and_line_even_where_nothing_is_recorded() -> None:
    found = collect(tables(), cases(CASE), "sequenced", 3)
    assert found["field"].tolist() == ["drug", "drug_mechanism", "cancer_type", "line", "genomics_status"]
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
def test_no_record_from_the_index_day_on_changes_evidence(name: str, later: int, seed: int) -> None:
    made, listed = STUDY
    last = listed.sort_values("index_day").groupby("patient_id").tail(1)
    source = made[name].sample(20, random_state=seed)
    index = source["patient_id"].map(last.set_index("patient_id")["index_day"])
    added = source.assign(start_day=(index + later).astype("int32"))
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
