"""Treatment, visits, laboratory, pathology and registry records of the twin, as columns per table, in days from sequencing."""

from __future__ import annotations

import numpy as np

from oncoraft.knowledge.drugs import drugs
from oncoraft.twin import traps
from oncoraft.twin.cohort import Cohort
from oncoraft.twin.draws import Booleans, Draws, Floats, Integers, expand
from oncoraft.twin.parameters import CANCERS, MMR_TESTED, PDL1_TESTED, SITES
from oncoraft.twin.procedures import Columns, scatter, share_of
from oncoraft.twin.regimens import ENDOCRINE, OPTIONS, PLATINUM

UNRELATED = ("FLUOROURACIL TOPICAL", "HYDROXYUREA", "BCG", "AFLIBERCEPT OPHTHALMIC")  # given for something else
AGENTS = tuple(
    sorted(
        {agent for option in OPTIONS for agent in option.agents}
        | {"ZOLEDRONIC ACID", *UNRELATED, *(name for names in traps.EARLIER_AGENTS for name in names)}
    )
)
BONE = SITES.index("Bone")
INVESTIGATIONAL_REPEATS = 0.10  # exact duplicates among masked trial drugs
DUPLICATES = {"timeline_radiation": 0.131, "timeline_mmr": 0.0055, "timeline_pdl1": 0.0055, "timeline_gleason": 0.0006}
DATE_ERRORS = {"timeline_gleason": 0.0006, "timeline_cea_labs": 0.0001, "timeline_psa_labs": 0.0001}
# Laboratory: median, sigma of the level, days between tests, longest series, decimals, unit, share below detection.
TESTS: dict[str, tuple[float, float, float, int, int, float]] = {
    "CEA": (4.3, 1.3, 74, 60, 1, 0.001), "CA_15-3": (27, 1.1, 70, 70, 0, 0.0), "CA_19-9": (95, 1.9, 51, 40, 0, 0.06), "PSA": (1.6, 2.1, 66, 70, 2, 0.20),
}  # fmt: skip
TREND = np.array([-0.34, -0.24, 0.0, 0.22, -0.1])  # per 28 days on treatment, by response
PRIOR_WORDS = ("No prior medications", "Prior medications to MSK")


def treatment(cohort: Cohort, clean: bool) -> Columns:
    """One row an agent and interval; masked trial drugs have no length and repeat; bone agents beside bone metastases."""
    regimens, known = cohort.regimens, drugs()
    row, place = expand(np.array([len(option.agents) for option in OPTIONS])[regimens.option])
    code = {agent: number for number, agent in enumerate(AGENTS)}
    padded = np.array([[*(code[agent] for agent in option.agents), *[0] * (4 - len(option.agents))] for option in OPTIONS])
    agent = padded[regimens.option[row], place]
    draws = cohort.draws.repeat(regimens.person[row], regimens.line[row] * 10 + place, "agent")
    start = regimens.start[row] + np.where(place > 0, np.where(draws.chance("later", 0.15), draws.whole("days", 1, 2), 0), 0)
    start += np.where(_is(agent, {"OXALIPLATIN"}), traps.infusion_delay(cohort)[row], 0)
    stop = regimens.stop[row] - draws.whole("last", 0, 14)
    stop = np.where(_is(agent, PLATINUM), np.minimum(stop, start + draws.whole("platinum", 42, 105)), stop)
    stop = np.where(_is(agent, {"LEUPROLIDE", "DEGARELIX"}), stop + draws.exponential("castration", 240).astype(np.int64), stop)
    stop = np.where(draws.chance("single", 0.04) & (place > 0), start + 1, stop)
    person = regimens.person[row]
    end = cohort.end[person]
    start, trial = np.minimum(start, end), _is(agent, {"INVESTIGATIONAL"})
    stop = np.where(trial, start, np.clip(stop, np.minimum(start + 1, end), end))
    pieces = _split(person, agent, start, stop, draws)
    again = np.flatnonzero(trial & (not clean) & draws.chance("again", INVESTIGATIONAL_REPEATS))
    trials = np.flatnonzero(trial & draws.chance("second trial drug", 0.6))
    second_day = np.minimum(start[trials] + draws[trials].whole("second day", 1, 21), end[trials])
    second = [person[trials], agent[trials], second_day, second_day]
    other = _other_indications(cohort)
    bone = _bone_agents(cohort, code["ZOLEDRONIC ACID"])
    earlier = traps.earlier_cancers(cohort)
    before = [earlier.person, np.array([code[name] for name in earlier.agent], dtype=np.int64), earlier.start, earlier.stop]
    repeated = [values[again] for values in (person, agent, start, stop)]
    extra = [values[:0] for values in before] if clean else _tracers(cohort)
    rows = [np.concatenate(parts).astype(np.int64) for parts in zip(pieces, repeated, second, bone, other, before, extra)]
    names = np.array([*AGENTS, *(name for name, _ in traps.TRACERS)], dtype=object)
    oral = np.array([*(known[name].oral for name in AGENTS), *(False for _ in traps.TRACERS)])
    subtype = np.array([*(known[name].subtype for name in AGENTS), *(kind for _, kind in traps.TRACERS)], dtype=object)
    said = names[rows[1]]
    return {
        "person": rows[0], "start_day": rows[2], "stop_day": rows[3], "subtype": subtype[rows[1]],
        "agent": said if clean else traps.respelt(_of_rows(cohort, rows), said),
        "rx_investigative": said == "INVESTIGATIONAL", "flag_orotopical": oral[rows[1]],
    }  # fmt: skip


