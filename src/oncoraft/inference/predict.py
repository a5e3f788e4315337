"""Score one case, or a few, with a model folder: `oncoraft predict --model MODEL_DIR --case FILE`.

The model folder is the one that `oncoraft export` writes. A case is a JSON object with `instruction` and `input`, as in a held-out
file, or with its whole `prompt`; a JSONL file holds one a line; any other text file is one prompt as it stands. The prompt is read
whole: one that is longer than the model can read is refused, never cut.

With `--adapter FOLD_DIR` the model folder is a base model and the fold that of a text task: the answer is its text, the likeliest, and with
`--json` what its head over choices says, where it has one.

Where the folder holds a recalibration, fitted on tuning cases of its fold, the recalibrated probability stands beside the score as
delivered, and a response is expected from the stored threshold on; else from 0.5 on.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from oncoraft.answers import ANSWER_MARKER, prompt_token_ids
from oncoraft.fold_files import prompts_behind, read_fold_file, refers
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.input_file import require_file
from oncoraft.foundation.jsonl import BadJSON, iterate_jsonl, parse_json
from oncoraft.inference.answer import Result, answer_group, score_group
from oncoraft.inference.choices import by_head
from oncoraft.inference.engine import Engine, in_groups, kept_at_once
from oncoraft.inference.layout import Answer, category
from oncoraft.inference.memory import explained
from oncoraft.inference.opening import open_fold, stop_tokens
from oncoraft.models.base import context_length, device_for, load_tokenizer
from oncoraft.models.cases import Case, prompt_text
from oncoraft.models.choice_head import CHOICES_FILE, read_choices
from oncoraft.models.fold_model import check_digests
from oncoraft.models.model_folder import open_model_folder
from oncoraft.planning.config import Inference, Strategy
from oncoraft.planning.edge import read_settings, run, step_parser
from oncoraft.recalibration import FILE, Recalibration, read_recalibration

log = logging.getLogger("oncoraft")
EPILOG = """what goes in: a model folder written by `oncoraft export`, and a case: {"instruction": "...", "input": "..."} as JSON, several as
JSONL (a held-out file will do), or a plain text prompt.
what comes out: score, category and rationale on standard output, in the published layout; --json: one JSON object a case (score: as
delivered; probability: recalibrated on the fold's tuning cases, null without; threshold of the score for is_response; category).

examples:
  oncoraft predict --model models/fold-0 --case case.json
  oncoraft predict --model models/Qwen3-8B --adapter tasks/icd10/fold-0 --case heldout.jsonl
  oncoraft predict --model models/fold-0 --case heldout.jsonl --score-only --json > scores.jsonl"""


def read_prompts(path: Path) -> list[tuple[str, str]]:
    """(name, prompt) of every case of a file; the name is the case_id, or the line if there is none.

    Raises:
        InputError: no such file, no case, a line that is not a JSON object, or one without `instruction` or `input`.
    """
    try:
        text = require_file(path, "a readable case file").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise InputError(f"expected a readable case file ({reason})", file=path) from None
    if not text.strip():
        raise InputError("expected at least one case", file=path)
    if path.suffix not in {".json", ".jsonl"} and not text.lstrip().startswith("{"):
        return [(path.stem, whole_prompt(text))]
    try:
        one = parse_json(text)
    except BadJSON as error:
        # "Extra data" is json's word for a second object: JSONL under another name.
        if path.suffix != ".jsonl" and "Extra data" not in str(error):
            raise InputError(f"expected a JSON object with `instruction` and `input` ({error})", file=path, line=error.line) from None
        if prompts_behind(path, "cases") is not None:
            return [prompt_of(row, path, number) for number, row in enumerate(read_fold_file(path, ()), 1)]
        return [prompt_of(line.row, path, line.number) for line in iterate_jsonl(path, "cases")]
    if isinstance(one, dict) and refers(one):
        [one] = read_fold_file(path, ())
    if isinstance(one, list):
        return [prompt_of(row, path, None) for row in one]
    return [prompt_of(one, path, None)]


def whole_prompt(text: str) -> str:
    """A prompt as it stands, its answer marker added where there is none."""
    plain = text.rstrip()
    return f"{plain}\n" if plain.endswith(ANSWER_MARKER.rstrip()) else f"{plain}\n\n{ANSWER_MARKER}"


def prompt_of(row: Any, path: Path, number: int | None) -> tuple[str, str]:
    """(name, prompt) of one case; in place of its two texts it may have its whole `prompt`.

    Raises:
        InputError: not an object, or a text is absent or no text.
    """
    if not isinstance(row, dict):
        raise InputError("expected a JSON object with `instruction` and `input`", file=path, line=number, found=type(row).__name__)
    is_whole = "prompt" in row and not {"instruction", "input"} & row.keys()
    for key in ("prompt",) if is_whole else ("instruction", "input"):
        if not isinstance(row.get(key), str):
            found = "nothing" if key not in row else type(row[key]).__name__
            raise InputError("expected a text", file=path, line=number, column=key, found=found)
    if not isinstance(row.get("case_id", ""), str):
        raise InputError("expected text", file=path, line=number, column="case_id", found=type(row["case_id"]).__name__)
    name = str(row.get("case_id") or (f"line {number}" if number else path.stem))
    return name, whole_prompt(row["prompt"]) if is_whole else prompt_text(row)


def encoded(prompts: Sequence[tuple[str, str]], tokenizer: Any, longest: int, path: Path | None) -> list[Case]:
    """Token ids of every prompt.

    Raises:
        InputError: a prompt leaves no room in the model's context; the case and both lengths are named.
    """
    cases = []
    tokens = prompt_token_ids(tokenizer, [text for _, text in prompts])
    for (name, _), ids in zip(prompts, tokens, strict=True):
        if len(ids) >= longest:
            raise InputError(
                f"case {name}: expected a prompt of fewer than {longest} tokens, the model's context", file=path, found=len(ids)
            )
        cases.append(Case(name, "", None, tuple(ids), (), None, None))
    return cases


def answers(engine: Engine, tokenizer: Any, cases: Sequence[Case], settings: Inference, longest: int) -> list[Result]:
    """Results in the order of `cases`."""
    engine.share([case.prompt for case in cases])
    found: dict[int, Result] = {}
    if settings.score_only:
        for group in in_groups([len(case.prompt) for case in cases], settings.batch_tokens):
            found.update(zip(group, score_group(engine, [cases[index] for index in group]), strict=True))
    else:
        most = kept_at_once(engine.causal, settings.cache_tokens)
        order = sorted(range(len(cases)), key=lambda index: -len(cases[index].prompt))
        members = [cases[index] for index in order]
        found.update(zip(order, answer_group(engine, tokenizer, members, settings, longest, cache_tokens=most), strict=True))
    return [found[index] for index in range(len(cases))]


def shown(result: Result, as_json: bool, is_named: bool, recalibration: Recalibration | None = None) -> str:
    """One case's answer: the published layout, or a JSON object on one line."""
    score = float(torch.tensor(result.logit, dtype=torch.float64).sigmoid())
    answer = Answer(score, result.text, recalibration)
    if not as_json:
        return (f"Case: {result.case_id}\n" if is_named else "") + answer.report()
    record = {
        "case_id": result.case_id,
        "score": score,
        "logit": result.logit,
        "probability": answer.recalibrated,
        "threshold": answer.threshold,
        "category": category(score),
        "is_response": answer.is_response,
        "rationale": result.text,
        "finish_reason": result.reason,
    }
    return json.dumps(record, ensure_ascii=False)


def recalibration_of(folder: Path) -> Recalibration | None:
    """The recalibration in a model folder, bit for bit the one that was exported; None where there is none.

    Raises:
        InputError: it cannot be read, or is not the one that the folder's manifest names.
    """
    if not (folder / FILE).is_file():
        return None
    if (folder / "manifest.json").is_file():
        check_digests(folder, [FILE])
    return read_recalibration(folder / FILE)


def results_of(given: argparse.Namespace, settings: Inference, prompts: Sequence[tuple[str, str]], model: Any, head: Any) -> list[Result]:
    """What a model says of each prompt, in their order."""
    tokenizer = load_tokenizer(given.model)
    cases = encoded(prompts, tokenizer, context_length(model), given.case)
    engine = Engine(model, head, tokenizer.pad_token_id, stop_tokens(tokenizer, model), settings.batch_tokens)
    with explained("inference.cache_tokens"):
        return answers(engine, tokenizer, cases, settings, context_length(model))


def answer_task(given: argparse.Namespace, settings: Inference, prompts: Sequence[tuple[str, str]], device: torch.device) -> int:
    """Print what a task's tuned model answers to each prompt: as the workflow does, the likeliest text; with --json what its head over
    choices says, where it has one."""
    has_choices = (given.adapter / CHOICES_FILE).is_file()
    strategy = Strategy(score_loss="choices") if has_choices else Strategy(score_weight=0.0)
    settings = settings.model_copy(update={"temperature": 0.0, "score_only": False})
    model, head = open_fold(given.model, given.adapter, strategy, device)
    results = results_of(given, settings, prompts, model, None)
    chosen = choices_by_head(given, settings, prompts, model, head) if head is not None else [{}] * len(results)
    for result, choice in zip(results, chosen, strict=True):
        record = {"case_id": result.case_id, "answer": result.text, "finish_reason": result.reason} | choice
        named = f"{result.case_id}: " if len(results) > 1 else ""
        sys.stdout.write((json.dumps(record, ensure_ascii=False) if given.json else f"{named}{result.text}") + "\n")
    return 0


def choices_by_head(
    given: argparse.Namespace, settings: Inference, prompts: Sequence[tuple[str, str]], model: Any, head: torch.nn.Sequential
) -> list[dict[str, Any]]:
    """The choice of a task's head and its probability, of each prompt."""
    tokenizer, choices = load_tokenizer(given.model), read_choices(given.adapter / CHOICES_FILE)
    cases = encoded(prompts, tokenizer, context_length(model), given.case)
    engine = Engine(model, None, tokenizer.pad_token_id, stop_tokens(tokenizer, model), settings.batch_tokens)
    found: dict[int, dict[str, Any]] = {}
    for group in in_groups([len(case.prompt) for case in cases], settings.batch_tokens):
        every = torch.ones(len(group), len(choices), dtype=torch.bool)
        for index, one in zip(group, by_head(engine, head, [cases[place] for place in group], every, choices), strict=True):
            found[index] = {"choice": one.answer, "probability": one.probability}
    return [found[index] for index in range(len(cases))]


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = step_parser("predict", EPILOG)
    parser.add_argument("--model", type=Path, required=True, metavar="MODEL_DIR", help="model folder written by `oncoraft export`")
    parser.add_argument("--case", type=Path, required=True, metavar="FILE", help="case as JSON, cases as JSONL, or a plain prompt")
    parser.add_argument("--adapter", type=Path, metavar="FOLD_DIR", help="fold of a text task, trained on the base model that --model is")
    parser.add_argument("--json", action="store_true", help="one JSON object a case, for machines")
    parser.add_argument("--score-only", action="store_true", help="no rationale")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads")
    parser.add_argument("--gpus", type=int, default=0, help="GPUs that must be visible; 0: CPU")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Answer."""
    given = parse(arguments)
    settings: Inference = read_settings("predict", given)["inference"]
    if given.score_only:
        settings = settings.model_copy(update={"score_only": True})
    torch.set_num_threads(given.threads)
    prompts = read_prompts(given.case)
    device = device_for(given.gpus)
    if given.adapter is not None:
        return answer_task(given, settings, prompts, device)
    model, head = open_model_folder(given.model, device)
    recalibration = recalibration_of(given.model)
    results = results_of(given, settings, prompts, model, head)
    for result in results:
        sys.stdout.write(shown(result, given.json, len(results) > 1, recalibration) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
