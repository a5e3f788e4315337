"""What is done for every token is the same operations over the same memory: recorded once and replayed, every answer stays.

A CPU has no graphs. In their place stands a list of operations, taken down while they run and replayed without a line of Python of the
model, which refuses what a graph refuses: a number that Python asks for, a shape that data decide, a tensor made of Python's numbers.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from oncoraft.inference import recording, running, sampling
from oncoraft.inference.answer import Result, answer_group, answer_room
from oncoraft.inference.cache import Cache
from oncoraft.inference.engine import Engine
from oncoraft.inference.opening import with_trained_adapter
from oncoraft.inference.running import Joining, Running
from oncoraft.inference.sampling import draw, uniforms
from oncoraft.models.base import causal_of, load_base
from oncoraft.models.cases import Case
from oncoraft.models.model_folder import read_score_head
from oncoraft.planning.config import Inference
from tests.models.tiny_folds import CONTEXT

AT_ONCE = 5
SAMPLED = Inference(temperature=1.0, max_new_tokens=24, batch_tokens=256)
REFUSED = {
    "_local_scalar_dense",
    "is_nonzero",
    "nonzero",
    "equal",
    "masked_select",
    "_unique2",
    "unique_dim",
    "lift_fresh",
    "lift_fresh_copy",
}


class Listing(TorchDispatchMode):
    """Operations as they run, and their replay over the same tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any], Any]] = []

    def __torch_dispatch__(self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
        name = function.overloadpacket.__name__
        is_counted = name.startswith("index") and any(one.dtype == torch.bool for one in tree_leaves(args[1:2]) if torch.is_tensor(one))
        if name in REFUSED or is_counted:
            raise RuntimeError(f"a graph cannot hold {function}")
        found = function(*args, **(kwargs or {}))
        self.calls.append((function, args, kwargs or {}, found))
        return found

    def replay(self) -> None:
        """The same again; what lies between two operations is computed anew."""
        between: dict[int, Any] = {}

        def now(value: Any) -> Any:
            return between.get(id(value), value) if isinstance(value, torch.Tensor) else value

        for function, args, kwargs, before in self.calls:
            after = function(*tree_map(now, args), **tree_map(now, kwargs))
            between.update((id(old), new) for old, new in zip(tree_leaves(before), tree_leaves(after), strict=True))


class Listed:
    """Stands in for graphs: counts what is recorded and what is replayed."""

    def __init__(self) -> None:
        self.recorded = self.replayed = 0

    def __call__(self, act: Callable[[], None], pool: Any) -> Callable[[], None]:
        listing, is_done = Listing(), True
        with listing:
            act()  # which a graph would not do yet: its first replay is this
        self.recorded += 1

        def replay() -> None:
            nonlocal is_done
            if not is_done:
                self.replayed += 1
                listing.replay()
            is_done = False

        return replay


@pytest.fixture
def listed(monkeypatch: pytest.MonkeyPatch) -> Listed:
    """Lists in place of graphs, with blocks so small that a run has several, and the selection of the likeliest as a GPU makes it."""
    found = Listed()
    monkeypatch.setattr(recording, "recorded", found)
    monkeypatch.setattr(running, "SLOTS_TOGETHER", 16)
    monkeypatch.setattr(sampling, "_likeliest", lambda known, count: known.topk(min(count, known.shape[-1]), dim=-1).values)
    return found


def engine_of(fold: Path, tokenizer: Any) -> Engine:
    """A thirtieth of the vocabulary ends an answer, so that answers are of many lengths; the adapter is not merged."""
    model = with_trained_adapter(load_base(fold / "base", torch.device("cpu")), fold / "fold").eval()
    head = read_score_head(fold / "fold" / "score_head.pt", 32)
    return Engine(model, head, tokenizer.pad_token_id, range(5, causal_of(model).config.vocab_size, 30), SAMPLED.batch_tokens)


def answers(engine: Engine, tokenizer: Any, cases: list[Case], settings: Inference, is_refilled: bool) -> list[Result]:
    slots = len(cases[0].prompt) + answer_room(engine, tokenizer, settings, True)
    return answer_group(engine, tokenizer, cases, settings, CONTEXT, cache_tokens=AT_ONCE * slots if is_refilled else None)


@pytest.mark.parametrize(("drawn", "is_refilled"), [({}, True), ({}, False), ({"temperature": 0}, False), ({"top_p": 1.0}, True)])
def test_replayed_tokens_are_those_of_the_eager_step(
    fold: Path,
    tokenizer: Any,
    cases: list[Case],
    drawn: dict[str, float],
    is_refilled: bool,
    listed: Listed,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = SAMPLED.model_copy(update=drawn)
    again: list[int] = []
    monkeypatch.setattr(sampling, "FIRST", 8)  # a nucleus often goes beyond so few: some rows are drawn again
    engine = engine_of(fold, tokenizer)
    engine.share([case.prompt for case in cases])
    eager = answers(engine, tokenizer, cases, settings, is_refilled)
    assert not listed.recorded
    monkeypatch.setattr(running, "draw", lambda logits, *others: again.append(len(logits)) or draw(logits, *others))
    engine.record()
    found = answers(engine, tokenizer, cases, settings, is_refilled)
    assert [(one.case_id, one.text, one.reason) for one in found] == [(one.case_id, one.text, one.reason) for one in eager]
    assert [one.logit for one in found] == [one.logit for one in eager]
    assert engine.unrecorded is not None
    assert not engine.unrecorded.reasons
    assert min(listed.recorded, listed.replayed) > 3
    assert len({one.text for one in eager}) > 3
    assert (sum(again) > 3) == (not drawn)


def test_rows_that_join_between_tokens_find_what_is_recorded_anew(fold: Path, tokenizer: Any, cases: list[Case], listed: Listed) -> None:
    def written(engine: Engine) -> list[list[int]]:
        rows = Running(engine, 1.0, 0.9)
        for case in cases[:3]:
            cache = Cache(1, len(case.prompt) + 20)
            hidden = engine.prefill([case.prompt], cache)
            rows.join(Joining(cache, [len(case.prompt)], hidden, uniforms(1, [case.case_id], 20), [20]))
            for _ in range(5):
                rows.draw()
                rows.read()
        rows.keep([2, 0])
        for _ in range(4):
            rows.draw()
            rows.read()
        return rows.answers([0, 1])

    engine = engine_of(fold, tokenizer)
    engine.stops = engine.stops[:1]
    eager = written(engine)
    engine.record()
    assert written(engine) == eager
    assert listed.replayed > listed.recorded
    assert len(eager[1]) > len(eager[0]) > 1


def test_what_cannot_be_recorded_runs_as_it_is_and_that_is_told_once(
    fold: Path, tokenizer: Any, cases: list[Case], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def unable(act: Callable[[], None], pool: Any) -> None:
        raise RuntimeError("operation not permitted when stream is capturing\nmore of it")

    engine = engine_of(fold, tokenizer)
    eager = answers(engine, tokenizer, cases, SAMPLED, True)
    monkeypatch.setattr(recording, "recorded", unable)
    engine.record()
    with caplog.at_level(logging.WARNING, "oncoraft"):
        assert answers(engine, tokenizer, cases, SAMPLED, True) == eager
    said = [record.getMessage() for record in caplog.records if record.name == "oncoraft"]
    assert [line.split(" runs ")[0] for line in said] == ["infer: 'draw'", "infer: 'note'", "infer: 'read'"]
    assert all("operation not permitted" in line and "more of it" not in line for line in said)


def test_memory_that_runs_out_while_recording_is_told_as_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(act: Callable[[], None], pool: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(recording, "recorded", full)
    recorder = recording.Recorder(torch.device("cpu"), recording.Unrecorded())
    recorder.run(("read",), lambda: None)
    with pytest.raises(torch.OutOfMemoryError):
        recorder.run(("read",), lambda: None)


def test_an_act_is_recorded_at_its_second_time_and_again_where_what_it_takes_from_python_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []

    def noted(act: Callable[[], None], pool: Any) -> Callable[[], None]:
        said.append("record")
        return act

    monkeypatch.setattr(recording, "recorded", noted)
    recorder = recording.Recorder(torch.device("cpu"), recording.Unrecorded())
    for bound in (1, 1, 1, 2, 2, 1):
        recorder.run(("read", bound), lambda bound=bound: said.append(f"read {bound}"))
    assert said == ["read 1", "record", "read 1", "read 1", "read 2", "record", "read 2", "read 1"]
    recorder.forget()
    recorder.run(("read", 1), lambda: said.append("anew"))
    assert said[-1] == "anew"


@pytest.mark.parametrize(
    "act",
    [
        lambda: bool(torch.ones(2).all()),
        lambda: torch.tensor([1, 2]),
        lambda: torch.ones(3)[torch.ones(3) > 0],
        lambda: torch.ones(3).max().item(),
    ],
)
def test_the_list_refuses_what_a_graph_refuses(act: Callable[[], Any]) -> None:
    with pytest.raises(RuntimeError, match="a graph cannot hold"):
        Listed()(act, None)
