"""The rules by which one patient's dated agents become regimens: pure, ordered by day, blind to the order of rows.

Each rule has its key in the block `regimens` of the configuration and its source in `docs/regimens.md`. Agents that start on
one day are looked at together, so that no rule depends on the alphabet. Days are those of the timeline.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from oncoraft.cases.local_treatment import any_between
from oncoraft.knowledge.drugs import Drug
from oncoraft.knowledge.regimen_tables import exclusions, maintenance_agents, partners, substitution_groups
from oncoraft.planning.config import Regimens


class Interval(NamedTuple):
    """An agent recorded from one day to another."""

    start: int
    stop: int
    agent: str


@dataclass(slots=True)
class Regimen:
    """One regimen of one patient while it is being built: its intervals, and each agent's first and last recorded day."""

    index_day: int
    opened_by: str  # "first", "new agent" or "gap"
    intervals: list[Interval] = field(default_factory=list)
    first: dict[str, int] = field(default_factory=dict)
    last: dict[str, int] = field(default_factory=dict)
    last_day: int = -(10**9)  # last recorded day of any of its agents
    named: dict[str, list[str]] = field(default_factory=dict, repr=False, compare=False)  # what was asked of it, until it changes

    def add(self, one: Interval) -> None:
        """Take in an interval of an agent."""
        start, stop, agent = one
        self.named.clear()
        self.intervals.append(one)
        self.first[agent] = min(start, self.first.get(agent, start))
        self.last[agent] = max(stop, self.last.get(agent, stop))
        self.last_day = max(stop, self.last_day)

    def without(self, gone: list[Interval]) -> Regimen:
        """The same regimen without some of its intervals."""
        rest = Regimen(self.index_day, self.opened_by)
        for one in self.intervals:
            if one not in gone:
                rest.add(one)
        return rest


class Traits(NamedTuple):
    """What the rules ask of agents in a cancer type: whose gaps do not count, which stand in for which, which are a backbone, drug
    classes, which classes exclude each other, and the infusions that an oral agent belongs to."""

    cancer_type: str
    gap_exempt: frozenset[str]
    group: dict[str, str]
    backbone: frozenset[str]
    drug_class: dict[str, str]
    exclusions: frozenset[frozenset[str]]
    partners: dict[str, frozenset[str]]

    def excluded(self, agent: str, others: Iterable[str]) -> bool:
        """Whether nobody gives the agent together with one of the others."""
        mine = self.drug_class.get(agent, agent)
        return any(frozenset((mine, self.drug_class.get(other, other))) in self.exclusions for other in others if other != agent)


def traits(rules: Regimens, known: dict[str, Drug], cancer_type: str) -> Traits:
    """Traits of every agent of the drug table in a cancer type under the configured rules."""
    exempt = {
        name
        for name, drug in known.items()
        if ("oral_targeted" in rules.gap_exempt and drug.oral and drug.subtype == "Targeted")
        or ("endocrine" in rules.gap_exempt and drug.subtype == "Hormone")
    }
    return Traits(
        cancer_type=cancer_type,
        gap_exempt=frozenset(exempt),
        group=substitution_groups() if rules.substitutions else {},
        backbone=frozenset(name for name, drug in known.items() if drug.drug_class in rules.backbone_classes),
        drug_class={name: drug.drug_class for name, drug in known.items()},
        exclusions=exclusions(cancer_type),
        partners=partners(cancer_type),
    )


def is_substitute(agent: str, first: dict[str, int], of: Traits) -> bool:
    """Whether an agent stands in for another that started earlier; `first`: each agent's first day."""
    kind = of.group.get(agent)
    if kind is None:
        return False
    start = first.get(agent)
    return any(of.group.get(other) == kind and other != agent and (start is None or day < start) for other, day in first.items())


def without_substitutes(first: dict[str, int], of: Traits) -> list[str]:
    """Agents, sorted, but for those that stand in for another that started earlier; `first`: each agent's first day."""
    if of.group.keys().isdisjoint(first):
        return sorted(first)
    return sorted(agent for agent in first if not is_substitute(agent, first, of))


