"""What would run again and why: `oncoraft why [--configfile FILE ...]`.

It asks the engine for its plan and compares each job's own manifest with it, so it also finds what the engine cannot see: results
whose engine records are lost, files that were altered in place. Beside each job stands what it took last time.
"""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from oncoraft.foundation.errors import InputError
from oncoraft.planning.edge import run, step_parser
from oncoraft.reruns.moves import moved_code, sentence
from oncoraft.reruns.planning import Job, planned_jobs
from oncoraft.reruns.reasons import Verdict, judge, listed, seconds_of

log = logging.getLogger("oncoraft")

EPILOG = """It takes the engine's own options and runs nothing. Status 0 whether anything is stale or not.

examples:
  oncoraft why
  oncoraft why --configfile config/config.yaml my_change.yaml
  oncoraft why --configfile config/msk_chord.yaml --config study=PATH --json"""
SNAKEFILES = ("workflow/Snakefile", "Snakefile")
CHECKOUT = Path(__file__).parents[3]


def duration(seconds: float) -> str:
    """Seconds for people."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min {whole % 60:02d} s" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def cost(verdicts: list[Verdict], known: dict[str, list[float]]) -> tuple[float, int]:
    """Seconds of these jobs, and how many of them have neither run nor a sibling of their rule that has.

    A job without a record of its own counts as the mean of the recorded jobs of its rule.
    """
    total, unknown = 0.0, 0
    for verdict in verdicts:
        siblings = known.get(verdict.job.rule, [])
        if verdict.seconds is not None:
            total += verdict.seconds
        elif siblings:
            total += sum(siblings) / len(siblings)
        else:
            unknown += 1
    return total, unknown


def grouped(verdicts: list[Verdict]) -> list[list[Verdict]]:
    """Jobs of one rule whose reasons read the same, together; in running order of the first of each."""
    groups: dict[tuple[str, tuple[str, ...]], list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        groups[(verdict.job.rule, verdict.reasons)].append(verdict)
    return list(groups.values())


def without_code(verdicts: list[Verdict]) -> list[Verdict]:
    """The jobs that have a reason of their own beside their code, with those reasons alone."""
    rest = [(one, tuple(reason for reason in one.reasons if not reason.startswith(("code", "after ")))) for one in verdicts]
    return [one._replace(reasons=reasons) for one, reasons in rest if reasons]


def lines_of(
    verdicts: list[Verdict], total_jobs: int, known: dict[str, list[float]], engine: dict[str, str], moves: dict[str, str] | None = None
) -> list[str]:
    """The answer, for people; where all code moved, that is one sentence and not a reason at every job."""
    if not verdicts:
        return [f"all {total_jobs} jobs are current; nothing would run"]
    lines = []
    if moves:
        seconds, _ = cost(verdicts, known)
        lines = [sentence(moves, f"by earlier runs {duration(seconds)} of computing"), ""]
    for group in grouped(without_code(verdicts) if moves else verdicts):
        seconds, unknown = cost(group, known)
        jobs = group[0].job.name if len(group) == 1 else f"{group[0].job.rule}, {len(group)} jobs"
        lines.append(f"{jobs}    {'cost not known' if unknown else duration(seconds)}")
        lines += [f"    {reason}" for reason in group[0].reasons]
        if len(group) > 1:
            lines.append(f"    ({listed([verdict.job.name.split(' ', 1)[1] for verdict in group])})")
    seconds, unknown = cost(verdicts, known)
    more = f", and {unknown} jobs whose like never ran" if unknown else ""
    lines += ["", f"{len(verdicts)} of {total_jobs} jobs are not current; by earlier runs {duration(seconds)} of computing{more}"]
    unseen = [verdict.job for verdict in verdicts if verdict.job.name not in engine]
    if unseen:
        lines.append(f"the engine by itself would run {len(verdicts) - len(unseen)} of them; to run them all add")
        lines.append(f"    --forcerun {' '.join(forcing(unseen))}")
    return lines


def forcing(unseen: list[Job]) -> list[str]:
    """Targets whose forced run makes the engine run jobs that it holds to be current: one of each job that no other of them feeds."""
    made = {path for job in unseen for path in job.outputs}
    return [job.outputs[-1] for job in unseen if not made & set(job.inputs)]


def engine_arguments(snakefile: Path | None, directory: Path, configfiles: list[Path], config: list[str]) -> list[str]:
    """Options for the engine: the Snakefile given, that of the working folder, or that of this checkout.

    Raises:
        InputError: there is none.
    """
    candidates = [snakefile] if snakefile else [*(directory / name for name in SNAKEFILES), CHECKOUT / SNAKEFILES[0]]
    found = next((path for path in candidates if path.is_file()), None)
    if found is None:
        raise InputError("expected a Snakefile", file=candidates[0])
    words = ["--snakefile", str(found), "--directory", str(directory), "--cores", "1"]
    if configfiles:
        words += ["--configfile", *map(str, configfiles)]
    return words + (["--config", *config] if config else [])


def main(arguments: Sequence[str] | None = None) -> int:
    """Say what would run again and why."""
    parser = step_parser("why", EPILOG)
    parser.add_argument(
        "--configfile", type=Path, nargs="+", default=[], metavar="FILE", help="configuration files, as the engine takes them"
    )
    parser.add_argument("--config", nargs="+", default=[], metavar="KEY=VALUE", help="single settings, as the engine takes them")
    parser.add_argument("--snakefile", type=Path, metavar="FILE", help="default: that of the working folder, or of this checkout")
    parser.add_argument("--directory", type=Path, default=Path("."), metavar="DIR", help="folder in which `results` lies")
    parser.add_argument("--json", action="store_true", help="one JSON object a job instead of text")
    given = parser.parse_args(arguments)
    words = engine_arguments(given.snakefile, given.directory, given.configfile, given.config)
    log.info("why: asking the engine for its plan")
    jobs = planned_jobs(words, everything=True)
    engine = {job.name: job.reason for job in planned_jobs(words, everything=False)}
    verdicts = judge(jobs, engine, given.directory)
    if given.json:
        for verdict in verdicts:
            record = {"job": verdict.job.name, "rule": verdict.job.rule, **verdict.job.wildcards, "reasons": verdict.reasons}
            print(json.dumps(record | {"seconds": verdict.seconds, "engine_knows": verdict.job.name in engine}, ensure_ascii=False))
        return 0
    known = known_seconds(jobs, given.directory)
    print("\n".join(lines_of(verdicts, len(jobs), known, engine, moved_code(jobs, given.directory))))
    return 0


def known_seconds(jobs: list[Job], directory: Path) -> dict[str, list[float]]:
    """Rule -> seconds of its recorded jobs."""
    known: dict[str, list[float]] = defaultdict(list)
    for job in jobs:
        seconds = seconds_of(job, directory)
        if seconds is not None:
            known[job.rule].append(seconds)
    return known


if __name__ == "__main__":
    raise SystemExit(run(main))