def _of_rows(cohort: Cohort, rows: list[Integers]) -> Draws:
    """Draws of treatment rows, by agent and first day."""
    return cohort.draws.repeat(rows[0], rows[2] + 50_000 + 200_000 * rows[1], "treatment row")


def _tracers(cohort: Cohort) -> list[Integers]:
    """Tracers and radio-iodine days before a regimen: none of them treats the cancer."""
    row = np.flatnonzero(traps.tracer(cohort))
    person, draws = cohort.regimens.person[row], traps.of_regimens(cohort)[row]
    day = cohort.regimens.start[row] - draws.whole("tracer day", 2, 20)
    which = np.where(cohort.people.cancer[person] == 3, 0, 1 + draws.chance("iodine", 0.3))
    return [person, len(AGENTS) + which, day, day]


def _is(agent: Integers, names: set[str] | frozenset[str]) -> Booleans:
    return np.isin(agent, [number for number, name in enumerate(AGENTS) if name in names])


def _split(person: Integers, agent: Integers, start: Integers, stop: Integers, draws: Draws) -> list[Integers]:
    """Some long intervals of endocrine agents in two, with a gap that the source does not bridge (90 days and more)."""
    endocrine = _is(agent, ENDOCRINE | {"TAMOXIFEN", "ANASTROZOLE"})
    cut = np.flatnonzero(endocrine & (stop - start > 420) & draws.chance("split", 0.25))
    middle = start[cut] + ((stop[cut] - start[cut]) * draws[cut].uniform("where", 0.3, 0.6)).astype(np.int64)
    resumed = middle + draws[cut].whole("gap", 92, 150)
    first_stop = stop.copy()
    first_stop[cut] = middle
    parts = [(person, person[cut]), (agent, agent[cut]), (start, resumed), (first_stop, stop[cut])]
    return [np.concatenate(pair) for pair in parts]


def _bone_agents(cohort: Cohort, code: int) -> list[Integers]:
    """Zoledronic acid, a dose at a time, to a third of those with bone metastases on a regimen."""
    regimens = cohort.regimens
    mine = cohort.draws.repeat(regimens.person, regimens.line, "bone agent")
    given = regimens.sites_before[:, BONE] & mine.chance("given", 0.33)
    row, place = expand(np.where(given, mine.whole("doses", 1, 2), 0))
    start = regimens.start[row] + 12 + place * 100
    keep = start < np.minimum(regimens.stop[row], cohort.end[regimens.person[row]])
    row, start = row[keep], start[keep]
    person = regimens.person[row]
    return [person, np.full(len(row), code), start, np.minimum(start + 1, cohort.end[person])]


def _other_indications(cohort: Cohort) -> list[Integers]:
    """Agents for another condition, mostly long before the diagnosis, in one of fifty patients."""
    person = np.flatnonzero(cohort.draws.chance("other indication", 0.02))
    mine = cohort.draws[person]
    start = np.minimum(cohort.diagnosis[person] - mine.whole("other day", -300, 3000), cohort.end[person])
    code = np.array([AGENTS.index(name) for name in UNRELATED])
    agent = code[mine.choice("other agent", (0.45, 0.25, 0.15, 0.15))]
    return [person, agent, start, np.minimum(start + mine.whole("other days", 1, 150), cohort.end[person])]


