"""Writing within a closed set of answers: at every token only those that go on to one of them, the likeliest of these.

For more answers than can be weighed one by one. The likeliest token a step is not the likeliest answer: a beginning that many answers
share collects what they have together. The end of the text is a token of the trie like any other, so that C34 can be told from C34.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch

from oncoraft.inference.cache import Cache
from oncoraft.inference.engine import Engine

Node = dict[int, "Node"]


class Written(NamedTuple):
    """Token ids of an answer, its end included, and the product of its tokens' probabilities among those that were allowed."""

    tokens: tuple[int, ...]
    probability: float


def trie_of(answers: Sequence[Sequence[int]]) -> Node:
    """The tree of some answers.

    Args:
        answers: token ids as they follow a prompt, each closed by the end of the text.
    """
    root: Node = {}
    for answer in answers:
        node = root
        for token in answer:
            node = node.setdefault(int(token), {})
    return root


def depth(node: Node) -> int:
    """Tokens of the longest answer."""
    return 1 + max(map(depth, node.values())) if node else 0


@torch.inference_mode()
def write_within(engine: Engine, cache: Cache, lengths: Sequence[int], hidden: torch.Tensor, tries: Sequence[Node]) -> list[Written]:
    """One answer a row, each within its own trie.

    Args:
        engine: of the model.
        cache: holds the rows' prompts, with room for the longest answer.
        lengths: tokens of each row in the cache.
        hidden: (rows, hidden) states of the last prompt tokens.
        tries: of each row; rows may share one.
    """
    nodes = list(tries)
    tokens: list[list[int]] = [[] for _ in nodes]
    weight = [0.0] * len(nodes)
    starts, first, last = torch.tensor(lengths, device=engine.device), min(lengths), max(lengths)
    step = 0
    while True:
        logits = engine.logits(hidden)
        for row, node in enumerate(nodes):
            if not node:
                continue
            allowed = sorted(node)
            among = logits[row, torch.tensor(allowed, device=engine.device)].log_softmax(dim=0)
            best = int(among.argmax())
            tokens[row].append(allowed[best])
            weight[row] += float(among[best])
            nodes[row] = node[allowed[best]]
        if not any(nodes):
            return [Written(tuple(found), float(torch.tensor(total).exp())) for found, total in zip(tokens, weight)]
        # A row that has ended reads its end again: nothing of it is looked at any more.
        following = torch.tensor([found[-1] for found in tokens], device=engine.device)
        hidden = engine.extend(cache, starts + step, following[:, None], first + step, last + step)[:, 0]
        step += 1
