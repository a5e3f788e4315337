"""The course of the twin's patients from diagnosis to death: courses for early disease, recurrence, line after line after that.

Everybody moves together, one regimen a turn. The true probability of response hangs on the effects of `twin_regimens`; what
follows (sites, progression, hazard of death, the next line) hangs on the response that was drawn.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from oncoraft.twin import regimens as law
from oncoraft.twin.draws import Booleans, Draws, Floats, Integers
from oncoraft.twin.parameters import BRAIN, CANCERS, LIVER, OTHER_CAUSE_MONTHS, SITES
from oncoraft.twin.people import DAYS_PER_MONTH, STATES, People, spread
from oncoraft.twin.regimens import OPTIONS

LINES = 8  # of metastatic disease, at most
LONG_AGENTS = law.ENDOCRINE | {"TAMOXIFEN", "ANASTROZOLE", "BICALUTAMIDE", "DEGARELIX"}
IS_NULL = np.array([option.is_null for option in OPTIONS])
INTERCEPTS = np.array([option.intercept for option in OPTIONS])
IS_LONG = np.array([bool(set(option.agents) & LONG_AGENTS) for option in OPTIONS])
NEED = np.array([STATES.index(option.needs) if option.needs else -1 for option in OPTIONS])
CR, PR, SD, PD, NED = range(5)
HAZARD = np.array([*law.HAZARD_BY_RESPONSE.values(), 1.0])
MONTHS_TO_PROGRESSION = np.array([*law.DAYS_TO_PROGRESSION.values(), 0.0])


def _tables() -> tuple[Floats, Floats, list[Floats], Floats]:
    """Weights of every option by cancer type (first, later, each early course), and effect of every state on every option."""
    first, later = np.zeros((5, len(OPTIONS))), np.zeros((5, len(OPTIONS)))
    courses = [np.zeros((5, len(OPTIONS))) for _ in range(3)]
    place = 0
    for cancer, group in enumerate(law.METASTATIC):
        for option in group:
            first[cancer, place], later[cancer, place] = option.first + 0.01, option.later + 0.01
            place += 1
    for cancer, early in enumerate(law.LOCAL):
        for number, course in enumerate(early):
            for option in course:
                courses[number][cancer, place] = option.first
                place += 1
    effects = np.zeros((len(STATES), len(OPTIONS)))
    for state, agents, effect in law.BIOMARKERS:
        touched = [bool(agents & set(option.agents)) for option in OPTIONS]
        effects[STATES.index(state)] += effect * np.array(touched)
    return first, later, courses, effects


FIRST, LATER, COURSES, EFFECTS = _tables()


@dataclass
class Regimens:
    """One entry a regimen started; days from diagnosis, sorted by patient and start once `live` returns.

    Attributes:
        person: row of the patient; option: position in `OPTIONS`; start, stop, progression: days; line: 1-based, over all phases.
        response: position in `RESPONSES`; probability: of CR or PR; hazard: deaths per month from the start on, at this response.
        is_early: given for early disease; is_growing: the scan before it shows growth; ecog: at the start; sites_before, sites_on, sites_after: imaging sites at the start,
        under response, once progressed, shape (n, 10).
    """

    person: Integers
    option: Integers
    start: Integers
    stop: Integers
    progression: Integers
    line: Integers
    response: Integers
    probability: Floats
    hazard: Floats
    is_early: Booleans
    is_growing: Booleans
    ecog: Integers
    sites_before: Booleans
    sites_on: Booleans
    sites_after: Booleans

    def take(self, rows: Integers | Booleans) -> Regimens:
        """Some of them."""
        return Regimens(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})


@dataclass
class Lives:
    """What became of each patient, days from diagnosis: death (whenever), recurrence (a far day: none), sequencing; and the regimens."""

    death: Integers
    recurrence: Integers
    sequencing: Integers
    regimens: Regimens


@dataclass
class _State:
    """Where everybody stands while time goes on."""

    day: Floats
    sites: Booleans
    ecog: Integers
    line: Integers
    used: Booleans
    is_null: Booleans
    death: Floats
    other: Floats
    states: Booleans
    grew: Floats  # day of the last progression
    grown: Integers  # progressions so far
    quick: Booleans  # the last regimen held for a short time
    found: list[Regimens]


NEVER = 90_000


def live(people: People) -> Lives:
    """Everybody's course."""
    draws, count = people.draws, len(people.number)
    other = draws.exponential("other cause", OTHER_CAUSE_MONTHS * DAYS_PER_MONTH * np.exp(-0.06 * (people.age - 65))) + 60
    state = _State(
        day=draws.lognormal("first day", people.of("first_treatment_days"), 0.6), sites=people.sites.copy(), ecog=people.ecog.copy(),
        line=np.zeros(count, dtype=np.int64), used=np.zeros((count, len(OPTIONS)), dtype=bool), is_null=np.zeros(count, dtype=bool),
        death=np.full(count, float(NEVER)), other=other, states=np.stack([people.states[name] for name in STATES], axis=1), found=[],
        grew=np.full(count, -float(NEVER)), grown=np.zeros(count, dtype=np.int64), quick=np.zeros(count, dtype=bool),
    )  # fmt: skip
    early = people.stage < 4
    comes_back = early & draws.chance("recurs", people.of("recurs") * np.choose(np.minimum(people.stage, 3) - 1, (0.75, 1.0, 1.25)))
    wait = draws.lognormal("recurrence", people.of("recurrence_days") * np.choose(np.minimum(people.stage, 3) - 1, (1.3, 1.0, 0.8)), 0.8)
    recurrence = np.where(comes_back, np.floor(wait) + 120, NEVER)
    nobody = np.empty(0, dtype=np.int64)  # so that there is a table also where nobody is treated
    _add(people, state, nobody, nobody, "nobody", np.empty(0), np.empty(0, dtype=bool), is_early=True)
    _early_courses(people, state, recurrence)
    waits = comes_back & draws.chance("sequenced at recurrence", 0.4)
    sequencing = np.where(waits, recurrence + np.floor(draws.exponential("after recurrence", 70)) + 5, people.delay)
    _recur(people, state, comes_back, recurrence)
    _lines(people, state, ~early | (comes_back & (recurrence < other)))
    death = np.floor(np.minimum(state.death, state.other)).astype(np.int64)
    parts = {
        field.name: np.concatenate([getattr(one, field.name) for one in state.found]) for field in fields(Regimens)
    }  # in turns; sorted below
    regimens = Regimens(**parts)
    return Lives(
        death, recurrence.astype(np.int64), sequencing.astype(np.int64), regimens.take(np.lexsort((regimens.start, regimens.person)))
    )


