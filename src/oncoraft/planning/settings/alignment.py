"""Blocks of alignment: sampled answers and their rewards, preference pairs, and the two ways to learn from them."""

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
    """What follows supervised training (`strategies.<name>.method`): answers are sampled for training cases, and judged by rewards."""

    cases: int | None = Field(1000, ge=2, description="Training cases per fold whose prompts are answered, by stable hash; null: all.")
    samples: int = Field(8, ge=2, le=64, description="Answers sampled for a prompt: the group of grpo, the candidates for a pair of dpo.")
    temperature: float = Field(1.0, gt=0, le=2, description="Sampling temperature; the probabilities of grpo are taken at it.")
    top_p: float = Field(1.0, gt=0, le=1, description="Nucleus of the sampling distribution.")
    max_new_tokens: int = Field(512, ge=4, description="Longest answer in tokens; the length reward falls where an answer is cut there.")
    rewards: dict[RewardName, float] = Field(
        REWARDS, description="Weight of each reward in the mean over those that apply to an answer; one that is left out weighs nothing."
    )
    gates: dict[RewardName, Fraction] = Field(
        {"form": 0.5, "no_outcome": 1.0},
        description="Least score of some rewards: below it the whole mean shrinks in proportion, so that true facts without grammar, or a text "
        "that tells the outcome, cannot be bought off by the other rewards.",
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
        if taken := set(self.own_rewards) & {*REWARDS, "reward"}:  # the last is the mean of all, in every table
            raise ValueError(f"own_rewards: {sorted(taken)[0]!r} is the name of a reward that is there already")
        return self


class Preferences(Block):
    """Pairs of answers for dpo."""

    least_margin: Fraction = Field(0.05, description="Least difference in reward between the two answers of a pair.")
    pairs_per_prompt: int = Field(
        1, ge=1, description="Pairs of a prompt's answers: best and worst, then second best and second worst, and so on; no answer twice."
    )
    file: PathText | None = Field(
        None, description="JSONL of clinicians' choices (case_id, chosen, rejected) in place of pairs that the rewards rank."
    )


class Optimisation(Block):
    """What both methods share; warm-up, decay, clipping and the token budget are those of `training`."""

    epochs: int = Field(1, ge=1, description="Passes over the pairs, or over the prompts.")
    prompts_per_step: int = Field(8, ge=1, description="Pairs, or prompts, of an optimiser step.")
    learning_rate: float = Field(1e-5, gt=0, description="Peak learning rate of the adapters.")
    score_head: Literal["frozen", "learns"] = Field(
        "frozen", description="frozen: the head stays as it was while texts are aligned; learns: its loss stays in the objective."
    )
    refit: bool = Field(
        True,
        description="The head's input moves with the adapter, so that at the end it is fitted again: on states of the training cases under the "
        "aligned adapter, to the scores that the starting model gave them. Ranking and calibration stay what they were.",
    )


class DirectPreference(Optimisation):
    """Direct preference optimisation."""

    beta: float = Field(0.1, gt=0, description="How strongly the starting model holds; margins are multiplied by it.")
    label_smoothing: float = Field(0.0, ge=0, lt=0.5, description="Share of the pairs that may be the wrong way round.")
    length_normalised: bool = Field(False, description="Mean instead of summed log-probability of an answer's tokens.")


class GroupPolicy(Optimisation):
    """Group-relative policy optimisation."""

    kl_weight: float = Field(0.04, ge=0, description="Weight of the divergence from the starting model.")
    clip: float = Field(0.2, gt=0, lt=1, description="The ratio of probabilities counts between 1 - clip and 1 + clip.")
    updates_per_batch: int = Field(2, ge=1, le=16, description="Optimiser steps on the same sampled answers.")
    normalised_by: Literal["answer", "token"] = Field(
        "answer", description="A mean within each answer first (as published), or over all tokens of a step alike."
    )