def verdict(regimen: Regimen, agent: str, start: int, progressed: bool, rules: Regimens, of: Traits) -> str:
    """Whether an agent's start belongs to the running regimen ("joins") or opens the next one (the reason).

    `progressed`: imaging said progression since the regimen began. Where an agent had ended by then, the new one replaces it: the
    combination window does not join what was given one after the other.
    """
    is_old = agent in regimen.first or is_substitute(agent, regimen.first, of)
    # Strictly more: the last day of a window belongs to it (docs/regimens.md).
    if start - regimen.last_day > rules.gap_days and not (is_old and agent in of.gap_exempt):
        return "gap"
    if is_old or agent in of.backbone:
        return "joins"
    replaces = progressed and min(regimen.last.values()) < start
    return "joins" if start - regimen.index_day <= rules.combination_window_days and not replaces else "new agent"


def agents_known(regimen: Regimen, rules: Regimens, of: Traits) -> list[str]:
    """Agents known at the index date: recorded to start on it or within `known_at_index_days`; sorted.

    Only these starts are looked at: whether an agent is carried over is seen later. Of two that stand in for each other the earlier.
    An oral agent is dispensed before the infusion that it is given with: a partner of the table that follows within `partner_days`
    was planned with it.
    """
    if "known" not in regimen.named:
        known: dict[str, int] = {}
        index, last = regimen.index_day, regimen.index_day + rules.known_at_index_days
        for start, _, agent in regimen.intervals:
            if index <= start <= last:
                known[agent] = min(start, known.get(agent, start))
        awaited = {infusion for agent in known for infusion in of.partners.get(agent, ())}
        for start, _, agent in regimen.intervals if awaited else ():
            if agent in awaited and index <= start <= index + rules.partner_days:
                known[agent] = min(start, known.get(agent, start))
        regimen.named["known"] = without_substitutes(known, of)
    return regimen.named["known"]


def early_agents(regimen: Regimen, rules: Regimens, of: Traits) -> list[str]:
    """Agents that name the regimen: known at index, carried over or started within the combination window; substitutes left out; sorted."""
    if "early" not in regimen.named:
        limit, first = regimen.index_day + rules.combination_window_days, regimen.first
        named = {agent for agent in without_substitutes(first, of) if first[agent] <= limit}
        regimen.named["early"] = sorted(named.union(agents_known(regimen, rules, of)))
    return regimen.named["early"]


def restarted(regimen: Regimen, day: int, starts: list[Interval], rules: Regimens, of: Traits) -> list[Interval]:
    """Intervals that joined the running regimen just before a new agent came: together with it they are the next regimen's start.

    An oral agent that was dispensed anew for one of the infusions in `starts` may have been so up to `partner_days` before.
    """
    window = regimen.index_day + rules.combination_window_days
    if all(one.start <= window for one in regimen.intervals):
        return []
    new = {one.agent for one in starts}
    awaiting = {agent for agent in regimen.first if not new.isdisjoint(of.partners.get(agent, ()))}
    since = [day - max(rules.known_at_index_days, rules.partner_days * (one.agent in awaiting)) for one in regimen.intervals]
    # FOLFOX to FOLFIRI is one switch, on the first day of fluorouracil; inside the combination window a start is the running regimen's.
    return [one for one, first in zip(regimen.intervals, since) if max(window + 1, first) <= one.start < day]


def open_next(regimens: list[Regimen], day: int, reason: str, starts: list[Interval], rules: Regimens, of: Traits) -> Regimen:
    """The next regimen, with what starts on its first day, just before it, and what goes on from the regimen before.

    The regimen before loses the intervals that turn out to be the new one's. What nobody gives with a new agent stays behind, however
    long its record: it is a supply, or a stop that nobody entered.
    """
    before = regimens[-1] if regimens else None
    early = restarted(before, day, starts, rules, of) if before else []
    opened = Regimen(min((one.start for one in early), default=day), reason)
    for one in [*early, *starts]:
        opened.add(one)
    if before:
        if early:
            before = regimens[-1] = before.without(early)
        new = tuple(opened.first)
        for one in before.intervals:
            if one.stop - opened.index_day > rules.carry_over_days and one.agent not in new and not of.excluded(one.agent, new):
                opened.add(one)
    return opened


