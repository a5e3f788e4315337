"""The size of every test of survival where the score tells nothing, and the coverage of its intervals at a hazard ratio of 0.6.

    python benchmarks/null_regimens.py [--families 200] [--regimens 15] [--cases 200] [--seeds 200]

A family is a cohort of null regimens, under three kinds of delayed entry: none of the score's business (independent), score tied to
entry (85 % of the low group enter late, 15 % of the high group), and later entry with a higher hazard (dependent). Of a fourth kind,
both at once (confounded), the raw comparison of the groups is not null: there the tests beside the time of entry alone have to hold.
Told of each test: the share of p below 0.05 over regimens, and of families in which a q falls below 0.05. For the coverage the score
multiplies the hazard: 0.6 high against low; the true difference of restricted means is the integral of the law's own survival. Last,
`selection`: a cohort with one law for all in which half are sequenced when they relapse, and a score that knows only that; frames are
built directly, without the study's files, which would take hours.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import pandas as pd

from oncoraft.survival.adjusted import gain, log_odds, strata_of, subjects_of
from oncoraft.survival.assumptions import entry_records
from oncoraft.survival.cox import cox, fit_cox
from oncoraft.survival.dispersion import dispersion
from oncoraft.survival.restricted_mean import restricted_mean_difference
from oncoraft.survival.risk_sets import Array, Subjects, false_discovery, log_rank
from oncoraft.survival.tails import chi_squared, f_tail

KINDS = ("independent", "tied to the score", "dependent", "confounded")
HAZARD, OF_AGE, OF_STAGE, AGE_SD, HORIZON = 0.0012, 0.02, 0.5, 9.0, 365.25
NAMES = ("age", "advanced", "score")
COVARIATES = ("age", "stage")  # all that a regimen has: of the others there would only be a report that they are missing
TESTS = ("log-rank", "Wald", "no delayed entry", "restricted mean", "gain", "adjusted Wald", "entry-adjusted", "sequenced by index")


def drawn(draw: np.random.Generator, cases: int, kind: str, effect: float = 0.0) -> dict[str, Array]:
    """Cases of one regimen, of whom those count that live to enter, a column an array; `low`: of the low-score group."""
    n = 2 * cases
    low = draw.random(n) < 0.5
    share = np.where(low, 0.85, 0.15) if kind in ("tied to the score", "confounded") else 0.5
    entry = np.where(draw.random(n) < share, np.ceil(draw.uniform(1, 400, n)), 0)
    age, advanced = draw.normal(62, AGE_SD, n), draw.random(n) < 0.5
    drift = 0.06 if kind in ("dependent", "confounded") else 0.0
    hazard = HAZARD * np.exp(OF_AGE * (age - 62) + OF_STAGE * advanced + drift * entry / 30.4375 + effect * low)
    death, lost = draw.exponential(1 / hazard), draw.uniform(300, 1500, n)
    leave = np.floor(np.minimum(death, lost)) + 1
    score = 1 / (1 + np.exp(-(draw.normal(size=n) / 4 - 1.5 * low + 0.75)))
    found = {"entry_days": entry, "exit_days": leave, "event": death <= lost, "score": score, "age": age, "low": low}
    seen = np.flatnonzero(leave > entry)[:cases]
    return {name: values[seen] for name, values in (found | {"advanced": advanced, "fold": np.arange(n) % 5}).items()}


def regimen(draw: np.random.Generator, cases: int, kind: str, effect: float = 0.0) -> tuple[pd.DataFrame, Array]:
    """Cases of one regimen as the survival step has them, and which are of the low-score group."""
    found = drawn(draw, cases, kind, effect)
    low, advanced = found.pop("low"), found.pop("advanced")
    return pd.DataFrame(found).assign(index_day=-found["entry_days"], stage=np.where(advanced, "Stage 4", "Stage 1-3")), low


def some_p_values(found: dict[str, Array], gain_alone: bool) -> list[float]:
    """Of `TESTS` the gain, and unless it is asked for alone the log-rank test and the restricted mean, by the product's functions without its tables; the others nan."""
    subjects = Subjects(found["entry_days"], found["exit_days"], found["event"])
    low, fold, strata = found["low"], found["fold"], 2 * found["fold"] + (found["entry_days"] > 0)
    columns = [found["age"] - 62, found["advanced"].astype(float), log_odds(found["score"])]
    with_score, without = (fit_cox(subjects, np.column_stack(columns[:count]), NAMES[:count], strata) for count in (3, 2))
    wider = dispersion(with_score, "score", pd.DataFrame(dict(zip(NAMES, columns))), subjects, strata)
    some: dict[str, float | None] = {}
    if not gain_alone:
        means = restricted_mean_difference(subjects, ~low, HORIZON, 10)
        some = {"log-rank": log_rank(subjects, low, fold)[1], "restricted mean": means and means.p}
    some["gain"] = f_tail(max(0.0, 2 * (with_score.log_likelihood - without.log_likelihood)) / wider.factor, wider.degrees)
    return [float("nan") if (value := some.get(test)) is None else float(value) for test in TESTS]


