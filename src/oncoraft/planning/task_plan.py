"""What the workflow has to know of text tasks before it runs: which there are, what each reads, and the settings of its rules.

Light, as all that is imported when the workflow is parsed: neither pandas nor torch.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from oncoraft.foundation.provenance import canonical_json
from oncoraft.planning.config import Block, Config, Strategy, TextTask
from oncoraft.planning.content import Content
from oncoraft.planning.settings.tasks import declared_value
from oncoraft.planning.sources import code_digest
from oncoraft.planning.steps import STEPS

ANSWERERS = ("base", "tuned")
NO_TRAINING, TEXT = Strategy(language_model_weight=0.0, score_weight=0.0), Strategy(score_weight=0.0)
WITH_HEAD = ("train", "task-choices")  # steps that train or read a task's head; text is written by the adapter alone
# What each step reads of a task's settings: another value of the rest must not run it again.
READ_OF_TASK = {
    "task-cases": ("kind", "file", "parts", "horizon_days"),
    "task-prompts": ("kind", "token_budget", "layout"),
    "task-split": ("kind", "parts", "max_training_cases", "max_heldout_cases", "seed"),
    "task-baselines": ("kind", "seed"),
    "task-scores": ("kind", "strategy", "bootstrap", "seed"),
}
NOTHING = "(?!)"  # a wildcard's pattern that matches nothing


class TaskPlan:
    """The tasks of a configuration, asked by the rules."""

    def __init__(self, config: Config, content: Content, steps_asked: set[str]) -> None:
        self.config, self.content, self.steps_asked = config, content, steps_asked

    def names(self, *sources: str) -> list[str]:
        """Tasks whose cases come from one of the sources (tables, cohort, file), or all."""
        return [name for name in self.config.tasks if not sources or self.source(name) in sources]

    def pattern(self, *sources: str) -> str:
        """A wildcard's pattern for these tasks; it matches nothing where there are none."""
        return "|".join(self.names(*sources)) or NOTHING

    def task(self, name: str) -> TextTask:
        """The settings of a task."""
        return self.config.tasks[name]

    def source(self, name: str) -> str:
        """Where its cases come from."""
        return str(declared_value(str(self.task(name).kind), "source"))

    def shares_evidence_of(self, name: str) -> str | None:
        """The first task before it, in the configuration's order, that is asked of the same patients on the same days; None: it is the first.

        So that a task added later changes nothing of those before it.
        """

        def pool(task: str) -> str:
            kind = str(self.task(task).kind)
            return str(declared_value(kind, "pool", kind))

        first = next(other for other in self.names("tables") if pool(other) == pool(name))
        return None if first == name else first

    def needs_courses(self, name: str) -> bool:
        """Whether it reads a table of courses."""
        return bool(declared_value(str(self.task(name).kind), "needs_courses", False))

    def has_law(self, name: str) -> bool:
        """Whether a twin's law knows the likeliest answers of it."""
        return bool(declared_value(str(self.task(name).kind), "has_law", False))

    def folds(self, name: str) -> range:
        """Its held-out folds, from 0."""
        task, folds = self.task(name), self.config.folds.folds
        return range(1 if task.parts == "from_file" else min(task.heldout_folds or folds, folds))

    def trained_by(self, strategy: str) -> str:
        """A wildcard's pattern for the tasks whose models learn so (lm_only, raft); it matches nothing where there are none."""
        return "|".join(name for name, task in self.config.tasks.items() if task.strategy == strategy) or NOTHING

    def strategy(self, step: str, task: str, answerer: str) -> Strategy:
        """What a step is told of losses: the base answers as it is; the tuned model has learned the text, and of raft which choice it is."""
        own = self.task(task)
        if answerer == "base":
            return NO_TRAINING
        return Strategy(score_weight=own.head_weight, score_loss="choices") if own.strategy == "raft" and step in WITH_HEAD else TEXT

    def shards(self, name: str) -> range:
        """The jobs that answer one of its folds, from 0."""
        return range(self.task(name).shards)

    def courses(self, cohort: str) -> str:
        """The table of courses: a group's, or what is made up for a twin."""
        given = self.config.radiation.courses
        return f"results/{cohort}/tasks/courses.csv" if given is None else given

    def files(self, name: str | None = None) -> list[str]:
        """Files from outside that a task reads; of every task where none is named."""
        names = list(self.config.tasks) if name is None else [name]
        found = [file for one in names if (file := self.task(one).file) is not None]
        given = self.config.radiation.courses
        return found + ([given] if given is not None and any(map(self.needs_courses, names)) else [])

    def file_content(self, name: str) -> str:
        """Digest of the files from outside that a task reads."""
        return self.content.of(Path(file) for file in self.files(name))

    def settings(self, step: str, task: str, answerer: str = "tuned") -> str:
        """The one tracked parameter of a rule that runs `step` for a task, as JSON: the blocks that the step reads, and its code.

        Args:
            step: a key of `STEPS`.
            task: its name.
            answerer: base or tuned, for steps that answer.
        """
        self.steps_asked.add(step)
        config, own = self.config, self.task(task)
        blocks: dict[str, Block] = {}
        found: dict[str, Any] = {}
        for name in STEPS[step].blocks:
            if name == "task":
                found[name] = own.model_dump(mode="json", include=set(READ_OF_TASK[step]))
            elif name == "strategy":
                blocks[name] = self.strategy(step, task, answerer)
            elif name == "training":
                blocks[name] = config.task_training
            elif name == "adapter":
                blocks[name] = config.task_adapter or config.adapter
            elif name == "folds":
                # Always by the hash of the patient, so that whoever is held out of one task is held out of all.
                blocks[name] = config.folds.model_copy(update={"designs": ("kfold",), "frozen": None})
            elif name == "inference":
                # An answer that is compared is the likeliest, not one of many; nothing but text is wanted.
                how = {"rationales": None, "score_only": False, "temperature": 0.0, "engine": "transformers"}
                # A choice is as long as it is.
                longest = {} if step == "task-choices" else {"max_new_tokens": own.max_answer_tokens}
                blocks[name] = config.inference.model_copy(update=how | longest)
            else:
                blocks[name] = getattr(config, name)
        found |= {name: block.model_dump(mode="json") for name, block in blocks.items()}
        return canonical_json(found | {"code": code_digest(step)})

    def missing(self) -> list[str]:
        """Files from outside that are not there, one line each."""
        return [f"{file}: no such file (configuration block `tasks` or `radiation`)" for file in self.files() if not Path(file).is_file()]
