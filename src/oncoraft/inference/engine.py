"""Prefill, score and decode with one causal language model: the transformers engine.

A prompt is read once, and what all prompts of a run begin with once for all of them. Its last final-norm state gives the score; its keys and values stay in the cache, from which the score texts
are weighed (strategies without a head) and the rationale is sampled. `batch_tokens` bounds what one forward pass reads,
`cache_tokens` what the cache of one group of cases holds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from oncoraft.inference.cache import ARGUMENT, Cache, Reading, use_cache_attention
from oncoraft.inference.recording import Recorder, Unrecorded
from oncoraft.inference.running import Joining, More, Running
from oncoraft.models.base import causal_of, logits_of
from oncoraft.models.compiling import Fallbacks, compile_layers

GPU_CACHE_SHARE = 0.7  # the rest is for activations and for rows that are moved together
CPU_CACHE_BYTES = 2**30
CPU_CACHE_TOKENS = 131_072  # more rows at once than this holds are no quicker on a CPU, and a killed job loses the group that it was in
LEAST_SHARED = 16  # tokens; a shorter beginning costs as much to hand around as to read
Prompt = Sequence[int]


def in_groups(lengths: Sequence[int], tokens: int, extra: int = 0, times: int = 1) -> list[list[int]]:
    """Indices in groups of similar length whose padded size (each row with `extra` more) stays within `tokens`; the longest first.

    Args:
        times: groups are so many times as large; their rows then follow one another.

    Example: lengths [3, 9, 4], 12 tokens -> [[1], [2, 0]].
    """
    groups: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lambda index: (-lengths[index], index)):
        if not groups or len(groups[-1]) >= times * rows_within(tokens, lengths[groups[-1][0]] + extra):
            groups.append([])
        groups[-1].append(index)
    return groups


def rows_within(tokens: int, slots: int) -> int:
    """Rows of so many slots that stand in a cache of so many tokens at once; one always goes."""
    return max(1, tokens // max(1, slots))


def affordable_tokens(causal: Any) -> int:
    """Tokens whose keys and values fit the memory that is free now: on a GPU most of it, on a CPU a part of what a small job is given.

    A token costs a key and a value per layer and key head.
    """
    config, weight = causal.config, causal.lm_head.weight
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    per_token = 2 * config.num_hidden_layers * config.num_key_value_heads * size * weight.element_size()
    if weight.device.type == "cuda":
        return int(GPU_CACHE_SHARE * torch.cuda.mem_get_info(weight.device)[0] / per_token)
    return CPU_CACHE_BYTES // per_token


def kept_at_once(causal: Any, limit: int | None) -> int:
    """Tokens whose keys and values may stand in a cache: what the device affords, and no more than a limit that is set."""
    affordable = affordable_tokens(causal)
    if limit is None:
        return affordable if causal.lm_head.weight.device.type == "cuda" else min(affordable, CPU_CACHE_TOKENS)
    return min(limit, affordable)


def common_beginning(prompts: Sequence[Prompt]) -> tuple[int, ...]:
    """The tokens that all prompts begin with; at least one of each prompt stays over.

    Example: (1, 2, 3), (1, 2, 4, 5) -> (1, 2).
    """
    begun = np.asarray(prompts[0][: min(map(len, prompts)) - 1])
    for prompt in prompts[1:]:
        differs = np.asarray(prompt[: len(begun)]) != begun
        begun = begun[: differs.argmax()] if differs.any() else begun
    return tuple(begun.tolist())


class Engine:
    """A model ready to read prompts through a `Cache`.

    Args:
        model: causal language model in evaluation mode, in a PEFT wrapper or not; its attention is switched to the cache's.
        head: score head, or None.
        pad: any token id, for the slots after a prompt.
        stops: token ids that end an answer.
        batch_tokens: prompt tokens per forward pass.
    """

    def __init__(self, model: Any, head: nn.Sequential | None, pad: int, stops: Sequence[int], batch_tokens: int) -> None:
        self.causal, self.head = causal_of(model), head
        self.pad, self.batch_tokens = pad, batch_tokens
        self.device = self.causal.device
        self.shared: tuple[tuple[int, ...], Cache] | None = None
        self.stops = torch.tensor(sorted(set(stops)), device=self.device)
        self.fallbacks: Fallbacks | None = None
        self.unrecorded: Unrecorded | None = None
        use_cache_attention(self.causal)

    def compile(self, backend: str = "inductor") -> None:
        """From now on layers are compiled, and what is done for every token is recorded."""
        use_cache_attention(self.causal, is_compiled=True)
        self.fallbacks = compile_layers(self.causal, "infer", backend)
        self.record()

    def record(self) -> None:
        """From now on what is done for every token is recorded; for weights that stay where they are."""
        self.unrecorded = Unrecorded()

    def told(self) -> dict[str, int]:
        """How often a layer had to run uncompiled and which acts without a graph, for a manifest; nothing where none was asked to."""
        counts = {"layers_run_uncompiled": self.fallbacks, "acts_run_unrecorded": self.unrecorded}
        return {name: len(failed.reasons) for name, failed in counts.items() if failed is not None}

    def recorder(self) -> Recorder | None:
        """What records the acts of rows that are written together; None where nothing is."""
        return None if self.unrecorded is None else Recorder(self.device, self.unrecorded)

    def _forward(self, ids: torch.Tensor, positions: torch.Tensor, reading: Reading) -> torch.Tensor:
        """Final-norm states, (rows, tokens, hidden)."""
        given = {ARGUMENT: reading}
        return self.causal.model(input_ids=ids, position_ids=positions, use_cache=False, **given).last_hidden_state

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """Next-token logits in fp32, (…, vocabulary), from final-norm states."""
        return logits_of(self.causal, hidden)

    @torch.inference_mode()
    def scores(self, hidden: torch.Tensor) -> torch.Tensor:
        """The head's logits, (rows,), fp32."""
        assert self.head is not None
        return self.head[:-1](hidden.float()).squeeze(-1)

    def padded(self, rows: Sequence[Prompt]) -> tuple[torch.Tensor, torch.Tensor]:
        """Ids padded on the right, (rows, longest), and lengths, (rows,)."""
        lengths = torch.tensor([len(row) for row in rows])
        ids = torch.full((len(rows), int(lengths.max())), self.pad, dtype=torch.long)
        for place, row in enumerate(rows):
            ids[place, : len(row)] = torch.tensor(row)
        return ids.to(self.device), lengths.to(self.device)

    @torch.inference_mode()
    def share(self, prompts: Sequence[Prompt]) -> None:
        """Read once what these prompts begin with alike, if that is worth it; from now on `prefill` goes on from there.

        For weights that do not change. A prompt that begins otherwise is read whole, and those in one forward pass with it.
        """
        self.shared = None
        begun = common_beginning(prompts) if len(prompts) > 1 else ()
        if len(begun) >= LEAST_SHARED:
            cache = Cache(1, len(begun))
            self.prefill([begun], cache)
            self.shared = (begun, cache)

    def _begun(self, prompts: Sequence[Prompt]) -> tuple[int, Cache | None]:
        """How many tokens of each of these prompts have been read, and where they are kept."""
        if self.shared is None:
            return 0, None
        begun, cache = self.shared
        is_shared = all(len(prompt) > len(begun) and np.array_equal(prompt[: len(begun)], begun) for prompt in prompts)
        return (len(begun), cache) if is_shared else (0, None)

    @torch.inference_mode()
    def prefill(self, prompts: Sequence[Prompt], cache: Cache | None) -> torch.Tensor:
        """Final-norm states of the last prompt tokens, (prompts, hidden), in forward passes of at most `batch_tokens`.

        Args:
            prompts: longest first, so that neighbours are of similar length.
            cache: of as many rows; None: nothing is kept.
        """
        states, start = [], 0
        while start < len(prompts):
            stop = start + max(1, min(self.batch_tokens // max(1, len(prompts[start])), len(prompts) - start))
            skipped, prefix = self._begun(prompts[start:stop])
            ids, lengths = self.padded([prompt[skipped:] for prompt in prompts[start:stop]])
            positions = skipped + torch.arange(ids.shape[1], device=self.device)[None].expand_as(ids)
            hidden = self._forward(ids, positions, Reading(cache, rows=slice(start, stop), prefix=prefix))
            states.append(hidden[torch.arange(len(ids), device=self.device), lengths - 1])
            start = stop
        return torch.cat(states)

    @torch.inference_mode()
    def extend(self, cache: Cache, starts: torch.Tensor, ids: torch.Tensor, first: int, last: int, **shape: Any) -> torch.Tensor:
        """Final-norm states of `ids`, (rows, tokens, hidden), read after the `starts` tokens of each row.

        Args:
            first, last: smallest and largest start.
            shape: `tree` and `depths` of `Reading`, for tokens that do not simply follow one another.
        """
        depths = shape.get("depths")
        steps = torch.arange(ids.shape[1], device=self.device) if depths is None else depths
        reading = Reading(cache, starts=starts, first=first, end=last + ids.shape[1], **shape)
        return self._forward(ids, starts[:, None] + steps, reading)

    @torch.inference_mode()
    def weigh(
        self, cache: Cache, starts: torch.Tensor, hidden: torch.Tensor, texts: Sequence[Prompt], first: int, last: int
    ) -> torch.Tensor:
        """Log-probability of each of some answers, (rows, texts), in one forward pass: they share the cache and do not see one another.

        Args:
            starts, first, last: tokens of each row, the smallest and the largest.
            hidden: (rows, hidden) states of the last prompt tokens.
            texts: token ids of the answers.
        """
        flat = torch.tensor([token for text in texts for token in text], device=self.device)
        owner = torch.tensor([index for index, text in enumerate(texts) for _ in text], device=self.device)
        depths = torch.tensor([place for text in texts for place in range(len(text))], device=self.device)
        tree = (owner[:, None] == owner) & (depths[:, None] >= depths)
        states = self.extend(cache, starts, flat[None].expand(len(starts), -1), first, last, tree=tree, depths=depths)
        known = torch.cat([hidden[:, None], states[:, :-1]], dim=1)  # the state that predicts each token stands before it
        known = torch.where((depths == 0)[None, :, None], hidden[:, None], known)
        found = torch.stack([torch.log_softmax(self.logits(row), dim=-1).gather(1, flat[:, None])[:, 0] for row in known])
        return torch.zeros(len(starts), len(texts), device=self.device).index_add_(1, owner, found)

    def write(
        self,
        cache: Cache,
        lengths: Sequence[int],
        hidden: torch.Tensor,
        draws: torch.Tensor,
        temperature: float,
        top_p: float,
        is_stopped: Callable[[], None] = lambda: None,
        limits: Sequence[int] | None = None,
        more: More = lambda _: None,
    ) -> list[list[int]]:
        """Sampled continuations, stop token included where one was drawn, in the order in which the rows have come.

        Args:
            cache: holds the rows' prompts (and whatever was forced after them); rows that end give way to others or are dropped from it.
            lengths: tokens of each row in the cache.
            hidden: (rows, hidden) states of their last tokens.
            draws: (rows, longest answer) uniforms, see `sampling.uniforms`.
            is_stopped: called before every token; may raise.
            limits: tokens that each row may write; None: the longest answer.
            more: at most so many rows of those that wait for a place; None where none does.
        """
        running = Running(self, temperature, top_p)
        running.join(Joining(cache, lengths, hidden, draws, [draws.shape[1]] * len(draws) if limits is None else limits))
        return running.run(is_stopped, more)
