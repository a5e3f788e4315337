"""The course of the twin's patients from diagnosis to death: courses for early disease, recurrence, line after line after that.

Everybody moves together, one regimen a turn. The true probability of response hangs on the effects of `twin_regimens`; what
follows (sites, progression, hazard of death, the next line) hangs on the response that was drawn.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from oncoraft.twin import regimens as law
from oncoraft.twin.draws import Booleans, Draws, Floats, Integers
from oncoraft.twin.parameters import OTHER_CAUSE_MONTHS
from oncoraft.twin.people import DAYS_PER_MONTH, STATES, People, spread
from oncoraft.twin.regimens import OPTIONS
from oncoraft.twin.response import ADJUVANT, IS_LONG, METASTATIC, NEED, NEOADJUVANT, NEVER, PR, SD, UNKNOWN, Regimens, State, add_regimen

LINES = 8  # of metastatic disease, at most
PROTOCOL_OF = np.full(len(OPTIONS), -1)  # the protocol that an option opens
for _number, _one in enumerate(law.PROTOCOLS):
    PROTOCOL_OF[_one.first] = _number
SECOND = np.array([one.second for one in law.PROTOCOLS])
SHARE, USUAL_DAYS = np.array([one.share for one in law.PROTOCOLS]), np.array([one.days for one in law.PROTOCOLS])
GAPS = np.array([one.gap for one in law.PROTOCOLS])
AROUND_SURGERY = np.array([one.around_surgery for one in law.PROTOCOLS])


def _tables() -> tuple[Floats, Floats, list[Floats]]:
    """Weights of every option by cancer type (first, later, each early course)."""
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
    return first, later, courses


FIRST, LATER, COURSES = _tables()


@dataclass
class Lives:
    """What became of each patient, days from diagnosis: death (whenever), recurrence and operation on the primary (a far day: none),
    sequencing, whether that waited for the recurrence; and the regimens."""

    death: Integers
    recurrence: Integers
    operation: Integers
    sequencing: Integers
    waits: Booleans
    regimens: Regimens


def live(people: People) -> Lives:
    """Everybody's course."""
    draws, count = people.draws, len(people.number)
    other = draws.exponential("other cause", OTHER_CAUSE_MONTHS * DAYS_PER_MONTH * np.exp(-0.06 * (people.age - 65))) + 60
    state = State(
        day=draws.lognormal("first day", people.of("first_treatment_days"), 0.6), sites=people.sites.copy(), ecog=people.ecog.copy(),
        line=np.zeros(count, dtype=np.int64), setting_line=np.zeros(count, dtype=np.int64), used=np.zeros((count, len(OPTIONS)), dtype=bool), is_null=np.zeros(count, dtype=bool),
        death=np.full(count, float(NEVER)), other=other, states=np.stack([people.states[name] for name in STATES], axis=1), found=[],
        grew=np.full(count, -float(NEVER)), grown=np.zeros(count, dtype=np.int64), quick=np.zeros(count, dtype=bool),
    )  # fmt: skip
    early = people.stage < 4
    comes_back = early & draws.chance("recurs", people.of("recurs") * np.choose(np.minimum(people.stage, 3) - 1, (0.75, 1.0, 1.25)))
    wait = draws.lognormal("recurrence", people.of("recurrence_days") * np.choose(np.minimum(people.stage, 3) - 1, (1.3, 1.0, 0.8)), 0.8)
    recurrence = np.where(comes_back, np.floor(wait) + 120, NEVER)
    nobody = np.empty(0, dtype=np.int64)  # so that there is a table also where nobody is treated
    add_regimen(people, state, nobody, nobody, "nobody", np.empty(0), np.empty(0, dtype=bool), is_early=True, setting=nobody)
    operation = _early_courses(people, state, recurrence)
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
        death,
        recurrence.astype(np.int64),
        operation,
        sequencing.astype(np.int64),
        waits,
        regimens.take(np.lexsort((regimens.start, regimens.person))),
    )


