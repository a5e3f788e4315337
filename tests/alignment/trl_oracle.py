"""Losses and gradients of TRL on a tiny model, tokens and references that this package can make too.

`python -m tests.alignment.trl_oracle` with trl 1.16.0 installed (it is no dependency) writes `trl_golden.json` beside this file.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from transformers import PreTrainedTokenizerFast

from oncoraft.alignment.groups import Group
from oncoraft.models.cases import Case
from oncoraft.models.fold_model import with_adapter
from tests.models.tiny_models import random_model

GOLDEN = Path(__file__).parent / "trl_golden.json"
BETA, KL, CLIP = 0.1, 0.04, 0.2


def policy(seed: int) -> Any:
    """A tiny Llama with an adapter that is not zero."""
    torch.manual_seed(seed)
    model = with_adapter(random_model("llama"), 2, 4.0, 0.0, ("q_proj", "v_proj"))
    for number, (name, parameter) in enumerate(sorted(model.named_parameters())):
        if "lora_" in name:
            draws = torch.Generator().manual_seed(seed * 1000 + number)
            parameter.data = torch.randn(parameter.shape, generator=draws) * 0.2
    return model


def groups() -> list[Group]:
    """Two prompts of equal length with two answers each, of different lengths."""
    draws = torch.Generator().manual_seed(5)

    def tokens(count: int) -> tuple[int, ...]:
        return tuple(torch.randint(2, 97, (count,), generator=draws).tolist())

    return [Group(Case(f"c{n}", f"p{n}", 0, tokens(6), (), True, 0.7), (), (tokens(5), tokens(3 + n))) for n in range(2)]


def advantages() -> torch.Tensor:
    return torch.tensor([0.7, -0.7, -1.2, 1.2])


def tokenizer() -> Any:
    words = {"<end>": 0, "<pad>": 1} | {f"w{n}": n for n in range(2, 97)}
    plain = Tokenizer(WordLevel(words, unk_token="<pad>"))
    plain.pre_tokenizer = WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=plain, eos_token="<end>", pad_token="<pad>")


def gradients(model: Any) -> dict[str, float]:
    """Norm of each adapter weight's gradient, names as in the base model."""
    named = model.named_parameters()
    return {name: float(parameter.grad.norm()) for name, parameter in sorted(named) if parameter.grad is not None and "lora_" in name}


def padded(rows: list[tuple[int, ...]]) -> tuple[torch.Tensor, torch.Tensor]:
    longest = max(map(len, rows))
    ids = torch.tensor([[*row, *[1] * (longest - len(row))] for row in rows])
    return ids, torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])


def padded_log_probabilities(model: Any, temperature: float = 1.0) -> torch.Tensor:
    """By the plain way: padded batches, transformers' own attention; (answers, longest answer)."""
    answers = [(group.case.prompt, answer) for group in groups() for answer in group.answers]
    prompt, _ = padded([prompt for prompt, _ in answers])
    answer, mask = padded([answer for _, answer in answers])
    ids = torch.cat([prompt, answer], dim=1)
    logits = model(input_ids=ids, attention_mask=torch.cat([torch.ones_like(prompt), mask], dim=1)).logits[:, prompt.shape[1] - 1 : -1]
    return torch.log_softmax(logits / temperature, dim=-1).gather(2, answer[:, :, None])[:, :, 0]


def of_grpo(folder: Path, kind: str) -> dict[str, Any]:
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer

    options: dict[str, Any] = {"loss_type": kind, "beta": KL, "epsilon": CLIP, "disable_dropout": True, "bf16": False, "use_cpu": True}
    settings = GRPOConfig(
        str(folder), per_device_train_batch_size=4, num_generations=2, max_completion_length=8, report_to=[], temperature=1.0, **options
    )
    model, old, reference = policy(1), policy(2), policy(3)
    trainer = GRPOTrainer(
        model,
        lambda completions, **_: [0.0] * len(completions),
        args=settings,
        train_dataset=Dataset.from_dict({"prompt": ["w5"] * 4}),
        processing_class=tokenizer(),
    )
    answers = [(group.case.prompt, answer) for group in groups() for answer in group.answers]
    prompt, prompt_mask = padded([prompt for prompt, _ in answers])
    answer, mask = padded([answer for _, answer in answers])
    with torch.no_grad():
        known = {"old_per_token_logps": padded_log_probabilities(old), "ref_per_token_logps": padded_log_probabilities(reference)}
    given = {
        "prompt_ids": prompt,
        "prompt_mask": prompt_mask,
        "completion_ids": answer,
        "completion_mask": mask,
        "advantages": advantages(),
    }
    given |= known | {"num_items_in_batch": mask.sum()}
    trainer.current_gradient_accumulation_steps = 1
    trainer.args.steps_per_generation = 1
    trainer.model.train()
    loss = trainer._compute_loss(trainer.model, given)
    loss.backward()
    return {"loss": float(loss), "gradients": gradients(trainer.model)}


def of_dpo(folder: Path, kind: str) -> dict[str, Any]:
    from datasets import Dataset
    from trl import DPOConfig, DPOTrainer

    def text(tokens: tuple[int, ...]) -> str:
        return " ".join(f"w{token}" for token in tokens)

    rows = {"prompt": [text(group.case.prompt) for group in groups()]}
    # A space before the answer: the tokenizer splits at spaces, and the border of prompt and answer has to be one.
    rows |= {name: [" " + text(group.answers[place]) for group in groups()] for place, name in enumerate(("chosen", "rejected"))}
    settings = DPOConfig(
        str(folder), per_device_train_batch_size=2, beta=BETA, loss_type=[kind], bf16=False, use_cpu=True, report_to=[], max_length=None
    )
    trainer = DPOTrainer(
        policy(1), policy(3).merge_and_unload(), args=settings, train_dataset=Dataset.from_dict(rows), processing_class=tokenizer()
    )
    batch = next(iter(trainer.get_train_dataloader()))
    trainer.model.train()
    loss = trainer.compute_loss(trainer.model, batch)
    loss.backward()
    return {"loss": float(loss), "gradients": gradients(trainer.model)}


def main() -> None:
    """Write the golden values."""
    import tempfile

    import trl

    with tempfile.TemporaryDirectory() as folder:
        found = {"trl": trl.__version__, "grpo": of_grpo(Path(folder), "grpo"), "dapo": of_grpo(Path(folder), "dapo")}
        found |= {kind: of_dpo(Path(folder), kind) for kind in ("sigmoid", "sigmoid_norm")}
    GOLDEN.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
