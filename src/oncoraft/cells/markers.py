"""Marker genes by removal: `oncoraft cell-markers SHARD --out markers.csv`.

Per gene the mean change of the log odds when it is taken out of a sentence that has it: below zero, its presence speaks for response. An
interval resamples donors. Genes that other genes stand in for move little; a model may read them all the same.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from oncoraft.cells.edge import cell_parser, cell_settings
from oncoraft.cells.removals import SEPARATOR
from oncoraft.foundation.csv_file import iterate_csv, write_csv
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.jsonl import read_jsonl
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.foundation.publishing import claim
from oncoraft.foundation.stable import stable_seed
from oncoraft.planning.edge import run, settings_record

log = logging.getLogger("oncoraft")
EDGE = 1e-6


def changes(rows: Sequence[dict[str, object]], path: Path) -> pd.DataFrame:
    """patient_id, gene and change of the log odds of every sentence with a gene taken out.

    Raises:
        InputError: a sentence without a gene whose whole sentence was not scored.
    """
    frame = pd.DataFrame(rows)
    inside = frame["score"].astype(float).clip(EDGE, 1 - EDGE)
    frame["log_odds"] = np.log(inside / (1 - inside))
    parts = frame["case_id"].str.partition(SEPARATOR)
    frame["case"], frame["gene"] = parts[0], parts[2]
    whole = frame[frame["gene"] == ""].set_index("case")["log_odds"]
    tried = frame[frame["gene"] != ""].copy()
    tried["change"] = tried["log_odds"] - whole.reindex(tried["case"]).to_numpy()
    if tried["change"].isna().any():
        raise InputError("expected the whole sentence of every case beside those without a gene", file=path)
    return tried[["patient_id", "gene", "change"]]


def markers(found: pd.DataFrame, resamples: int, seed: int) -> pd.DataFrame:
    """A row a gene: mean change, interval over resampled donors, cases, donors; the largest mean first."""
    rows = []
    for gene, part in found.groupby("gene", sort=True):
        by_donor = part.groupby("patient_id")["change"].agg(["sum", "size"])
        draw = np.random.default_rng(stable_seed(seed, gene))
        times = draw.multinomial(len(by_donor), np.full(len(by_donor), 1 / len(by_donor)), size=resamples)
        means = times @ by_donor["sum"].to_numpy() / (times @ by_donor["size"].to_numpy())
        lower, upper = np.percentile(means, [2.5, 97.5]) if len(by_donor) > 1 else (np.nan, np.nan)
        rows.append(
            {"gene": gene, "change": part["change"].mean(), "lower": lower, "upper": upper, "cases": len(part), "donors": len(by_donor)}
        )
    columns = ["gene", "change", "lower", "upper", "cases", "donors"]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.iloc[np.argsort(-frame["change"].abs().to_numpy(), kind="stable")].reset_index(drop=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Average the changes."""
    parser = cell_parser("cell-markers", "example:\n  oncoraft cell-markers shard-0.jsonl --out markers.csv --config config/cells.yaml")
    parser.add_argument(
        "predictions", type=Path, metavar="SHARD", help="what `oncoraft infer` said of the file of `oncoraft cell-removals`"
    )
    parser.add_argument("--programme", type=Path, metavar="FILE", help="programme.csv of a twin: adds each gene's true direction")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="CSV to write")
    given = parser.parse_args(arguments)
    blocks = cell_settings("cell-markers", given)
    study = blocks["cell_study"]
    record = given.out.with_name(given.out.name + ".manifest.json")
    claim(given.out, record, step="cell-markers")
    rows = read_jsonl(given.predictions, ("case_id", "patient_id", "score"), once="case_id")
    table = markers(changes(rows, given.predictions), study.bootstrap, study.seed)
    if given.programme is not None:
        truth = {row["gene"]: row["direction"] for _, row in iterate_csv(given.programme, ("gene", "direction"), "a programme of genes")}
        table["truth"] = [truth.get(gene, "none") for gene in table["gene"]]
    with publishing(given.out, record, step="cell-markers") as (out, note):
        write_csv(out, table)
        inputs = [given.predictions, *([given.programme] if given.programme else [])]
        told = {"genes": len(table), "sentences": len(rows)}
        settings = settings_record(given, blocks)
        write_json(note, manifest("cell-markers", inputs=inputs, outputs={given.out: out}, settings=settings, counts=told, beside=record))
    log.info("cell-markers: %s", told)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
