"""The endpoint teacher against a real OpenAI-compatible server: the one that comes with transformers, with a tiny model, on loopback."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from oncoraft.planning.edge import run
from oncoraft.rationales.rationales import main
from tests.rationales.cases_on_disk import write_cases

pytest.importorskip("fastapi", reason="transformers' server needs fastapi and uvicorn")
pytest.importorskip("uvicorn", reason="transformers' server needs fastapi and uvicorn")
pytest.importorskip("openai", reason="transformers' server needs openai's types")
TEMPLATE = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}"


def write_model(folder: Path) -> None:
    """A randomly started Qwen3 of a few thousand weights and a byte-pair tokenizer with a chat template."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=["<pad>", "<end>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(["the patient has a tumour and the drug blocks it"] * 10, trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<end>")
    fast.chat_template = TEMPLATE
    fast.save_pretrained(folder)
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=len(fast),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        max_position_embeddings=4096,
        eos_token_id=1,
        pad_token_id=0,
    )
    Qwen3ForCausalLM(config).save_pretrained(folder)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Base address and the model's name."""
    model = tmp_path_factory.mktemp("server") / "tiny"
    write_model(model)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
    command = [
        str(Path(sys.executable).with_name("transformers")),
        "serve",
        str(model),
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--device",
        "cpu",
    ]
    with (model.parent / "log").open("w") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + 240
        while True:
            assert process.poll() is None, (model.parent / "log").read_text()[-3000:]
            assert time.monotonic() < deadline
            try:
                if httpx.get(f"http://127.0.0.1:{port}/health", timeout=2, trust_env=False).status_code == 200:
                    break
            except httpx.TransportError:
                time.sleep(0.3)
        yield f"http://127.0.0.1:{port}/v1", str(model)
    finally:
        process.terminate()
        process.wait(30)


@pytest.mark.slow
def test_a_real_server_is_asked_once_a_request_and_its_answers_are_kept(server: tuple[str, str], tmp_path: Path) -> None:
    url, model = server
    evidence, cases = write_cases(tmp_path, 5)
    settings: dict[str, Any] = {
        "teacher": "endpoint",
        "endpoint_url": url,
        "endpoint_model": model,
        "samples": 2,
        "endpoint_max_tokens": 16,
    }
    given = [
        "--out",
        str(tmp_path / "out.jsonl"),
        "--settings",
        json.dumps({"rationales": settings | {"endpoint_concurrency": 2}, "labels": {}}),
    ]
    assert run(main, [str(evidence), str(cases), *given]) == 0
    counts = json.loads((tmp_path / "out.jsonl.manifest.json").read_text(encoding="utf-8"))["counts"]
    # Four labelled cases, twice each: a model of random weights convinces no verifier, so every case falls back.
    assert counts["endpoint"]["requests_sent"] == counts["endpoint"]["answers_received"] == 8
    assert counts["endpoint"]["requests_failed"] == 0
    assert counts["endpoint"]["prompt_tokens"] > 8 * 100
    assert 0 < counts["endpoint"]["completion_tokens"] <= 8 * 16
    assert (counts["proposed"], counts["fallback"], counts["accepted"]) == (8, 4, 0)
    first = (tmp_path / "out.jsonl").read_bytes()
    assert run(main, [str(evidence), str(cases), *given]) == 0
    counts = json.loads((tmp_path / "out.jsonl.manifest.json").read_text(encoding="utf-8"))["counts"]
    assert (counts["endpoint"]["requests_sent"], counts["endpoint"]["answers_from_cache"]) == (0, 8)
    assert (tmp_path / "out.jsonl").read_bytes() == first