def p_values(table: pd.DataFrame, low: Array) -> list[float]:
    """The p of each of `TESTS`; nan where there is none."""
    subjects, fold = subjects_of(table), strata_of(table, ["fold"], sequenced=False)
    raw, naive = cox(subjects, low, fold), cox(subjects.without_delayed_entry(), low, fold)
    means = restricted_mean_difference(subjects, ~low, HORIZON, 10)
    adjusted, entry = gain(table, low, intended=COVARIATES, states=False), entry_records(subjects, low, fold)
    found = [log_rank(subjects, low, fold)[1], raw and raw.p, naive and naive.p, means and means.p, adjusted["likelihood_ratio_p"]]
    found += [adjusted["adjusted_p"], entry["entry_adjusted_p"], entry["restricted_p"]]
    return [float("nan") if value is None else float(value) for value in found]


def p_values_of(draw: np.random.Generator, cases: int, kind: str, gain_alone: bool) -> list[float]:
    """`some_p_values` of a further regimen."""
    return some_p_values(drawn(draw, cases, kind), gain_alone)


def sizes(
    families: int, regimens: int, cases: int, p_of: Callable[[np.random.Generator, int, str], list[float]], kinds: Sequence[str], seed: int
) -> None:
    """Print the size of each test and the share of families with a discovery; `p_of` gives the p of each of `TESTS` of a further regimen."""
    print(f"{families} families of {regimens} null regimens of {cases} cases: share of p < 0.05 (families with a q <= 0.05)")
    print("test: " + " / ".join(kinds), flush=True)
    rows: dict[str, list[str]] = defaultdict(list)
    for kind in kinds:
        draw = np.random.default_rng([seed, KINDS.index(kind)] if seed else KINDS.index(kind))
        p = np.array([[p_of(draw, cases, kind) for _ in range(regimens)] for _ in range(families)])
        for test, mine in zip(TESTS, p.transpose(2, 0, 1)):
            known = mine[~np.isnan(mine)]
            if not len(known):
                continue
            found = np.mean([np.nanmin(false_discovery(family)) <= 0.05 for family in mine if not np.isnan(family).all()] or [np.nan])
            rows[test].append(f"{np.mean(known < 0.05):.3f} ({found:.3f})")
        print(f"after {kind}:", "; ".join(f"{test} {told[-1]}" for test, told in rows.items()), flush=True)
    for test, told in rows.items():
        print(f"{test:<20}" + "".join(f"{text:>18}" for text in told))


def true_restricted_mean(start: float, effect: float) -> float:
    """Days lived from `start`, a whole day, to the horizon, of those alive then; deaths count at the end of their day."""
    nodes, weight = np.polynomial.hermite_e.hermegauss(40)
    hazard = HAZARD * np.exp(OF_AGE * AGE_SD * nodes[:, None] + OF_STAGE * np.array([0, 1]) + effect).ravel()
    days = np.arange(int(start), int(HORIZON) + 1)
    alive = np.exp(-np.outer(days, hazard)) @ (np.repeat(weight, 2) / (2 * weight.sum()))
    return float((alive[:-1].sum() + alive[-1] * (HORIZON - days[-1])) / alive[0])


def coverage(seeds: int, cases: int) -> None:
    """Print how often the intervals hold the ratio of 1/0.6, low against high, with age and stage adjusted for and left out."""
    truth = 1 / 0.6
    for kind in KINDS[:2]:
        held: dict[str, list[bool]] = defaultdict(list)
        for seed in range(seeds):
            table, low = regimen(np.random.default_rng(10_000 + seed), cases, kind, float(np.log(truth)))
            subjects = subjects_of(table)
            adjusted, raw = gain(table, low, intended=COVARIATES, states=False), cox(subjects, low, table["fold"].to_numpy())
            if means := restricted_mean_difference(subjects, ~low, HORIZON, 10):
                difference = true_restricted_mean(means.start, 0.0) - true_restricted_mean(means.start, float(np.log(truth)))
                held["restricted mean"].append(means.interval[0] <= difference <= means.interval[1])
            if adjusted["adjusted_lower"] is not None:
                held["adjusted"].append(adjusted["adjusted_lower"] <= truth <= adjusted["adjusted_upper"])
            if raw:
                held["raw"].append(raw.interval[0] <= truth <= raw.interval[1])
        told = ", ".join(f"{name} {np.mean(values):.3f} of {len(values)}" for name, values in sorted(held.items()))
        print(f"coverage at a hazard ratio of 0.6, entry {kind}: {told}", flush=True)


