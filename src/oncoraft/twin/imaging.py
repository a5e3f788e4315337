"""Imaging of the twin: when patients are scanned, what is seen, and what the language processing makes of the report.

Half of the regimens are imaged too late, or not at all, for the window in which response is judged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from oncoraft.twin import traps
from oncoraft.twin.cohort import Cohort
from oncoraft.twin.draws import Booleans, Draws, Floats, Integers, expand
from oncoraft.twin.parameters import CANCERS, SITES
from oncoraft.twin.response import NEVER

FIRST_SCAN, SCAN_GAP = 52, 68  # days from the first dose, and between scans on treatment
QUIET_GAP, WATCH_GAP = 100, 185  # days between scans off treatment, and without evidence of disease
IMAGED, IMAGED_EARLY = 0.47, 0.20  # share of regimens imaged within the window, and of courses for early disease
WRONG = 0.04  # share of verdicts that the language processing gets wrong
UNCERTAIN, UNCERTAIN_PRESENCE = 0.14, 0.025  # share that stays Indeterminate
GROWTH_TOLD, GROWTH_IMAGINED = 0.93, 0.03  # a report says that the disease grows, if and unless it does
STILL_PROGRESSING = 0.5  # a scan after the one that first shows progression says so again
SECOND_REPORT = 0.18  # another modality on the same day
MENTIONED = 0.99  # reports with cancer that name a site
PROCEDURES = ("CT", "MR", "PET", "Submitted Films")
REGION_SHARES = np.array(
    [[0.81, 0.55, 0.56, 0.06, 0.05], [0.05, 0.1, 0.12, 0.23, 0.66], [0.01, 0.01, 0.01, 0.59, 0.41], [0.5, 0.4, 0.4, 0.1, 0.2]]
)
COLOURS = {"Y": "#D62727", "N": "#2AA02B", "Indeterminate": "#7F7F7F"}


@dataclass
class Scans:
    """Scan days: person, day from sequencing, sites in view of truth, chance that the disease has progressed since the scan before."""

    person: Integers
    day: Integers
    sites: Booleans
    progressed: Floats
    draws: Draws


def scan_days(cohort: Cohort) -> Scans:
    """Every scan of every patient, true state included."""
    parts = [_on_treatment(cohort), _baseline(cohort), _off_treatment(cohort), _untreated(cohort), _recurrence(cohort)]
    person, day, sites, progressed = (np.concatenate([part[place] for part in parts]) for place in range(4))
    keep = cohort.on_record(person, day) & _has_radiology(cohort)[person]
    person, day, sites, progressed = person[keep], day[keep], sites[keep], progressed[keep]
    # A stable sort: of several scans on one day the one of the earlier part stays, a scan on treatment before all others.
    order = np.lexsort((day, person))
    person, day, sites, progressed = person[order], day[order], sites[order], progressed[order]
    first = np.concatenate([[True], (person[1:] != person[:-1]) | (day[1:] != day[:-1])])
    person, day, sites, progressed = person[first], day[first], sites[first], progressed[first]
    progressed = _before_a_regimen(cohort, person, day, progressed)
    return Scans(person, day, sites, progressed, cohort.draws.repeat(person, day + 50_000, "scan"))


def _has_radiology(cohort: Cohort) -> Booleans:
    """Whose imaging is on record, a value a patient."""
    return ~cohort.draws.chance("no radiology", np.where(cohort.people.cancer == 1, 0.06, 0.012))


Part = tuple[Integers, Integers, Booleans, Floats]


def _on_treatment(cohort: Cohort) -> Part:
    """Scans while a regimen runs, the one that shows progression among them."""
    regimens = cohort.regimens
    mine = cohort.draws.repeat(regimens.person, regimens.line, "regimen scans")
    in_time = _imaged_in_time(cohort)
    first = regimens.start + np.where(in_time, mine.whole("first", FIRST_SCAN - 14, FIRST_SCAN + 20), mine.whole("late", 124, 190))
    gap = mine.whole("gap", SCAN_GAP - 14, SCAN_GAP + 20)
    last = np.minimum(regimens.stop + 24, cohort.following - 1)
    counts = np.where(last >= first, (last - first) // gap + 1, 0)
    row, place = expand(counts)
    day = first[row] + place * gap[row] + mine.repeat(row, place, "jitter").whole("days", -6, 6)
    return _state(cohort, row, np.minimum(day, last[row]))


def _imaged_in_time(cohort: Cohort) -> Booleans:
    """Whose response is judged in time, a value a regimen."""
    regimens = cohort.regimens
    dry = regimens.is_early & (regimens.progression >= NEVER // 2)
    mine = cohort.draws.repeat(regimens.person, regimens.line, "regimen scans")
    return mine.chance("imaged", np.where(dry, IMAGED_EARLY, IMAGED))


def _state(cohort: Cohort, row: Integers, day: Integers) -> Part:
    """What is true on a day of a regimen: sites before, under response (from a month on) or after progression."""
    regimens = cohort.regimens
    since = day - regimens.start[row]
    over = day >= regimens.progression[row]
    sites = np.where(over[:, None], regimens.sites_after[row], regimens.sites_on[row])
    sites = np.where(((since < 30) & ~over)[:, None], regimens.sites_before[row], sites)
    lately = day - regimens.progression[row] < SCAN_GAP + 20
    return regimens.person[row], day, sites, np.where(over, np.where(lately, 1.0, STILL_PROGRESSING), 0.0)


def _baseline(cohort: Cohort) -> Part:
    """The scan before a regimen: it shows why the last one was given up, and the sites from which response is judged."""
    regimens = cohort.regimens
    mine = cohort.draws.repeat(regimens.person, regimens.line, "baseline scan")
    dry = np.logical_not(regimens.sites_before.any(axis=1))
    has = np.flatnonzero(mine.chance("has", np.where(dry, 0.6, 0.93)))
    day = regimens.start[has] - mine[has].whole("days", 3, 27)
    return regimens.person[has], day, regimens.sites_before[has], np.zeros(len(has))


def _before_a_regimen(cohort: Cohort, person: Integers, day: Integers, progressed: Floats) -> Floats:
    """In the four weeks before a regimen all reports tell alike whether the disease grows; growth shows for eleven weeks, but
    not so early in the regimen before that it would decide whether that one worked."""
    regimens = cohort.regimens
    if not len(regimens.person):
        return progressed
    # Person and day as one number: no two days of the twin lie 100,000 apart.
    starts = regimens.person * 200_000 + regimens.start + 100_000
    row = np.minimum(np.searchsorted(starts, person * 200_000 + day + 100_000), len(starts) - 1)
    wait = np.where(regimens.person[row] == person, regimens.start[row] - day, NEVER)
    told = np.where(regimens.is_growing[row], GROWTH_TOLD, GROWTH_IMAGINED)
    before = np.maximum(row - 1, 0)
    late = (regimens.person[before] != person) | (row == 0) | (day - regimens.start[before] > 125)
    return np.where((wait >= 0) & (wait <= np.where(regimens.is_growing[row] & late, 77, 28)), told, progressed)


def _off_treatment(cohort: Cohort) -> Part:
    """Scans between regimens and after the last one."""
    regimens = cohort.regimens
    mine = cohort.draws.repeat(regimens.person, regimens.line, "quiet scans")
    first = regimens.stop + mine.whole("first", 60, 130)
    first = np.where(_imaged_in_time(cohort), first, np.maximum(first, regimens.start + 124))
    recurrence = cohort.recurrence[regimens.person]
    last = np.minimum(cohort.following - 28, np.where(regimens.is_early & (recurrence > regimens.start), recurrence - 1, NEVER))
    dry = np.logical_not(regimens.sites_after.any(axis=1))
    gap = np.where(
        dry | regimens.is_early, mine.whole("watch", WATCH_GAP - 60, WATCH_GAP + 60), mine.whole("gap", QUIET_GAP - 50, QUIET_GAP + 50)
    )
    row, place = expand(np.where(last >= first, np.minimum((last - first) // gap + 1, 20), 0))
    day = first[row] + place * gap[row]
    person, day, sites, progressed = _state(cohort, row, day)
    early = regimens.is_early[row]
    return person, day, np.where(early[:, None], False, sites), np.where(early, 0.0, np.where(progressed > 0, STILL_PROGRESSING, 0.0))


def _untreated(cohort: Cohort) -> Part:
    """Scans around diagnosis, and of those whom no regimen was recorded for."""
    regimens, treated, shows = cohort.regimens, np.zeros(len(cohort), dtype=bool), np.ones(len(cohort), dtype=bool)
    treated[regimens.person] = True
    operated = regimens.is_early & (
        regimens.progression >= NEVER // 2
    )  # the tumour was out before the course, imaged elsewhere or long before
    shows[regimens.person[operated & (regimens.start < cohort.diagnosis[regimens.person] + 130)]] = False
    gap = cohort.draws.whole("untreated gap", WATCH_GAP - 80, WATCH_GAP + 20)
    first = np.maximum(cohort.diagnosis + cohort.draws.whole("work-up", -12, 25), cohort.arrival)
    counts = np.where(treated, shows, np.clip((cohort.end - first) // gap + 1, 0, 20))
    person, place = expand(counts)
    day = first[person] + place * gap[person]
    stays = (cohort.people.stage == 4)[person] | (place == 0)
    sites = np.where(stays[:, None], cohort.people.sites[person], False)
    return person, day, sites, np.where(stays & (place > 0), 0.4, 0.05)


def _recurrence(cohort: Cohort) -> Part:
    """The scan that finds the recurrence."""
    person = np.flatnonzero(cohort.recurrence < NEVER // 2)
    regimens = cohort.regimens
    position = np.searchsorted(regimens.person * 200_000 + regimens.start + 100_000, person * 200_000 + cohort.recurrence[person] + 100_000)
    safe = np.minimum(position, max(len(regimens.person) - 1, 0))
    found = (
        (position < len(regimens.person)) & (regimens.person[safe] == person) if len(regimens.person) else np.zeros(len(person), dtype=bool)
    )
    person, safe = person[found], safe[found]
    return person, cohort.recurrence[person], regimens.sites_before[safe], np.ones(len(person))


def reports(cohort: Cohort, clean: bool) -> dict[str, dict[str, Any]]:
    """The three imaging timelines: progression, cancer presence, tumour sites."""
    scans = scan_days(cohort)
    row, place = expand(1 + scans.draws.chance("second report", SECOND_REPORT).astype(np.int64))
    draws = scans.draws.repeat(row, place, "report")
    person, day, sites = scans.person[row], scans.day[row], scans.sites[row]
    weights = np.array([[*cancer.procedures, 0.001] for cancer in CANCERS])[cohort.people.cancer[person]]
    procedure = draws.choice("procedure", np.where((place > 0)[:, None], weights[:, [1, 2, 0, 3]], weights))
    truth = scans.draws.uniform("progressed")[row] < scans.progressed[row]
    verdict, chance = _verdict(draws, "progression", truth, WRONG, UNCERTAIN, place, scans.draws[row])
    present, presence = _verdict(draws, "presence", np.asarray(sites.any(axis=1)), WRONG * 0.8, UNCERTAIN_PRESENCE, place, scans.draws[row])
    regions = _regions(draws, procedure)
    base = {"person": person, "start_day": day}
    films = procedure == 3
    seen = {name: values[~films] for name, values in {**base, "has_cancer": present, "nlp_has_cancer_probability": presence}.items()}
    seen |= {"procedure_type": _name(procedure[~films]), "style_color": _colours(present[~films])}
    seen |= {name: regions[~films, place] for place, name in enumerate(("chest", "abdomen", "pelvis", "head", "other"))}
    named = sites & (draws.chance("named", np.where(present == "Y", MENTIONED, np.where(present == "N", 0.08, 0.34))))[:, None]
    named |= _passing_mentions(cohort, draws, person, day)
    if not clean:
        named |= _contradictions(cohort, scans.draws[row], person, day, (present == "N") & (place == 0))
    at, site = np.nonzero(named)
    mentions = {
        "person": person[at],
        "start_day": day[at],
        "source_specific": _name(procedure[at]),
        "tumor_site": np.array(SITES, dtype=object)[site],
    }
    mentions |= {name: regions[at, place] for place, name in enumerate(("chest", "abdomen", "pelvis", "head", "other"))}
    read = {
        **base,
        "progression": verdict,
        "nlp_progression_probability": chance,
        "procedure_type": _name(procedure),
        "style_color": _colours(verdict),
    }
    head = _head_scans(cohort, clean)
    read = {name: np.concatenate([values, head[name]]) for name, values in read.items()}
    seen = {name: np.concatenate([values, head[name]]) for name, values in seen.items()}
    return {"timeline_progression": read, "timeline_cancer_presence": seen, "timeline_tumor_sites": mentions}


def _contradictions(cohort: Cohort, draws: Draws, person: Integers, day: Integers, free: Booleans) -> Booleans:
    """A site of the disease before the regimen, named where the report of the day says that there is no cancer."""
    regimens = cohort.regimens
    if not len(regimens.person):
        return np.zeros((len(person), len(SITES)), dtype=bool)
    at = np.searchsorted(regimens.person * 200_000 + regimens.start + 100_000, person * 200_000 + day + 100_000, side="right") - 1
    row = np.maximum(at, 0)
    under = free & (at >= 0) & (regimens.person[row] == person) & (regimens.response[row] <= 1)
    order = np.where(regimens.sites_before[row], np.stack([draws.uniform(f"named {site}") for site in range(len(SITES))], axis=1), 0.0)
    said = under & draws.chance("contradicted", traps.CONTRADICTED) & (order.max(axis=1) > 0)
    return said[:, None] & (np.arange(len(SITES)) == order.argmax(axis=1)[:, None])


def _head_scans(cohort: Cohort, clean: bool) -> dict[str, Any]:
    """Scans of the head alone soon after the first dose: nothing new and no cancer in the head, which tells nothing of the body."""
    has, days = traps.head_only(cohort, clean)
    row = np.flatnonzero(has & _has_radiology(cohort)[cohort.regimens.person])
    draws, words = traps.of_regimens(cohort)[row], np.full(len(row), "N", dtype=object)
    regions = {name: np.full(len(row), name == "head") for name in ("chest", "abdomen", "pelvis", "head", "other")}
    return {
        "person": cohort.regimens.person[row], "start_day": days[row], "progression": words, "has_cancer": words, "style_color": _colours(words),
        "nlp_progression_probability": np.round(draws.uniform("head progression", 0.001, 0.19), 9),
        "nlp_has_cancer_probability": np.round(draws.uniform("head cancer", 0.001, 0.19), 9), "procedure_type": np.full(len(row), "MR", dtype=object),
    } | regions  # fmt: skip


def _passing_mentions(cohort: Cohort, draws: Draws, person: Integers, day: Integers) -> Booleans:
    """Sites named in passing, long after the last regimen began: they fill the ever-seen flags and touch no response."""
    regimens = cohort.regimens
    latest = np.full(len(cohort), -NEVER)
    np.maximum.at(latest, regimens.person, regimens.start)
    late = day > latest[person] + 130
    site = draws.choice("passing site", np.array([cancer.spread for cancer in CANCERS])[cohort.people.cancer[person]])
    return (late & draws.chance("passing", 0.10))[:, None] & (site[:, None] == np.arange(len(SITES)))


def _verdict(
    draws: Draws, name: str, truth: Booleans, wrong: float, uncertain: float, place: Integers, day_draws: Draws
) -> tuple[Any, Floats]:
    """Word and probability of the language processing; Y from 0.8, N to 0.2. A second report of the day reads the same film again."""
    mistaken = day_draws.chance(f"{name} mistaken", wrong)
    # One number for both verdicts: a report too vague on presence is too vague on progression.
    vague = np.where(place == 0, day_draws.chance("vague", uncertain), draws.chance("vague", 3 * uncertain))
    said = truth != mistaken
    depth = draws.uniform(f"{name} depth") ** 2.5
    sure = np.where(said, 0.9992 - 0.199 * depth, 0.0009 + 0.199 * depth)
    probability = np.round(np.where(vague, draws.uniform(f"{name} middle", 0.2001, 0.7999), sure), 9)
    return np.where(vague, "Indeterminate", np.where(said, "Y", "N")).astype(object), np.asarray(probability, dtype=np.float64)


def _regions(draws: Draws, procedure: Integers) -> Booleans:
    """Body regions that a report covers, shape (n, 5): chest, abdomen, pelvis, head, other."""
    return np.stack([draws.chance(f"region {place}", REGION_SHARES[procedure, place]) for place in range(5)], axis=1)


def _name(procedure: Integers) -> Any:
    return np.array(PROCEDURES, dtype=object)[procedure]


def _colours(words: Any) -> Any:
    colours = np.full(len(words), COLOURS["Indeterminate"], dtype=object)
    colours[words == "Y"], colours[words == "N"] = COLOURS["Y"], COLOURS["N"]
    return colours
