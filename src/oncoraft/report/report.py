"""One offline page with every table and figure: `oncoraft report results/<cohort> --out index.html`."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from oncoraft.foundation.csv_file import write_csv
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.planning.edge import read_settings, run, settings_record, step_parser
from oncoraft.report import discrimination, summary, survival_tables
from oncoraft.report import external as abroad
from oncoraft.report.case_records import COURSE_TABLES
from oncoraft.report.collect import Run, read_json, read_runs
from oncoraft.report.contents import contents
from oncoraft.report.page import fill
from oncoraft.report.sections import Shown, Sources
from oncoraft.report.small_cells import Guard
from oncoraft.report.tables import Data, Document, written

log = logging.getLogger("oncoraft")


def sources_of(
    results: Path,
    runs: Sequence[Run],
    show_rationales: bool,
    guard: Guard,
    show_individuals: bool = False,
    external: Sequence[Path] = (),
) -> Sources:
    """What the sections read.

    Args:
        results: results folder of one cohort.
        runs: the experiments to show, their metrics guarded already.
        show_rationales: show generated texts of a real cohort too.
        guard: what hides small cells.
        show_individuals: draw single patients.
        external: external.json of models judged on other cohorts.
    """
    flow = read_json(results / "cases" / "flow.json")
    if flow is None:
        raise InputError("expected counts written by `oncoraft flow`", file=results / "cases" / "flow.json")
    return Sources(results, runs, guard, flow, show_rationales, show_individuals, tuple(external))


def render(sources: Sources, shown: Sequence[Shown]) -> str:
    """The page: the first screen, then the other sections."""
    first, *sections = shown
    groups = list(dict.fromkeys(one.section.group for one in sections))
    return fill(title=sources.results.name, is_twin=sources.is_twin, first=first, sections=sections, groups=groups)


def write_files(folder: Path, shown: Sequence[Shown]) -> None:
    """The numbers behind everything that is shown, and every figure alone; a name stands for one content."""
    seen: dict[str, Data] = {}
    for one in written([section.it for section in shown]):
        if isinstance(one, Data):
            if one.name not in seen:
                seen[one.name] = one
                write_csv(folder / f"{one.name}.csv", one.frame)
            elif one is not seen[one.name] and list(one.rows) != list(seen[one.name].rows):
                raise ValueError(f"two tables of the report are called {one.name}")
        elif isinstance(one, Document):
            (folder / f"{one.name}.md").write_text(one.content, encoding="utf-8")
        else:
            (folder / f"{one.name}.svg").write_text(f"{one.svg}\n", encoding="utf-8")


def guarded(one: Run, guard: Guard) -> Run:
    """A run whose metrics hold no small count."""
    return replace(one, metrics=discrimination.guarded(one.metrics, guard))


def headline(runs: Sequence[Run], guard: Guard) -> dict[str, Any]:
    """The headline of every run, small counts marked."""
    shown = [replace(one, survival=one.survival | {"regimens": survival_tables.guarded(one.survival["regimens"], guard)}) for one in runs]
    return summary.headline(shown)


# Of the cohort, what the page is made from beside the experiments.
READ = (
    "cases/flow.json",
    *(f"cases/{name}.parquet" for name in COURSE_TABLES),
    "cases/folds.parquet",
    "cases/label_truth.json",
    "tables/ledger.parquet",
    "prompts/audit.json",
    "prompts/evidence.parquet",
    "grid/grid.json",
)
# What the folder of the page's data holds, by the pattern of its name.
WRITTEN = ("*.csv", "*.svg", "*.md")


def main(arguments: Sequence[str] | None = None) -> int:
    """Read results, write the page, the headline and the data of every table."""
    parser = step_parser("report", "example:\n  oncoraft report results/demo --out results/demo/report/index.html")
    parser.add_argument("results", type=Path, metavar="RESULTS_DIR", help="results folder of one cohort")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="index.html to write")
    parser.add_argument("--show-rationales", action="store_true", help="show generated texts of a real cohort too")
    parser.add_argument(
        "--metrics", type=Path, nargs="+", default=[], metavar="FILE", help="metrics.json of the runs to show; default: all"
    )
    parser.add_argument(
        "--external",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="external.json of models judged on another cohort; once a run",
    )
    given = parser.parse_args(arguments)
    blocks = read_settings("report", given)
    guard = Guard(blocks["report"].smallest_cell)
    runs = [guarded(one, guard) for one in read_runs(given.results, given.metrics)]
    sources = sources_of(given.results, runs, given.show_rationales, guard, blocks["report"].individuals, given.external)
    shown = contents(sources)
    page = render(sources, shown)
    home = given.out.parent
    files = [given.out, home / "headline.json", home / "data", home / "manifest.json"]
    with publishing(*files, step="report", folders=[home / "data"], own=WRITTEN) as (html, top, data, note):
        html.write_text(page, encoding="utf-8")
        write_json(top, headline(runs, guard))
        data.mkdir()
        write_files(data, shown)
        homes = [given.results / one.model / one.strategy / one.design for one in runs]
        inputs = [path for one in homes for name in ("metrics", "survival") for path in (one / name).glob("*.json")]
        inputs += [path for name in READ if (path := given.results / name).is_file()]
        inputs += [path for one in given.external for path in abroad.files_of(one)]
        outputs = {given.out: html, files[1]: top} | {home / "data" / path.name: path for path in sorted(data.iterdir())}
        settings = settings_record(given, blocks)
        write_json(note, manifest("report", inputs=inputs, outputs=outputs, settings=settings, counts={"runs": len(runs)}, beside=files[3]))
    log.info("report: %s", given.out)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
