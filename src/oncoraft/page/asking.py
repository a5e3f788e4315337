"""A case as it was asked about: entered in the form, pasted, read from JSON, or a patient of a study at an index day."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from oncoraft.answers import ANSWER_MARKER, full_prompt
from oncoraft.cases.regimens import slug
from oncoraft.foundation.errors import InputError
from oncoraft.page.form import Wrong, agent_list, read_entries
from oncoraft.page.records import Told, evidence_of, told, told_of
from oncoraft.page.study import Study
from oncoraft.planning.config import Evidence
from oncoraft.prompts.budget import Count, Statement, cutting_order
from oncoraft.prompts.render import Renderer
from oncoraft.verifiers.record import Record

LONGEST_PROMPT = 200_000  # characters: more than any model here reads
MOST_PARTS = 200
ITEM = re.compile(r"\s*[-*•]\s+")
TITLED = re.compile(r"(?P<title>[A-Z][A-Za-z ()-]{1,40}): (?P<rest>.*)")
Text = Annotated[str, Field(max_length=LONGEST_PROMPT)]
Name = Annotated[str, Field(max_length=200)]


class EnteredField(BaseModel):
    """One entry of the form."""

    model_config = ConfigDict(extra="forbid")
    field: Name = Field(description="a field of /api/form")
    value: Name = ""
    days: Annotated[int, Field(ge=0, le=36_525)] | Name | None = Field(None, description="days before treatment")
    detail: Name = Field("", description="which marker")


class PatientAtDay(BaseModel):
    """A patient of the study folder at an index day."""

    model_config = ConfigDict(extra="forbid")
    patient_id: Name
    index_day: Annotated[int, Field(ge=-60_000, le=60_000)] = Field(description="days from the first sequencing")
    agents: Annotated[list[Name], Field(max_length=20)] = Field([], description="drugs to begin that day; none: those that did")


class Asked(BaseModel):
    """A case, in one of four forms: `prompt`; `instruction` and `input`; `entries`; or `patient`."""

    model_config = ConfigDict(extra="forbid")
    model: Name | None = Field(None, description="which of the models served; the first where none is named")
    case_id: Name = Field(
        "case", min_length=1, description="seeds the draws of the rationale, as a file's name does for `oncoraft predict`"
    )
    prompt: Text | None = None
    instruction: Text | None = None
    input: Text | None = None
    entries: Annotated[list[EnteredField], Field(max_length=400)] | None = None
    patient: PatientAtDay | None = None


@dataclass(frozen=True)
class Part:
    """What can be left out of a prompt by itself, and the prompt without it."""

    section: str
    text: str
    without: str


@dataclass(frozen=True)
class Case:
    """A case ready for a model.

    Attributes:
        prompt: what the model reads; `text`: the patient's part of it.
        statements: of the evidence, those that the prompt shows; none where it was given as text.
        known: fields of which the evidence tells something, shown or not.
        regimen, cancer_type: as the cohort calls them; empty and None where the text does not tell.
        unheard: what was entered and is not shown; `cut`: what the budget left out.
    """

    case_id: str
    instruction: str
    text: str
    statements: tuple[Statement, ...]
    regimen: str
    cancer_type: str | None
    patient: str | None = None
    unheard: tuple[str, ...] = ()
    cut: tuple[str, ...] = ()
    known: frozenset[str] = frozenset()
    verbatim: str | None = None

    @property
    def prompt(self) -> str:
        """The whole prompt."""
        return self.verbatim if self.verbatim is not None else full_prompt(self.instruction, self.text)


@dataclass(frozen=True)
class Reading:
    """How one model's cases are put into words.

    Args:
        study: where patients are looked up; None: nowhere.
        cancer_types: that a pasted prompt may name.
        budget: longest prompt in tokens, given the model's context.
    """

    renderer: Renderer
    evidence: Evidence
    budget: int
    count: Count
    study: Study | None
    cancer_types: tuple[str, ...]

    def case(self, asked: Asked) -> Case:
        """A case by the form in which it was asked.

        Raises:
            Wrong: entries that cannot be read.
            InputError: none of the forms or several, or a patient that is not there.
        """
        forms = (
            asked.prompt is not None,
            asked.instruction is not None or asked.input is not None,
            asked.entries is not None,
            asked.patient is not None,
        )
        if sum(forms) != 1:
            raise InputError("expected one of: prompt; instruction and input; entries; patient", found=sum(forms))
        if asked.entries is not None:
            return self._entered(asked)
        if asked.patient is not None:
            return self._of_patient(asked.case_id, asked.patient)
        if asked.prompt is not None:
            return self._pasted(asked.case_id, asked.prompt)
        if asked.instruction is None or asked.input is None:
            raise InputError("expected both instruction and input")
        return self._text(asked.case_id, asked.instruction, asked.input)

    def ahead(self, asked: Asked) -> None:
        """Collect the evidence of what was entered so far, so that it is there when the case is asked about; nothing where it cannot be read yet."""
        with suppress(Wrong):
            evidence_of(tuple(read_entries(one.model_dump() for one in asked.entries or ())), self.evidence.model_dump_json())

    def _entered(self, asked: Asked) -> Case:
        entries = read_entries(one.model_dump() for one in asked.entries or ())
        found = told_of(entries, self.evidence, self.renderer, self.budget, self.count)
        agents = [agent for entry in entries if entry.field == "drug" for agent in entry.value.split(" + ")]
        cancer = next(entry.value for entry in entries if entry.field == "cancer_type")
        case = self._of_evidence(asked.case_id, found, slug(set(agents)), cancer)
        shown = {statement.field for statement in case.statements}
        # Agents of an earlier regimen stand in two fields, of which a template may show one.
        shown |= {"prior_regimen"} if "prior_agents" in shown else set()
        return replace(case, unheard=tuple(dict.fromkeys(entry.field for entry in entries if entry.field not in shown)))

    def _of_patient(self, case_id: str, patient: PatientAtDay) -> Case:
        if self.study is None or not self.study.has_patients:
            raise InputError("expected a results folder with tables and cases (--results), or a study folder (--study)")
        try:
            agents = agent_list("+".join(patient.agents)) if patient.agents else []
        except ValueError as error:
            raise Wrong([("drug", str(error))]) from None
        evidence, row = self.study.evidence_of(patient.patient_id, patient.index_day, agents)
        found = told(evidence, str(row["case_id"]), self.renderer, self.budget, self.count)
        name = str(row["case_id"]) if case_id == "case" else case_id
        return replace(self._of_evidence(name, found, str(row["regimen"]), str(row["cancer_type"])), patient=patient.patient_id)

    def _of_evidence(self, case_id: str, found: Told, regimen: str, cancer_type: str) -> Case:
        gone = set(cutting_order(found.statements)[: len(found.cut)])
        left = [statement for place, statement in enumerate(found.statements) if place not in gone]
        # A template shows a part of them: those without which the text would be another.
        shown = tuple(
            one
            for place, one in enumerate(left)
            if self.renderer.input_text([*left[:place], *left[place + 1 :]], self._cut(found)) != found.text
        )
        known = frozenset(statement.field for statement in found.statements)
        return Case(case_id, found.instruction, found.text, shown, regimen, cancer_type, cut=found.cut, known=known)

    @staticmethod
    def _cut(found: Told) -> frozenset[str]:
        """Fields that the budget left out altogether."""
        order = cutting_order(found.statements)[: len(found.cut)]
        kept = {statement.field for place, statement in enumerate(found.statements) if place not in set(order)}
        return frozenset(found.cut) - kept

    def _pasted(self, case_id: str, prompt: str) -> Case:
        """A whole prompt as it stands, its answer marker added where there is none: as `oncoraft predict` reads a text file."""
        plain = prompt.rstrip()
        if not plain:
            raise InputError("expected a prompt", found="nothing")
        whole = f"{plain}\n" if plain.endswith(ANSWER_MARKER.rstrip()) else f"{plain}\n\n{ANSWER_MARKER}"
        body = whole.removesuffix(ANSWER_MARKER).rstrip()
        instruction, text = self.renderer.instruction, body.removeprefix(self.renderer.instruction).strip()
        found = self._text(case_id, instruction if body.startswith(instruction) else "", text)
        return replace(found, verbatim=whole)

    def _text(self, case_id: str, instruction: str, text: str) -> Case:
        record = Record.from_prompt(text)
        low = text.lower()
        named = [name for name in self.cancer_types if name.lower() in low]
        return Case(case_id, instruction, text, (), slug(agent.upper() for agent in record.given), named[0] if len(named) == 1 else None)

    def parts(self, case: Case) -> list[Part]:
        """What can be left out of a case: its statements but the drugs about to start, or the lines of its text."""
        if not case.statements:
            pieces = lines_of(case.text)
            return [Part(section, text, case.prompt.replace(case.text, rest, 1)) for section, text, rest in pieces[:MOST_PARTS]]
        found = []
        for place, one in enumerate(case.statements):
            if one.text and one.field != "drug":
                rest = [other for number, other in enumerate(case.statements) if number != place]
                text = self.renderer.input_text(rest, frozenset(case.cut) - {other.field for other in rest})
                if text != case.text:
                    found.append(Part(one.section, one.text, full_prompt(case.instruction, text)))
        return found[:MOST_PARTS]


def lines_of(text: str) -> list[tuple[str, str, str]]:
    """(heading, statement, the text without it) of a prompt's text: items of lists, parts of `Title: a; b`, or plain lines."""
    lines, heading = text.split("\n"), ""
    found = []
    for place, line in enumerate(lines):
        before, after = lines[:place], lines[place + 1 :]
        titled = TITLED.fullmatch(line)
        if not line.strip():
            continue
        if not ITEM.match(line) and any(ITEM.match(one) for one in after[:1]):
            heading = line.strip(" :")
        elif titled and "; " in titled["rest"]:
            parts = titled["rest"].split("; ")
            for number, part in enumerate(parts):
                rest = f"{titled['title']}: {'; '.join([*parts[:number], *parts[number + 1 :]])}"
                found.append((titled["title"], part, "\n".join([*before, rest, *after])))
        else:
            found.append((heading, ITEM.sub("", line, count=1).strip(), "\n".join([*before, *after])))
    return found


def statements_of(case: Case) -> Sequence[tuple[str, str]]:
    """(section, text) of what the prompt tells, for the verifiers."""
    if case.statements:
        return [(one.section, one.text) for one in case.statements if one.text]
    return [(section, text) for section, text, _ in lines_of(case.text)]


def as_file(case: Case) -> dict[str, Any]:
    """The case as `oncoraft predict --case` reads it; a pasted prompt as it stands, to the last character."""
    if case.verbatim is not None:
        return {"case_id": case.case_id, "prompt": case.verbatim}
    return {"case_id": case.case_id, "instruction": case.instruction, "input": case.text}