def group_patient(intervals: Iterable[Interval], progressions: Sequence[int], rules: Regimens, of: Traits) -> list[Regimen]:
    """Regimens of one patient's cancer in order.

    Args:
        intervals: of anticancer agents, sorted by start.
        progressions: days on which imaging said progression, sorted.
        rules: windows in days.
        of: traits of agents.
    """
    regimens: list[Regimen] = []
    for day, together in groupby(intervals, key=itemgetter(0)):
        starts = list(together)
        reasons = {"first"}
        if regimens:
            progressed = any_between(progressions, regimens[-1].index_day + 1, day)
            reasons = {verdict(regimens[-1], one.agent, day, progressed, rules, of) for one in starts}
        if opening := reasons - {"joins"}:
            regimens.append(open_next(regimens, day, "gap" if "gap" in opening else min(opening), starts, rules, of))
        else:
            for one in starts:
                regimens[-1].add(one)
    return merge_identical(regimens, rules, of)


def merge_identical(regimens: Sequence[Regimen], rules: Regimens, of: Traits) -> list[Regimen]:
    """Join consecutive regimens of the very same agents that lie at most `merge_identical_days` (null: `gap_days`) apart."""
    limit = rules.merge_identical_days or rules.gap_days
    merged: list[Regimen] = []
    for regimen in regimens:
        before = merged[-1] if merged else None
        if (
            before is not None
            and regimen.index_day - before.last_day <= limit
            and early_agents(before, rules, of) == early_agents(regimen, rules, of)
        ):
            for one in regimen.intervals:
                before.add(one)
        else:
            merged.append(regimen)
    return merged


def is_switch_maintenance(before: Regimen, regimen: Regimen, progressions: Sequence[int] | None, rules: Regimens, of: Traits) -> bool:
    """Whether a regimen only maintains what an induction reached.

    Told from what is known at its start: every agent named then is on the list for a drug class of the induction, the induction
    was last recorded at most `maintenance_days` earlier, that class had ended (an agent added to a running platinum is a change of the
    regimen), and no scan said progression since it began: the same agent after a progression is the next line.
    """
    if any_between(progressions, before.index_day + 1, regimen.index_day):
        return False
    pause = regimen.index_day - min(before.last_day, regimen.index_day)
    if not rules.maintenance_days or pause > rules.maintenance_days:
        return False
    named = set(agents_known(regimen, rules, of))
    listed = [after for after, agents in maintenance_agents("switch", of.cancer_type).items() if named <= agents]
    if not named or not listed:
        return False
    given = [agent for agent, day in before.first.items() if day < regimen.index_day]
    running = {of.drug_class.get(agent) for agent in given if before.last[agent] >= regimen.index_day}
    return not ({of.drug_class.get(agent) for agent in given} - running).isdisjoint(listed)


def continuation_day(regimen: Regimen, rules: Regimens, of: Traits) -> int | None:
    """The day from which only maintenance agents of the regimen went on, or None: the others ended `carry_over_days` or more before.

    It is known only afterwards, so it may describe a regimen and never enter a prompt.
    """
    agents = early_agents(regimen, rules, of)
    if len(agents) < 2:
        return None
    classes, listed = {of.drug_class.get(agent) for agent in agents}, maintenance_agents("continuation", of.cancer_type)
    goes_on = [any(after in classes and agent in found for after, found in listed.items()) for agent in agents]
    kept, dropped = ([agent for agent, is_kept in zip(agents, goes_on) if is_kept is which] for which in (True, False))
    if not kept or not dropped:
        return None
    ended = max(regimen.last[agent] for agent in dropped)
    return ended + 1 if max(regimen.last[agent] for agent in kept) - ended > rules.carry_over_days else None
