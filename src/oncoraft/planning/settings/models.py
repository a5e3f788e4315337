"""Blocks of the models: base models, adapters, strategies, training, inference."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from oncoraft.planning.settings.base import Block, Fraction, PathText, Slug

ReadPoint = Literal["end_of_prompt", "mean_of_prompt", "end_of_rationale"]


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
    steps: int = Field(400, ge=1, description="Pretraining steps.")
    batch_size: int = Field(16, ge=1, description="Documents per pretraining step.")
    learning_rate: float = Field(1.5e-3, gt=0, description="Peak learning rate of pretraining.")
    score_weight: float = Field(
        7.5,
        gt=0,
        description="Weight of a token of the answer's first line, the score, beside another answer token's in the pretraining loss.",
    )
    seed: int = Field(31, description="Start of the weights and order of the documents.")

    @model_validator(mode="after")
    def _heads_that_share(self) -> TinyModel:
        if self.heads % self.key_value_heads:
            raise ValueError(f"heads: expected a multiple of key_value_heads, {self.key_value_heads}, found {self.heads}")
        if self.hidden_size % (2 * self.heads):
            raise ValueError(f"hidden_size: expected a multiple of twice the heads, {2 * self.heads}, found {self.hidden_size}")
        return self


class Model(Block):
    """A base model: a local folder in the Hugging Face layout, or a tiny one to build."""

    path: PathText | None = Field(None, description="Folder with config.json, weights and tokenizer; nothing is downloaded.")
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
    score_loss: Literal["bce", "mse", "choices"] = Field(
        "bce",
        description="bce: on the binary responder; mse: on the graded score 1.0/0.7/0.3/0.0; choices: on which answer it is (text tasks alone).",
    )
    examples: int = Field(0, ge=0, le=32, description="Training cases shown in the prompt (few-shot); for strategies that train nothing.")
    control: Literal["permuted_labels", "drug_only", "swapped_drugs"] | None = Field(
        None,
        description="A negative control: training labels permuted within cancer type and regimen; prompts that name the drugs alone; "
        "held-out cases shown with the drugs of another regimen.",
    )
    model_of: Slug | None = Field(None, description="Score with the fold models of this strategy and train nothing.")
    method: Literal["supervised", "dpo", "grpo"] = Field(
        "supervised",
        description="supervised: on the training answers; dpo, grpo: from a trained strategy on, answers judged by verifiers (block `alignment`).",
    )
    start: Slug | None = Field(
        None, alias="from", description="dpo and grpo: the strategy whose adapter and head of the same fold they start from."
    )

    probe: ReadPoint | None = Field(
        None,
        description="Linear probe in place of a score head: logistic regression on the frozen base's state at this point (end_of_prompt, "
        "mean_of_prompt, end_of_rationale: after the rationale that the base itself writes), its penalty chosen on tuning patients.",
    )

    @model_serializer(mode="wrap")
    def _as_before_where_there_is_no_probe(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """What rules depend on: a strategy without a probe reads as it did before there were any, so that its models stand."""
        values: dict[str, Any] = handler(self)
        return {name: value for name, value in values.items() if name != "probe" or value is not None}

    @property
    def is_trained(self) -> bool:
        """Whether anything is fitted; without losses the base model answers as it is."""
        return self.is_aligned or self.language_model_weight > 0 or self.score_weight > 0

    @property
    def has_adapter(self) -> bool:
        """Whether training leaves LoRA adapters."""
        return self.adapter and self.is_trained

    @property
    def has_head(self) -> bool:
        """Whether training leaves a score head."""
        return self.score_weight > 0

    @property
    def is_aligned(self) -> bool:
        """Whether it goes on from another strategy, by preferences or rewards."""
        return self.method != "supervised"

    @model_validator(mode="before")
    @classmethod
    def _no_language_loss_unless_asked(cls, values: Any) -> Any:
        """Alignment has a loss of its own; the language-modelling loss of the chosen answers may stand beside that of dpo."""
        if isinstance(values, dict) and values.get("method", "supervised") != "supervised":
            return {"language_model_weight": 0.0} | values
        return values

    @model_validator(mode="after")
    def _a_place_to_start(self) -> Strategy:
        if self.is_aligned and self.start is None:
            raise ValueError(f"method {self.method}: expected `from`, the strategy that it goes on from")
        if not self.is_aligned and self.start is not None:
            raise ValueError("from: expected method dpo or grpo beside it")
        if self.is_aligned and (self.control or self.model_of):
            raise ValueError(f"method {self.method}: expected neither control nor model_of beside it")
        if self.is_aligned and not self.adapter:
            raise ValueError(f"method {self.method}: expected adapter: true; there is nothing else that could learn to answer otherwise")
        if self.method == "grpo" and self.language_model_weight > 0:
            raise ValueError("method grpo: expected language_model_weight 0; its answers are its own")
        return self

    @model_validator(mode="after")
    def _a_probe_trains_nothing_else(self) -> Strategy:
        if self.probe and (self.adapter or self.language_model_weight > 0 or self.is_aligned or self.control or self.model_of):
            raise ValueError(
                "probe: expected adapter: false and language_model_weight: 0, and neither control, model_of nor another method; the base stays frozen"
            )
        if self.probe and self.score_weight == 0:
            raise ValueError("probe: expected score_weight above 0; the probe is what scores")
        return self

    @model_validator(mode="after")
    def _something_to_learn_with(self) -> Strategy:
        if not self.adapter and self.language_model_weight > 0:
            raise ValueError("adapter: false leaves nothing that language_model_weight could train; set it to 0")
        if self.examples and self.is_trained:
            raise ValueError("examples are shown to strategies that train nothing; set both weights to 0")
        return self


class Final(Block):
    """Final models: trained on all of the cohort, applied to further cohorts beside the folds' models."""

    strategies: tuple[Slug, ...] = Field(
        (), description="Strategies of which a final model is trained, for every base model; none by default."
    )


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
    shard: bool = Field(
        False,
        description="Cut the base model over the GPUs of a training, for one that is larger than a GPU; a training on one GPU ignores it.",
    )
    compile: bool = Field(True, description="Compile each decoder layer on a GPU; a CPU ignores it.")
    fp8_base: bool = Field(
        False,
        description="Take the products of the frozen base weights under adapters in FP8, for a GPU of compute capability 9.0 (Hopper) or later; scores "
        "change a little, and the log and the manifest tell by how much. A CPU does so too, only slower.",
    )
    checkpoint_every_steps: int = Field(50, ge=1, description="Steps between two saves of the trainer's state.")
    seed: int = Field(37, description="Order of the cases, dropout, start of the score head.")

    @model_serializer(mode="wrap")
    def _as_before_without_fp8(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """What rules depend on: as it was before there was FP8, so that models trained without it stand."""
        values: dict[str, Any] = handler(self)
        return {name: value for name, value in values.items() if name != "fp8_base" or value}


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
    decoding: Literal["recorded", "compiled", "eager"] = Field(
        "recorded",
        description="How `oncoraft infer` reads a token on a GPU. recorded: what is done for every token is replayed as a CUDA graph, the same "
        "kernels and numbers as eager, started at once; compiled: decoder layers are compiled as well, whose last digits then depend on the "
        "sizes that come first; eager: neither. A CPU and vllm ignore it.",
    )
    batch_tokens: int = Field(16_384, ge=256, description="Prompt tokens per forward pass; lower this when memory runs out.")
    cache_tokens: int | None = Field(
        None,
        ge=256,
        description="Prompt and answer tokens whose keys and values are kept at once; null: as many as the device affords (most of a GPU's "
        "free memory; on a CPU 1 GiB, at most 131,072 tokens); set it, or lower it, when memory runs out.",
    )
    seed: int = Field(41, description="Draws of the sampled rationales and which cases get one.")

    @model_serializer(mode="wrap")
    def _as_before_where_tokens_are_recorded(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """What rules depend on: as it was before this could be chosen, so that predictions stand."""
        values: dict[str, Any] = handler(self)
        return {name: value for name, value in values.items() if (name, value) != ("decoding", "recorded")}
