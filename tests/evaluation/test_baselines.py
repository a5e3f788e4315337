"""The comparators are strong: they see what the model sees, tune on patients set aside, and never read a held-out label."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from oncoraft.evaluation.baselines import features, features_of_ranges, main, predict
from oncoraft.evaluation.evidence_features import EvidenceMatrix, evidence_matrix, matrix_of_ranges
from tests.evaluation.conftest import Upstream

FITTED = ["regimen_prior", "clinical_logistic", "evidence_logistic", "gradient_boosting", "tfidf_logistic"]


def same(first: EvidenceMatrix, second: EvidenceMatrix) -> bool:
    """Whether two matrices say the same of every case, by name."""
    if not first.numbers.equals(second.numbers) or list(first.token_names) != list(second.token_names):
        return False
    return bool((first.tokens != second.tokens).nnz == 0)


def statements(*rows: tuple[str, str, str, int | None]) -> pd.DataFrame:
    """Evidence of one case: field, value, text, days before index."""
    frame = pd.DataFrame(list(rows), columns=["field", "value", "text", "days_before_index"])
    return frame.assign(case_id="a", order=range(len(rows))).astype({"days_before_index": "Int32"})


def test_each_field_of_the_evidence_changes_the_design_matrix(upstream: Upstream) -> None:
    case_id = upstream.cases["case_id"].iloc[::24]
    evidence = upstream.evidence[upstream.evidence["case_id"].isin(case_id)]
    assert evidence["field"].nunique() > 30
    whole = evidence_matrix(case_id, evidence)
    for field in evidence["field"].unique():
        first = evidence.index[evidence["field"] == field][0]
        assert not same(evidence_matrix(case_id, evidence.drop(index=first)), whole), f"a statement of {field} can go unseen"
        other = evidence.loc[(evidence["field"] == field) & (evidence["value"] != evidence.at[first, "value"]), ["value", "text"]]
        if len(other):
            changed = evidence.copy()
            changed.loc[first, ["value", "text"]] = other.iloc[0]
            assert not same(evidence_matrix(case_id, changed), whole), f"a value of {field} can change unseen"


@pytest.mark.parametrize("is_declared", [True, False])
def test_where_a_range_of_cases_ends_changes_no_feature(upstream: Upstream, is_declared: bool) -> None:
    # In another order than the evidence, and one without a statement.
    cases = upstream.cases.iloc[::-3].reset_index(drop=True)
    silent = cases["case_id"].iloc[4]
    evidence = upstream.evidence[upstream.evidence["case_id"] != silent].drop(columns=[] if is_declared else ["kind"])
    table, whole = features(cases, evidence), evidence_matrix(cases["case_id"], evidence)
    ids = np.sort(upstream.cases["case_id"])
    for number in (2, 9, 70):
        ranges = [evidence[evidence["case_id"].isin(some)] for some in np.array_split(ids, number)]
        pd.testing.assert_frame_equal(features_of_ranges(cases, ranges), table)
        found = matrix_of_ranges(cases["case_id"], lambda: ranges)  # noqa: B023 (called at once)
        assert same(found, whole)
        # Sums depend on the order in which a row holds its tokens, and with them the last digit of a score.
        assert np.array_equal(found.tokens.indices, whole.tokens.indices)
    assert whole.tokens.getnnz(axis=1)[4] == 0


def test_levels_days_and_changes_are_numbers() -> None:
    matrix = evidence_matrix(
        pd.Series(["a"]),
        statements(
            ("tumor_marker", "ca 19-9 rising", "CA 19-9 40 units/ml, rising (9 days before treatment), earlier 24 (28 days before)", 9),
            ("tumor_marker", "cea steady", "CEA 0.6 ng/ml, steady (5 days before treatment), earlier 0.5 (124 days before)", 5),
            (
                "tumor_marker",
                "psa falling",
                "PSA below detection, falling (8 days before treatment), earlier 0.44 (40 days before treatment)",
                8,
            ),
            ("ecog", "2", "ECOG performance status 2 (6 days before treatment)", 6),
            ("ecog", "0", "ECOG performance status 0 (80 days before treatment)", 80),
            ("imaging_history", "1 of 9", "progression on 1 of 9 imaging days so far", None),
            ("tmb", "low", "tumour mutational burden low (3.5 mutations per megabase)", 30),
        ),
    )
    found = matrix.numbers.iloc[0]
    assert found["tumor_marker/CA 19-9:measured_0"] == 40
    assert found["tumor_marker/CA 19-9:measured_0:change"] == pytest.approx(np.log(41 / 25))
    assert found["tumor_marker/CEA:measured_0"] == 0.6
    assert (found["tumor_marker/PSA:measured_0"], found["tumor_marker/PSA:measured_1"]) == (0, 0.44)
    assert (found["ecog@0:number_0"], found["ecog@0:number_0:change"], found["ecog@1:days"]) == (2, 2, 80)
    assert (found["imaging_history@0:number_0"], found["imaging_history@0:number_1"]) == (1, 9)
    assert found["tmb:measured_0"] == 3.5


def test_the_levels_of_each_marker_of_the_evidence_step_have_a_column_of_their_own(upstream: Upstream) -> None:
    rows = upstream.evidence[upstream.evidence["field"] == "tumor_marker"]
    names = set(evidence_matrix(rows["case_id"].drop_duplicates(), rows).numbers.columns)
    markers = set(rows["text"].str.extract(r"^(PSA|CEA|CA \d+-\d) \d", expand=False).dropna())
    assert len(markers) >= 3
    assert {f"tumor_marker/{marker}:measured_0" for marker in markers} <= names
    assert "tumor_marker:measured_0" not in names


def test_a_declared_kind_is_taken_and_genes_and_agents_are_told_one_by_one() -> None:
    rows = statements(
        ("drug", "oxaliplatin + capecitabine", "oxaliplatin + capecitabine", None),
        ("structural_variant", "PTPRK-RSPO3", "PTPRK-RSPO3 fusion", 30),
        ("mutation", "KRAS G12D", "KRAS G12D", 30),
    ).assign(kind=["agents", "genes", "genes"])
    names = set(evidence_matrix(pd.Series(["a"]), rows).token_names)
    assert {"drug~oxaliplatin", "drug~capecitabine", "structural_variant~RSPO3", "mutation~KRAS", "mutation=KRAS G12D"} <= names


def test_three_states_of_a_kind_of_profiling_are_three_rows_of_the_matrix() -> None:
    found = [("mutation", "KRAS G12D", "KRAS G12D", 30)], [("profiled", "mutations none found", "no mutation found", 30)], []
    matrices = [evidence_matrix(pd.Series(["a"]), statements(("sex", "male", "male", None), *rows)) for rows in found]
    assert not any(same(matrices[i], matrices[j]) for i in range(3) for j in range(i))


def synthetic(cases: int = 900) -> tuple[pd.DataFrame, EvidenceMatrix]:
    """Cases of which a mutation and the last scan decide, and nothing else does."""
    draw = np.random.default_rng(8)
    mutated, progressed = draw.random(cases) < 0.5, draw.random(cases) < 0.5
    case_id = pd.Series([f"c{k:03}" for k in range(cases)])
    evidence = pd.concat(
        [
            pd.DataFrame({"case_id": case_id, "order": 0, "field": "mutation", "value": np.where(mutated, "EGFR L858R", "KRAS G12C")}),
            pd.DataFrame({"case_id": case_id, "order": 1, "field": "progression", "value": np.where(progressed, "yes", "no")}),
        ]
    ).assign(days_before_index=lambda rows: pd.array(np.where(rows["field"] == "progression", 9, 30), dtype="Int32"))
    evidence["text"] = evidence["value"]
    table = pd.DataFrame(
        {
            "case_id": case_id,
            "cancer_type": draw.choice(["A", "B"], cases),
            "regimen": draw.choice(["x", "y"], cases),
            "drug_class": "Chemo",
            "line_of_therapy": 1,
            "fold": draw.integers(0, 3, cases),
            "is_tuning": draw.random(cases) < 0.15,
            "responder": draw.random(cases) < 0.15 + 0.35 * mutated + 0.35 * ~progressed,
        }
    )
    return features(table, evidence), evidence_matrix(case_id, evidence)


def test_what_only_the_evidence_tells_is_found_by_every_model_on_evidence() -> None:
    table, matrix = synthetic()
    found, chosen = predict(table, matrix, FITTED, 20)
    found = found.merge(table[["case_id", "responder"]], on="case_id", validate="many_to_one")
    value = {name: roc_auc_score(part["responder"], part["score"]) for name, part in found.groupby("predictor")}
    assert found.groupby("predictor").size().tolist() == [len(table)] * len(FITTED)
    assert min(value["evidence_logistic"], value["gradient_boosting"], value["tfidf_logistic"]) > 0.7
    assert 0.6 < value["clinical_logistic"] < value["evidence_logistic"] - 0.05, "the clinical model knows the scan and not the mutation"
    assert value["regimen_prior"] < 0.56
    assert all(one["is_tuned"] for name, one in chosen.items() if not name.startswith("regimen_prior"))


def test_labels_of_the_held_out_fold_change_none_of_its_scores_and_a_rerun_changes_nothing() -> None:
    table, matrix = synthetic(450)
    flipped = table.assign(responder=np.where(table["fold"] == 0, ~table["responder"], table["responder"]))
    first, second, again = (predict(one, matrix, FITTED, 20)[0] for one in (table, flipped, table))
    assert first.equals(again)
    held_out = first["fold"] == 0
    assert first[held_out].equals(second[held_out])
    assert not first[~held_out].equals(second[~held_out])


def test_without_enough_tuning_cases_the_first_candidate_stands_and_the_record_says_so() -> None:
    table, matrix = synthetic(300)
    _, chosen = predict(table.assign(is_tuning=False), matrix, FITTED[1:], 20)
    assert not any(one["is_tuned"] for one in chosen.values())


def test_a_fold_that_trains_on_one_class_has_no_score_and_says_so_and_the_others_keep_theirs() -> None:
    table, matrix = synthetic(60)
    one_class = table.assign(responder=table["fold"] == 0)
    found, chosen = predict(one_class, matrix, ["clinical_logistic", "regimen_prior"], 20)
    assert set(found["fold"]) == set(table["fold"]) - {0}
    for name in ("clinical_logistic", "regimen_prior"):
        assert chosen[f"{name}, fold 0"]["not_fitted"].startswith("one class only among ")
    nothing, _ = predict(table.assign(responder=False), matrix, ["clinical_logistic"], 20)
    assert nothing.empty
    assert nothing.dtypes.equals(found.dtypes)


def test_the_step_scores_every_held_out_case_once_by_every_baseline(upstream: Upstream) -> None:
    out = upstream.tables.parent / "baselines" / "predictions.parquet"
    arguments = [str(upstream.cases_folder), str(upstream.evidence_file), "--truth", str(upstream.truth), "--out", str(out)]
    assert main(arguments) == 0
    found = pd.read_parquet(out)
    assert set(found["predictor"]) == {*FITTED, "oracle"}
    assert not found.duplicated(["case_id", "predictor"]).any()
    assert found["score"].between(0, 1).all()
    assert (found[found["predictor"] != "oracle"].groupby("predictor").size() == len(upstream.cases)).all()
