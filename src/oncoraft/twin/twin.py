"""The twin: a synthetic study in MSK-CHORD's released layout, with a known truth.

`oncoraft twin --out STUDY [--truth truth.parquet] [--patients N] [--seed S] [--clean]`. Everything is made from the parameters of
`twin_parameters` and `twin_regimens`; no real row is used. The truth (the probability of response at every regimen, the hazard)
stays outside the study folder. A patient depends on the seed and its number alone; the bytes do not depend on `--processes`.
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pandas as pd

from oncoraft.foundation.errors import InputError
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.knowledge.tables import TABLES
from oncoraft.planning.config import Twin
from oncoraft.planning.edge import read_settings, run, settings_record, step_parser
from oncoraft.twin import genie_bpc
from oncoraft.twin.blocks import Block, Task, make_block, tasks
from oncoraft.twin.genes import MATRIX_GENES
from oncoraft.twin.meta import write_meta
from oncoraft.twin.text import header

log = logging.getLogger("oncoraft")
EPILOG = """\
STUDY receives the data files of a study in cBioPortal's layout (docs/tables.md), meta files and case lists; FILE, outside it, a row
for every regimen: true probability of response, drawn response, hazard of death. What was assumed is in docs/twin.md. The released
files' quirks (unsorted rows, exact duplicates, padding, CR LF, no final newline) are left out by --clean.

example:
  oncoraft twin --patients 300 --seed 1 --out study --truth truth.parquet
  oncoraft twin --layout genie-bpc --patients 300 --seed 2 --overlap 40 --overlap-seed 1 --out release
