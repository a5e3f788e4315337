"""A regimen of the twin as it starts: the true probability of response, the response drawn, and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from oncoraft.twin import regimens as law
from oncoraft.twin.draws import Booleans, Draws, Floats, Integers
from oncoraft.twin.parameters import BRAIN, CANCERS, LIVER, SITES
from oncoraft.twin.people import STATES, People, spread
from oncoraft.twin.regimens import OPTIONS

LONG_AGENTS = law.ENDOCRINE | {"TAMOXIFEN", "ANASTROZOLE", "BICALUTAMIDE", "DEGARELIX"}
IS_NULL = np.array([option.is_null for option in OPTIONS])
INTERCEPTS = np.array([option.intercept for option in OPTIONS])
IS_LONG = np.array([bool(set(option.agents) & LONG_AGENTS) for option in OPTIONS])
NEED = np.array([STATES.index(option.needs) if option.needs else -1 for option in OPTIONS])
CR, PR, SD, PD, NED = range(5)
SETTINGS = ("neoadjuvant", "adjuvant", "metastatic", "unknown")
NEOADJUVANT, ADJUVANT, METASTATIC, UNKNOWN = range(4)
LOCAL_KINDS = ("", "surgery", "radiation")
NEVER = 90_000
RADIATED = np.array([law.WITH_RADIATION.get(place, 0.0) for place in range(len(OPTIONS))])
HAZARD = np.array([*law.HAZARD_BY_RESPONSE.values(), 1.0])
MONTHS_TO_PROGRESSION = np.array([*law.DAYS_TO_PROGRESSION.values(), 0.0])


def _effects() -> Floats:
    """Effect of every state on every option, shape (states, options)."""
    effects = np.zeros((len(STATES), len(OPTIONS)))
    for state, agents, effect in law.BIOMARKERS:
        touched = [bool(agents & set(option.agents)) for option in OPTIONS]
        effects[STATES.index(state)] += effect * np.array(touched)
    return effects


EFFECTS = _effects()


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
class State:
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


def _logit(people: People, state: State, who: Integers, option: Integers) -> Floats:
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


def add_regimen(
    people: People,
    state: State,
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
    # Beyond the 120 days in which a scan decides, or stable disease would be labelled progression.
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
        # Local treatment takes sites away under stable disease, so that a scan reads it as a response to the drug (docs/twin.md).
        sites_before=np.where(is_dry[:, None], False, before), sites_on=_remaining(mine, before, np.where((local > 0) & (response == SD), PR, response), name), sites_after=grown,
    )  # fmt: skip
    state.line[who] += 1
    state.found.append(regimen)
    return regimen


def _hazard(people: People, state: State, who: Integers, response: Integers) -> Floats:
    """Deaths per month, at a state and a response; from the first null regimen on the cancer type's own rate."""
    factor = np.array(law.ECOG_HAZARD)[state.ecog[who]] * HAZARD[response] * np.exp(law.FRAILTY_DEVIATION * people.frailty[who])
    factor *= np.where(state.sites[who, LIVER], law.LIVER_HAZARD, 1.0) * np.where(people.states["TP53"][who], law.TP53_HAZARD, 1.0)
    factor *= np.where(people.stage[who] == 4, law.STAGE_FOUR_HAZARD, 1.0)
    return np.where(state.is_null[who], 1.4, factor) / people.of("death_months")[who]


def _remaining(draws: Draws, before: Booleans, response: Integers, name: str) -> Booleans:
    """Sites under a response: none with CR, three fifths (rounded down) with PR, all with SD and PD."""
    order = np.stack([draws.uniform(f"{name} keeps {site}") for site in range(len(SITES))], axis=1)
    rank = np.argsort(np.argsort(np.where(before, order, 2.0), axis=1), axis=1)
    # With PR two fifths or more are gone, above the 30 % from which the strict label says so.
    share = np.array([0.0, 0.6, 1.0, 1.0, 0.0])[response]
    return before & (rank < np.floor(share * before.sum(axis=1) + 1e-9)[:, None])


def death_rates() -> dict[str, float]:
    """Deaths per month in a null regimen, by cancer type."""
    return {cancer.name: 1.4 / cancer.death_months for cancer in CANCERS}
