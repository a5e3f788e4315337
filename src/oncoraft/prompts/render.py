"""Evidence into prompts within the token budget.

`oncoraft render evidence.parquet CASES [--tokenizer MODEL_DIR] --out prompts.jsonl`. The prompt that a model reads is
`instruction + "\\n\\n" + input + "\\n\\nAnswer:\\n"`, the published concatenation. Where a prompt is too long, whole statements
are left out, the lowest priority first and the oldest first among equals; priority 100 is never left out.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from jinja2 import meta, nodes

from oncoraft.answers import full_prompt
from oncoraft.evidence.fields import BY_NAME, SECTIONS
from oncoraft.evidence.known import days_before
from oncoraft.evidence.reading import open_cases, ranges_of
from oncoraft.evidence.shown import FOLDER
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.jsonl import write_jsonl
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.foundation.ranges import RangedTable
from oncoraft.planning.edge import read_settings, run, settings_record, step_parser
from oncoraft.prompts.budget import CHARACTERS_PER_TOKEN, Count, OverBudget, Statement, Tally, estimated_tokens, fit, tokenizer_count
from oncoraft.prompts.sections import ASKED_OF_HEADED, Section, capital, sections_by_case

log = logging.getLogger("oncoraft")
COLUMNS = ("case_id", "section", "field", "value", "text", "priority", "days_before_index")  # of evidence, that prompts are made of
CHUNK = 2048  # cases rendered and counted together


def protein_change(mutation: str) -> str:
    """`EGFR L858R` in the notation of the published layout: `EGFR p.L858R`."""
    gene, space, change = mutation.partition(" ")
    return f"{gene} p.{change}" if space else gene


class Renderer:
    """One template with its instruction: statements in, text out."""

    def __init__(self, template: str, instruction_file: Path | None = None) -> None:
        """Compile a template.

        Args:
            template: full, oncoraft or compact.
            instruction_file: replaces the template's own instruction.

        Raises:
            InputError: the instruction file cannot be read as text or is empty.
        """
        # Plain text, nothing to escape. Strict: jinja's own undefined prints nothing for a field that is misspelt.
        environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined, autoescape=False)
        environment.filters |= {"protein_change": protein_change, "days_before": days_before}
        source = (FOLDER / f"{template}.jinja").read_text(encoding="utf-8")
        self.template = environment.from_string(source)
        tree = environment.parse(source)
        self.asked = frozenset(node.attr for node in tree.find_all(nodes.Getattr))
        # A template that asks for no statement, but for sections and their texts alone.
        self.is_of_sections = meta.find_undeclared_variables(tree) == {"sections"} and self.asked <= ASKED_OF_HEADED
        # The same as a function: a context for each case would cost more than what is written.
        self.of_sections = environment.from_string(f"{{% macro told(sections) %}}{source}{{% endmacro %}}").module.__dict__["told"]
        file = instruction_file or FOLDER / f"{template}.txt"
        try:
            self.instruction = file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"prompts.instruction_file: expected a readable text file ({error})", file=file) from None
        if not self.instruction:
            raise InputError("prompts.instruction_file: expected an instruction, found an empty file", file=file)

    def texts(self, evidence: pa.Table) -> dict[str, str]:
        """The patient's part of the prompt of each case, in the order of the evidence; nothing is left out.

        Args:
            evidence: columns of `evidence.parquet`; rows of a case stand together.
        """
        if self.is_of_sections:
            told = (found for part in parts_of(evidence) for found in sections_by_case(part, self.asked))
            return {case_id: self.of_sections(sections).strip() for case_id, sections in told}
        parts = statements_by_case(evidence)
        return {case_id: self.input_text(statements) for cases in parts for case_id, statements in cases.items()}

    def input_text(self, statements: Iterable[Statement], cut: frozenset[str] = frozenset()) -> str:
        """The patient's part of a prompt.

        Args:
            statements: in reading order.
            cut: fields that the token budget left out altogether.
        """
        by_section: dict[str, list[Statement]] = {}
        known: dict[str, list[Statement]] = {name: [] for name in BY_NAME}
        for statement in statements:
            by_section.setdefault(statement.section, []).append(statement)
            known[statement.field].append(statement)
        # A section of which only values stand that say nothing in words has no heading.
        sections = [Section(name, told) for name in SECTIONS if (told := [one for one in by_section.get(name, ()) if one.text])]
        return self.template.render(
            sections=sections,
            known=known,
            cut=cut,
            drugs=_drugs(known),
            first=lambda field: known[field][0].value if known[field] else "",
        ).strip()


def _drugs(known: dict[str, list[Statement]]) -> list[dict[str, str]]:
    """Name, description and mechanism of each drug about to start."""
    mechanisms = dict(statement.text.removeprefix("mechanism of ").split(": ", 1) for statement in known["drug_mechanism"])
    return [
        {
            "name": statement.value,
            "description": capital(statement.text.removesuffix(")").replace(" (", ", ", 1)),
            "mechanism": mechanisms.get(statement.value, ""),
        }
        for statement in known["drug"]
    ]


def statements_by_case(evidence: pd.DataFrame | pa.Table) -> Iterator[dict[str, list[Statement]]]:
    """Cases with their statements, some thousands at a time, in the order of the evidence.

    Args:
        evidence: columns of `evidence.parquet`; rows of a case stand together.
    """
    for part in parts_of(in_arrow(evidence)):
        names = _plain(part["case_id"]).tolist()
        columns = [_plain(part[name]).tolist() for name in ("section", "field", "value", "text", "priority")]
        rows = list(map(Statement, *columns, part["days_before_index"].to_pylist()))
        yield {names[start]: rows[start:stop] for start, stop in pairwise([*_starts(part).tolist(), len(rows)])}


def parts_of(evidence: pa.Table) -> Iterator[pa.Table]:
    """Evidence of `CHUNK` cases at a time; rows of a case stand together."""
    bounds = [*_starts(evidence)[::CHUNK].tolist(), evidence.num_rows]
    for start, stop in pairwise(bounds):
        yield evidence.slice(start, stop - start)


def _starts(evidence: pa.Table) -> np.ndarray:
    """The first row of each case."""
    names = evidence["case_id"]
    codes = (names if pa.types.is_dictionary(names.type) else names.dictionary_encode()).combine_chunks().indices.to_numpy()
    return np.flatnonzero(np.diff(codes, prepend=-1))


def _plain(column: pa.ChunkedArray) -> np.ndarray:
    """A column as it would be without a dictionary."""
    found: np.ndarray = (column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column).to_numpy()
    return found


def in_arrow(evidence: pd.DataFrame | pa.Table) -> pa.Table:
    """Those columns of evidence that prompts are made of."""
    return evidence if isinstance(evidence, pa.Table) else pa.Table.from_pandas(evidence[list(COLUMNS)], preserve_index=False)


def render(evidence: pd.DataFrame | pa.Table, renderer: Renderer, budget: int, count: Count) -> list[dict[str, Any]]:
    """A prompt of every case, in the published format, sorted by case.

    Args:
        evidence: columns of `evidence.parquet`, sorted by case.
        renderer: template and instruction.
        budget: longest prompt in tokens.
        count: tokens of several full prompts.

    Raises:
        InputError: a prompt cannot be brought within the budget.
    """
    prompts: dict[str, dict[str, Any]] = {}

    def count_inputs(texts: list[str]) -> list[int]:
        return count([full_prompt(renderer.instruction, text) for text in texts])

    table = in_arrow(evidence)
    whole = renderer.texts(table)
    for first in range(0, len(whole), CHUNK):
        texts = dict(islice(whole.items(), first, first + CHUNK))
        for (case_id, text), tokens in zip(texts.items(), count_inputs(list(texts.values()))):
            prompts[case_id] = {
                "case_id": case_id,
                "instruction": renderer.instruction,
                "input": text,
                "output": "",
                "prompt_tokens": tokens,
                "cut": [],
            }
    if too_long := [case_id for case_id, prompt in prompts.items() if prompt["prompt_tokens"] > budget]:
        own = table.filter(pc.is_in(table["case_id"].cast(pa.string()), value_set=pa.array(too_long)))
        statements = {case_id: told for cases in statements_by_case(own) for case_id, told in cases.items()}
        for case_id, found in fit(statements, budget, renderer.input_text, count_inputs).items():
            prompts[case_id] |= {"input": found.text, "prompt_tokens": found.tokens, "cut": list(found.cut)}
    return [prompts[case_id] for case_id in sorted(prompts)]


def renderer_of(block: Any) -> Renderer:
    """The renderer that the `prompts` block of the configuration asks for."""
    return Renderer(block.template, Path(block.instruction_file) if block.instruction_file else None)


def rendered(parts: Iterable[pd.DataFrame | pa.Table], renderer: Renderer, budget: int, count: Count) -> Iterator[dict[str, Any]]:
    """What `render` gives, of evidence that comes in ranges of patients.

    Raises:
        OverBudget: prompts cannot be brought within the budget; of all ranges together.
    """
    needs: dict[str, int] = {}
    done, told = 0, time.monotonic()
    for evidence in parts:
        try:
            prompts = render(evidence, renderer, budget, count)
        except OverBudget as error:
            needs |= error.needs
            continue
        finally:
            del evidence  # or it would be held while the next range is read
        done += len(prompts)
        yield from prompts
        del prompts
        if time.monotonic() - told > 10:
            told = time.monotonic()
            log.info("render: %d prompts", done)
    if needs:
        raise OverBudget(needs, budget)


def write_prompts(given: Any, blocks: dict[str, Any], evidence: Iterable[pd.DataFrame | pa.Table], inputs: list[Path], step: str) -> None:
    """Render, write the prompts and their manifest; shared by `render` and `prompts`. Evidence comes in ranges of patients."""
    block = blocks["prompts"]
    count = tokenizer_count(given.tokenizer) if given.tokenizer else estimated_tokens
    prompts, tally = rendered(evidence, renderer_of(block), block.token_budget, count), Tally()
    if block.instruction_file:
        inputs = [*inputs, Path(block.instruction_file)]
    record = given.out.with_name(given.out.name + ".manifest.json")
    with publishing(given.out, record, step=(step, "render", "prompts")) as (out, note):
        write_jsonl(out, tally.counted(prompts))
        counts = tally.counts("tokenizer" if given.tokenizer else f"characters / {CHARACTERS_PER_TOKEN}")
        settings = settings_record(given, blocks)
        write_json(note, manifest(step, inputs=inputs, outputs={given.out: out}, settings=settings, counts=counts, beside=record))
    log.info("%s: %d prompts, median %d tokens, %d cut", step, counts["prompts"], counts["tokens_median"], counts["cut"])


def in_ranges(evidence: RangedTable, cases: RangedTable) -> Iterator[pa.Table]:
    """Evidence of the cases, a patient range at a time.

    Raises:
        InputError: a case has no evidence, or there is evidence of a case that is not among them.
    """
    wanted, there = cases.ids(), evidence.ids()
    for some, others, wrong in (
        (wanted, there, "expected evidence of every case; {} have none, the first {}"),
        (there, wanted, "expected evidence of cases of the case list alone; {} are not in it, the first {}"),
    ):
        if len(absent := some.filter(pc.invert(pc.is_in(some, value_set=others)))):
            raise InputError(wrong.format(len(absent), pc.min(absent).as_py()), file=evidence.path)
    return (evidence.table(one.case_ids) for one in ranges_of(cases))


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
    evidence = in_ranges(RangedTable(given.evidence, "case_id", COLUMNS), open_cases(given.cases, ("case_id",)))
    write_prompts(given, blocks, evidence, [given.evidence, given.cases / "cases.parquet"], "render")
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
