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
SETTINGS = ("neoadjuvant", "adjuvant", "metastatic", "unknown")
NEOADJUVANT, ADJUVANT, METASTATIC, UNKNOWN = range(4)
LOCAL_KINDS = ("", "surgery", "radiation")
PROTOCOL_OF = np.full(len(OPTIONS), -1)  # the protocol that an option opens
for _number, _one in enumerate(law.PROTOCOLS):
    PROTOCOL_OF[_one.first] = _number
SECOND = np.array([one.second for one in law.PROTOCOLS])
SHARE, USUAL_DAYS = np.array([one.share for one in law.PROTOCOLS]), np.array([one.days for one in law.PROTOCOLS])
GAPS = np.array([one.gap for one in law.PROTOCOLS])
AROUND_SURGERY = np.array([one.around_surgery for one in law.PROTOCOLS])
RADIATED = np.array([law.WITH_RADIATION.get(place, 0.0) for place in range(len(OPTIONS))])
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
        setting: position in `SETTINGS`; setting_line: 1-based within it; protocol: position in `law.PROTOCOLS` or -1.
        is_chemoradiation: given with radiation; local, local_day: position in `LOCAL_KINDS` of what was done between the first day and the
        first scan, and when.
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
    setting: Integers
    setting_line: Integers
    protocol: Integers
    is_chemoradiation: Booleans
    local: Integers
    local_day: Integers
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
    """What became of each patient, days from diagnosis: death (whenever), recurrence and operation on the primary (a far day: none),
    sequencing, whether that waited for the recurrence; and the regimens."""

    death: Integers
    recurrence: Integers
    operation: Integers
    sequencing: Integers
    waits: Booleans
    regimens: Regimens


@dataclass
class _State:
    """Where everybody stands while time goes on."""

    day: Floats
    sites: Booleans
    ecog: Integers
    line: Integers
    setting_line: Integers
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
        line=np.zeros(count, dtype=np.int64), setting_line=np.zeros(count, dtype=np.int64), used=np.zeros((count, len(OPTIONS)), dtype=bool), is_null=np.zeros(count, dtype=bool),
        death=np.full(count, float(NEVER)), other=other, states=np.stack([people.states[name] for name in STATES], axis=1), found=[],
        grew=np.full(count, -float(NEVER)), grown=np.zeros(count, dtype=np.int64), quick=np.zeros(count, dtype=bool),
    )  # fmt: skip
    early = people.stage < 4
    comes_back = early & draws.chance("recurs", people.of("recurs") * np.choose(np.minimum(people.stage, 3) - 1, (0.75, 1.0, 1.25)))
    wait = draws.lognormal("recurrence", people.of("recurrence_days") * np.choose(np.minimum(people.stage, 3) - 1, (1.3, 1.0, 0.8)), 0.8)
    recurrence = np.where(comes_back, np.floor(wait) + 120, NEVER)
    nobody = np.empty(0, dtype=np.int64)  # so that there is a table also where nobody is treated
    _add(people, state, nobody, nobody, "nobody", np.empty(0), np.empty(0, dtype=bool), is_early=True, setting=nobody)
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


def _early_courses(people: People, state: _State, recurrence: Floats) -> Integers:
    """Up to three courses for early disease, those of one protocol among them; before surgery they may respond, after it there is
    nothing to see. The day of the operation, far in the future if none."""
    draws, count = people.draws, len(people.number)
    goes_on = (people.stage < 4) & draws.chance("treated early", people.of("local_treated"))
    comes_first = goes_on & draws.chance("neoadjuvant", 0.3)  # drugs before the operation, while it lasts
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
        regimen = _add(people, state, who, option, f"early {course}", planned, ~first, is_early=True, setting=setting, protocol=of)
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
        regimen = _add(
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
    people: People,
    state: _State,
    who: Integers,
    option: Integers,
    name: str,
    planned: Floats | None,
    is_dry: Booleans,
    *,
    is_early: bool,
    setting: Integers,
    protocol: Integers | None = None,
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
    is_chemoradiation = mine.chance(f"{name} radiated", RADIATED[option])
    planned = np.where(is_chemoradiation, np.minimum(planned, start + mine.whole(f"{name} radiation days", 33, 43)), planned)
    local = np.where(mine.chance(f"{name} local", np.array(law.LOCAL_TREATMENT)[response]), 1 + mine.chance(f"{name} local kind", 0.4), 0)
    local = np.where(is_chemoradiation, 0, local)
    protocol = np.full(len(who), -1) if protocol is None else protocol
    state.setting_line[who] += protocol < 0
    state.is_null[who] |= is_null
    state.other[who[is_null]] = NEVER  # age must not tell either
    before = state.sites[who].copy()
    grown = spread(people.cancer[who], mine, before, mine.chance(f"{name} new site", 0.37).astype(np.int64), name)
    assert planned is not None
    regimen = Regimens(
        person=who, option=option, start=start, stop=np.maximum(np.floor(planned).astype(np.int64), start + 1),
        progression=np.where(is_dry, NEVER, progression), line=state.line[who] + 1, response=response, probability=probability,
        hazard=_hazard(people, state, who, response), setting=setting, setting_line=np.maximum(state.setting_line[who], 1) if not is_early else np.ones(len(who), dtype=np.int64),
        protocol=protocol.copy(), is_chemoradiation=is_chemoradiation, local=local, local_day=start + mine.whole(f"{name} local day", 6, 32),
        is_early=np.full(len(who), is_early), is_growing=is_growing, ecog=state.ecog[who].copy(),
        sites_before=np.where(is_dry[:, None], False, before), sites_on=_remaining(mine, before, np.where((local > 0) & (response == SD), PR, response), name), sites_after=grown,
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
