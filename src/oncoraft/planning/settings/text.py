"""Blocks of what the model reads and writes: evidence, audit, rationales, prompts, split."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from oncoraft.planning.settings.base import Block, Fraction, PathText


class Evidence(Block):
    """What may be shown of a case at its index date."""

    genomics_known: Literal["sequenced", "acquired"] = Field(
        "sequenced", description="A specimen's genomics may be shown once sequenced, or already once acquired (as published)."
    )
    records_per_kind: int = Field(3, ge=1, le=10, description="Closest earlier records shown of each repeated kind.")
    index_day: Literal["before_treatment", "excluded"] = Field(
        "before_treatment",
        description="Records of the day on which treatment starts: before_treatment: performance status, markers, tumour sites and whether "
        "cancer is seen count, since a clinic takes them before the first dose; excluded: they do not. A verdict of progression of that day, "
        "which may judge the treatment that begins, never counts.",
    )
    receptor_status: Literal["from_diagnosis", "never"] = Field(
        "from_diagnosis",
        description="Hormone receptor and HER2 status have no date in the source: shown once breast cancer is diagnosed, or never.",
    )
    alterations_shown: int = Field(
        30,
        ge=1,
        le=500,
        description="Most mutations, copy-number calls and structural variants listed, each; treatment-deciding genes first, the rest counted.",
    )


class Audit(Block):
    """The look-ahead audit that training depends on."""

    cases: int | None = Field(500, ge=1, description="Cases to perturb; null: all of them.")
    seed: int = Field(23, description="Draws the cases and the perturbations.")
    text_model_cases: int = Field(
        3000, ge=50, description="Cases on which a text model looks for the label in prompts and in rationales, by stable hash."
    )


VerifierName = Literal["factual", "mechanism", "consistency", "uncertainty", "form", "no_outcome"]


class Rationales(Block):
    """Where the clinical rationales that the model learns to write come from, and what they must stand up to."""

    teacher: Literal["template", "endpoint", "file"] = Field(
        "template",
        description="template: composed offline from drug and biomarker tables and the case's own evidence; endpoint: a language model behind "
        "an OpenAI-compatible chat API; file: a JSONL file of case_id and rationale.",
    )
    sees_label: bool = Field(True, description="Whether the teacher argues towards the label (as published) or from the evidence alone.")
    fields_of: Literal["full", "oncoraft", "compact"] | None = Field(
        None, description="The teacher uses only what this prompt template shows; null: that of prompts.template."
    )
    samples: int = Field(3, ge=1, le=20, description="Rationales to try for a case before it falls back to the template.")
    missing: Literal["fallback", "refuse"] = Field(
        "fallback", description="A case that the teacher has no answer for takes the template's (counted), or ends the run."
    )
    weights: dict[VerifierName, float] = Field(
        {"factual": 3.0, "mechanism": 2.0, "consistency": 2.0, "uncertainty": 1.0, "form": 1.0, "no_outcome": 1.0},
        description="Weight of each verifier in the mean; one that is left out weighs nothing.",
    )
    minimum: dict[VerifierName, Fraction] = Field(
        {"factual": 1.0, "mechanism": 0.5, "consistency": 0.5, "uncertainty": 0.3, "form": 0.5, "no_outcome": 1.0},
        description="Least score of each verifier; a rationale below any of them is rejected.",
    )
    threshold: Fraction = Field(0.8, description="Least weighted mean of the verifiers.")
    file: PathText | None = Field(None, description="file teacher: the JSONL file.")
    endpoint_url: str | None = Field(
        None, pattern=r"^https?://[^\s@?#]+$", description="endpoint teacher: base address, such as https://host/v1; no key in it."
    )
    endpoint_model: str | None = Field(None, description="endpoint teacher: the model's name, as the server knows it.")
    endpoint_key_variable: str = Field(
        "ONCORAFT_TEACHER_KEY",
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
        description="endpoint teacher: environment variable that holds the key; unset: none is sent.",
    )
    endpoint_instruction: PathText | None = Field(
        None, description="endpoint teacher: file with the system message; null: the one that is shipped."
    )
    endpoint_cache: PathText | None = Field(
        None, description="endpoint teacher: folder of the answers paid for; null: teacher-cache beside the output. Keep it."
    )
    endpoint_concurrency: int = Field(8, ge=1, le=256, description="endpoint teacher: requests under way at a time.")
    endpoint_requests_per_minute: float | None = Field(None, gt=0, description="endpoint teacher: rate limit; null: none.")
    endpoint_timeout_seconds: float = Field(120.0, gt=0, description="endpoint teacher: longest wait for a whole answer.")
    endpoint_attempts: int = Field(6, ge=1, le=50, description="endpoint teacher: tries of one request before it counts as failed.")
    endpoint_backoff_seconds: float = Field(
        2.0, gt=0, description="endpoint teacher: first wait after a failure; doubles, up to a minute. Retry-After is honoured."
    )
    endpoint_temperature: float = Field(0.6, ge=0, le=2, description="endpoint teacher: sampling temperature, as published.")
    endpoint_top_p: float = Field(0.9, gt=0, le=1, description="endpoint teacher: nucleus of the sampling distribution.")
    endpoint_max_tokens: int = Field(512, ge=16, description="endpoint teacher: longest answer in tokens.")
    seed: int = Field(29, description="Varies the wording; also the seed of the endpoint's samples.")

    @model_validator(mode="after")
    def _teacher_has_what_it_needs(self) -> Rationales:
        if self.teacher == "file" and not self.file:
            raise ValueError("teacher file: give rationales.file")
        if self.teacher == "endpoint" and not (self.endpoint_url and self.endpoint_model):
            raise ValueError("teacher endpoint: give rationales.endpoint_url and rationales.endpoint_model")
        if not any(self.weights.values()) or min(self.weights.values()) < 0:
            raise ValueError("weights: expected numbers of at least 0, one of them above 0")
        return self


class Prompts(Block):
    """How evidence becomes a prompt."""

    template: Literal["full", "oncoraft", "compact"] = Field(
        "full",
        description="full: everything known, with days before treatment; oncoraft: the published field layout, for released weights; "
        "compact: a line a section, for models of a few hundred tokens.",
    )
    instruction_file: PathText | None = Field(
        None, description="Text file whose content is put before every case; null: the instruction that belongs to the template."
    )
    token_budget: int = Field(
        3072, ge=64, description="Longest prompt in tokens of the model's own tokenizer; low-value evidence is cut first."
    )


class Split(Block):
    """What goes into a fold's files."""

    max_training_cases: int | None = Field(None, ge=20, description="Cap on training cases per fold, by stable hash; null: all.")
    control_seed: int = Field(59, description="Of the labels and drugs that change places in the negative controls.")
    texts: Literal["copied", "referred"] = Field(
        "copied",
        description="copied: every line of a fold's files has its prompt in it, as published; referred: it has a digest of the prompt, whose "
        "text lies once, in the model's prompts.jsonl (`oncoraft export-jsonl` writes the published file). Results are the same; a change "
        "of this setting trains again.",
    )

    @model_serializer(mode="wrap")
    def _as_before_where_texts_are_copied(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """What rules depend on: as it was before texts could lie elsewhere, so that what was made then stands."""
        values: dict[str, Any] = handler(self)
        return {name: value for name, value in values.items() if (name, value) != ("texts", "copied")}
