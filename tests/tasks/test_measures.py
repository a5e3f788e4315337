"""Answers measured: overlap of words as the original counts it, classes with what could not be read, means by patient."""

import numpy as np
import pytest

from oncoraft.tasks.measures import classes_table, interval, normalised, resampled_means, rouge, share_of


def test_rouge_is_lins() -> None:
    # Lin 2004, section 3: "police killed the gunman" beside two candidates; ROUGE-L tells them apart, ROUGE-2 does not.
    found = rouge(["police killed the gunman"] * 2, ["police kill the gunman", "the gunman kill police"])
    assert found["rougeL"] == pytest.approx([3 / 4, 2 / 4], abs=1e-6)
    assert found["rouge2"] == pytest.approx([1 / 3, 1 / 3], abs=1e-6)


def test_rouge_is_that_of_the_librarys_own_example() -> None:
    # README of google-research/rouge: precision 6/8 and recall 6/9; longest common subsequence 5.
    found = rouge(["The quick brown fox jumps over the lazy dog"], ["The quick brown dog jumps on the log."])
    assert found["rouge1"][0] == pytest.approx(2 * (6 / 8) * (6 / 9) / (6 / 8 + 6 / 9), abs=1e-6)
    assert found["rougeL"][0] == pytest.approx(2 * (5 / 8) * (5 / 9) / (5 / 8 + 5 / 9), abs=1e-6)


@pytest.mark.parametrize(
    ("name", "truth", "answer", "value"),
    [
        # The table of the original scorer's own tests (google-research, rouge/rouge_scorer_test.py): precision 1 and recall as told.
        ("rouge1", "testing one two", "testing", 2 * (1 / 3) / (1 + 1 / 3)),
        ("rouge2", "testing one two", "testing one", 2 * (1 / 2) / (1 + 1 / 2)),
        ("rougeL", "testing one two", "testing one", 2 * (2 / 3) / (1 + 2 / 3)),
        ("rougeL", "testing one two", "testing two", 2 * (2 / 3) / (1 + 2 / 3)),  # words between do not break a subsequence
        ("rouge1", "testing one two", "", 0.0),
        ("rouge2", "testing one two", "testing", 0.0),
    ],
)
def test_rouge_is_that_of_the_originals_own_table(name: str, truth: str, answer: str, value: float) -> None:
    assert rouge([truth], [answer])[name][0] == pytest.approx(value, abs=1e-6)


def test_rouge_misleads_where_numbers_carry_the_meaning() -> None:
    same, other = rouge(["50 Gy in 25 fractions"] * 2, ["5000 cGy in 25 fractions", "60 Gy in 25 fractions"])["rouge1"]
    assert same < other


def test_an_answer_without_words_is_worth_nothing() -> None:
    assert rouge(["photon"], [""])["rouge1"][0] == 0


def test_classes_count_what_was_not_read_as_wrong_and_as_no_class() -> None:
    table, means = classes_table(list("aabbc"), ["a", None, "b", "d", "c"])
    row = table.set_index("class").loc["a"]
    assert (row["precision"], row["recall"], row["support"], row["answered"]) == (1.0, 0.5, 2, 1)
    # Three right of four that named a class, of five cases; the macro mean is over the three true classes.
    assert means["precision_micro"] == pytest.approx(3 / 4)
    assert means["recall_micro"] == pytest.approx(3 / 5)
    assert means["recall_macro"] == pytest.approx((1 / 2 + 1 / 2 + 1) / 3)
    assert set(table["class"]) == {"a", "b", "c"}


def test_text_is_compared_without_case_space_and_end_marks() -> None:
    assert normalised("  Photon\n beam. ") == "photon beam"


def test_resamples_draw_whole_patients() -> None:
    # One patient with a hundred cases that are all right, one with one that is wrong: a resample is one of three mixtures.
    values = np.array([[1.0]] * 100 + [[0.0]])
    drawn = resampled_means(values, ["many"] * 100 + ["few"], 500, 1)
    assert set(np.round(drawn[:, 0], 6)) == {0.0, round(100 / 101, 6), 1.0}


def test_the_interval_of_independent_cases_is_that_of_theory() -> None:
    values = np.repeat([1.0, 0.0], 200)[:, None]
    lower, upper = interval(resampled_means(values, [str(case) for case in range(400)], 4000, 2)[:, 0])
    assert (lower, upper) == pytest.approx((0.5 - 1.96 * 0.025, 0.5 + 1.96 * 0.025), abs=0.006)


def test_the_share_of_the_law_is_one_mean_over_the_other_in_the_same_resamples() -> None:
    patients = [f"p{number // 2}" for number in range(80)]
    law = np.array([1.0, 0.0] * 40)
    half = np.where(np.arange(80) < 40, law, 0.0)
    share, lower, upper = share_of(half, law, patients, 500, 3) or (0.0, 0.0, 0.0)
    assert share == pytest.approx(0.5)
    assert 0.25 < lower < 0.5 < upper < 0.75
    # Whatever is drawn, the law is all of itself: two bootstraps that differ would not say so.
    assert share_of(law, law, patients, 500, 3) == pytest.approx((1.0, 1.0, 1.0))


def test_of_a_law_that_is_right_of_nothing_there_is_no_share() -> None:
    assert share_of(np.ones(6), np.zeros(6), list("abcdef"), 50, 3) is None
    # Right of one patient's case alone: some resamples lack the patient.
    assert share_of(np.ones(6), np.eye(6)[0], list("abcdef"), 50, 3) is None
