"""How regimens of one cancer follow one another: protocol parts, maintenance, chemoradiation, settings and lines.

Protocols are in `knowledge/protocols.csv`. Everything that says what a regimen is to the ones before it (part, setting, line) is told
from what was recorded by its index date and the agents known then; the name of the protocol on its first part, chemoradiation and
maintenance may be seen later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from oncoraft.cases.local_treatment import any_between
from oncoraft.cases.regimen_rules import Regimen, Traits, agents_known, early_agents, is_substitute, is_switch_maintenance
from oncoraft.knowledge.protocols import protocols
from oncoraft.knowledge.regimen_tables import radiosensitisers
from oncoraft.planning.config import Regimens

PERIOPERATIVE = "perioperative"


@dataclass(frozen=True)
class Events:
    """Sorted days of one patient on which imaging said progression, a procedure was done, radiation began; None: there are none."""

    progressions: Sequence[int] | None
    operations: Sequence[int] | None
    radiations: Sequence[int] | None


@dataclass
class Step:
    """What a regimen is in the course of its cancer."""

    setting: str
    last_operation: int
    protocol: str | None = None
    protocol_part: int = 1
    is_maintenance: bool = False
    is_chemoradiation: bool = False
    is_chemoradiation_at_index: bool = False
    line: int = 0
    line_overall: int = 0
    reached: set[tuple[str, str]] = field(default_factory=set)  # protocol and part that this regimen is, if it goes on with one


def is_radiated(regimen: Regimen, agents: Sequence[str], events: Events, rules: Regimens, last: int) -> bool:
    """Whether radiation began around the start of one of the agents, by day `last`."""
    starts = {one.start for one in regimen.intervals if one.agent in agents and one.start >= regimen.index_day}
    days = rules.chemoradiation_days
    return any(any_between(events.radiations, day - days, min(day + days, last)) for day in starts)


def is_chemoradiation(regimen: Regimen, events: Events, rules: Regimens, of: Traits, last: int = 10**9) -> bool:
    """Whether the regimen is a radiosensitiser of the cancer type with radiation around its start, begun by day `last`."""
    days = rules.chemoradiation_days
    if not any_between(events.radiations, regimen.index_day - days, min(regimen.last_day + days, last)):
        return False
    agents = early_agents(regimen, rules, of)
    parts = [part for part in radiosensitisers(of.cancer_type) if part.fits(agents)]
    sensitisers = [agent for agent in agents if any(agent in one for part in parts for one in part.requires)]
    return bool(parts) and is_radiated(regimen, sensitisers, events, rules, last)


def follows(before: Regimen, step: Step, regimen: Regimen, events: Events, rules: Regimens, of: Traits) -> set[tuple[str, str]]:
    """Protocols and their parts as which the regimen goes on with the one before; empty where it opens a line of its own."""
    index = regimen.index_day
    # What follows a progression is the next line, whatever the protocol planned.
    if not rules.protocols or any_between(events.progressions, before.index_day + 1, index):
        return set()
    known = agents_known(regimen, rules, of)
    given = [agent for agent, day in before.first.items() if day < index and not is_substitute(agent, before.first, of)]
    # How long the part before goes on after this index date is not known at it: the pause is then 0.
    pause = index - min(before.last_day, index)
    table, found = protocols(), set()
    for one in table.sequences.get(of.cancer_type, ()):
        begun = (one.protocol, one.part) in step.reached if step.reached else table.parts[one.part].fits(given)
        in_time = pause <= one.max_gap_days and (one.within_days is None or index - before.index_day <= one.within_days)
        if not (begun and in_time and one.setting in ("", step.setting) and table.parts[one.next_part].fits(known)):
            continue
        if one.part in table.with_radiation and not is_radiated(before, given, events, rules, index):
            continue
        if one.next_part in table.with_radiation and not is_radiated(regimen, known, events, rules, index + rules.known_at_index_days):
            continue
        found.add((one.protocol, one.next_part))
    again = pause <= rules.perioperative_days and bool(known) and set(known) <= set(given)
    if not found and again and any_between(events.operations, before.index_day + 1, index):
        return step.reached or {(PERIOPERATIVE, PERIOPERATIVE)}
    return found


def setting_after(step: Step, before: Step, pause: int, rules: Regimens) -> str:
    """The setting of a regimen, given its own index date's and the regimen before: a spread disease stays so, adjuvant treatment goes
    on, and a protocol that an operation does not divide is in one setting."""
    if before.setting == "metastatic":
        return "metastatic"
    if step.setting == "unknown" and (step.protocol_part > 1 or (before.setting == "adjuvant" and pause <= rules.adjuvant_days)):
        return before.setting
    return step.setting


def course(regimens: Sequence[Regimen], told: Sequence[tuple[str, int]], events: Events, rules: Regimens, of: Traits) -> list[Step]:
    """Each regimen's place in the course of its cancer.

    Args:
        regimens: of one patient's cancer, in order.
        told: setting and last operation (day) as each index date alone tells them.
        events: of the patient.
        rules: windows in days.
        of: traits of agents in the cancer type.
    """
    steps: list[Step] = []
    lines: dict[str, int] = {}
    for number, (regimen, (setting, operated)) in enumerate(zip(regimens, told)):
        step = Step(setting, operated, is_chemoradiation=is_chemoradiation(regimen, events, rules, of))
        # A prompt knows of radiation what it knows of agents: what began within the same few days.
        known_by = regimen.index_day + rules.known_at_index_days
        step.is_chemoradiation_at_index = step.is_chemoradiation and is_chemoradiation(regimen, events, rules, of, known_by)
        goes_on = False
        if steps:
            earlier, before = regimens[number - 1], steps[-1]
            step.reached = follows(earlier, before, regimen, events, rules, of)
            maintains = is_switch_maintenance(earlier, regimen, events.progressions, rules, of)
            step.is_maintenance = maintains and not step.is_chemoradiation
            goes_on = bool(step.reached) or maintains
            if step.reached:
                # Of several that fit the first by name: a set has no order of its own.
                step.protocol, step.protocol_part = min(step.reached)[0], before.protocol_part + 1
                step.reached = {one for one in step.reached if one[0] != PERIOPERATIVE}
                before.protocol = before.protocol or step.protocol
            step.setting = setting_after(step, before, regimen.index_day - min(earlier.last_day, regimen.index_day), rules)
        # Lines count within a setting, so what goes on into another one opens a line there.
        same = goes_on and steps[-1].setting == step.setting
        step.line = steps[-1].line if same else lines.get(step.setting, 0) + 1
        step.line_overall = steps[-1].line_overall + (not goes_on) if steps else 1
        lines[step.setting] = max(step.line, lines.get(step.setting, 0))
        steps.append(step)
    return steps


def next_treatment_days(regimens: Sequence[Regimen], steps: Sequence[Step]) -> list[int | None]:
    """Of each regimen, the first day of the next regimen that is no part of the same protocol: the day that ends what a label may look at."""
    found: list[int | None] = [None]
    for regimen, step in zip(reversed(regimens[1:]), reversed(steps[1:])):
        found.append(regimen.index_day if step.protocol_part == 1 else found[-1])
    return found[::-1]
