"""Typed configuration: every key with its unit, its default and its reason; unknown keys are refused.

One frozen model per block. The JSON schema (`workflow/schemas/config.schema.json`) is generated from
these models, and so is the list of what a rule depends on: a step sees only the blocks that it declares
in `oncoraft.steps`. Defaults are those of the real study; the demo (`config/config.yaml`) says what it
changes. Threads, memory, partitions and output folders are not configuration: profiles hold them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from oncoraft.errors import InputError

Slug = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
Days = Annotated[int, Field(ge=1, le=3650)]
Fraction = Annotated[float, Field(ge=0.0, le=1.0)]

PRETRAINING = "pretraining"  # the cohort whose text a tiny model reads before it is fine-tuned
SUBTYPES = ("Chemo", "Hormone", "Targeted", "Biologic", "Immuno", "Investigational", "Bone Treatment", "Other")
Definition = Literal[
    "strict",
    "disease_control",
    "oncoraft",
    "strict_60",
    "strict_90",
    "strict_120",
    "strict_180",
    "strict_indeterminate_progression",
    "strict_indeterminate_none",
    "strict_indeterminate_drawn",
    "strict_any_scan",
    "strict_death_excluded",
    "strict_switch_progression",
    "strict_in_view",
]
RESERVED_FOLDERS = {"study", "tables", "cases", "prompts", "baselines", "report", "logs", "benchmarks", "base"}


class Block(BaseModel):
    """A part of the configuration: frozen, typed, closed to unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class Twin(Block):
    """The synthetic study that stands in for a cohort that one may not have."""

    patients: int = Field(24_950, ge=50, description="Patients to make; the released cohort has 24,950.")
    seed: int = Field(1, description="Another seed is another population with the same laws.")
    clean: bool = Field(False, description="Leave out the quirks of the released files (duplicates, padding, CRLF).")


class Ingest(Block):
    """How strictly source rows are read."""

    strictness: Literal["refuse", "fail"] = Field(
        "refuse", description="refuse: a bad row is set aside and counted; fail: the first bad row ends the run."
    )


class Regimens(Block):
    """How dated agents become regimens and lines of therapy; `docs/regimens.md` has the source of every rule."""

    combination_window_days: Days = Field(
        28,
        description="Agents started within this many days of a regimen's first day belong to it (28 d: Merck line-of-therapy algorithm).",
    )
    known_at_index_days: int = Field(
        7, ge=0, le=28, description="Agents started within this many days of the index date count as planned, so the prompt may name them."
    )
    gap_days: Days = Field(90, description="Days without any of the regimen's agents after which the same agents are a new regimen.")
    carry_over_days: Days = Field(
        28, description="An agent of the regimen before belongs to the new one too if its record goes on more than this many days into it."
    )
    merge_identical_days: Days | None = Field(
        None,
        description="Consecutive regimens of the very same agents are one if no more than this many days lie between them; null: gap_days.",
    )
    gap_exempt: tuple[Literal["oral_targeted", "endocrine"], ...] = Field(
        ("oral_targeted", "endocrine"),
        description="Agents whose gaps never end a regimen: they are refilled for longer than they are recorded.",
    )
    substitutions: bool = Field(
        True, description="An agent that stands in for one of the same kind (knowledge/substitutions.csv) does not open a regimen."
    )
    backbone_classes: tuple[str, ...] = Field(
        ("GnRH agonist", "GnRH antagonist"),
        description="Drug classes that join a running regimen at any time and open one only where none runs.",
    )
    maintenance_days: int = Field(
        60,
        ge=0,
        le=365,
        description="A maintenance agent started within this many days of its induction's last day keeps the line; 0: never.",
    )
    investigational: Literal["keep", "set_aside"] = Field(
        "keep", description="keep: undisclosed trial agents make regimens of their own class; set_aside: they are ignored, counted."
    )
    regimen_agents: tuple[str, ...] = Field(
        (), description="Agents that make regimens although the drug table sets them aside: [MEGESTROL]."
    )
    set_aside_agents: tuple[str, ...] = Field((), description="Further agents to set aside as supportive, e.g. [LEUPROLIDE].")
    unknown_agents: Literal["count", "refuse"] = Field(
        "count",
        description="Agents not in the drug table. count: they take the class of their source rows, with a warning; refuse: an error.",
    )

    @model_validator(mode="after")
    def _rules_agree(self) -> Regimens:
        window = self.combination_window_days
        for key, value, floor, other in (
            ("combination_window_days", window, self.known_at_index_days, "known_at_index_days"),
            ("gap_days", self.gap_days, window, "combination_window_days"),
            ("merge_identical_days", self.merge_identical_days or self.gap_days, self.gap_days, "gap_days"),
        ):
            if value < floor:
                raise ValueError(f"{key}: expected at least {floor}, as {other} says, found {value}")
        if both := sorted(set(self.regimen_agents) & set(self.set_aside_agents)):
            raise ValueError(f"set_aside_agents: expected agents that are not in regimen_agents too, found {both[0]!r}")
        return self


