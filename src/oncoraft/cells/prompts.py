"""Sentences of cells as prompts: `oncoraft cell-prompts DIR --out prompts.jsonl --audit audit.json`.

A prompt names the drug with its mechanism, tissue and cancer, then the genes of the cell, the most expressed first. It names neither the
donor nor the data set, and is searched for the words of the response.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from oncoraft.answers import full_prompt
from oncoraft.cells.declared import UNKNOWN, classes_of
from oncoraft.cells.edge import cell_parser, cell_settings
from oncoraft.cells.tables import read_cases, read_genes
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.foundation.publishing import claim
from oncoraft.planning.config import CellStudy
from oncoraft.planning.edge import run, settings_record

log = logging.getLogger("oncoraft")
CHARACTERS_PER_TOKEN = 3  # as elsewhere where no tokenizer is at hand; a symbol with its comma takes about nine
INSTRUCTION = {
    "cell": "You are an expert in the biology of cancer. From the genes of a tumour or immune cell in order of their expression, judge whether "
    "its donor's disease is sensitive to the drug.",
    "donor": "You are an expert in the biology of cancer. From the genes of a donor's cells in order of their summed expression, judge whether "
    "the disease is sensitive to the drug.",
}


@cache
def context(drug: str, regimen: str, tissue: str, cancer: str) -> str:
    """What a prompt says before its genes."""
    _, mechanism = classes_of(drug)
    given = f"Drug: {drug}." if regimen == drug else f"Drug: {drug}, as part of {regimen}."
    lines = [f"{given} {mechanism}".strip()] if drug != UNKNOWN else []
    lines += [f"{name}: {value}." for name, value in (("Tissue", tissue), ("Cancer", cancer)) if value != UNKNOWN]
    return "\n".join(lines)


def sentence(genes: Sequence[str]) -> str:
    """The genes in words."""
    return "Genes: " + ", ".join(genes)


def fitting(genes: list[str], before: str, instruction: str, budget: int) -> list[str]:
    """As many of the first genes as the budget holds, by the estimate of characters."""
    room = budget * CHARACTERS_PER_TOKEN - len(full_prompt(instruction, before + "\n" + sentence([])))
    sizes = np.cumsum([len(name) + 2 for name in genes])
    return genes if not len(sizes) or sizes[-1] <= room else genes[: int(np.searchsorted(sizes, room, side="right"))]


def groups_of(path: Path) -> Iterator[tuple[list[str], pa.ListArray]]:
    """Cases and the places of their genes, a row group at a time."""
    if not path.is_file():
        raise InputError("expected the sentences written by `oncoraft cell-cases`", file=path)
    with pq.ParquetFile(path) as file:
        for number in range(file.num_row_groups):
            group = file.read_row_group(number)
            yield group["case_id"].to_pylist(), group["genes"].combine_chunks()


def refuse_response(texts: Iterable[str], study: CellStudy, what: str) -> int:
    """Search every text for the words of the response; how many were searched.

    Raises:
        InputError: one holds such a word, which is named.
    """
    words = [word for word in study.labels if len(word) > 1]
    # PD-1 and PD-L1 are checkpoints, not progressive disease.
    pattern = re.compile("|".join(rf"(?<!\w){re.escape(word)}(?!\w|-L?\d)" for word in words), re.IGNORECASE) if words else None
    count = 0
    for text in texts:
        count += 1
        if pattern is not None and (hit := pattern.search(text)):
            raise InputError(f"{what} {text!r}: expected nothing of the response in the prompt", found=hit.group())
    return count


def lines_of(cases: pd.DataFrame, path: Path, names: np.ndarray, study: CellStudy, counts: dict[str, int]) -> Iterator[str]:
    """A line of JSON a case, in their order; `counts` grows with what was cut and who has nothing to show.

    What repeats (instruction, context, gene) is escaped once: a prompt is put together by joining.

    Raises:
        InputError: the sentences are not those of the cases; no gene fits the budget.
    """
    instruction, begin = INSTRUCTION[study.unit], sentence([])
    escaped = pa.array([quoted(name)[1:-1] for name in names], pa.string())
    sizes = np.array([len(name) + 2 for name in names], dtype=np.int64)
    asked = quoted(instruction)
    columns = [cases[name].tolist() for name in ("case_id", "patient_id", "drug", "regimen", "tissue", "cancer", "score", "responder")]
    rows = zip(*columns, strict=True)
    for told, lists in groups_of(path):
        places, bounds = lists.values.to_numpy(), lists.offsets.to_numpy()
        joined = pc.binary_join(pa.ListArray.from_arrays(lists.offsets, escaped.take(lists.values)), ", ").to_pylist()
        total = np.concatenate([[0], np.cumsum(sizes[places])])
        lengths, numbers = (total[bounds[1:]] - total[bounds[:-1]]).tolist(), np.diff(bounds).tolist()
        for row, (case_id, genes, length, number) in enumerate(zip(told, joined, lengths, numbers)):
            own, patient, drug, regimen, tissue, cancer, score, responder = next(rows, ("",) * 8)
            if own != case_id:
                raise InputError("expected sentences of these cases, in their order", file=path, line=row + 1, found=case_id)
            before, start, room = opening(drug, regimen, tissue, cancer, instruction, study.token_budget)
            if length > room:
                shown = fitting(names[places[bounds[row] : bounds[row + 1]]].tolist(), before, instruction, study.token_budget)
                if not shown:
                    raise InputError(f"case {case_id}: expected a token_budget that leaves room for one gene", found=study.token_budget)
                counts["genes_cut"] += number - len(shown)
                genes = ", ".join(quoted(name)[1:-1] for name in shown)
            counts["prompts"] += 1
            counts["cases_without_genes"] += not number
            yield (
                f'{{"case_id": {json.dumps(case_id, ensure_ascii=False)}, "patient_id": {quoted(patient)}, "instruction": {asked}, '
                f'"input": "{start}{begin}{genes}", "score": {score!r}, "responder": {"true" if responder else "false"}}}\n'
            )
    if next(rows, None) is not None:
        raise InputError("expected sentences of every case", file=path)


@cache
def quoted(text: str) -> str:
    """A text as JSON writes it."""
    return json.dumps(text, ensure_ascii=False)


@cache
def opening(drug: str, regimen: str, tissue: str, cancer: str, instruction: str, budget: int) -> tuple[str, str, int]:
    """Of a context: itself, how a line of JSON begins with it, and the characters that it leaves for genes."""
    before = context(drug, regimen, tissue, cancer)
    start = quoted(before + "\n")[1:-1] if before else ""
    return before, start, budget * CHARACTERS_PER_TOKEN - len(full_prompt(instruction, before + "\n" + sentence([])))


def main(arguments: Sequence[str] | None = None) -> int:
    """Write and search the prompts."""
    parser = cell_parser(
        "cell-prompts",
        "example:\n  oncoraft cell-prompts cells/lung --out cells/lung/prompts.jsonl --audit cells/lung/audit.json --config config/cells.yaml --cells lung",
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder written by `oncoraft cell-cases`")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="prompts.jsonl to write")
    parser.add_argument("--audit", type=Path, required=True, metavar="FILE", help="audit.json to write")
    given = parser.parse_args(arguments)
    blocks = cell_settings("cell-prompts", given)
    study = blocks["cell_study"]
    record = given.out.with_name(given.out.name + ".manifest.json")
    claim(given.out, given.audit, record, step="cell-prompts")
    cases, names = read_cases(given.folder), read_genes(given.folder)
    counts = dict.fromkeys(("prompts", "genes_cut", "cases_without_genes"), 0)
    # A prompt is one of these contexts and some of these genes, parted by commas: what stands in none of them stands in no prompt.
    told = cases[["drug", "regimen", "tissue", "cancer"]].drop_duplicates()
    searched = refuse_response((context(*row) for row in told.itertuples(index=False)), study, "context")
    searched_genes = refuse_response(names.tolist(), study, "gene")
    with publishing(given.out, given.audit, record, step="cell-prompts") as (out, audit, note):
        with out.open("w", encoding="utf-8", newline="\n") as stream:
            stream.writelines(lines_of(cases, given.folder / "sentences.parquet", names, study, counts))
        audited = {
            "contexts_searched": searched,
            "genes_searched": searched_genes,
            "searched_for": sorted(study.labels),
            "found": 0,
            "passed": True,
        }
        write_json(audit, {**counts, **audited, "note": "one would have ended the run"})
        inputs = [given.folder / name for name in ("cases.parquet", "sentences.parquet", "genes.txt")]
        outputs, settings = {given.out: out, given.audit: audit}, settings_record(given, blocks)
        write_json(note, manifest("cell-prompts", inputs=inputs, outputs=outputs, settings=settings, counts=counts, beside=record))
    log.info("cell-prompts: %s", counts)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