def _early_courses(people: People, state: State, recurrence: Floats) -> Integers:
    """Up to three courses for early disease, those of one protocol among them; before surgery they may respond, after it there is
    nothing to see. The day of the operation, far in the future if none."""
    draws, count = people.draws, len(people.number)
    goes_on = (people.stage < 4) & draws.chance("treated early", people.of("local_treated"))
    comes_first = goes_on & draws.chance("neoadjuvant", 0.3)  # drugs before the operation, while it lasts
    state.day = np.where(comes_first, np.minimum(draws.lognormal("neoadjuvant day", *law.DAYS_TO_NEOADJUVANT), state.day), state.day)
    operated = (people.stage < 4) & draws.chance("organ gone", 0.85)
    operation = np.maximum(np.floor(state.day).astype(np.int64) - draws.whole("operated before", 18, 55), 1)
    forced = np.full(count, -1)  # the protocol whose second part is next
    for course in range(3):
        weights = np.where(_allowed(state.states), COURSES[course][people.cancer], 0.0)
        ready = (state.day < recurrence - 60) & (state.day < state.other)
        who = np.flatnonzero(ready & ((goes_on & (weights.sum(axis=1) > 0)) | (forced >= 0)))
        if not len(who):
            break
        mine, of = draws[who], forced[who]
        option = np.where(of >= 0, SECOND[of], mine.choice(f"early {course}", weights[who]))
        first = comes_first[who]
        setting = np.where(~operated[who], UNKNOWN, np.where(first, NEOADJUVANT, ADJUVANT))
        planned = np.minimum(state.day[who] + _early_days(mine, option, f"early days {course}"), recurrence[who])
        regimen = add_regimen(people, state, who, option, f"early {course}", planned, ~first, is_early=True, setting=setting, protocol=of)
        opens = np.where(of < 0, PROTOCOL_OF[option], -1)
        opens = np.where((opens >= 0) & mine.chance(f"early protocol {course}", SHARE[opens]), opens, -1)
        regimen.protocol[opens >= 0] = opens[opens >= 0]
        gap = mine.whole(f"early gap {course}", np.where(opens >= 0, GAPS[opens, 0], 10), np.where(opens >= 0, GAPS[opens, 1], 30))
        cut = first & ((opens < 0) | AROUND_SURGERY[opens])
        operation[who[cut]] = regimen.stop[cut] + mine[cut].whole("operated after", 21, 45)
        state.day[who] = np.where(cut, operation[who] + mine.whole("recovers", 21, 45), regimen.stop + gap)
        comes_first[who[cut]] = False
        forced[:] = -1
        forced[who] = opens
        later = np.array([[*chances, 0.0, 0.0][course] for chances in law.LOCAL_CONTINUES])[people.cancer]
        goes_on &= draws.chance(f"early goes on {course}", later) & ~np.isin(np.arange(count), who[IS_LONG[option]])
    state.sites[operated] = False
    state.setting_line[:] = 0
    return np.where(operated & (operation < recurrence - 20), operation, NEVER)


def _early_days(draws: Draws, option: Integers, name: str) -> Floats:
    """How long a course for early disease is given."""
    protocol = PROTOCOL_OF[option]
    usual = np.where(IS_LONG[option], 900.0, np.where(protocol >= 0, USUAL_DAYS[protocol], 85.0))
    return draws.lognormal(name, usual, np.where(IS_LONG[option], 0.6, np.where(protocol >= 0, 0.12, 0.3)))


def _recur(people: People, state: State, comes_back: Booleans, recurrence: Floats) -> None:
    """The disease at recurrence: one to three sites, a new start of treatment."""
    count = np.where(comes_back, 1 + people.draws.choice("recurrence count", (0.5, 0.35, 0.15)), 0)
    state.sites = spread(people.cancer, people.draws, state.sites, count, "recurrence")
    state.grew, state.grown = np.where(comes_back, recurrence, state.grew), state.grown + comes_back
    state.day = np.where(comes_back, np.maximum(recurrence + people.draws.whole("recurrence wait", 8, 45), state.day), state.day)
    state.ecog = np.where(comes_back, np.clip(state.ecog + people.draws.chance("recurrence ecog", 0.15), 0, 3), state.ecog)


