"""Sentences of cells as prompts: `oncoraft cell-prompts DIR --out prompts.jsonl --audit audit.json`.

A prompt names the drug with its mechanism, tissue and cancer, then the genes of the cell, the most expressed first. It names neither the
donor nor the data set, and is searched for the words of the response.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from oncoraft.answers import full_prompt
from oncoraft.cells.declared import UNKNOWN, classes_of
from oncoraft.cells.edge import cell_parser, cell_settings
from oncoraft.cells.tables import read_cases, read_genes
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.jsonl import write_jsonl
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


def rows_of(
    cases: pd.DataFrame, sentences: Iterator[tuple[str, np.ndarray]], names: np.ndarray, study: CellStudy, counts: dict[str, int]
) -> Iterator[dict[str, Any]]:
    """A row a case, in their order; `counts` grows with what was cut and who has nothing to show.

    Raises:
        InputError: the sentences are not those of the cases; no gene fits the budget.
    """
    instruction = INSTRUCTION[study.unit]
    columns = [cases[name].tolist() for name in ("case_id", "patient_id", "drug", "regimen", "tissue", "cancer", "score", "responder")]
    for (case_id, patient, drug, regimen, tissue, cancer, score, responder), (told, places) in zip(zip(*columns), sentences, strict=True):
        if told != case_id:
            raise InputError("expected sentences of these cases, in their order", found=told)
        before = context(drug, regimen, tissue, cancer)
        genes = names[places].tolist()
        shown = fitting(genes, before, instruction, study.token_budget)
        if genes and not shown:
            raise InputError(f"case {case_id}: expected a token_budget that leaves room for one gene", found=study.token_budget)
        counts["genes_cut"] += len(genes) - len(shown)
        counts["prompts"] += 1
        if not shown:
            counts["cases_without_genes"] += 1
        yield {
            "case_id": case_id,
            "patient_id": patient,
            "instruction": instruction,
            "input": f"{before}\n{sentence(shown)}" if before else sentence(shown),
            "score": score,
            "responder": responder,
        }


def sentences_of(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Case and places of its genes, row group by row group."""
    if not path.is_file():
        raise InputError("expected the sentences written by `oncoraft cell-cases`", file=path)
    with pq.ParquetFile(path) as file:
        for number in range(file.num_row_groups):
            group = file.read_row_group(number)
            lists = group["genes"].combine_chunks()
            values, bounds = lists.values.to_numpy(), lists.offsets.to_numpy().tolist()
            for name, low, high in zip(group["case_id"].to_pylist(), bounds[:-1], bounds[1:]):
                yield name, values[low:high]


def audited(rows: Iterator[dict[str, Any]], study: CellStudy) -> Iterator[dict[str, Any]]:
    """The rows, each searched for the words of the response.

    Raises:
        InputError: one holds such a word; the case is named.
    """
    words = [word for word in study.labels if len(word) > 1]
    pattern = re.compile("|".join(rf"(?<!\w){re.escape(word)}(?!\w)" for word in words), re.IGNORECASE) if words else None
    for row in rows:
        if pattern is not None and (hit := pattern.search(row["input"])):
            raise InputError(f"case {row['case_id']}: expected nothing of the response in the prompt", found=hit.group())
        yield row


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
    rows = rows_of(cases, sentences_of(given.folder / "sentences.parquet"), names, study, counts)
    with publishing(given.out, given.audit, record, step="cell-prompts") as (out, audit, note):
        write_jsonl(out, audited(rows, study))
        write_json(
            audit, {**counts, "searched_for": sorted(study.labels), "found": 0, "passed": True, "note": "one would have ended the run"}
        )
        inputs = [given.folder / name for name in ("cases.parquet", "sentences.parquet", "genes.txt")]
        outputs, settings = {given.out: out, given.audit: audit}, settings_record(given, blocks)
        write_json(note, manifest("cell-prompts", inputs=inputs, outputs=outputs, settings=settings, counts=counts, beside=record))
    log.info("cell-prompts: %s", counts)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