def _early_courses(people: People, state: _State, recurrence: Floats) -> None:
    """Up to three courses for early disease; before surgery they may respond, after it there is nothing to see."""
    draws = people.draws
    goes_on = (people.stage < 4) & draws.chance("treated early", people.of("local_treated"))
    before_surgery = draws.chance("neoadjuvant", 0.3)
    for course in range(3):
        weights = np.where(_allowed(state.states), COURSES[course][people.cancer], 0.0)
        who = np.flatnonzero(goes_on & (weights.sum(axis=1) > 0) & (state.day < recurrence - 60) & (state.day < state.other))
        if not len(who):
            break
        mine = draws[who]
        option = mine.choice(f"early {course}", weights[who])
        long = IS_LONG[option]
        days = np.where(long, mine.lognormal(f"early days {course}", 900, 0.6), mine.lognormal(f"early days {course}", 95, 0.35))
        stop = np.minimum(state.day[who] + days, recurrence[who])
        evaluable = before_surgery[who] & (course == 0)
        _add(people, state, who, option, f"early {course}", stop, ~evaluable, is_early=True)
        state.day[who] = stop + mine.whole(f"early gap {course}", 10, 30)
        later = np.array([[*chances, 0.0, 0.0][course] for chances in law.LOCAL_CONTINUES])[people.cancer]
        goes_on &= draws.chance(f"early goes on {course}", later) & ~np.isin(np.arange(len(goes_on)), who[long])
    operated = (people.stage < 4) & draws.chance("organ gone", 0.85)
    state.sites[operated] = False


def _recur(people: People, state: _State, comes_back: Booleans, recurrence: Floats) -> None:
    """The disease at recurrence: one to three sites, a new start of treatment."""
    count = np.where(comes_back, 1 + people.draws.choice("recurrence count", (0.5, 0.35, 0.15)), 0)
    state.sites = spread(people.cancer, people.draws, state.sites, count, "recurrence")
    state.grew, state.grown = np.where(comes_back, recurrence, state.grew), state.grown + comes_back
    state.day = np.where(comes_back, np.maximum(recurrence + people.draws.whole("recurrence wait", 8, 45), state.day), state.day)
    state.ecog = np.where(comes_back, np.clip(state.ecog + people.draws.chance("recurrence ecog", 0.15), 0, 3), state.ecog)