def many_covariates(seeds: int, cases: int = 110, covariates: int = 13) -> None:
    """Print the size of the likelihood ratio of a score of nothing beside as many covariates as few deaths admit, as it comes and over the dispersion."""
    told: dict[str, list[float]] = defaultdict(list)
    rejected: dict[str, list[bool]] = defaultdict(list)
    for seed in range(seeds):
        draw, n = np.random.default_rng(seed), 2 * cases
        x, score = draw.normal(size=(n, covariates)), draw.normal(size=n)
        x[:, covariates // 2 :] = x[:, covariates // 2 :] > 0.5
        entry = np.where(draw.random(n) < 0.5, np.ceil(draw.uniform(1, 400, n)), 0)
        death, lost = draw.exponential(1 / (0.0015 * np.exp(0.3 * x[:, :3].sum(axis=1)))), draw.uniform(300, 1500, n)
        leave = np.floor(np.minimum(death, lost)) + 1
        seen = np.flatnonzero(leave > entry)[:cases]
        subjects = Subjects(entry[seen], leave[seen], (death <= lost)[seen])
        table = pd.DataFrame(x[seen]).add_prefix("x").assign(score=score[seen])
        strata = 2 * (np.arange(cases) % 5) + (subjects.entry > 0)
        full, base = (fit_cox(subjects, part.to_numpy(), list(part), strata) for part in (table, table.drop(columns="score")))
        chi2, wider = max(0.0, 2 * (full.log_likelihood - base.log_likelihood)), dispersion(full, "score", table, subjects, strata)
        told["as it comes"].append(chi2)
        told["over the dispersion"].append(chi2 / wider.factor)
        rejected["as it comes"].append(chi_squared(chi2) < 0.05)
        rejected["over the dispersion"].append(f_tail(chi2 / wider.factor, wider.degrees) < 0.05)
        told["deaths"].append(float(subjects.event.sum()))
    sizes = "; ".join(f"{name} {np.mean(held):.3f} (mean {np.mean(told[name]):.2f})" for name, held in rejected.items())
    print(
        f"{covariates} covariates, {np.mean(told['deaths']):.0f} deaths in 10 strata, {seeds} seeds, share of p < 0.05 and mean chi-squared: {sizes}"
    )


def selection(seeds: int, patients: int = 1200) -> None:
    """Print how often a score that knows only who is sequenced at diagnosis separates, raw and beside the covariates."""
    raw, adjusted, ratios, held, told = [], [], [], [], 0
    for seed in range(seeds):
        draw = np.random.default_rng(seed)
        relapse = draw.exponential(5000, patients)
        death, early, lost = relapse + draw.exponential(700, patients), draw.random(patients) < 0.5, draw.uniform(1000, 4500, patients)
        entry, leave = np.where(early, 0, np.ceil(relapse)), np.floor(np.minimum(death, lost)) + 1
        score = 1 / (1 + np.exp(-(2 * early - 1 + draw.normal(size=patients) / 4)))
        table = pd.DataFrame(
            {"entry_days": entry, "exit_days": leave, "event": death <= lost, "score": score, "fold": np.arange(patients) % 5}
        )
        table = table.assign(index_day=-entry, age=draw.normal(62, 9, patients))[(entry < leave) & (early | (relapse < lost))]
        low = (table["score"] < 0.5).to_numpy()
        found = cox(subjects_of(table), low, table["fold"].to_numpy())
        record = gain(table, low)
        gained = record["likelihood_ratio_p"]
        lower, upper = record["adjusted_per_sd_lower"], record["adjusted_per_sd_upper"]
        held += [lower <= 1 <= upper] if lower is not None else []
        told += record["adjusted_hazard_ratio"] is not None
        ratios += [found.ratio] if found else []
        raw.append(found is not None and found.p < 0.05)
        adjusted.append(gained is not None and gained < 0.05)
    print(
        f"selection, {seeds} seeds, truth 1: raw hazard ratio {np.median(ratios):.1f} in the middle, separates in {np.mean(raw):.3f}; "
        f"the gain over the covariates in {np.mean(adjusted):.3f}; the adjusted interval per standard deviation holds 1 in {np.mean(held):.3f} "
        f"of {len(held)}; an adjusted ratio of the groups is told in {told}"
    )


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--families", type=int, default=200)
    parser.add_argument("--regimens", type=int, default=15)
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--selection-only", action="store_true", help="the last simulation alone")
    parser.add_argument(
        "--three-only", action="store_true", help="sizes of the log-rank test, the gain and the restricted means alone: a third of the time"
    )
    parser.add_argument("--gain-only", action="store_true", help="size of the gain alone: half of that again")
    parser.add_argument("--seed", type=int, default=0, help="of the families: others than those of the figures")
    parser.add_argument(
        "--kinds", nargs="+", choices=KINDS, default=KINDS, metavar="KIND", help="kinds of delayed entry: " + ", ".join(KINDS)
    )
    parser.add_argument("--coverage-only", action="store_true", help="the intervals alone")
    parser.add_argument("--many-covariates", action="store_true", help="size beside 13 covariates at 70 deaths alone")
    given = parser.parse_args()
    if given.many_covariates:
        many_covariates(given.seeds)
        return
    if given.selection_only:
        selection(given.seeds)
        return
    if not given.coverage_only:
        some = given.three_only or given.gain_only
        p_of = partial(p_values_of, gain_alone=given.gain_only) if some else lambda *which: p_values(*regimen(*which))
        sizes(given.families, given.regimens, given.cases, p_of, given.kinds, given.seed)
    if given.three_only or given.gain_only:
        return
    coverage(given.seeds, given.cases)
    if not given.coverage_only:
        selection(given.seeds)


if __name__ == "__main__":
    main()