def _allowed(states: Booleans) -> Booleans:
    """Which options each patient's states allow, shape (n, options)."""
    return np.where(NEED < 0, True, states[:, np.maximum(NEED, 0)])


def _lines(people: People, state: State, active: Booleans) -> None:
    """Line after line of metastatic disease until death; those never treated die of it too."""
    draws = people.draws
    treated = draws.chance("treated", people.of("treated"))
    rate = 1.0 / (people.of("death_months") * DAYS_PER_MONTH)
    untreated = np.flatnonzero(active & ~treated)
    state.death[untreated] = state.day[untreated] + draws[untreated].exponential("untreated death", 0.7 / rate[untreated])
    active = active & treated
    forced = np.full(len(people.number), -1)
    for turn in range(LINES):
        who = np.flatnonzero(active & (state.day < state.other))
        if not len(who):
            break
        mine, of = draws[who], forced[who]
        weights = np.where((turn == 0), FIRST[people.cancer[who]], LATER[people.cancer[who]])
        weights = np.where(_allowed(state.states[who]) & ~state.used[who], weights, 0.0)
        option = np.where(of >= 0, SECOND[of], mine.choice(f"option {turn}", weights))
        setting = np.full(len(who), METASTATIC)
        regimen = add_regimen(
            people, state, who, option, f"line {turn}", None, np.zeros(len(who), dtype=bool), is_early=False, setting=setting, protocol=of
        )
        opens = _opens(mine, regimen, f"protocol {turn}")
        forced[who] = opens
        goes_on = (mine.chance(f"goes on {turn}", np.where(state.ecog[who] >= 2, 0.75, 0.93)) | (opens >= 0)) & (turn + 1 < LINES)
        rests = np.where((regimen.response <= PR) & (opens < 0), regimen.progression, 0)  # a response is not given up before it ends
        gap = mine.whole(f"gap {turn}", np.where(opens >= 0, GAPS[opens, 0], 6), np.where(opens >= 0, GAPS[opens, 1], 40))
        following = np.maximum(np.maximum(regimen.stop, rests) + gap, regimen.start + 34)
        active[who] = _survive(state, who, regimen, goes_on, following, mine.exponential(f"death {turn}", 1.0))
        state.used[who, option] = True
        state.day[who] = following
        state.ecog[who] = np.minimum(state.ecog[who] + mine.chance(f"decline {turn}", 0.14), 3)
        state.sites[who] = np.where((opens >= 0)[:, None], regimen.sites_on, regimen.sites_after)
        _progress(state, who, regimen)


def _opens(draws: Draws, regimen: Regimens, name: str) -> Integers:
    """The protocol whose second part follows each regimen, -1 for none; the first part then ends on time."""
    opens = np.where(regimen.protocol < 0, PROTOCOL_OF[regimen.option], -1)
    opens = np.where((opens >= 0) & (regimen.response <= SD) & draws.chance(name, SHARE[opens]), opens, -1)
    ends = regimen.start + (USUAL_DAYS[opens] * draws.uniform(f"{name} days", 0.85, 1.1)).astype(np.int64)
    opens = np.where(ends + 25 < regimen.progression, opens, -1)
    regimen.stop[opens >= 0] = ends[opens >= 0]
    regimen.protocol[opens >= 0] = opens[opens >= 0]
    return opens


def _progress(state: State, who: Integers, regimen: Regimens) -> None:
    """Whether the disease grew before the next line, and how long the last one held."""
    grew = regimen.progression < state.day[who]
    state.grew[who[grew]] = regimen.progression[grew]
    state.grown[who] += grew
    state.quick[who] = grew & (regimen.progression - regimen.start < law.QUICK_DAYS)


def _survive(state: State, who: Integers, regimen: Regimens, goes_on: Booleans, following: Integers, luck: Floats) -> Booleans:
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