def _allowed(states: Booleans) -> Booleans:
    """Which options each patient's states allow, shape (n, options)."""
    return np.where(NEED < 0, True, states[:, np.maximum(NEED, 0)])


def _lines(people: People, state: _State, active: Booleans) -> None:
    """Line after line of metastatic disease until death; those never treated die of it too."""
    draws = people.draws
    treated = draws.chance("treated", people.of("treated"))
    rate = 1.0 / (people.of("death_months") * DAYS_PER_MONTH)
    untreated = np.flatnonzero(active & ~treated)
    state.death[untreated] = state.day[untreated] + draws[untreated].exponential("untreated death", 0.7 / rate[untreated])
    active = active & treated
    for turn in range(LINES):
        who = np.flatnonzero(active & (state.day < state.other))
        if not len(who):
            break
        mine = draws[who]
        weights = np.where((turn == 0), FIRST[people.cancer[who]], LATER[people.cancer[who]])
        weights = np.where(_allowed(state.states[who]) & ~state.used[who], weights, 0.0)
        option = mine.choice(f"option {turn}", weights)
        regimen = _add(people, state, who, option, f"line {turn}", None, np.zeros(len(who), dtype=bool), is_early=False)
        goes_on = mine.chance(f"goes on {turn}", np.where(state.ecog[who] >= 2, 0.75, 0.93)) & (turn + 1 < LINES)
        rests = np.where(regimen.response <= PR, regimen.progression, 0)  # a response is not given up before it ends
        following = np.maximum(np.maximum(regimen.stop, rests) + mine.whole(f"gap {turn}", 6, 40), regimen.start + 34)
        active[who] = _survive(state, who, regimen, goes_on, following, mine.exponential(f"death {turn}", 1.0))
        state.used[who, option] = True
        state.day[who] = following
        state.ecog[who] = np.minimum(state.ecog[who] + mine.chance(f"decline {turn}", 0.14), 3)
        state.sites[who] = regimen.sites_after
        _progress(state, who, regimen)


def _progress(state: _State, who: Integers, regimen: Regimens) -> None:
    """Whether the disease grew before the next line, and how long the last one held."""
    grew = regimen.progression < state.day[who]
    state.grew[who[grew]] = regimen.progression[grew]
    state.grown[who] += grew
    state.quick[who] = grew & (regimen.progression - regimen.start < law.QUICK_DAYS)


def _survive(state: _State, who: Integers, regimen: Regimens, goes_on: Booleans, following: Integers, luck: Floats) -> Booleans:
    """Draw death from the regimen's hazard, half again as high once treatment has ended for good; who lives to the next line."""
    rate = regimen.hazard / DAYS_PER_MONTH
    safe = np.where((regimen.response <= PR) & ~state.is_null[who], law.SAFE_DAYS, 0)
    luck = luck + safe * rate
    until = np.where(goes_on, following, np.where(state.is_null[who], NEVER, regimen.stop + 30)) - regimen.start
    spent = rate * until
    dies = luck < spent
    after = np.where(goes_on, float(NEVER), until + (luck - spent) / (1.5 * rate))
    death = regimen.start + np.where(dies, luck / rate, after)
    state.death[who] = np.minimum(np.maximum(death, regimen.start + 4.0), NEVER)
    alive = ~dies & goes_on
    state.death[who[alive]] = NEVER
    return alive


def _logit(people: People, state: _State, who: Integers, option: Integers) -> Floats:
    """The logit of response, before noise."""
    logit = law.INTERCEPT + INTERCEPTS[option] + np.array(law.ECOG_EFFECT)[state.ecog[who]]
    logit += law.LINE_EFFECT * np.minimum(state.line[who], 4) + law.LIVER_EFFECT * state.sites[who, LIVER]
    logit += law.STAGE_FOUR_EFFECT * (people.stage[who] == 4) + law.BRAIN_EFFECT * state.sites[who, BRAIN]
    logit += (
        law.QUICK_EFFECT * state.quick[who] + law.PROGRESSIONS_EFFECT * np.minimum(state.grown[who], 3) + law.BULK_EFFECT * people.bulk[who]
    )
    logit += law.SITES_EFFECT * np.clip(state.sites[who].sum(axis=1) - 1, 0, 4)
    logit += law.TP53_EFFECT * people.states["TP53"][who] + law.OLD_EFFECT * (people.age[who] >= 75)
    return logit + (state.states[who] * EFFECTS[:, option].T).sum(axis=1)


