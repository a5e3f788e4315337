"""Pairs of answers for direct preference optimisation: sampled from the trained fold and ranked by the rewards, or clinicians' choices.

`oncoraft preferences train.jsonl --base MODEL_DIR --fold-model START_DIR --out preferences.jsonl`. Log-probabilities under the starting
model are computed here, once, and stored with the pair.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from oncoraft.alignment.groups import Group, micro_groups
from oncoraft.alignment.objective import by_answer
from oncoraft.alignment.policy import open_policy
from oncoraft.alignment.rewards import Rewards
from oncoraft.alignment.sampling import Sampled, Writer
from oncoraft.alignment.updates import read
from oncoraft.answers import answer_token_ids, shortened, text_token_ids
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.jsonl import read_jsonl, write_jsonl
from oncoraft.foundation.lease import hold_devices
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.foundation.publishing import claim
from oncoraft.foundation.stable import stable_fraction
from oncoraft.inference.layout import opening
from oncoraft.inference.opening import trained_files
from oncoraft.models.base import context_length, context_of_folder, device_for, load_tokenizer
from oncoraft.models.cases import Case, encode, read_rows
from oncoraft.models.tokens import StoredTokens
from oncoraft.planning.config import Alignment
from oncoraft.planning.edge import read_settings, run, settings_record, step_parser
from oncoraft.training.trainer import Trainer

log = logging.getLogger("oncoraft")
EXAMPLE = """\
in:   a fold's training file, its base model, and the folder of the strategy that alignment starts from
out:  a JSON object a pair: case_id, patient_id, the token ids of opening, chosen and rejected answer, their texts and rewards, and
      their log-probabilities under the starting model

example:
  oncoraft preferences train.jsonl --base models/Qwen3-8B --fold-model raft/fold-0 --out preferences.jsonl --gpus 1
Clinicians' choices take the place of the verifiers' where the configuration names a file of them, preferences.file: JSONL of
case_id, chosen, rejected."""
PROMPTS_AT_ONCE = 16  # between two movements of the progress bar
CHOICE_KEYS = ("case_id", "chosen", "rejected")


@dataclass(frozen=True)
class Pair:
    """Two answers to a case, the better one first, and their log-probabilities under the starting model."""

    group: Group
    reference: tuple[float, float]


def chosen_cases(cases: Sequence[Case], settings: Alignment) -> list[Case]:
    """The training cases whose prompts are answered: all, or a stable sample, in the order of their names."""
    ordered = sorted(cases, key=lambda case: (stable_fraction(settings.seed, "alignment", case.case_id), case.case_id))
    kept = ordered if settings.cases is None else ordered[: settings.cases]
    return sorted(kept, key=lambda case: case.case_id)


def best_and_worst(one: Sampled, least_margin: float, most: int = 1) -> list[tuple[int, int]]:
    """Places of answers that make a pair, the better one first: best and worst, second best and second worst, and so on.

    Args:
        one: the answers to a prompt.
        least_margin: least difference in reward of a pair.
        most: pairs of a prompt; no answer stands in two.
    """
    rewards = {place: judged.total for place, judged in enumerate(one.judged) if judged.total is not None}
    ranked = sorted(rewards, key=lambda place: (-rewards[place], place))
    found = list(zip(ranked[: min(most, len(ranked) // 2)], reversed(ranked), strict=False))
    return [(best, worst) for best, worst in found if rewards[best] - rewards[worst] >= least_margin and rewards[best] > rewards[worst]]


def ranked_pairs(sampled: Sequence[Sampled], least_margin: float, most: int = 1) -> list[dict[str, Any]]:
    """The pairs of each case whose answers differ enough."""
    return [
        row_of(one.group.case, one.group.opening, [one.group.answers[best], one.group.answers[worst]])
        | {"chosen_text": one.texts[best], "rejected_text": one.texts[worst]}
        | {"chosen_reward": one.judged[best].total, "rejected_reward": one.judged[worst].total, "by": "verifiers"}
        for one in sampled
        for best, worst in best_and_worst(one, least_margin, most)
    ]


def row_of(case: Case, begun: Sequence[int], answers: Sequence[Sequence[int]]) -> dict[str, Any]:
    """What a pair's row says of its case and of its tokens."""
    return {
        "case_id": case.case_id,
        "patient_id": case.patient_id,
        "opening": list(begun),
        "chosen": list(answers[0]),
        "rejected": list(answers[1]),
    }


