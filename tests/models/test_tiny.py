"""Tiny base models: the weighted loss of packed documents, phrase tokens that can write any text, folders that load and repeat."""

import json
from pathlib import Path

import pytest
import torch

from oncoraft.foundation.errors import InputError
from oncoraft.models import tiny
from oncoraft.models.base import load_base, load_tokenizer
from oncoraft.planning.config import TinyModel
from tests.models.tiny_models import ARCHITECTURES, random_cases, random_model


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_loss_of_packed_documents_is_the_weighted_mean_over_documents_alone(architecture: str) -> None:
    """By the model's own logits, a document at a time: weight 7 where one of an answer's first two tokens is predicted, 1 where another, 0 in a prompt."""
    model, documents = random_model(architecture), random_cases(5)
    total, weight = 0.0, 0.0
    for one in documents:
        ids = torch.tensor([[*one.prompt, *one.answer]])
        losses = -model(input_ids=ids).logits.detach()[0, :-1].log_softmax(-1)[torch.arange(ids.shape[1] - 1), ids[0, 1:]]
        places = torch.arange(1, ids.shape[1]) - len(one.prompt)
        weights = torch.where(places < 0, 0.0, torch.where(places < 2, 7.0, 1.0))
        total, weight = total + float((losses * weights).sum()), weight + float(weights.sum())
    assert float(tiny.document_loss(model, documents, 7.0, 2).detach()) == pytest.approx(total / weight, rel=1e-5)


def test_phrases_become_tokens_and_any_text_can_be_written() -> None:
    texts = ["Drugs: osimertinib; EGFR L858R.\nECOG 1"] * 5
    tokenizer = tiny.train_tokenizer(texts, 400)
    for text in (*texts, "Ünïcode – 日本語 <html> 3.14"):
        assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
    assert len(tokenizer(" osimertinib", add_special_tokens=False)["input_ids"]) == 1
    assert tokenizer.eos_token == "<|end|>"
    assert tokenizer.pad_token == "<|pad|>"


def corpus(folder: Path) -> Path:
    rows = [
        {"instruction": "How likely?", "input": f"ECOG {n % 3}", "output": f"Score: 0.{n % 3}\nReasoning:\nECOG {n % 3}"} for n in range(24)
    ]
    path = folder / "corpus.jsonl"
    path.write_text("".join(json.dumps(row | {"case_id": f"c{n:02d}", "patient_id": f"p{n}"}) + "\n" for n, row in enumerate(rows)))
    return path


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_tiny_model_learns_its_corpus_and_loads_as_any_other(architecture: str, tmp_path: Path) -> None:
    build = TinyModel(
        architecture=architecture,
        hidden_size=32,
        layers=2,
        heads=2,
        key_value_heads=1,
        intermediate_size=64,
        vocabulary_size=300,
        steps=24,
        learning_rate=4e-3,
        batch_size=4,
    )
    settings = json.dumps({"model": {"build": build.model_dump()}})
    for name in ("one", "two") if architecture == "qwen3" else ("one",):
        command = [str(corpus(tmp_path)), "--out", str(tmp_path / name), "--threads", "1", "--settings", settings]
        assert tiny.main(command) == 0
    counts = json.loads((tmp_path / "one" / "manifest.json").read_text())["counts"]
    assert counts["documents"] == 24
    assert counts["last_loss"] < 0.95 * counts["first_loss"]
    if architecture == "qwen3":
        assert (tmp_path / "one" / "model.safetensors").read_bytes() == (tmp_path / "two" / "model.safetensors").read_bytes()
    model = load_base(tmp_path / "one", torch.device("cpu"))
    assert model.config.vocab_size == len(load_tokenizer(tmp_path / "one"))


def test_a_model_that_is_a_folder_is_not_built(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a model with a `build` block"):
        tiny.main([str(corpus(tmp_path)), "--out", str(tmp_path / "x"), "--settings", json.dumps({"model": {"path": "models/Qwen3-8B"}})])
