"""Held-out sentences with one gene taken out: `oncoraft cell-removals heldout.jsonl --train train.jsonl --out removals.jsonl`.

What a model makes of them beside the whole sentence says which genes move its score. Tried are the genes whose presence in the sentences
of the training cases differs most between sensitive and resistant donors; nothing of the held-out labels enters.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from oncoraft.cells.edge import cell_parser, cell_settings
from oncoraft.cells.prompts import sentence
from oncoraft.cells.split import capped
from oncoraft.foundation.jsonl import read_jsonl, write_jsonl
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.foundation.publishing import claim
from oncoraft.planning.edge import run, settings_record

log = logging.getLogger("oncoraft")
SEPARATOR = "#without-"  # between a case and the gene that is missing
BEGIN = sentence([])


def genes_in(text: str) -> list[str]:
    """The genes of a prompt's sentence, in order."""
    return [name for name in text.rpartition(BEGIN)[2].split(", ") if name]


def candidates(train: Sequence[dict[str, Any]], most: int) -> list[str]:
    """Genes whose share of sentences differs most between sensitive and resistant donors, a mean a donor."""
    rows = [(row["patient_id"], row["responder"], gene) for row in train for gene in genes_in(row["input"])]
    told = pd.DataFrame(rows, columns=["donor", "responds", "gene"])
    sizes = pd.Series([row["patient_id"] for row in train]).value_counts()
    share = told.groupby(["gene", "donor"]).size().unstack("donor", fill_value=0).reindex(columns=sizes.index, fill_value=0) / sizes
    # A donor may respond to one drug and not to another: what most of his cases say, as in the baselines' signature.
    mean = (
        pd.DataFrame({name: [row[name] for row in train] for name in ("patient_id", "responder")}).groupby("patient_id")["responder"].mean()
    )
    answer = mean.reindex(share.columns) >= 0.5
    if answer.all() or not answer.any():
        return []
    gap = (share.loc[:, answer].mean(axis=1) - share.loc[:, ~answer].mean(axis=1)).abs()
    return gap.reset_index(name="gap").sort_values(["gap", "gene"], ascending=[False, True])["gene"].head(most).tolist()


def without(row: dict[str, Any], gene: str) -> dict[str, Any]:
    """A row whose sentence lacks one gene."""
    before = row["input"].rpartition(BEGIN)[0]
    kept = [name for name in genes_in(row["input"]) if name != gene]
    return row | {"case_id": f"{row['case_id']}{SEPARATOR}{gene}", "input": before + sentence(kept)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the sentences."""
    parser = cell_parser(
        "cell-removals",
        "example:\n  oncoraft cell-removals heldout.jsonl --train train.jsonl --out removals.jsonl --config config/cells.yaml",
    )
    parser.add_argument("heldout", type=Path, metavar="HELDOUT", help="held-out file of a fold")
    parser.add_argument("--train", type=Path, required=True, metavar="TRAIN", help="training file of the same fold")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="JSONL to write")
    given = parser.parse_args(arguments)
    blocks = cell_settings("cell-removals", given)
    study = blocks["cell_study"]
    record = given.out.with_name(given.out.name + ".manifest.json")
    claim(given.out, record, step="cell-removals")
    keys = ("case_id", "patient_id", "input")
    train, held = read_jsonl(given.train, (*keys, "responder")), read_jsonl(given.heldout, keys, once="case_id")
    genes = candidates(train, study.marker_genes)
    chosen = capped(held, study.marker_cases, study.seed, "markers")
    rows = [one for row in chosen for one in (row, *(without(row, gene) for gene in genes if gene in set(genes_in(row["input"]))))]
    with publishing(given.out, record, step="cell-removals") as (out, note):
        write_jsonl(out, rows)
        told = {"cases": len(chosen), "genes": len(genes), "rows": len(rows)}
        settings = settings_record(given, blocks)
        write_json(
            note,
            manifest(
                "cell-removals",
                inputs=[given.heldout, given.train],
                outputs={given.out: out},
                settings=settings,
                counts=told,
                beside=record,
            ),
        )
    log.info("cell-removals: %s", told)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