def clinicians_pairs(path: Path, cases: Sequence[Case], scores: dict[str, float], tokenizer: Any, longest: int) -> list[dict[str, Any]]:
    """Pairs from a file of choices; those of cases that this fold does not train on are left out, and counted.

    Raises:
        InputError: a case named twice, two equal answers, an empty one, or no choice of a training case.
    """
    by_case = {case.case_id: case for case in cases}
    found, elsewhere = [], 0
    rows = read_jsonl(path, CHOICE_KEYS, once="case_id", texts=CHOICE_KEYS, expected="a JSONL file of choices: case_id, chosen, rejected")
    for number, row in enumerate(rows, 1):
        texts = [row["chosen"].strip(), row["rejected"].strip()]
        if not all(texts) or texts[0] == texts[1]:
            raise InputError("expected two answers, not equal and not empty", file=path, line=number, column="chosen, rejected")
        if (case := by_case.get(row["case_id"])) is None:
            elsewhere += 1
            continue
        begun = text_token_ids(tokenizer, [opening(scores[case.case_id])])[0] if scores else []
        answers = [shortened(ids, longest) for ids in answer_token_ids(tokenizer, texts)]
        found.append(
            row_of(case, begun, answers)
            | {"chosen_text": texts[0], "rejected_text": texts[1], "chosen_reward": None, "rejected_reward": None, "by": "clinicians"}
        )
    if elsewhere:
        log.info("preferences: %d of %d choices are of cases that this fold does not train on; left out", elsewhere, len(rows))
    if not found:
        raise InputError(f"expected choices of this fold's training cases; none of {len(rows)} is of one", file=path)
    return found


def with_references(trainer: Trainer, pairs: list[dict[str, Any]], cases: Sequence[Case]) -> list[dict[str, Any]]:
    """The rows with the summed log-probability of both answers under the model as it is."""
    by_case = {case.case_id: case for case in cases}
    groups = [group_of(row, by_case[row["case_id"]]) for row in pairs]
    known: dict[int, list[float]] = {}
    ordered = sorted(range(len(groups)), key=lambda place: (-groups[place].length, groups[place].case.case_id, place))
    with torch.no_grad():
        for part in micro_groups([groups[place] for place in ordered], trainer.settings.tokens_per_micro_batch):
            row, tokens, _ = read(trainer, part)
            summed = by_answer(tokens, row.lengths).view(-1, 2).tolist()
            for two in summed:
                known[ordered[len(known)]] = two
    return [row | {"reference": known[place]} for place, row in enumerate(pairs)]


def group_of(row: dict[str, Any], case: Case) -> Group:
    """The tokens of a pair."""
    return Group(case, tuple(row["opening"]), (tuple(row["chosen"]), tuple(row["rejected"])))


def read_pairs(path: Path, cases: Sequence[Case], vocabulary: int) -> list[Pair]:
    """Pairs written by `oncoraft preferences`.

    Raises:
        InputError: a case that this fold does not train on, tokens that the model does not know, or a row that is no pair.
    """
    by_case = {case.case_id: case for case in cases}
    keys = ("case_id", "opening", "chosen", "rejected", "reference")
    found = []
    for number, row in enumerate(read_jsonl(path, keys, expected="pairs written by `oncoraft preferences`"), 1):
        if row["case_id"] not in by_case:
            raise InputError("expected a case of this fold's training file", file=path, line=number, column="case_id", found=row["case_id"])
        for key in ("opening", "chosen", "rejected"):
            if not (isinstance(row[key], list) and all(type(token) is int and 0 <= token < vocabulary for token in row[key])):
                raise InputError(f"expected token ids from 0 to {vocabulary - 1}", file=path, line=number, column=key)
        if not row["chosen"] or not row["rejected"]:
            raise InputError("expected answers of at least one token", file=path, line=number, column="chosen, rejected")
        numbers = row["reference"]
        if not (isinstance(numbers, list) and len(numbers) == 2 and all(isinstance(value, float | int) for value in numbers)):
            raise InputError("expected two log-probabilities", file=path, line=number, column="reference")
        found.append(Pair(group_of(row, by_case[row["case_id"]]), (float(numbers[0]), float(numbers[1]))))
    if not found:
        raise InputError("expected at least one pair; lower preferences.least_margin or raise alignment.samples", file=path)
    return found


