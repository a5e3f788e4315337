"""What the page serves: models with their processes, how each reads a case, and where its scores stand."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from oncoraft.evidence.shown import shown_fields
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.jsonl import json_line
from oncoraft.knowledge.tables import table
from oncoraft.page.asking import Case, Reading
from oncoraft.page.groups import curves_of
from oncoraft.page.making import Making
from oncoraft.page.service import Unavailable, Worker
from oncoraft.page.standing import Standing
from oncoraft.page.study import Study, fold_of, prompt_settings
from oncoraft.planning.config import Evidence, Inference, Prompts
from oncoraft.prompts.render import renderer_of

log = logging.getLogger("oncoraft")
ANSWER_ROOM = 1  # token that has to be left for the answer
PROGNOSTIC = (
    "Scores are prognostic within a regimen: they say who does better among those who received it. They do not say which regimen to choose: "
    "that a case scores higher with one than with another is no evidence that it would do better with it."
)


def cancer_types() -> tuple[str, ...]:
    """Those of the source."""
    return next(column.vocabulary for column in table("clinical_sample").columns if column.name == "cancer_type")


@dataclass
class Model:
    """One model folder as the page serves it.

    Args:
        worker: its process.
        standing: where its scores stand; None where no run of it is at hand.
        prompts, evidence: how its cases are put into words.
        follows: what is not known of its scores yet, in words; None: nothing more is being made.
    """

    worker: Worker
    standing: Standing | None
    prompts: Prompts
    evidence: Evidence
    study: Study | None
    follows: str | None = None

    @property
    def name(self) -> str:
        """As the page calls it."""
        return self.worker.name

    @property
    def reading(self) -> Reading:
        """How its cases are put into words."""
        types = dict.fromkeys([*cancer_types(), *self._types])
        # Until the model is there its context is not known, and the budget alone bounds a prompt.
        longest = self.worker.longest - ANSWER_ROOM if self.worker.longest else self.prompts.token_budget
        return Reading(self._renderer, self.evidence, min(self.prompts.token_budget, longest), self.worker.count, self.study, tuple(types))

    @cached_property
    def _renderer(self) -> Any:
        return renderer_of(self.prompts)

    @cached_property
    def _types(self) -> list[str]:
        if self.study is None or not self.study.has_patients:
            return []
        return sorted(map(str, self.study.cases["cancer_type"].unique()))

    def stand_on(self, results: Sequence[Study], study: Study | None, is_whole: bool) -> None:
        """Take the settings of a prompt from the run that the model comes from, where one of the results folders holds it.

        Args:
            is_whole: whether the run is finished; its scores are those of an earlier model until then, if there are any.
        """
        self.study = study
        for home in results:
            if (fold := fold_of(self.worker.folder, home.root)) is not None:
                self.prompts = Prompts(**(prompt_settings(fold) or self.prompts.model_dump()))
                self.evidence, self.standing = home.evidence_settings, Standing(home, fold) if is_whole else None
                break
        # What was known before the run was there is read anew.
        self.__dict__.pop("_renderer", None)
        self.__dict__.pop("_types", None)

    def folder_warning(self) -> list[str]:
        """Whether the folder has gone since the model was loaded."""
        if (self.worker.folder / "config.json").is_file():
            return []
        return [f"The folder of model {self.name} is no longer there; what answers is the copy in memory, until the page is closed."]

    def stands(self, case: Case, score: float) -> dict[str, Any]:
        """What the run knows of a score: scale, regimen, interval, score group and curves, warnings."""
        told: dict[str, Any] = {"scale": None, "regimen": None, "interval": None, "curves": None, "follows": self.follows}
        if self.standing is None:
            return told | {"warnings": self.folder_warning()}
        try:
            return self._stands(self.standing, case, score)
        except (OSError, InputError) as error:
            # The score itself does not need it.
            gone = f"The results of this model's run can no longer be read ({type(error).__name__}): where the score stands is not known."
            return told | {"warnings": [*self.folder_warning(), gone]}

    def _stands(self, standing: Standing, case: Case, score: float) -> dict[str, Any]:
        if not standing.run.is_dir():  # half of it may be in memory still
            raise FileNotFoundError(standing.run)
        told: dict[str, Any] = {"regimen": None, "curves": None, "follows": self.follows}
        told |= {"scale": standing.scale(score), "interval": standing.interval(score)}
        if case.regimen and case.cancer_type:
            told["regimen"] = standing.of_regimen(case.regimen, case.cancer_type)
            told["curves"] = curves_of(standing, case.regimen, case.cancer_type, score)
        template = shown_fields(self.prompts.template)
        warned = standing.warnings(case.regimen, case.cancer_type, case.known, template, case.patient)
        return told | {"warnings": [*self.folder_warning(), *warned]}


@dataclass
class Page:
    """Everything that is served.

    Args:
        models: by name, in the order given.
        study: of patients; None: none can be looked up.
        results: folder that may be browsed; None: none.
        keep: folder to which answers are written; None: nothing is kept.
        making: what makes the models, and then what judges them, in this order; none: they are there. `found` looks for what was made, after
            each of them, told whether it was the last.
    """

    models: dict[str, Model]
    study: Study | None
    results: Path | None
    keep: Path | None
    making: Sequence[Making] = ()
    found: Callable[[Page, bool], None] = field(default=lambda page, is_whole: None, repr=False)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def model(self, name: str | None) -> Model:
        """A model by its name; the first where none is named.

        Raises:
            InputError: there is none of that name.
        """
        if name is None:
            return next(iter(self.models.values()))
        if name not in self.models:
            raise InputError(f"expected one of the models served: {', '.join(self.models)}", column="model")
        return self.models[name]

    @property
    def is_awaited(self) -> bool:
        """Whether a model is still being made."""
        return any(model.worker.state == "making" for model in self.models.values())

    @property
    def patients(self) -> Study | None:
        """The study whose patients can be looked up; None: there is none."""
        return self.study if self.study is not None and self.study.has_patients else None

    def kept(self, case: Case, record: dict[str, Any], model: str) -> None:
        """Write an answer down, where that was asked for, readable by its owner alone.

        Raises:
            Unavailable: it cannot be written.
        """
        if self.keep is None:
            return
        told = {"time": datetime.now(UTC).isoformat(timespec="seconds"), "model": model, "prompt": case.prompt, "answer": record}
        path = self.keep / "answers.jsonl"
        try:
            with self.lock, open(path, "a", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600)) as stream:
                stream.write(json_line(told))
        except OSError as error:
            raise Unavailable(f"{path}: the answer could not be kept ({error.strerror}), and is not given without") from None

    def close(self) -> None:
        """End the models, and what makes them."""
        for making in self.making:
            making.close()
        for model in self.models.values():
            model.worker.close()


def models_of(folders: Sequence[Path], blocks: dict[str, Any], threads: int, gpus: int) -> dict[str, Model]:
    """Models by name, their prompts as the configuration says; `stand_on` then gives each the run that it comes from.

    Raises:
        InputError: two of one name.
    """
    found: dict[str, Model] = {}
    inference: Inference = blocks["inference"]
    for folder in folders:
        name = folder.resolve().name
        if name in found:
            name = f"{folder.resolve().parent.name}/{name}"
        if name in found:
            raise InputError("--model: expected folders of different names", file=folder)
        worker = Worker(name, folder, inference, threads, gpus)
        found[name] = Model(worker, None, blocks["prompts"], blocks["evidence"], None)
    return found


def described(model: Model) -> dict[str, Any]:
    """A model as the API tells of it."""
    record = model.worker
    told = {
        "name": model.name,
        "state": record.state,
        "reason": record.reason if record.state in {"refused", "making"} else "",
        "context_tokens": record.longest,
        "follows": model.follows or "",
    }
    run = None if model.standing is None else model.standing.run.as_posix().split("/")[-3:]
    return told | {"template": model.prompts.template, "run": "/".join(run) if run else None, "waiting": len(record.told)}


def plain(told: dict[str, Any]) -> dict[str, Any]:
    """What stands in `stands` that is data and no drawing."""
    curves = told.get("curves")
    bare = None if curves is None else {name: curves.get(name) for name in ("group", "said", "reason")}
    found: dict[str, Any] = json.loads(json.dumps({**told, "curves": bare}))
    return found
