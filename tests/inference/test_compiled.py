"""Layers that are compiled for inference read tokens as the model does that is run as it is, from one code for every layer."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch._dynamo.utils import counters
from torch._inductor import cpu_vec_isa

from oncoraft.inference import running
from oncoraft.inference.cache import Cache
from oncoraft.inference.engine import Engine
from oncoraft.inference.opening import with_trained_adapter
from oncoraft.inference.running import Joining, Running
from oncoraft.inference.sampling import uniforms
from oncoraft.models.base import load_base, load_tokenizer
from oncoraft.models.cases import encode, read_rows
from tests.models.tiny_folds import CONTEXT

TOKENS = 40


def test_compiled_layers_write_the_tokens_of_the_model_as_it_is(qwen3: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch._dynamo.config, "suppress_errors", False)  # put back after the test, as the limit is
    monkeypatch.setattr(torch._dynamo.config, "recompile_limit", 8)
    monkeypatch.setattr(
        cpu_vec_isa, "valid_vec_isa_list", list
    )  # plain code; looking which vectors a CPU knows takes longer than compiling
    monkeypatch.setattr(running, "SLOTS_TOGETHER", 16)
    torch._dynamo.reset()
    counters.clear()
    tokenizer = load_tokenizer(qwen3 / "base")
    cases = sorted(encode(read_rows(qwen3 / "rows.jsonl"), tokenizer, CONTEXT), key=lambda case: -len(case.prompt))
    lengths = [len(case.prompt) for case in cases]
    model = with_trained_adapter(load_base(qwen3 / "base", torch.device("cpu")), qwen3 / "fold").eval()
    engine = Engine(model, None, tokenizer.pad_token_id, (0,), 10_000)

    def read() -> Running:
        cache, rows = Cache(len(cases), lengths[0] + TOKENS), Running(engine, 1.0, 0.9)
        hidden = engine.prefill([case.prompt for case in cases], cache)
        rows.join(Joining(cache, lengths, hidden, uniforms(1, [case.case_id for case in cases], TOKENS), [TOKENS] * len(cases)))
        return rows

    def write(rows: Running) -> tuple[list[list[int]], torch.Tensor]:
        for step in range(TOKENS):
            rows.draw()
            if step == TOKENS // 2:
                rows.keep(range(0, len(cases), 2))
            rows.read()
        assert rows.rows is not None
        return rows.answers(range(len(rows.rows.token))), rows.rows.hidden

    plain, other = read(), read()
    assert engine.told() == {}
    answers, hidden = write(plain)
    engine.compile()
    other.recorder = engine.recorder()
    found, states = write(other)
    assert found == answers
    assert len({tuple(tokens) for tokens in answers}) == len(answers) == len(cases) // 2
    torch.testing.assert_close(states, hidden, atol=1e-4, rtol=1e-4)
    assert not torch.equal(states, hidden)  # another code has rounded otherwise
    assert engine.told() == {"layers_run_uncompiled": 0, "acts_run_unrecorded": 0}
    assert counters["stats"]["unique_graphs"] == 4  # its attention, which is not compiled, cuts a layer in four