def make_pairs(given: argparse.Namespace, blocks: dict[str, Any]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The rows to write, and what was counted."""
    strategy, training, settings, wanted = (blocks[name] for name in ("strategy", "training", "alignment", "preferences"))
    device = device_for(hold_devices(given.gpus))
    rows, tokenizer = read_rows(given.train), load_tokenizer(given.base)
    stored = StoredTokens(given.tokens) if given.tokens else None
    cases = encode(rows, tokenizer, context_of_folder(given.base) - 1, stored=stored)
    rewards = Rewards(settings)
    model, head = open_policy(given.base, given.fold_model, strategy, device, head_learns=False)
    trainer = Trainer(model, head, None, None, strategy, training)  # type: ignore[arg-type]
    texts = {row["case_id"]: (row["instruction"], row["input"]) for row in rows}
    writer = Writer(model, head, tokenizer, settings, rewards, texts, context_length(model), training.tokens_per_micro_batch)
    answered = chosen_cases(cases, settings)
    counts: dict[str, Any] = {"training_cases": len(cases)}
    if wanted.file is not None:
        scores = writer.scores(cases) if head is not None else {}
        pairs = clinicians_pairs(Path(wanted.file), cases, scores, tokenizer, settings.max_new_tokens)
    else:
        sampled: list[Sampled] = []
        for start in tqdm(range(0, len(answered), PROMPTS_AT_ONCE), desc="sampling answers", unit="batch", disable=None):
            sampled += writer.answers(answered[start : start + PROMPTS_AT_ONCE], 0)
        pairs = ranked_pairs(sampled, wanted.least_margin, wanted.pairs_per_prompt)
        totals = [judged.total for one in sampled for judged in one.judged if judged.total is not None]
        counts |= {
            "prompts": len(answered),
            "answers": sum(len(one.texts) for one in sampled),
            "too_close": len(sampled) - len({row["case_id"] for row in pairs}),
        }
        counts |= {"mean_reward": round(sum(totals) / max(1, len(totals)), 6)}
    return with_references(trainer, pairs, cases), counts | {"pairs": len(pairs)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the pairs of one fold."""
    parser = step_parser("preferences", EXAMPLE)
    parser.add_argument("train", type=Path, metavar="TRAIN", help="training file written by `oncoraft split`")
    parser.add_argument("--base", type=Path, required=True, metavar="MODEL_DIR", help="base-model folder")
    parser.add_argument("--fold-model", type=Path, required=True, metavar="START_DIR", help="fold of the strategy to start from")
    parser.add_argument("--tokens", type=Path, metavar="FILE", help="token ids written by `oncoraft tokens`, read instead of tokenising")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="JSONL to write")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads")
    parser.add_argument("--gpus", type=int, default=0, help="GPUs that must be visible; 0: CPU")
    given = parser.parse_args(arguments)
    blocks = read_settings("preferences", given)
    if blocks["strategy"].method != "dpo":
        raise InputError("expected a strategy of method dpo", column="strategy.method", found=blocks["strategy"].method)
    beside = given.out.with_name(given.out.name + ".manifest.json")
    claim(given.out, beside, step="preferences")
    torch.set_num_threads(given.threads)
    pairs, counts = make_pairs(given, blocks)
    if not pairs:
        raise InputError(
            f"no pair of answers differs by {blocks['preferences'].least_margin} in reward; lower preferences.least_margin or raise alignment.samples",
            file=given.train,
        )
    with publishing(given.out, beside, step="preferences") as (out, note):
        write_jsonl(out, pairs)
        choices = blocks["preferences"].file
        inputs = [given.train, given.base, *([given.tokens] if given.tokens else []), *([Path(choices)] if choices else [])]
        inputs += [given.fold_model / name for name in (*trained_files(blocks["strategy"]), "manifest.json")]
        record = settings_record(given, blocks)
        write_json(note, manifest("preferences", inputs=inputs, outputs={given.out: out}, settings=record, counts=counts, beside=beside))
    log.info("preferences: %d pairs from %d training cases", counts["pairs"], counts["training_cases"])
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