"""


def made(todo: list[Task], processes: int) -> Iterator[Block]:
    """The blocks in order, made in as many processes as asked for."""
    if processes == 1 or len(todo) == 1:
        yield from map(make_block, todo)
        return
    with ProcessPoolExecutor(min(processes, len(todo)), mp_context=multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(make_block, todo)


def write_study(folder: Path, settings: Twin, processes: int) -> tuple[pd.DataFrame, Counter[str]]:
    """Every file of the study folder; returns the truth and the rows per table."""
    folder.mkdir()
    todo = tasks(settings.patients, settings.seed, settings.clean)
    rows: Counter[str] = Counter()
    truths, in_matrix, matrix = [], [], [bytearray() for _ in MATRIX_GENES]
    with ExitStack() as stack:
        files = {table.name: stack.enter_context((folder / table.file).open("wb")) for table in TABLES}
        for table in TABLES:
            if table.layout == "rows":
                files[table.name].write(_ends(header(table), table.crlf and not settings.clean))
        started = time.monotonic()
        for task, part in zip(todo, made(todo, processes), strict=True):
            for name, text in part.texts.items():
                files[name].write(text)
            for line, cells in zip(matrix, part.matrix, strict=True):
                line += cells
            rows.update(part.rows)
            truths.append(part.truth)
            in_matrix += part.in_matrix
            log.info("twin: %d of %d patients, %.0f s", task.last, settings.patients, time.monotonic() - started)
        files["cna"].write(("\t".join(["Hugo_Symbol", *in_matrix]) + "\n").encode())
        for gene, line in zip(MATRIX_GENES, matrix, strict=True):
            files["cna"].write(gene.encode() + line + b"\n")
    rows["cna"] = len(MATRIX_GENES)
    if not settings.clean:
        for table in TABLES:
            if table.name.startswith("timeline_") or table.name == "clinical_patient":
                _cut_final_newline(folder / table.file)
    write_meta(folder, clean=settings.clean)
    return pd.concat(truths, ignore_index=True), rows


LAYOUTS = ("msk-chord", "genie-bpc")


def _ends(text: bytes, crlf: bool) -> bytes:
    return text.replace(b"\n", b"\r\n") if crlf else text


def _cut_final_newline(path: Path) -> None:
    with path.open("r+b") as stream:
        stream.seek(-2, os.SEEK_END)
        tail = stream.read()
        stream.truncate(path.stat().st_size - (2 if tail == b"\r\n" else 1))


# What a study folder holds, by the pattern of its name.
WRITTEN = ("data_*", "meta_*", "case_lists/*", *genie_bpc.WRITTEN)


def main(arguments: Sequence[str] | None = None) -> int:
    """Make and write a study, whole or not at all."""
    parser = step_parser("twin", EPILOG)
    parser.add_argument("--out", type=Path, required=True, metavar="STUDY", help="study folder to write (an earlier one is replaced)")
    parser.add_argument("--truth", type=Path, metavar="FILE", help="Parquet file for the truth (default: STUDY.truth.parquet)")
    parser.add_argument("--patients", type=int, help="instead of twin.patients")
    parser.add_argument("--seed", type=int, help="instead of twin.seed")
    parser.add_argument("--clean", action="store_true", help="without the quirks of the released files")
    parser.add_argument(
        "--processes", type=int, default=min(2, os.cpu_count() or 1), help="the files do not depend on it (default: %(default)s)"
    )
    parser.add_argument("--layout", default=LAYOUTS[0], help=f"{' or '.join(LAYOUTS)} (default: %(default)s)")
    parser.add_argument("--overlap", type=int, default=0, help="genie-bpc: patients who stand in the MSK twin of --overlap-seed too")
    parser.add_argument("--overlap-seed", type=int, default=Twin().seed, help="seed of that twin (default: %(default)s)")
    given = parser.parse_args(arguments)
    block = read_settings("twin", given)["twin"]
    settings = _settings(block, given.patients, given.seed, given.clean)
    if given.processes < 1:
        raise InputError("--processes: expected 1 or more", found=given.processes)
    _check_layout(given, settings)
    truth_file = given.truth or given.out.with_name(given.out.name + ".truth.parquet")
    record = truth_file.with_name(truth_file.name + ".manifest.json")
    with publishing(given.out, truth_file, record, step="twin", folders=[given.out], own=WRITTEN) as (study, answers, note):
        if given.layout == LAYOUTS[0]:
            truth, rows = write_study(study, settings, given.processes)
        else:
            truth, rows = genie_bpc.write_release(study, settings, given.overlap, given.overlap_seed)
        truth.to_parquet(answers, index=False)
        counts = {"patients": settings.patients, "regimens": len(truth)} | dict(sorted(rows.items()))
        outputs = {given.out / path.relative_to(study): path for path in sorted(study.rglob("*")) if path.is_file()} | {truth_file: answers}
        settings_now = settings_record(given, {"twin": settings})
        write_json(note, manifest("twin", inputs=[], outputs=outputs, settings=settings_now, counts=counts, beside=record))
    log.info("twin: %d patients, %d regimens in %s", settings.patients, len(truth), given.out)
    return 0


def _check_layout(given: argparse.Namespace, settings: Twin) -> None:
    """The layout and who of another twin is in it.

    Raises:
        InputError: another layout; an overlap of a layout that has none, larger than the twin, or with itself.
    """
    if given.layout not in LAYOUTS:
        raise InputError(f"--layout: expected one of {', '.join(LAYOUTS)}", found=given.layout)
    if given.overlap and given.layout == LAYOUTS[0]:
        raise InputError("--overlap: expected the layout genie-bpc; a twin of MSK-CHORD shares nobody with another")
    if not 0 <= given.overlap <= settings.patients:
        raise InputError(f"--overlap: expected 0 to {settings.patients}, the patients of this twin", found=given.overlap)
    if given.overlap and given.overlap_seed == settings.seed:
        raise InputError("--overlap-seed: expected the seed of another twin than this one", found=given.overlap_seed)


def _settings(block: Twin, patients: int | None, seed: int | None, clean: bool) -> Twin:
    """The configured block with what the command line says instead.

    Raises:
        InputError: fewer than 50 patients, or a seed out of range.
    """
    if patients is not None and patients < 50:
        raise InputError("--patients: expected 50 or more", found=patients)
    if (block.seed if seed is None else seed) < 0:
        raise InputError("--seed: expected 0 or more", found=block.seed if seed is None else seed)
    if (block.seed if seed is None else seed) >= 2**63:
        raise InputError("--seed: expected less than 2**63", found=block.seed if seed is None else seed)
    changed = {"patients": patients, "seed": seed, "clean": clean or None}
    return Twin(**(block.model_dump() | {key: value for key, value in changed.items() if value is not None}))


if __name__ == "__main__":
    raise SystemExit(run(main))