def _add(
    people: People, state: _State, who: Integers, option: Integers, name: str, planned: Floats | None, is_dry: Booleans, *, is_early: bool
) -> Regimens:
    """Start a regimen: draw its response and what follows from it; `is_dry`: no disease is left that could respond
    (the probability is then what it would be with disease)."""
    mine = people.draws[who]
    lately = state.day[who] - state.grew[who] < law.RECENT_DAYS
    is_growing = mine.chance(f"{name} grows", np.where(is_early, 0.03, np.where(lately, law.GROWING[1], law.GROWING[0]))) & ~is_dry
    logit = law.SIGNAL * (
        _logit(people, state, who, option) + law.GROWING_EFFECT * is_growing + mine.normal(f"{name} noise", 0, law.NOISE_DEVIATION)
    )
    is_null = IS_NULL[option] & (not is_early)
    probability = np.where(is_null, law.NULL_RATE, 1 / (1 + np.exp(-logit)))
    responds = mine.chance(f"{name} responds", probability)
    stable = mine.chance(f"{name} stable", np.where(is_null, 0.5, 1 / (1 + np.exp(-0.5 * logit - 0.35))))
    response = np.where(responds, np.where(mine.chance(f"{name} complete", law.COMPLETE_SHARE), CR, PR), np.where(stable, SD, PD))
    response = np.where(is_dry, NED, response)
    start: Integers = np.floor(state.day[who]).astype(np.int64)
    days = MONTHS_TO_PROGRESSION[response] * mine.lognormal(f"{name} progression", 1.0, 0.3)
    days = np.where(response == SD, np.maximum(days, 125), days)
    progression = start + np.floor(days).astype(np.int64)
    if planned is None:
        stopped = mine.chance(f"{name} stopped early", 0.42)
        part = np.where(stopped, mine.uniform(f"{name} part", 0.15, 0.9), 1.0)
        planned = np.asarray(start + np.minimum(days * part + 6.0, np.where(IS_LONG[option], 1500.0, 800.0)), dtype=np.float64)
    state.is_null[who] |= is_null
    state.other[who[is_null]] = NEVER  # age must not tell either
    before = state.sites[who].copy()
    grown = spread(people.cancer[who], mine, before, mine.chance(f"{name} new site", 0.37).astype(np.int64), name)
    assert planned is not None
    regimen = Regimens(
        person=who, option=option, start=start, stop=np.maximum(np.floor(planned).astype(np.int64), start + 1),
        progression=np.where(is_dry, NEVER, progression), line=state.line[who] + 1, response=response, probability=probability,
        hazard=_hazard(people, state, who, response), is_early=np.full(len(who), is_early), is_growing=is_growing, ecog=state.ecog[who].copy(),
        sites_before=np.where(is_dry[:, None], False, before), sites_on=_remaining(mine, before, response, name), sites_after=grown,
    )  # fmt: skip
    state.line[who] += 1
    state.found.append(regimen)
    return regimen


def _hazard(people: People, state: _State, who: Integers, response: Integers) -> Floats:
    """Deaths per month, at a state and a response; from the first null regimen on the cancer type's own rate."""
    factor = np.array(law.ECOG_HAZARD)[state.ecog[who]] * HAZARD[response] * np.exp(law.FRAILTY_DEVIATION * people.frailty[who])
    factor *= np.where(state.sites[who, LIVER], law.LIVER_HAZARD, 1.0) * np.where(people.states["TP53"][who], law.TP53_HAZARD, 1.0)
    factor *= np.where(people.stage[who] == 4, law.STAGE_FOUR_HAZARD, 1.0)
    return np.where(state.is_null[who], 1.4, factor) / people.of("death_months")[who]


def _remaining(draws: Draws, before: Booleans, response: Integers, name: str) -> Booleans:
    """Sites under a response: none with CR, three fifths (rounded down) with PR, all with SD and PD."""
    order = np.stack([draws.uniform(f"{name} keeps {site}") for site in range(len(SITES))], axis=1)
    rank = np.argsort(np.argsort(np.where(before, order, 2.0), axis=1), axis=1)
    share = np.array([0.0, 0.6, 1.0, 1.0, 0.0])[response]
    return before & (rank < np.floor(share * before.sum(axis=1) + 1e-9)[:, None])


def death_rates() -> dict[str, float]:
    """Deaths per month in a null regimen, by cancer type."""
    return {cancer.name: 1.4 / cancer.death_months for cancer in CANCERS}
