"""The truth of the twin: who may enter, what makes a regimen work, what follows from a response, what is null."""

from __future__ import annotations

import numpy as np
import pytest

from oncoraft.knowledge.drugs import drugs
from oncoraft.twin import regimens as law
from oncoraft.twin.blocks import all_columns, patient_ids
from oncoraft.twin.cohort import Cohort, make_cohort
from oncoraft.twin.course import FIRST, live
from oncoraft.twin.draws import Booleans
from oncoraft.twin.parameters import CANCERS, LIVER
from oncoraft.twin.people import base_keys, make_people
from oncoraft.twin.regimens import OPTIONS
from oncoraft.twin.samples import make_samples
from oncoraft.twin.truth import truth_table

COUNT = 12_000


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return make_cohort(11, np.arange(1, COUNT + 1))


def given(cohort: Cohort, *agents: str) -> Booleans:
    """Regimens for metastatic disease that hold one of the agents."""
    holds = np.array([bool(set(agents) & set(option.agents)) for option in OPTIONS])
    return holds[cohort.regimens.option] & ~cohort.regimens.is_early


def test_every_agent_is_in_the_drug_table() -> None:
    assert {agent for option in OPTIONS for agent in option.agents} <= set(drugs())
    assert {agent for _, agents, _ in law.BIOMARKERS for agent in agents} <= {agent for option in OPTIONS for agent in option.agents}


def test_who_dies_before_sequencing_is_never_in_the_cohort(cohort: Cohort) -> None:
    numbers = np.arange(1, COUNT + 1)
    first = live(make_people(numbers, base_keys(11, numbers), np.zeros(COUNT, dtype=np.int64)))
    early = first.death <= first.sequencing + 1
    assert 0.05 < early.mean() < 0.3  # left truncation is real
    assert cohort.end.min() >= 1
    # Selection favours the longer lives of those sequenced late.
    assert np.array_equal(
        cohort.people.delay[~early], make_people(numbers, base_keys(11, numbers), np.zeros(COUNT, dtype=np.int64)).delay[~early]
    )


def test_selection_leaves_the_cancer_types_alone(cohort: Cohort) -> None:
    shares = np.bincount(cohort.people.cancer, minlength=5) / COUNT
    expected = np.array([cancer.share for cancer in CANCERS]) / sum(cancer.share for cancer in CANCERS)
    assert shares == pytest.approx(expected, abs=4 * np.sqrt(0.25 / COUNT))


def test_nothing_is_recorded_after_the_end_or_before_arrival(cohort: Cohort) -> None:
    regimens = cohort.regimens
    assert (regimens.start < cohort.end[regimens.person]).all()
    assert (regimens.stop <= cohort.end[regimens.person]).all()
    assert (regimens.start >= cohort.diagnosis[regimens.person]).all()
    assert (np.diff(regimens.person) >= 0).all()
    assert (cohort.following > regimens.start).all()


@pytest.mark.parametrize("option", range(len(OPTIONS)))
def test_a_regimen_is_given_only_to_those_whom_it_is_for(cohort: Cohort, option: int) -> None:
    taken = cohort.regimens.person[cohort.regimens.option == option]
    if OPTIONS[option].needs:
        assert cohort.people.states[OPTIONS[option].needs][taken].all()
    if FIRST[:, option].any():
        assert set(cohort.people.cancer[taken]) <= set(np.flatnonzero(FIRST[:, option]))


@pytest.mark.parametrize(
    ("state", "agents", "better"),
    [
        ("PDL1", law.CHECKPOINT, True), ("TMB_HIGH", law.CHECKPOINT, True), ("STK11", law.CHECKPOINT, False), ("EGFR", law.CHECKPOINT, False),
        ("RAS", law.ANTI_EGFR, False), ("BRCA", law.PLATINUM, True), ("TP53", law.ENDOCRINE, False),
    ],
)  # fmt: skip
def test_biomarkers_change_the_probability_of_their_drugs(cohort: Cohort, state: str, agents: frozenset[str], better: bool) -> None:
    rows = given(cohort, *agents) & ~np.array([option.is_null for option in OPTIONS])[cohort.regimens.option]
    has = cohort.people.states[state][cohort.regimens.person]
    with_it, without = (cohort.regimens.probability[rows & mask] for mask in (has, ~has))
    assert min(len(with_it), len(without)) > 20
    difference = float(with_it.mean() - without.mean())
    assert (difference > 0.05) if better else (difference < -0.05)