class Labels(Block):
    """Which response definition trains, and its windows. All definitions are computed whatever is chosen; see `docs/labels.md`."""

    definition: Definition = Field(
        "strict",
        description="strict: first informative scan decides; oncoraft: the published rule; disease_control: not progressed; strict_…: variants.",
    )
    lag_days: int = Field(14, ge=0, le=60, description="A scan counts only after this many days from the index date.")
    window_days: Days = Field(120, description="Last day after the index date on which a scan may decide.")
    window_days_by_drug_class: dict[str, Days] = Field(
        default_factory=dict,
        description="Another window for a drug class, e.g. {Immuno: 150}; of several classes the longest window holds.",
    )
    baseline_days: Days = Field(90, description="Imaging in this many days before index, or on it, tells the disease at baseline.")
    partial_response_fraction: Fraction = Field(
        0.3, gt=0, description="PR where at least this share of the baseline sites is gone at the deciding scan."
    )
    seed: int = Field(13, description="Draws the verdict of Indeterminate reads in strict_indeterminate_drawn.")

    @model_validator(mode="after")
    def _windows_hold_a_scan(self) -> Labels:
        for key, days in {"window_days": self.window_days}.items() | self.window_days_by_drug_class.items():
            name = key if key == "window_days" else f"window_days_by_drug_class.{key}"
            if days <= self.lag_days:
                raise ValueError(f"{name}: expected more than {self.lag_days}, as lag_days says, found {days}")
            if unknown := [part for part in key.split(" + ") if key != "window_days" and part not in SUBTYPES]:
                raise ValueError(f"{name}: expected drug classes among {', '.join(SUBTYPES)}, found {unknown[0]!r}")
        return self


class Followup(Block):
    """Endpoints counted from the index date; overall survival has no choices."""

    progression_lag_days: int = Field(14, ge=0, le=60, description="A progression counts only after this many days from the index date.")
    assessment_gap_days: Days | None = Field(
        None, description="Progression-free survival is censored at the last scan before a gap longer than this; null: gaps do not matter."
    )
    at_next_regimen: Literal["ignore", "censor", "event"] = Field(
        "ignore", description="What a new regimen before progression is to progression-free survival; censor: at the last scan before it."
    )


Design = Literal["kfold", "kfold_stratified", "leave_cancer_out", "panel_era"]


class Folds(Block):
    """Cross-validation: patients, never cases, are assigned."""

    designs: tuple[Design, ...] = Field(
        ("kfold",),
        min_length=1,
        description="kfold: stable hash; kfold_stratified: exact balance; leave_cancer_out: a fold a cancer type; panel_era: newest panel held out.",
    )
    folds: int = Field(5, ge=2, le=20, description="Number of disjoint folds of kfold and kfold_stratified.")
    seed: int = Field(17, description="Enters the stable hash of the patient id.")
    tuning_fraction: Fraction = Field(0.1, description="Share of patients kept for tuning inside every training part.")
    balance_label: Definition = Field("strict", description="The label definition that kfold_stratified balances.")
    frozen: str | None = Field(None, description="folds.parquet of an earlier run: kfold_stratified leaves its patients where they were.")
    cancer_types: tuple[str, ...] = Field(
        ("Non-Small Cell Lung Cancer", "Colorectal Cancer", "Breast Cancer", "Prostate Cancer", "Pancreatic Cancer"),
        min_length=2,
        description="leave_cancer_out holds these out in turn, named as in CANCER_TYPE; fold k is the k-th of them.",
    )
    older_panels: tuple[str, ...] = Field(
        ("IMPACT341", "IMPACT410", "IMPACT468"), min_length=1, description="panel_era trains on patients first sequenced with these."
    )
    newest_panels: tuple[str, ...] = Field(
        ("IMPACT505",), min_length=1, description="panel_era holds out patients first sequenced with these."
    )

    @model_validator(mode="after")
    def _parts_are_apart(self) -> Folds:
        if both := sorted(set(self.older_panels) & set(self.newest_panels)):
            raise ValueError(f"newest_panels: expected panels that are not in older_panels too, found {both[0]!r}")
        if len(set(self.cancer_types)) < len(self.cancer_types):
            raise ValueError("cancer_types: expected each cancer type once")
        if len(set(self.designs)) < len(self.designs):
            raise ValueError("designs: expected each design once")
        return self

    def count(self, design: str) -> int:
        """How many folds a design holds out: numbered from 0; fold -1 marks cases that only ever train."""
        return {"leave_cancer_out": len(self.cancer_types), "panel_era": 1}.get(design, self.folds)


