"""Alignment beside TRL 1.16.0 in one run: CPU seconds of a GRPO step and of a DPO step, same tiny base, prompts and numbers of tokens.

`python benchmarks/alignment.py --results results` on a finished demo; TRL is no dependency: `pip install trl==1.16.0` into a copy of the environment.
Answers have 64 tokens, forced: no end is accepted before. GRPO: 8 prompts, 8 answers each, one update, divergence from the start. DPO: 8 pairs,
the reference's log-probabilities stored; TRL's as it comes, and stored. One thread; the first step of each is not counted.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from oncoraft.alignment import dpo, grpo
from oncoraft.alignment.groups import Group
from oncoraft.alignment.pairs import Pair
from oncoraft.alignment.policy import adapter_weights, open_policy
from oncoraft.alignment.rewards import Rewards
from oncoraft.alignment.sampling import Writer
from oncoraft.models.base import context_length, load_tokenizer
from oncoraft.models.cases import encode, read_rows
from oncoraft.planning.config import Alignment, DirectPreference, GroupPolicy, Strategy, Training
from oncoraft.training.trainer import Trainer, new_optimizer

TOKENS, PROMPTS, SAMPLES, STEPS = 64, 8, 8, 4


def seconds(step: Callable[[int], Any]) -> float:
    """CPU seconds a step, the first not counted."""
    step(0)
    started = time.process_time()
    for number in range(1, STEPS + 1):
        step(number)
    return (time.process_time() - started) / STEPS


class Ours:
    """A fold opened as the steps open it, answers forced to their full length."""

    def __init__(self, base: Path, fold: Path, rows: list[dict[str, Any]], method: str) -> None:
        tokenizer = load_tokenizer(base)
        self.cases = encode(rows, tokenizer, 4096)
        strategy, training = Strategy(**{"method": method, "from": "raft"}), Training()  # type: ignore[arg-type]
        model, head = open_policy(base, fold, strategy, torch.device("cpu"), head_learns=False)
        self.trainer = Trainer(model, head, *new_optimizer(model, None, training, 100), strategy, training)
        self.model, self.reference = model, adapter_weights(model)
        settings = Alignment(samples=SAMPLES, max_new_tokens=TOKENS)
        texts = {row["case_id"]: (row["instruction"], row["input"]) for row in rows}
        longest = context_length(model)
        self.writer = Writer(model, head, tokenizer, settings, Rewards(settings), texts, longest, training.tokens_per_micro_batch)
        self.writer.engine.stops = torch.tensor([], dtype=torch.long)
        model.train()

    def grpo(self, number: int) -> None:
        """One step of grpo."""
        batch = self.cases[number * PROMPTS : (number + 1) * PROMPTS]
        grpo.policy_step(self.trainer, batch, GroupPolicy(updates_per_batch=1), 1.0, self.writer, self.reference)

    def dpo(self, number: int) -> None:
        """One step of dpo, on random answers."""
        draws = torch.Generator().manual_seed(number)

        def answer() -> tuple[int, ...]:
            return tuple(torch.randint(10, 500, (TOKENS,), generator=draws).tolist())

        batch = self.cases[number * PROMPTS : (number + 1) * PROMPTS]
        pairs = [Pair(Group(case, (), (answer(), answer())), (-300.0, -300.0)) for case in batch]
        dpo.preference_step(self.trainer, pairs, DirectPreference())


def prompts_of(rows: list[dict[str, Any]]) -> list[str]:
    """What a model reads of each case."""
    return [f"{row['instruction']}\n\n{row['input']}\n\nAnswer:\n" for row in rows]


def trl_grpo(base: Path, fold: Path, rows: list[dict[str, Any]], folder: Path) -> float:
    """CPU seconds a step of TRL's trainer; rewards are the same verifiers."""
    from datasets import Dataset
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
    from trl import GRPOConfig, GRPOTrainer

    from oncoraft.alignment.rewards import Answered

    judge, marks = Rewards(Alignment()).judge, []

    def reward(completions: list[str], text: list[str], **_: Any) -> list[float]:
        return [judge(Answered(one, prompt, "", 0.7, True, True)).total or 0.0 for one, prompt in zip(completions, text, strict=True)]

    class Marks(TrainerCallback):
        def on_step_end(self, *_: Any, **__: Any) -> None:
            marks.append(time.process_time())

    config = GRPOConfig(
        str(folder), per_device_train_batch_size=PROMPTS * SAMPLES, num_generations=SAMPLES, max_completion_length=TOKENS, beta=0.04,
        max_steps=STEPS + 1, use_cpu=True, bf16=False, report_to=[], save_strategy="no", gradient_checkpointing=False, disable_dropout=True,
        loss_type="grpo", generation_kwargs={"min_new_tokens": TOKENS}, logging_steps=1000,
    )  # fmt: skip
    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), fold, is_trainable=True)
    data = Dataset.from_dict({"prompt": prompts_of(rows), "text": [row["input"] for row in rows]})
    trainer = GRPOTrainer(
        model, reward, args=config, train_dataset=data, processing_class=AutoTokenizer.from_pretrained(base), callbacks=[Marks()]
    )
    trainer.train()
    return (marks[-1] - marks[0]) / STEPS


