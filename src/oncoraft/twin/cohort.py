"""The twin's cohort: those who lived to be sequenced, what of their lives is on record, in days from sequencing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from oncoraft.twin.course import Lives, live
from oncoraft.twin.draws import Booleans, Draws, Integers
from oncoraft.twin.people import People, base_keys, make_people
from oncoraft.twin.response import NEVER, Regimens

ATTEMPTS = 200


@dataclass
class Cohort:
    """Some patients, days from sequencing.

    Attributes:
        people: as they were at diagnosis; diagnosis: its day (not positive); end: last day of follow-up; died: whether that is death.
        recurrence, operation: day, far in the future if none; waits: sequenced because the disease came back; arrival: first day on which anything is recorded here.
        regimens: those on record, cut at the end of follow-up; following: start of the same patient's next one, or the end.
    """

    people: People
    diagnosis: Integers
    end: Integers
    died: Booleans
    recurrence: Integers
    operation: Integers
    waits: Booleans
    arrival: Integers
    regimens: Regimens
    following: Integers

    @property
    def draws(self) -> Draws:
        """Of the patients."""
        return self.people.draws

    def __len__(self) -> int:
        return len(self.end)

    def on_record(self, person: Integers, day: Integers) -> Booleans:
        """Whether an event can be on record: from arrival to the end of follow-up."""
        return (day >= self.arrival[person]) & (day <= self.end[person])


def make_cohort(seed: int, numbers: Integers) -> Cohort:
    """Patients by number. Who dies before sequencing is not in the cohort: another life is drawn until one lives to it."""
    base, attempt = base_keys(seed, numbers), np.zeros(len(numbers), dtype=np.int64)
    waiting = np.arange(len(numbers))
    for _ in range(ATTEMPTS):
        lives = live(make_people(numbers[waiting], base[waiting], attempt[waiting]))
        waiting = waiting[lives.death <= lives.sequencing + 1]
        if not len(waiting):
            break
        attempt[waiting] += 1
    else:
        raise AssertionError(f"{len(waiting)} patients never live to be sequenced")
    # All again, at once: a life depends on its key alone, so that it is the same as when it was tried.
    people = make_people(numbers, base, attempt)
    return _recorded(people, live(people))


def _recorded(people: People, lives: Lives) -> Cohort:
    """Shift to sequencing, cut at the end of follow-up, leave out what was given elsewhere before arrival."""
    zero = lives.sequencing
    end = np.minimum(lives.death - zero, people.follow_up)
    died = lives.death - zero <= people.follow_up
    elsewhere = people.draws.chance("arrives late", 0.55) & (people.outside == 1)
    arrival = np.where(elsewhere, -people.draws.whole("arrival", 5, 150), -zero)
    everything = lives.regimens
    for name in ("start", "stop", "progression", "local_day"):
        setattr(everything, name, getattr(everything, name) - zero[everything.person])
    who = everything.person
    kept = everything.take((everything.start <= end[who] - 1) & (everything.start >= np.maximum(arrival, -zero)[who]))
    kept.stop = np.minimum(kept.stop, end[kept.person])
    following = end[kept.person].copy()
    same = np.flatnonzero(kept.person[1:] == kept.person[:-1])
    following[same] = kept.start[same + 1]
    recurrence = np.where(lives.recurrence >= NEVER, NEVER, lives.recurrence - zero)
    operation = np.where(lives.operation >= NEVER, NEVER, lives.operation - zero)
    return Cohort(people, -zero, end, died, recurrence, operation, lives.waits, arrival, kept, following)