class Evidence(Block):
    """What may be shown of a case at its index date."""

    genomics_known: Literal["sequenced", "acquired"] = Field(
        "sequenced", description="A specimen's genomics may be shown once sequenced, or already once acquired (as published)."
    )
    records_per_kind: int = Field(3, ge=1, le=10, description="Closest earlier records shown of each repeated kind.")
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
    fields_of: Literal["full", "oncoraft", "compact"] = Field(
        "full", description="The teacher uses only what this prompt template shows; give the one of prompts.template."
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
    file: str | None = Field(None, description="file teacher: the JSONL file.")
    endpoint_url: str | None = Field(
        None, pattern=r"^https?://[^\s@?#]+$", description="endpoint teacher: base address, such as https://host/v1; no key in it."
    )
    endpoint_model: str | None = Field(None, description="endpoint teacher: the model's name, as the server knows it.")
    endpoint_key_variable: str = Field(
        "ONCORAFT_TEACHER_KEY",
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
        description="endpoint teacher: environment variable that holds the key; unset: none is sent.",
    )
    endpoint_instruction: str | None = Field(
        None, description="endpoint teacher: file with the system message; null: the one that is shipped."
    )
    endpoint_cache: str | None = Field(
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
    instruction_file: str | None = Field(
        None, description="Text file whose content is put before every case; null: the instruction that belongs to the template."
    )
    token_budget: int = Field(
        3072, ge=64, description="Longest prompt in tokens of the model's own tokenizer; low-value evidence is cut first."
    )


class Split(Block):
    """What goes into a fold's training file."""

    max_training_cases: int | None = Field(None, ge=20, description="Cap on training cases per fold, by stable hash; null: all.")


class TinyModel(Block):
    """A real architecture of about a million parameters, built and pretrained on the spot."""

    architecture: Literal["qwen3", "llama", "gemma3"] = Field("qwen3", description="Whose code path it takes; gemma3 is the text model.")
    hidden_size: int = Field(128, ge=16, description="Width of the residual stream.")
    layers: int = Field(4, ge=1, description="Decoder layers.")
    heads: int = Field(4, ge=1, description="Attention heads.")
    key_value_heads: int = Field(2, ge=1, description="Heads that share keys and values.")
    intermediate_size: int = Field(384, ge=16, description="Width inside the feed-forward block.")
    vocabulary_size: int = Field(2048, ge=300, description="Tokens of the tokenizer trained on the corpus.")
    context_length: int = Field(4096, ge=128, description="Longest document in tokens.")
    steps: int = Field(600, ge=1, description="Pretraining steps.")
    batch_size: int = Field(16, ge=1, description="Documents per pretraining step.")
    learning_rate: float = Field(2e-3, gt=0, description="Peak learning rate of pretraining.")
    answer_weight: float = Field(4.0, gt=0, description="Weight of an answer token beside a prompt token in the pretraining loss.")
    seed: int = Field(31, description="Start of the weights and order of the documents.")


class Model(Block):
    """A base model: a local folder in the Hugging Face layout, or a tiny one to build."""

    path: str | None = Field(None, description="Folder with config.json, weights and tokenizer; nothing is downloaded.")
    build: TinyModel | None = Field(None, description="Build this tiny model instead.")

    @model_validator(mode="after")
    def _one_source(self) -> Model:
        if (self.path is None) == (self.build is None):
            raise ValueError("give exactly one of path and build")
        return self


class Adapter(Block):
    """LoRA, as published: rank 16, alpha 32, dropout 0.1 on the attention projections."""

    rank: int = Field(16, ge=1, description="Rank of the update.")
    alpha: float = Field(32.0, gt=0, description="The update is scaled by alpha / rank.")
    dropout: Fraction = Field(0.1, description="Dropout on the adapter's input while training.")
    target_modules: tuple[str, ...] = Field(("q_proj", "k_proj", "v_proj", "o_proj"), description="Linear layers that get an adapter.")


class Strategy(Block):
    """What is trained, and on which loss: language_model_weight * LM + score_weight * score loss."""

    adapter: bool = Field(True, description="Train LoRA adapters; false: the base stays frozen and only the score head learns.")
    language_model_weight: float = Field(1.0, ge=0, description="Weight of the language-modelling loss on the answer tokens.")
    score_weight: float = Field(1.0, ge=0, description="Weight of the loss of the score head; 0: no head, the score is read from the text.")
    score_loss: Literal["bce", "mse"] = Field("bce", description="bce: on the binary responder; mse: on the graded score 1.0/0.7/0.3/0.0.")
    examples: int = Field(0, ge=0, le=32, description="Training cases shown in the prompt (few-shot); for strategies that train nothing.")

    @property
    def is_trained(self) -> bool:
        """Whether anything is fitted; without losses the base model answers as it is."""
        return self.language_model_weight > 0 or self.score_weight > 0

    @property
    def has_adapter(self) -> bool:
        """Whether training leaves LoRA adapters."""
        return self.adapter and self.is_trained

    @property
    def has_head(self) -> bool:
        """Whether training leaves a score head."""
        return self.score_weight > 0

    @model_validator(mode="after")
    def _something_to_learn_with(self) -> Strategy:
        if not self.adapter and self.language_model_weight > 0:
            raise ValueError("adapter: false leaves nothing that language_model_weight could train; set it to 0")
        if self.examples and self.is_trained:
            raise ValueError("examples are shown to strategies that train nothing; set both weights to 0")
        return self


class Training(Block):
    """The optimiser, as published: 3 epochs, global batch 8, 1e-5 body, 3e-5 head, cosine with 10 % warm-up."""

    epochs: int = Field(3, ge=1, description="Passes over the training cases.")
    global_batch_size: int = Field(8, ge=1, description="Cases per optimiser step, whatever the number of devices.")
    learning_rate: float = Field(1e-5, gt=0, description="Peak learning rate of the adapters.")
    score_head_learning_rate: float = Field(3e-5, gt=0, description="Peak learning rate of the score head.")
    warmup_fraction: Fraction = Field(0.1, description="Share of the steps over which the learning rate rises.")
    weight_decay: float = Field(0.01, ge=0, description="AdamW's decoupled weight decay.")
    max_gradient_norm: float = Field(1.0, gt=0, description="Gradients are clipped to this norm.")
    max_answer_tokens: int = Field(1024, ge=8, description="Longer answers are cut at the end, counted.")
    tokens_per_micro_batch: int = Field(16_384, ge=256, description="Most tokens in one forward pass; lower this when memory runs out.")
    activation_checkpointing: Literal["over_budget", "always", "never"] = Field(
        "over_budget",
        description="When activations are computed again to save memory: for a single case longer than tokens_per_micro_batch, always, never.",
    )
    compile: bool = Field(True, description="Compile each decoder layer on a GPU; a CPU ignores it.")
    checkpoint_every_steps: int = Field(50, ge=1, description="Steps between two saves of the trainer's state.")
    seed: int = Field(37, description="Order of the cases, dropout, start of the score head.")


class Inference(Block):
    """How held-out cases are scored and their rationales sampled, as published."""

    shards: int = Field(4, ge=1, description="Jobs per fold; results do not depend on it.")
    rationales: int | None = Field(None, ge=0, description="Held-out cases per fold to write a rationale for; null: all, 0: none.")
    score_only: bool = Field(False, description="Write no text at all; the score alone, for those who need no rationale.")
    max_new_tokens: int = Field(512, ge=1, description="Longest rationale in tokens.")
    temperature: float = Field(0.6, ge=0, description="Sampling temperature; 0: the likeliest token.")
    top_p: float = Field(0.9, gt=0, le=1, description="Nucleus of the sampling distribution.")
    score_in_text: Literal["forced", "sampled"] = Field(
        "forced",
        description="forced: the rationale is written after the score head's score, so that they cannot disagree; sampled: the model "
        "writes a score of its own (kept as score_from_text), which the head's then replaces. Without a head it is always sampled.",
    )
    engine: Literal["transformers", "vllm"] = Field("transformers", description="What reads and writes; vllm has to be installed.")
    batch_tokens: int = Field(16_384, ge=256, description="Prompt tokens per forward pass; lower this when memory runs out.")
    cache_tokens: int = Field(
        131_072, ge=256, description="Prompt and answer tokens whose keys and values are kept at once; lower this when memory runs out."
    )
    seed: int = Field(41, description="Draws of the sampled rationales and which cases get one.")


class Baselines(Block):
    """Models that any language model has to beat, fitted on the same folds."""

    predictors: tuple[Literal["regimen_prior", "clinical_logistic", "gradient_boosting", "tfidf_logistic"], ...] = Field(
        ("regimen_prior", "clinical_logistic", "gradient_boosting", "tfidf_logistic"), description="Which baselines to fit."
    )
    prior_strength: float = Field(20.0, gt=0, description="Cases' worth of shrinkage of a regimen's response rate to its cancer type's.")
    seed: int = Field(43, description="Of the boosted trees.")


class Evaluation(Block):
    """Metrics and their intervals."""

    bootstrap: int = Field(2000, ge=100, description="Patient-cluster bootstrap resamples.")
    confidence: float = Field(0.95, gt=0.5, lt=1, description="Level of the intervals.")
    seed: int = Field(47, description="Of the resamples.")


class Survival(Block):
    """Per-regimen stratification."""

    minimum_events: int = Field(60, ge=5, description="A regimen is tested (enters the false-discovery family) from this many events.")
    minimum_events_shown: int = Field(20, ge=5, description="Estimates are shown from this many events.")
    minimum_group: int = Field(10, ge=2, description="Smallest score group in cases.")
    alpha: float = Field(0.05, gt=0, lt=0.5, description="False-discovery rate at which a regimen counts as separated.")
    horizons_months: tuple[int, ...] = Field((12, 24), description="Times for survival and restricted mean survival.")


class Config(Block):
    """The whole configuration."""

    cohort: Slug = Field("msk-chord", description="Name of the cohort; the first folder under results/.")
    study: str | None = Field(None, description="Study folder in cBioPortal format; null: make the twin.")
    twin: Twin = Twin()
    pretraining: Twin = Field(
        Twin(patients=2000, seed=1009), description="The population whose text a tiny model reads before it is fine-tuned."
    )
    ingest: Ingest = Ingest()
    regimens: Regimens = Regimens()
    labels: Labels = Labels()
    followup: Followup = Followup()
    folds: Folds = Folds()
    evidence: Evidence = Evidence()
    audit: Audit = Audit()
    rationales: Rationales = Rationales()
    prompts: Prompts = Prompts()
    split: Split = Split()
    models: dict[Slug, Model] = Field(default_factory=dict, description="Base models by name.")
    strategies: dict[Slug, Strategy] = Field({"raft": Strategy()}, min_length=1, description="Training strategies by name.")
    adapter: Adapter = Adapter()
    training: Training = Training()
    inference: Inference = Inference()
    baselines: Baselines = Baselines()
    evaluation: Evaluation = Evaluation()
    survival: Survival = Survival()

    @model_validator(mode="after")
    def _names_of_their_own(self) -> Config:
        if self.cohort == PRETRAINING:
            raise ValueError(f"cohort: {PRETRAINING!r} is the name of the tiny models' own population")
        if taken := RESERVED_FOLDERS & (set(self.models) | set(self.strategies)):
            raise ValueError(f"{sorted(taken)[0]!r} is the name of a results folder; call the model or strategy something else")
        return self

    def blocks(self, names: Iterable[str], **choice: str) -> dict[str, Any]:
        """The named blocks; `model` and `strategy` are entries of their mappings, picked by `choice`.

        Raises:
            InputError: a chosen entry does not exist.
        """
        picked: dict[str, Any] = {}
        for name in names:
            if name in {"model", "strategy"}:
                entries: dict[str, Block] = getattr(self, {"model": "models", "strategy": "strategies"}[name])
                chosen = choice.get(name) or next(iter(entries), "")
                if chosen not in entries:
                    raise InputError(f"expected one of {', '.join(entries) or 'none configured'}", column=name, found=chosen)
                picked[name] = entries[chosen]
            else:
                picked[name] = getattr(self, name)
        return picked


BLOCK_TYPES: dict[str, type[Block]] = {
    "twin": Twin,
    "ingest": Ingest,
    "regimens": Regimens,
    "labels": Labels,
    "followup": Followup,
    "folds": Folds,
    "evidence": Evidence,
    "audit": Audit,
    "rationales": Rationales,
    "prompts": Prompts,
    "split": Split,
    "model": Model,
    "strategy": Strategy,
    "adapter": Adapter,
    "training": Training,
    "inference": Inference,
    "baselines": Baselines,
    "evaluation": Evaluation,
    "survival": Survival,
}