def performance_status(cohort: Cohort) -> Columns:
    """ECOG before most regimens and now and then on them."""
    regimens = cohort.regimens
    mine = cohort.draws.repeat(regimens.person, regimens.line, "ecog")
    length = np.minimum(regimens.stop, regimens.start + 420) - regimens.start
    counts = np.where(mine.chance("cared for", 0.88), 1 + np.clip(length // mine.whole("gap", 42, 96), 0, 9), 0)
    row, place = expand(counts)
    draws = cohort.draws.repeat(regimens.person[row], regimens.line[row] * 40 + place, "ecog row")
    day = np.where(place == 0, regimens.start[row] - _ecog_lead(draws), regimens.start[row] + place * (length[row] // counts[row]))
    worse = (day >= regimens.progression[row]) & draws.chance("worse", 0.3)
    shift = np.where(draws.chance("off", np.where(place == 0, 0.08, 0.2)), np.where(draws.chance("up", 0.5), 1, -1), 0)
    ecog = np.clip(regimens.ecog[row] + worse + shift, 0, 4)
    keep = cohort.on_record(regimens.person[row], day)
    shades = np.array(["#F7DEDE", "#EDB5B5", "#E38C8C", "#DA6363", "#D62727"], dtype=object)
    return {"person": regimens.person[row][keep], "start_day": day[keep], "ecog": ecog[keep], "style_color": shades[ecog[keep]]}


def _ecog_lead(draws: Draws) -> Integers:
    """Days from a regimen's first ECOG to its first dose, none where it was written on the very day."""
    return np.where(draws.chance("same day", traps.SAME_DAY_ECOG), 0, draws.whole("before", 1, 14))


def ecog_on_first_day(cohort: Cohort) -> Booleans:
    """Regimens whose ECOG was written on the day of the first dose."""
    regimens = cohort.regimens
    cared = cohort.draws.repeat(regimens.person, regimens.line, "ecog").chance("cared for", 0.88)
    return cared & (_ecog_lead(cohort.draws.repeat(regimens.person, regimens.line * 40, "ecog row")) == 0)


def laboratory(cohort: Cohort, test: str) -> Columns:
    """A tumour marker over time: it falls under a response, rises with progression, and varies."""
    median, sigma, gap, longest, decimals, undetected = TESTS[test]
    draws = cohort.draws
    tested = draws.chance(f"{test} tested", np.array([cancer.markers.get(test, 0.0) for cancer in CANCERS])[cohort.people.cancer])
    first = np.maximum(cohort.diagnosis - draws.whole(f"{test} first", -5, 20), cohort.arrival)
    spacing = gap * draws.lognormal(f"{test} spacing", 1.0, 0.45)
    counts = np.where(tested, np.clip((cohort.end - first) / spacing, 1, longest), 0).astype(np.int64)
    person, place = expand(counts)
    mine = draws.repeat(person, place, test)
    day = first[person] + ((place + mine.uniform("jitter", 0, 0.5)) * ((cohort.end - first) / np.maximum(counts, 1))[person]).astype(
        np.int64
    )
    change = _trend(cohort, person, day)
    level = (
        np.log(median)
        + sigma * (0.8 * cohort.people.bulk + 0.6 * draws.normal(f"{test} level"))[person]
        + change
        + 0.13 * mine.normal("noise")
    )
    value = np.exp(np.clip(level, -6, 14))
    value = np.where(mine.chance("undetected", undetected), 0.0, np.round(value, decimals))
    keep = cohort.on_record(person, day)
    return {"person": person[keep], "start_day": day[keep], "test": test, "result": value[keep]}


def _trend(cohort: Cohort, person: Integers, day: Integers) -> Floats:
    """The log change of a marker since the regimen that was running or had run last began."""
    regimens = cohort.regimens
    if not len(regimens.person):
        return np.zeros(len(person))
    at = np.searchsorted(regimens.person * 200_000 + regimens.start + 100_000, person * 200_000 + day + 100_000, side="right") - 1
    row = np.maximum(at, 0)
    running = (at >= 0) & (regimens.person[row] == person)
    since = np.clip(day - regimens.start[row], 0, 160)
    after = np.clip(day - regimens.progression[row], 0, 200)
    change = TREND[regimens.response[row]] * np.clip(since - after, 0, 160) / 28 + 0.2 * after / 28
    after = np.minimum(at + 1, len(regimens.person) - 1)
    wait = np.where(regimens.person[after] == person, regimens.start[after] - day, 1000)
    grows = regimens.is_growing[after] & (wait >= 0) & (wait < 70)
    change = np.where(running, change, 0.0) + np.where(grows, 0.011 * (70 - wait), 0.0)
    return change + np.where(running & (regimens.line[row] > 1), 0.15 * regimens.line[row], 0.0)


def pathology(cohort: Cohort) -> dict[str, Columns]:
    """PD-L1, mismatch repair and Gleason scores, near diagnosis or near sequencing."""
    low, high = np.maximum(cohort.diagnosis, cohort.arrival), cohort.end
    soon = np.minimum(low + 60, high)
    near = cohort.draws.chance("pathology near sequencing", 0.4)
    low, soon = np.where(near, np.minimum(-18, 0), low + 2), np.where(near, np.minimum(8, high), soon)
    low = np.minimum(low, soon)
    pdl1 = scatter(cohort, "pdl1", share_of(PDL1_TESTED, cohort) * 1.05, np.full(len(cohort), 1.1), low, soon)
    mmr = scatter(cohort, "mmr", share_of(MMR_TESTED, cohort) * 1.03, np.full(len(cohort), 0.95), low, soon)
    gleason = scatter(cohort, "gleason", share_of((0.018, 0.0, 0.01, 0.93, 0.018), cohort), np.full(len(cohort), 1.75), low, soon)
    positive = cohort.people.states["PDL1"][pdl1["person"]] ^ pdl1["draws"].chance("wrong", 0.04)
    deficient = cohort.people.states["MSI"][mmr["person"]] ^ mmr["draws"].chance("wrong", 0.02)
    score = first_gleason(cohort)[gleason["person"]] + gleason["draws"].chance("higher", 0.06)
    return {
        "timeline_pdl1": {"person": pdl1["person"], "start_day": pdl1["start_day"], "pdl1_positive": positive},
        "timeline_mmr": {"person": mmr["person"], "start_day": mmr["start_day"], "mmr_absent": deficient},
        "timeline_gleason": {"person": gleason["person"], "start_day": gleason["start_day"], "gleason_score": np.minimum(score, 10)},
    }


def first_gleason(cohort: Cohort) -> Integers:
    """The Gleason score at first report, higher with later stage."""
    late = (cohort.people.stage >= 3)[:, None]
    return 6 + cohort.draws.choice("gleason score", np.where(late, (0.02, 0.25, 0.22, 0.505, 0.005), (0.11, 0.52, 0.15, 0.219, 0.001)))


def prior_meds(cohort: Cohort) -> Columns:
    """What the notes say about treatment elsewhere, one row a patient whose notes say anything."""
    person = np.flatnonzero(cohort.people.outside < 2)
    draws, prior = cohort.draws[person], cohort.people.outside[person] == 1
    day = np.clip(-draws.exponential("prior day", 50).astype(np.int64), cohort.arrival[person] - 3, cohort.end[person])
    chance = np.round(np.where(prior, draws.uniform("prior chance", 0.5, 0.99), draws.uniform("prior chance", 0.01, 0.49)), 2)
    return {
        "person": person, "start_day": day, "inferred_tx_prob": chance, "prior_med_to_msk": np.array(PRIOR_WORDS, dtype=object)[prior.astype(int)],
        "style_color": np.where(prior, "#D62727", "#2AA02B").astype(object),
    }  # fmt: skip


def with_date_errors(name: str, columns: Columns, cohort: Cohort) -> Columns:
    """Few rows dated decades too early, as in the released files."""
    share = DATE_ERRORS.get(name, 0.0)
    if not share:
        return columns
    mine = cohort.draws.repeat(columns["person"], columns["start_day"] + 100_000, f"{name} date")
    early = np.where(mine.chance("wrong", share), mine.whole("years", 11, 110) * 365, 0)
    return columns | {"start_day": columns["start_day"] - early}


def with_duplicates(name: str, columns: Columns, cohort: Cohort) -> Columns:
    """Some rows again, exactly, as in the released files; new rows go to the end."""
    share = DUPLICATES.get(name, 0.0)
    if not share:
        return columns
    again = np.flatnonzero(cohort.draws.repeat(columns["person"], columns["start_day"] + 100_000, name).chance("again", share))
    return {key: np.concatenate([values, values[again]]) if isinstance(values, np.ndarray) else values for key, values in columns.items()}
