"""vLLM in place of the transformers engine: the same questions, the same answers, more of them a second.

Not run on a GPU yet: what is tested is what is asked of vLLM and how its answers are read, against a stand-in. Written for vLLM 0.26
to 0.33. The score needs the final-norm state of the last prompt token, which vLLM does not hand out. So the model class is subclassed:
where it computes the logits of the rows that sample, the head reads the same states, and its logit is written into a column of
the vocabulary that no text uses, in fp32; the request asks for that column's raw logit with its first token. The text is a second request
for the prompt with the score written after it; the prefix cache holds the prompt, so it is not read again.
"""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoConfig

from oncoraft.answers import text_token_ids
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.stable import stable_seed
from oncoraft.inference.answer import Result, finite, result
from oncoraft.inference.layout import opening
from oncoraft.inference.opening import trained_files
from oncoraft.models.cases import Case
from oncoraft.models.fold_model import HEAD_FILE, check_digests
from oncoraft.models.model_folder import read_score_head
from oncoraft.planning.config import Inference, Strategy

MODULES = {
    "Qwen3ForCausalLM": "vllm.model_executor.models.qwen3",
    "LlamaForCausalLM": "vllm.model_executor.models.llama",
    "Gemma3ForCausalLM": "vllm.model_executor.models.gemma3",
}
SPARE = ("<|reserved_special_token_", "<unused")  # tokens of Llama 3 and Gemma that no text uses
RANKS = (8, 16, 32, 64, 128, 256, 320, 512)  # sizes that vLLM reserves for adapters
NEVER = -100.0  # bias that keeps the head's column from being drawn


def imported() -> Any:
    """The vllm package.

    Raises:
        InputError: it is not installed.
    """
    try:
        return importlib.import_module("vllm")
    except ImportError as error:
        raise InputError(f"inference.engine: expected vllm to be installed ({error}); the engine transformers needs nothing more") from None


def spare_column(tokenizer: Any, vocabulary: int) -> int:
    """A column of the vocabulary that stands for no text.

    Raises:
        InputError: every column does.
    """
    if len(tokenizer) < vocabulary:
        return vocabulary - 1
    found = [index for token, index in tokenizer.get_vocab().items() if token.startswith(SPARE)]
    if not found:
        raise InputError(
            "inference.engine: expected a spare token in the vocabulary, for the score; this model runs with transformers alone"
        )
    return max(found)


def scored(base: type, head: nn.Sequential, column: int) -> type:
    """A model class of vLLM whose logits carry the head's in one column."""

    class Scored(base):
        """The model, and beside its logits the score head's."""

        def compute_logits(self, hidden_states: torch.Tensor, *others: Any, **more: Any) -> torch.Tensor | None:
            """Logits in fp32, (rows, vocabulary), from the final-norm states of the rows that sample."""
            logits = super().compute_logits(hidden_states, *others, **more)
            if logits is None:
                return None
            logits = logits.float()
            logits[:, column] = head.to(hidden_states.device)[:-1](hidden_states.float()).squeeze(-1)
            return logits

    return Scored


