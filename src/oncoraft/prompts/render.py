"""Evidence into prompts within the token budget.

`oncoraft render evidence.parquet CASES [--tokenizer MODEL_DIR] --out prompts.jsonl`. The prompt that a model reads is
`instruction + "\\n\\n" + input + "\\n\\nAnswer:\\n"`, the published concatenation. Where a prompt is too long, whole statements
are left out, the lowest priority first and the oldest first among equals; priority 100 is never left out.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from oncoraft.edge import read_settings, run, settings_record, step_parser
from oncoraft.errors import InputError
from oncoraft.prompts.evidence import read_cases
from oncoraft.prompts.fields import SECTIONS
from oncoraft.provenance import manifest, publishing, write_json

log = logging.getLogger("oncoraft")
DATA_FILES = ("templates",)
FOLDER = Path(__file__).parent / DATA_FILES[0]
TITLES = {name: name.replace("_", " ").capitalize() for name in SECTIONS}
NEVER_CUT = 100
CHARACTERS_PER_TOKEN = 3  # without a tokenizer; on the safe side for English clinical text (measured: above 4)
Count = Callable[[list[str]], list[int]]


def full_prompt(instruction: str, text: str) -> str:
    """What the model reads, up to where its answer begins."""
    return f"{instruction}\n\n{text}\n\nAnswer:\n"


def estimated_tokens(texts: list[str]) -> list[int]:
    """Tokens where no tokenizer is given."""
    return [math.ceil(len(text) / CHARACTERS_PER_TOKEN) for text in texts]


def tokenizer_count(folder: Path) -> Count:
    """Counts by the tokenizer of a base model.

    Raises:
        InputError: the folder holds no tokenizer.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError) as error:
        raise InputError(f"expected a folder with a tokenizer ({str(error).splitlines()[0]})", file=folder) from None
    return lambda texts: [len(ids) for ids in tokenizer(texts)["input_ids"]]


class Renderer:
    """One template with its instruction: statements in, text out."""

    def __init__(self, template: str) -> None:
        environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined, autoescape=False)
        self.template = environment.from_string((FOLDER / f"{template}.jinja").read_text(encoding="utf-8"))
        self.instruction = (FOLDER / f"{template}.txt").read_text(encoding="utf-8").strip()

    def input_text(self, statements: Iterable[dict[str, Any]]) -> str:
        """The patient's part of a prompt, section by section."""
        grouped: dict[str, list[dict[str, Any]]] = {}
        for statement in statements:
            grouped.setdefault(statement["section"], []).append(statement)
        sections = [{"title": TITLES[name], "statements": grouped[name]} for name in SECTIONS if name in grouped]
        return self.template.render(sections=sections).strip()


