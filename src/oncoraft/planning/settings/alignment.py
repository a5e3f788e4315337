"""The block of alignment: preference pairs, direct preference optimisation, group-relative policy optimisation, and their rewards."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from oncoraft.planning.settings.base import Block, Fraction, PathText

RewardName = Literal["factual", "mechanism", "consistency", "uncertainty", "form", "no_outcome", "calibration", "length"]
REWARDS: dict[RewardName, float] = {
    "factual": 3.0,
    "mechanism": 2.0,
    "consistency": 2.0,
    "uncertainty": 1.0,
    "form": 1.0,
    "no_outcome": 1.0,
    "calibration": 1.0,
    "length": 0.5,
}


class OwnReward(Block):
    """A reward of the user's own: a Python function, imported and run because the configuration names it."""

    function: str = Field(
        pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$",
        description="`module:function`; called with text, prompt, score and responder by name, returns a number in [0, 1], or None.",
    )
    weight: float = Field(1.0, gt=0, description="Its weight beside the others.")


class Alignment(Block):
    """What follows supervised training (`strategies.<name>.method`): answers are sampled for training cases and judged by the verifiers."""

    cases: int | None = Field(1000, ge=2, description="Training cases per fold whose prompts are answered, by stable hash; null: all.")
    epochs: int = Field(1, ge=1, description="Passes over these cases.")
    samples: int = Field(8, ge=2, le=64, description="Answers sampled for a prompt: the group of grpo, the candidates for a pair of dpo.")
    temperature: float = Field(1.0, gt=0, le=2, description="Sampling temperature; the probabilities of grpo are taken at it.")
    top_p: float = Field(1.0, gt=0, le=1, description="Nucleus of the sampling distribution.")
    max_new_tokens: int = Field(512, ge=4, description="Longest answer in tokens; the length reward falls where an answer is cut there.")
    prompts_per_step: int = Field(8, ge=1, description="Prompts of an optimiser step (grpo), or pairs (dpo).")
    learning_rate: float = Field(1e-5, gt=0, description="Peak learning rate of the adapters; warm-up and decay are those of `training`.")
    beta: float = Field(0.1, gt=0, description="dpo: how strongly the reference holds; margins are multiplied by it.")
    label_smoothing: float = Field(0.0, ge=0, lt=0.5, description="dpo: share of the pairs that may be the wrong way round.")
    length_normalised: bool = Field(False, description="dpo: mean instead of summed log-probability of an answer's tokens.")
    least_margin: Fraction = Field(0.05, description="dpo: least difference in reward between the two answers of a pair.")
    preferences: PathText | None = Field(
        None, description="dpo: JSONL of clinicians' choices (case_id, chosen, rejected) in place of pairs that the verifiers rank."
    )
    kl_weight: float = Field(0.04, ge=0, description="grpo: weight of the divergence from the starting model.")
    clip: float = Field(0.2, gt=0, lt=1, description="grpo: the ratio of probabilities counts between 1 - clip and 1 + clip.")
    updates_per_batch: int = Field(2, ge=1, le=16, description="grpo: optimiser steps on the same sampled answers.")
    normalised_by: Literal["answer", "token"] = Field(
        "answer", description="grpo: a mean within each answer first (as published), or over all tokens of a step alike."
    )
    score_head: Literal["frozen", "learns"] = Field(
        "frozen", description="frozen: the head stays as it was while texts are aligned; learns: its loss stays in the objective."
    )
    refit: bool = Field(
        True,
        description="The head's input moves with the adapter, so that at the end it is fitted again: on states of the training cases under the "
        "aligned adapter, to the scores that the starting model gave them. Ranking and calibration stay what they were.",
    )
    rewards: dict[RewardName, float] = Field(
        REWARDS, description="Weight of each reward in the mean over those that apply to an answer; one that is left out weighs nothing."
    )
    own_rewards: dict[str, OwnReward] = Field(default_factory=dict, description="Rewards of one's own by name, beside these.")
    seed: int = Field(43, description="Which cases are answered, their order, and the draws of the answers.")

    @model_validator(mode="after")
    def _something_to_reward(self) -> Alignment:
        if min(self.rewards.values(), default=0.0) < 0:
            raise ValueError("rewards: expected weights of at least 0")
        if not any(self.rewards.values()) and not self.own_rewards:
            raise ValueError(
                "rewards: expected one weight above 0, or a reward of your own; nothing would tell a good answer from a bad one"
            )
        if taken := set(self.own_rewards) & set(REWARDS):
            raise ValueError(f"own_rewards: {sorted(taken)[0]!r} is the name of a reward that is there already")
        return self