class VllmEngine:
    """Scores and rationales by vLLM.

    Args:
        base: base-model folder, text only.
        fold: folder that `oncoraft train` wrote, with a score head.
        strategy: whether there is an adapter.
        tokenizer: of the base model.

    Raises:
        InputError: vllm is not installed, or an architecture that this module has no entry for.
    """

    def __init__(self, base: Path, fold: Path, strategy: Strategy, settings: Inference, tokenizer: Any) -> None:
        self.vllm, self.tokenizer, self.settings = imported(), tokenizer, settings
        config = AutoConfig.from_pretrained(base, local_files_only=True, trust_remote_code=False)
        architecture = (config.architectures or ["none"])[0]
        if architecture not in MODULES:
            raise InputError(f"inference.engine: expected one of {', '.join(MODULES)} for vllm", file=base, found=architecture)
        head = read_score_head(fold / HEAD_FILE, config.hidden_size)
        check_digests(fold, trained_files(strategy))
        self.longest, self.column = int(config.max_position_embeddings), spare_column(tokenizer, config.vocab_size)
        self.stops = self._stop_tokens(base)
        os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"  # the class is registered in this process
        name = f"Scored{architecture}"
        plain = getattr(importlib.import_module(MODULES[architecture]), architecture)
        self.vllm.ModelRegistry.register_model(name, scored(plain, head, self.column))
        self.adapter, lora = None, dict[str, Any]()
        if strategy.has_adapter:
            rank = json.loads((fold / "adapter_config.json").read_text(encoding="utf-8"))["r"]
            lora = {"enable_lora": True, "max_lora_rank": next((size for size in RANKS if size >= rank), rank)}
            self.adapter = importlib.import_module("vllm.lora.request").LoRARequest("fold", 1, str(fold))
        self.model = self.vllm.LLM(
            model=str(base),
            trust_remote_code=False,
            hf_overrides={"architectures": [name]},
            dtype="bfloat16",
            max_model_len=self.longest,
            enable_prefix_caching=True,
            logprobs_mode="raw_logits",
            **lora,
        )

    def _stop_tokens(self, base: Path) -> list[int]:
        """Token ids that end an answer: the tokenizer's, and those that the checkpoint adds."""
        path = base / "generation_config.json"
        found = json.loads(path.read_text(encoding="utf-8")).get("eos_token_id") if path.is_file() else None
        more = found if isinstance(found, list) else [] if found is None else [found]
        return sorted({self.tokenizer.eos_token_id, *more})

    def _ask(self, prompts: Sequence[Sequence[int]], parameters: Sequence[Any]) -> list[Any]:
        """The first completion of each prompt, given as token ids: text would be given a second begin-of-text token."""
        asked = [{"prompt_token_ids": [int(token) for token in prompt]} for prompt in prompts]
        found = self.model.generate(asked, list(parameters), lora_request=self.adapter, use_tqdm=False)
        return [one.outputs[0] for one in found]

    def score(self, cases: Sequence[Case]) -> list[float]:
        """The head's logit of every case."""
        how = self.vllm.SamplingParams(max_tokens=1, temperature=0.0, logprob_token_ids=[self.column], detokenize=False)
        found = self._ask([case.prompt for case in cases], [how] * len(cases))
        return finite(cases, [float(one.logprobs[0][self.column].logprob) for one in found])

    def answer(self, cases: Sequence[Case], is_written: bool, is_stopped: Callable[[], None] = lambda: None) -> list[Result]:
        """Scores, and texts if wanted, of a group of cases."""
        logits = self.score(cases)
        if not is_written:
            return [Result(case.case_id, logit, None, None, "not_sampled") for case, logit in zip(cases, logits, strict=True)]
        is_stopped()
        forced: list[list[int]] = [[] for _ in cases]
        if self.settings.score_in_text == "forced":
            texts = [opening(float(torch.tensor(logit, dtype=torch.float64).sigmoid())) for logit in logits]
            forced = text_token_ids(self.tokenizer, texts)
        prompts = [[*case.prompt, *begun] for case, begun in zip(cases, forced, strict=True)]
        found = self._ask(prompts, [self._sampling(case, len(prompt)) for case, prompt in zip(cases, prompts, strict=True)])
        return [
            result(case, logit, [*begun, *one.token_ids], one.finish_reason == "stop", self.tokenizer, True, bool(begun), True)
            for case, logit, begun, one in zip(cases, logits, forced, found, strict=True)
        ]

    def _sampling(self, case: Case, filled: int) -> Any:
        """How one case's text is drawn: the published settings, top-k off, from a seed of the case's own."""
        return self.vllm.SamplingParams(
            max_tokens=max(1, min(self.settings.max_new_tokens, self.longest - filled)),
            temperature=self.settings.temperature,
            top_p=self.settings.top_p,
            top_k=-1,
            seed=stable_seed(self.settings.seed, "rationale", case.case_id),
            stop_token_ids=self.stops,
            logit_bias={self.column: NEVER},
            detokenize=False,
        )