def test_line_stage_liver_and_performance_status_matter(cohort: Cohort) -> None:
    regimens = cohort.regimens
    rows = ~regimens.is_early & ~np.array([option.is_null for option in OPTIONS])[regimens.option]

    def mean(mask: Booleans) -> float:
        return float(regimens.probability[rows & mask].mean())

    assert mean(regimens.ecog == 0) > mean(regimens.ecog == 1) > mean(regimens.ecog == 2)
    assert mean(~regimens.sites_before[:, LIVER]) > mean(regimens.sites_before[:, LIVER]) + 0.1
    stage = cohort.people.stage[regimens.person]
    assert mean(stage < 4) > mean(stage == 4)
    assert mean(regimens.line == 1) > mean(regimens.line == 4)


def test_responses_are_drawn_with_their_probability(cohort: Cohort) -> None:
    regimens = cohort.regimens
    seen = regimens.response < 4
    responds = (regimens.response <= 1)[seen]
    chance = regimens.probability[seen]
    for low in np.arange(0, 0.8, 0.1):
        rows = (chance >= low) & (chance < low + 0.1)
        error = 4 * np.sqrt(0.25 / rows.sum())
        assert responds[rows].mean() == pytest.approx(chance[rows].mean(), abs=error)


def test_survival_follows_response_except_in_null_regimens(cohort: Cohort) -> None:
    tables = all_columns(cohort, make_samples(cohort), False)
    truth = truth_table(cohort, tables, patient_ids(cohort.people.number), False)
    late = truth[~truth["is_early"]]
    null = late[late["is_null"]]
    assert set(zip(null["cancer_type"], null["agents"].str.join(" + "))) == set(law.null_regimens())
    assert (null["probability"] == law.NULL_RATE).all()
    assert null.groupby("cancer_type")["hazard_per_month"].nunique().eq(1).all()
    rates = late[~late["is_null"]].groupby("response")["hazard_per_month"].mean()
    assert rates["PD"] > 1.5 * rates["SD"] > 1.5 * rates["PR"] > 1.5 * rates["CR"]


def test_null_regimens_do_not_separate_survival_by_what_is_known(cohort: Cohort) -> None:
    """Time from a null regimen to death, against its exponential law, is the same with ECOG 0 and with ECOG 2 and more."""
    regimens = cohort.regimens
    null = np.array([option.is_null for option in OPTIONS])[regimens.option] & ~regimens.is_early & (regimens.start >= 0)
    months = (cohort.end[regimens.person] - regimens.start) / (365 / 12)
    expected = regimens.hazard * months  # cumulative hazard of each: deaths equal its sum
    died = cohort.died[regimens.person]
    for mask in (regimens.ecog == 0, regimens.ecog == 1, regimens.ecog >= 2, regimens.sites_before[:, LIVER]):
        rows = null & mask
        assert died[rows].sum() == pytest.approx(expected[rows].sum(), abs=4 * np.sqrt(expected[rows].sum()))


def test_specimens_are_sequenced_on_day_zero_and_acquired_before(cohort: Cohort) -> None:
    samples = make_samples(cohort)
    assert (samples.day[~samples.is_second] == 0).all()
    assert (samples.acquired <= samples.day).all()
    assert len(set(samples.sample_id)) == len(samples)
    second = samples.is_second
    assert (samples.cancer[second] != cohort.people.cancer[samples.person[second]]).all()
    assert 0.2 < (samples.acquired == samples.day).mean() < 0.3
