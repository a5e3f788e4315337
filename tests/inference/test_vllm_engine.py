"""What is asked of vLLM and how its answers are read, against a stand-in that answers by the same model: the library itself needs a GPU."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from oncoraft.foundation.errors import InputError
from oncoraft.inference import infer
from oncoraft.inference.vllm_engine import MODULES, spare_column
from oncoraft.planning.config import Inference, Strategy

FEW = {"max_new_tokens": 6, "temperature": 0, "rationales": 8}


class PlainModel:
    """A model class of the stand-in: states to logits, in bf16 precision as vLLM's."""

    lm_head: Any

    def compute_logits(self, hidden_states: torch.Tensor) -> torch.Tensor:
        return self.lm_head(hidden_states)


class StandIn:
    """`vllm.LLM`: greedy, one prompt at a time, through the class that was registered."""

    registered: dict[str, type] = {}  # noqa: RUF012
    asked: list[Any] = []  # noqa: RUF012

    def __init__(self, model: str, hf_overrides: dict[str, list[str]], enable_lora: bool = False, **options: Any) -> None:
        assert options["logprobs_mode"] == "raw_logits"
        assert options["enable_prefix_caching"]
        assert options.get("max_lora_rank", 8) >= 4
        self.causal: Any = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32).eval()
        self.may_adapt, self.adapted = enable_lora, None
        self.scored = self.registered[hf_overrides["architectures"][0]]()
        self.scored.lm_head = self.causal.lm_head

    @torch.no_grad()
    def logits(self, ids: list[int]) -> torch.Tensor:
        return self.scored.compute_logits(self.causal.model(torch.tensor([ids])).last_hidden_state[:, -1])[0]

    def generate(self, prompts: list[dict], parameters: list[Any], lora_request: Any, use_tqdm: bool) -> list[Any]:
        if lora_request is not None and self.adapted is None:
            assert self.may_adapt
            self.adapted = PeftModel.from_pretrained(self.causal, lora_request.path).eval()
        return [SimpleNamespace(outputs=[self.complete(prompt["prompt_token_ids"], how)]) for prompt, how in zip(prompts, parameters)]

    def complete(self, ids: list[int], how: SimpleNamespace) -> Any:
        self.asked.append(how)
        first, tokens, reason = self.logits(ids), [], "length"
        wanted = getattr(how, "logprob_token_ids", [])
        for _ in range(how.max_tokens):
            logits = self.logits([*ids, *tokens])
            for token, bias in getattr(how, "logit_bias", {}).items():
                logits[token] += bias
            tokens.append(int(logits.argmax()))
            if tokens[-1] in getattr(how, "stop_token_ids", []):
                reason = "stop"
                break
        known = {token: SimpleNamespace(logprob=float(first[token])) for token in wanted}
        return SimpleNamespace(token_ids=tokens, finish_reason=reason, logprobs=[known])


@pytest.fixture
def vllm(monkeypatch: pytest.MonkeyPatch) -> type[StandIn]:
    StandIn.registered, StandIn.asked = {}, []
    package = ModuleType("vllm")
    package.LLM = StandIn  # type: ignore[attr-defined]
    package.SamplingParams = SimpleNamespace  # type: ignore[attr-defined]
    package.ModelRegistry = SimpleNamespace(register_model=StandIn.registered.__setitem__)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "vllm", package)
    lora = ModuleType("vllm.lora.request")
    lora.LoRARequest = lambda name, number, path: SimpleNamespace(name=name, number=number, path=path)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "vllm.lora.request", lora)
    for architecture, name in MODULES.items():
        module = ModuleType(name)
        setattr(module, architecture, PlainModel)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setenv("VLLM_ENABLE_V1_MULTIPROCESSING", "1")
    return StandIn


def inferred(work: Path, out: Path, **inference: Any) -> list[dict[str, Any]]:
    given = json.dumps({"inference": Inference(**FEW, **inference).model_dump(), "strategy": Strategy().model_dump()})
    command = [str(work / "rows.jsonl"), "--base", str(work / "base"), "--fold-model", str(work / "fold"), "--out", str(out)]
    assert infer.main([*command, "--settings", given, "--threads", "1"]) == 0
    return [json.loads(line) for line in out.read_text().splitlines()]


@pytest.mark.parametrize("score_in_text", ["forced", "sampled"])
def test_both_engines_say_the_same(fold: Path, tmp_path: Path, vllm: type[StandIn], score_in_text: str) -> None:
    ours = inferred(fold, tmp_path / "ours.jsonl", score_in_text=score_in_text)
    theirs = inferred(fold, tmp_path / "theirs.jsonl", score_in_text=score_in_text, engine="vllm")
    assert [row["logit"] for row in theirs] == pytest.approx([row["logit"] for row in ours], abs=1e-4)
    for one, other in zip(ours, theirs, strict=True):
        assert one | {"logit": 0, "score": 0} == other | {"logit": 0, "score": 0}
    assert sum(row["rationale"] is not None for row in theirs) == 8


def test_each_case_is_asked_for_its_score_and_a_written_one_once_more(qwen3: Path, tmp_path: Path, vllm: type[StandIn]) -> None:
    inferred(qwen3, tmp_path / "out.jsonl", engine="vllm")
    scores = [how for how in vllm.asked if how.max_tokens == 1]
    texts = [how for how in vllm.asked if how.max_tokens == 6]
    assert (len(scores), len(texts)) == (20, 8)
    assert len({how.seed for how in texts}) == 8
    column = scores[0].logprob_token_ids[0]
    assert all(how.logit_bias == {column: -100.0} and how.top_k == -1 for how in texts)


def test_the_score_needs_a_column_that_no_text_uses(qwen3: Path) -> None:
    class Tokens:
        def __init__(self, *names: str) -> None:
            self.names = names

        def __len__(self) -> int:
            return len(self.names)

        def get_vocab(self) -> dict[str, int]:
            return {name: index for index, name in enumerate(self.names)}

    assert spare_column(Tokens("a", "b"), 8) == 7
    assert spare_column(Tokens("<unused0>", "<unused1>", "b"), 3) == 1
    assert spare_column(Tokens("a", "<|reserved_special_token_4|>"), 2) == 1
    with pytest.raises(InputError, match="expected a spare token"):
        spare_column(Tokens("a", "b"), 2)
