"""The fold files of a negative control: `oncoraft control KIND --train T --heldout H --tuning U --evidence FILE CASES --out DIR`.

A control is a strategy like any other, on the same engine; what it is shown differs:

- `permuted_labels`: training labels, with their answers, change places among cases of the same cancer type and regimen. What a model still
  finds beyond the regimens' own shares of responders comes from somewhere else than the patient: AUROC within regimen must be near 0.5.
- `drug_only`: every prompt names the drugs of the regimen and nothing else. The score can say no more than the regimen prior.
- `swapped_drugs`: each held-out case is asked about with the drugs of another regimen of its cancer type, by the model of another
  strategy (`model_of`). How far the scores move says how much they follow the drug; what does not move follows the patient.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from oncoraft.artefacts import read_table
from oncoraft.evidence.fields import FIELDS
from oncoraft.evidence.reading import read_cases
from oncoraft.fold_files import prompts_behind, read_fold_file, write_fold_file
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.foundation.stable import stable_fraction, stable_seed
from oncoraft.planning.edge import read_settings, run, settings_record, step_parser
from oncoraft.prompts.budget import estimated_tokens, tokenizer_count
from oncoraft.prompts.render import render, renderer_of

log = logging.getLogger("oncoraft")
Rows = list[dict[str, Any]]
Render = Callable[[pd.DataFrame], Rows]
PARTS = ("train", "heldout", "tuning")
KINDS = ("permuted_labels", "drug_only", "swapped_drugs")
# Parts whose prompts are a control's own: they lie in no other file, so that its lines hold them.
SHOWN_ANEW: dict[str, tuple[str, ...]] = {"permuted_labels": (), "drug_only": PARTS, "swapped_drugs": ("heldout",)}
LABEL = ("output", "category", "score", "responder")  # an answer goes with its label, or a text would betray the true one
DRUG_FIELDS = ("drug", "drug_mechanism")
PROMPT = ("instruction", "input", "prompt_tokens", "cut")
EPILOG = """example:
  oncoraft control permuted_labels cases --train train.jsonl --heldout heldout.jsonl --tuning tuning.jsonl --evidence evidence.parquet --out control"""


def permuted(rows: Rows, group: dict[str, str], seed: int) -> Rows:
    """Rows whose labels and answers have changed places within their group.

    Args:
        rows: of a training file.
        group: of every case.
        seed: of the permutation, which does not depend on the order of the rows.
    """
    members: defaultdict[str, list[int]] = defaultdict(list)
    for place in sorted(range(len(rows)), key=lambda place: rows[place]["case_id"]):
        members[group[rows[place]["case_id"]]].append(place)
    found = list(rows)
    for name, places in members.items():
        donors = np.random.default_rng(stable_seed(seed, "permuted labels", name)).permutation(places)
        for place, donor in zip(places, donors, strict=True):
            found[place] = rows[place] | {key: rows[donor][key] for key in LABEL}
    return found


def drugs_alone(evidence: pd.DataFrame) -> pd.DataFrame:
    """Evidence that names the drugs about to start and nothing else."""
    return evidence[evidence["field"].isin(DRUG_FIELDS)]


def swapped(evidence: pd.DataFrame, cancer_type: dict[str, str], seed: int) -> tuple[pd.DataFrame, int]:
    """Evidence in which each case has the drugs of another regimen of its cancer type, and how many cases have none to take.

    Args:
        evidence: columns of `evidence.parquet`, of the cases to be asked about.
        cancer_type: of every case.
        seed: of the choice, which depends on nothing but it and the case.
    """
    is_drug = evidence["field"].isin(DRUG_FIELDS)
    drugs = evidence[evidence["field"] == "drug"].groupby("case_id", sort=True)["value"].agg(lambda values: "\x1f".join(sorted(values)))
    # Of each regimen the first case stands for all: what is said of a drug does not depend on the patient.
    shown: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for case_id, regimen in drugs.items():
        shown[cancer_type[str(case_id)]].setdefault(regimen, str(case_id))
    donor = {}
    for case_id, regimen in drugs.items():
        others = sorted(set(shown[cancer_type[str(case_id)]]) - {regimen})
        if others:
            donor[str(case_id)] = shown[cancer_type[str(case_id)]][others[int(stable_fraction(seed, "swap", case_id) * len(others))]]
    taken = pd.DataFrame({"case_id": list(donor), "donor": list(donor.values())})
    rows = evidence[is_drug].rename(columns={"case_id": "donor"}).merge(taken, on="donor")
    kept = evidence[~is_drug | ~evidence["case_id"].isin(donor)]
    joined = pd.concat([kept, rows[evidence.columns]], ignore_index=True)
    place = joined["field"].map({field.name: place for place, field in enumerate(FIELDS)})
    # The reading order of evidence: by case, then by field, then as it stood.
    order = np.lexsort((joined["order"], place, pd.factorize(joined["case_id"], sort=True)[0]))
    return joined.iloc[order].reset_index(drop=True), len(drugs) - len(donor)


def shown_as(rows: Rows, prompts: Rows) -> Rows:
    """Rows that read as the prompts of their cases.

    Raises:
        InputError: a case has no prompt, since nothing of it may be shown.
    """
    by_case = {prompt["case_id"]: prompt for prompt in prompts}
    if absent := sorted({row["case_id"] for row in rows} - set(by_case)):
        raise InputError(f"expected a drug of every case in the evidence; {len(absent)} have none, the first", found=absent[0])
    return [row | {key: by_case[row["case_id"]][key] for key in PROMPT} for row in rows]


def controlled(
    kind: str, parts: dict[str, Rows], cases: pd.DataFrame, evidence: pd.DataFrame, write: Render, seed: int
) -> tuple[dict[str, Rows], dict[str, int]]:
    """The fold's rows under a control, and what was changed.

    Args:
        kind: one of `KINDS`.
        parts: rows by `PARTS`.
        cases: case_id, cancer_type, regimen.
        evidence: columns of `evidence.parquet`.
        write: evidence in, prompts out.
        seed: of permutations and choices.
    """
    if kind == "permuted_labels":
        group = dict(zip(cases["case_id"], cases["cancer_type"] + "\x1f" + cases["regimen"], strict=True))
        train = permuted(parts["train"], group, seed)
        moved = sum(row["responder"] != before["responder"] for row, before in zip(train, parts["train"], strict=True))
        return parts | {"train": train}, {"labels": len(train), "labels_changed": moved}
    if kind == "drug_only":
        wanted = {row["case_id"] for rows in parts.values() for row in rows}
        prompts = write(drugs_alone(evidence[evidence["case_id"].isin(wanted)]))
        return {name: shown_as(rows, prompts) for name, rows in parts.items()}, {"prompts": len(prompts)}
    asked = {row["case_id"] for row in parts["heldout"]}
    cancer_type = dict(zip(cases["case_id"], cases["cancer_type"], strict=True))
    other, alone = swapped(evidence[evidence["case_id"].isin(asked)], cancer_type, seed)
    return parts | {"heldout": shown_as(parts["heldout"], write(other))}, {"prompts": len(asked), "without_another_regimen": alone}


def main(arguments: Sequence[str] | None = None) -> int:
    """Read a fold, change it, write it."""
    parser = step_parser("control", EPILOG)
    parser.add_argument("kind", choices=KINDS, metavar="KIND", help=", ".join(KINDS))
    parser.add_argument("cases", type=Path, metavar="CASES", help="folder that holds cases.parquet")
    for name in PARTS:
        parser.add_argument(f"--{name}", type=Path, required=True, metavar="FILE", help=f"{name} file of the fold")
    parser.add_argument("--evidence", type=Path, required=True, metavar="FILE", help="evidence.parquet")
    parser.add_argument("--tokenizer", type=Path, metavar="MODEL_DIR", help="count tokens as this model does; otherwise they are estimated")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the three files")
    given = parser.parse_args(arguments)
    blocks = read_settings("control", given)
    block = blocks["prompts"]
    count = tokenizer_count(given.tokenizer) if given.tokenizer else estimated_tokens
    cases = read_cases(given.cases, ("case_id", "cancer_type", "regimen"))
    paths = [getattr(given, name) for name in PARTS]
    parts = {name: read_fold_file(path, ("case_id", *PROMPT, *LABEL), once="case_id") for name, path in zip(PARTS, paths, strict=True)}
    known = set(cases["case_id"])
    for path, rows in zip(paths, parts.values(), strict=True):
        if strange := sorted({row["case_id"] for row in rows} - known):
            raise InputError("expected cases of the cohort", file=path, column="case_id", found=strange[0])
    found, counts = controlled(
        given.kind,
        parts,
        cases,
        read_table(given.evidence, ["case_id", "section", "field", "text"], whole=True),
        lambda evidence: render(evidence, renderer_of(block), block.token_budget, count),
        blocks["split"].control_seed,
    )
    files = [given.out / f"{name}.jsonl" for name in PARTS]
    record = given.out / "manifest.json"
    with publishing(*files, record, step="control", home=given.out) as (*written, note):
        for name, source, path in zip(PARTS, paths, written, strict=True):
            write_fold_file(path, found[name], None if name in SHOWN_ANEW[given.kind] else prompts_behind(source))
        outputs, settings = dict(zip(files, written, strict=True)), settings_record(given, blocks)
        inputs = [*paths, given.evidence, given.cases / "cases.parquet"]
        if block.instruction_file:
            inputs.append(Path(block.instruction_file))
        write_json(note, manifest("control", inputs=inputs, outputs=outputs, settings=settings, counts=counts, beside=record))
    log.info("control: %s: %s", given.kind, counts)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
