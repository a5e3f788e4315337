"""Blocks of the text tasks: which there are, what they ask, and how a model is trained for them."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from oncoraft.planning.settings.base import Block, Days, PathText

TaskName = Annotated[str, Field(pattern=r"^[a-z0-9]+([-_][a-z0-9]+)*$")]
# A task is one file; what there is to choose from follows from the files, so that a new one is known here by itself.
DECLARED = Path(__file__).parents[2] / "tasks" / "declared"
KINDS = tuple(sorted(file.stem for file in DECLARED.glob("[a-z]*.py")))


@cache
def declared_value(kind: str, name: str, otherwise: Any = None) -> Any:
    """A literal that a task declares, read from its syntax tree: parsing the workflow must not import what the declaration imports."""
    tree = ast.parse((DECLARED / f"{kind}.py").read_bytes())
    found = [node.value for node in ast.walk(tree) if isinstance(node, ast.keyword) and node.arg == name]
    return ast.literal_eval(found[0]) if found else otherwise


class Radiation(Block):
    """Courses of radiation. The released tables hold the days on which radiation began and nothing else."""

    courses: PathText | None = Field(
        None,
        description="CSV of courses, a row a phase: patient_id, start_day, dose, unit, fractions, modality, and if there are any course and "
        "schedule. null: of a twin, courses that are made up on the days of its own table.",
    )
    gap_days: Days = Field(30, description="Radiation that begins within this many days of the last start belongs to the same course.")
    seed: int = Field(61, description="Of the twin's made-up courses.")


class TextTask(Block):
    """A question whose answer is text: asked of the base model and of one tuned on other patients."""

    kind: str | None = Field(None, description=f"What is asked: {', '.join(KINDS)}; null: what the task's name says.")
    file: PathText | None = Field(
        None, description="kind file: JSONL or CSV with instruction, input, output, patient, and if there are any choices and part."
    )
    parts: Literal["by_patient", "from_file"] = Field(
        "by_patient",
        description="by_patient: the folds of the cohort; from_file: one fold, that the file's column part (train, heldout) tells.",
    )
    horizon_days: Days = Field(90, description="kind radiation_start: how far ahead a course is asked for.")
    heldout_folds: int | None = Field(
        None,
        ge=1,
        description="How many of the cohort's folds are held out in turn, the first ones; null: all. Each is trained and answered.",
    )
    max_training_cases: int | None = Field(None, ge=20, description="Cap on training cases per fold, by stable hash; null: all.")
    max_heldout_cases: int | None = Field(None, ge=1, description="Cap on held-out cases per fold, by stable hash; null: all.")
    token_budget: int = Field(
        1024, ge=64, description="Longest prompt in tokens, estimated from its characters; statements of low priority are cut first."
    )
    layout: Literal["statements", "compact"] = Field(
        "statements",
        description="How evidence reads: a line a statement; or compact: brief forms, a line a section, for models that read a few hundred tokens.",
    )
    shards: int = Field(1, ge=1, description="Jobs per fold that answer; results do not depend on it.")
    max_answer_tokens: int = Field(64, ge=2, description="Longest answer in tokens.")
    choices: Literal["free", "scored", "trie"] = Field(
        "free",
        description="Beside the freely written answer, one that is chosen: of a case's own choices, or else of the answers that the training cases "
        "have. scored: the likeliest of at most 100; trie: of any number, written token by token with no other continuation allowed.",
    )
    strategy: Literal["lm_only", "raft"] = Field(
        "lm_only",
        description="lm_only: the tuned model learns to write the answers; raft: beside them a head over the choices learns which it is. "
        "Choices have to be scored or a trie.",
    )
    head_weight: float = Field(1.0, gt=0, description="strategy raft: weight of the head's loss beside that of the answers.")
    bootstrap: int = Field(2000, ge=10, description="Resamples of patients for the intervals.")
    seed: int = Field(67, description="Of the caps, the bootstrap and the baselines.")