def trl_dpo(base: Path, fold: Path, rows: list[dict[str, Any]], folder: Path, stored: bool) -> float:
    """CPU seconds a step of TRL's trainer; the reference's log-probabilities computed beforehand, or in each step as it comes."""
    from datasets import Dataset
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
    from trl import DPOConfig, DPOTrainer

    marks = []

    class Marks(TrainerCallback):
        def on_step_end(self, *_: Any, **__: Any) -> None:
            marks.append(time.process_time())

    tokenizer = AutoTokenizer.from_pretrained(base)
    draws = torch.Generator().manual_seed(1)

    def answer() -> str:
        return tokenizer.decode(torch.randint(300, 500, (TOKENS,), generator=draws).tolist())

    config = DPOConfig(
        str(folder), per_device_train_batch_size=PROMPTS, max_steps=STEPS + 1, use_cpu=True, bf16=False, report_to=[], save_strategy="no",
        precompute_ref_log_probs=stored, gradient_checkpointing=False, max_length=None, logging_steps=1000,
    )  # fmt: skip
    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), fold, is_trainable=True)
    texts = {"prompt": prompts_of(rows), "chosen": [answer() for _ in rows], "rejected": [answer() for _ in rows]}
    trainer = DPOTrainer(model, args=config, train_dataset=Dataset.from_dict(texts), processing_class=tokenizer, callbacks=[Marks()])
    trainer.train()
    return (marks[-1] - marks[0]) / STEPS


def main() -> None:
    """Print CPU seconds a step and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, required=True, help="results/ of a finished demo")
    parser.add_argument("--only", choices=("ours", "trl"), help="one side alone, for peak memory")
    given = parser.parse_args()
    torch.set_num_threads(1)
    base, run = given.results / "pretraining/tiny-qwen3/base", given.results / "demo/tiny-qwen3"
    fold = run / "raft/kfold/fold-0"
    rows = read_rows(run / "prompts/kfold/fold-0/train.jsonl")[: PROMPTS * (STEPS + 1)]
    found: dict[str, float] = {}
    if given.only != "trl":
        found["grpo_ours"] = seconds(Ours(base, fold, rows, "grpo").grpo)
        found["dpo_ours"] = seconds(Ours(base, fold, rows, "dpo").dpo)
    if given.only != "ours":
        with tempfile.TemporaryDirectory() as folder:
            found["grpo_trl"] = trl_grpo(base, fold, rows, Path(folder))
            found["dpo_trl"] = trl_dpo(base, fold, rows, Path(folder), stored=False)
            found["dpo_trl_stored"] = trl_dpo(base, fold, rows, Path(folder), stored=True)
    if given.only is None:
        found |= {f"{name}_ratio": found[f"{name}_ours"] / found[f"{name}_trl"] for name in ("grpo", "dpo")}
        found["dpo_stored_ratio"] = found["dpo_ours"] / found["dpo_trl_stored"]
    found["peak_gib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(json.dumps({name: round(value, 3) for name, value in found.items()}, indent=1))


if __name__ == "__main__":
    main()