def fit(renderer: Renderer, statements: list[dict[str, Any]], budget: int, count: Count) -> tuple[str, int, list[str]]:
    """Text within the budget, its tokens, and the fields that were cut, in the order of cutting.

    Raises:
        InputError: what may never be cut is already longer than the budget.
    """
    kept = list(statements)
    cut: list[str] = []
    cuttable = sorted(
        (index for index, statement in enumerate(kept) if statement["priority"] < NEVER_CUT),
        key=lambda index: (kept[index]["priority"], -(kept[index]["days"] or 0), -index),
    )
    gone: set[int] = set()
    while True:
        text = renderer.input_text(statement for index, statement in enumerate(kept) if index not in gone)
        tokens = count([full_prompt(renderer.instruction, text)])[0]
        if tokens <= budget:
            return text, tokens, cut
        if not cuttable:
            raise InputError(
                f"token_budget: expected at least {tokens} tokens for what is never cut (drugs, cancer type, genomics)", found=budget
            )
        # Cut about as many statements as the excess is likely to need, then measure again.
        for _ in range(max(1, (tokens - budget) // 20)):
            if cuttable:
                index = cuttable.pop(0)
                gone.add(index)
                cut.append(kept[index]["field"])


def render(evidence: pd.DataFrame, renderer: Renderer, budget: int, count: Count) -> list[dict[str, Any]]:
    """A prompt of every case, sorted by case.

    Args:
        evidence: columns of `evidence.parquet`.
        renderer: template and instruction.
        budget: longest prompt in tokens.
        count: tokens of several texts.
    """
    days = evidence["days_before_index"].astype("Int64")
    records = [
        {"section": section, "field": field, "text": text, "priority": priority, "days": None if pd.isna(day) else int(day)}
        for section, field, text, priority, day in zip(evidence["section"], evidence["field"], evidence["text"], evidence["priority"], days)
    ]
    by_case: dict[str, list[dict[str, Any]]] = {}
    for case_id, record in zip(evidence["case_id"], records):
        by_case.setdefault(case_id, []).append(record)
    cases = sorted(by_case)
    texts = [renderer.input_text(by_case[case_id]) for case_id in cases]
    tokens = count([full_prompt(renderer.instruction, text) for text in texts])
    prompts = []
    for case_id, text, length in zip(cases, texts, tokens):
        cut: list[str] = []
        if length > budget:
            text, length, cut = fit(renderer, by_case[case_id], budget, count)
        prompts.append({"case_id": case_id, "instruction": renderer.instruction, "input": text, "prompt_tokens": length, "cut": cut})
    return prompts


def write_jsonl(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """One JSON object a line."""
    with path.open("w", encoding="utf-8") as stream:
        stream.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """Rows of a JSONL file.

    Raises:
        InputError: the file is absent or a line is not JSON.
    """
    if not path.is_file():
        raise InputError("expected a JSONL file", file=path)
    rows = []
    with path.open(encoding="utf-8") as stream:
        for number, line in enumerate(stream, 1):
            try:
                rows.append(json.loads(line))
            except json.JSONDecodeError as error:
                raise InputError(f"expected a JSON object ({error.msg})", file=path, line=number) from None
    return rows


def write_prompts(given: Any, blocks: dict[str, Any], evidence: pd.DataFrame, inputs: list[Path], step: str) -> None:
    """Render, write the prompts and their manifest; shared by `render` and `prompts`."""
    block = blocks["prompts"]
    count = tokenizer_count(given.tokenizer) if given.tokenizer else estimated_tokens
    prompts = render(evidence, Renderer(block.template), block.token_budget, count)
    lengths = pd.Series([prompt["prompt_tokens"] for prompt in prompts])
    counts = {
        "prompts": len(prompts),
        "cut": sum(bool(prompt["cut"]) for prompt in prompts),
        "tokens_median": float(lengths.median()),
        "tokens_longest": int(lengths.max()),
        "tokens_counted_by": "tokenizer" if given.tokenizer else f"characters / {CHARACTERS_PER_TOKEN}",
    }
    record = given.out.with_name(given.out.name + ".manifest.json")
    with publishing(given.out, record) as (out, note):
        write_jsonl(out, prompts)
        settings = settings_record(given, blocks)
        write_json(note, manifest(step, inputs=inputs, outputs={given.out: out}, settings=settings, counts=counts, beside=record))
    log.info("%s: %d prompts, median %d tokens, %d cut", step, len(prompts), lengths.median(), counts["cut"])


def main(arguments: Sequence[str] | None = None) -> int:
    """Read evidence, write prompts."""
    parser = step_parser(
        "render", "example:\n  oncoraft render prompts/evidence.parquet cases --tokenizer models/Qwen3-8B --out prompts.jsonl"
    )
    parser.add_argument("evidence", type=Path, metavar="EVIDENCE", help="evidence.parquet")
    parser.add_argument("cases", type=Path, metavar="CASES", help="folder that holds cases.parquet")
    parser.add_argument("--tokenizer", type=Path, metavar="MODEL_DIR", help="count tokens as this model does; otherwise they are estimated")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="prompts.jsonl to write")
    given = parser.parse_args(arguments)
    blocks = read_settings("render", given)
    evidence = pd.read_parquet(given.evidence)
    if absent := set(read_cases(given.cases)["case_id"]) - set(evidence["case_id"]):
        raise InputError(f"expected evidence of every case; {len(absent)} have none, the first {min(absent)}", file=given.evidence)
    write_prompts(given, blocks, evidence, [given.evidence, given.cases / "cases.parquet"], "render")
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
