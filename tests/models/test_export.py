"""The model folder: what the published quick start calls on it, the merge and its drift, and what is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from huggingface_hub import ModelCard
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from oncoraft.foundation.errors import InputError
from oncoraft.inference import predict
from oncoraft.model_card.text import NOT_EVALUATED
from oncoraft.models import export
from oncoraft.models.model_folder import open_model_folder
from tests.models.tiny_folds import ARCHITECTURES, build, rows

CASE = rows(3)[2]
CPU = torch.device("cpu")


def exported(work: Path, name: str, *more: str) -> Path:
    out = work / name
    assert export.main(["--run", str(work / "fold"), "--out", str(out), *more]) == 0
    return out


@pytest.fixture(scope="session", params=ARCHITECTURES)
def work(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fold and its model folder in bf16, the type of real checkpoints."""
    folder = build(tmp_path_factory.mktemp(request.param), request.param)
    exported(folder, "model", "--dtype", "bfloat16")
    return folder


@pytest.fixture(scope="session")
def one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same of one architecture."""
    folder = build(tmp_path_factory.mktemp("one"), "qwen3")
    exported(folder, "model")
    return folder


@torch.no_grad()
def quick_start(folder: Path, prompts: list[str]) -> list[float]:
    """Scores by the calls that both published snippets make, in their order and with their arguments."""
    tokenizer = AutoTokenizer.from_pretrained(str(folder), trust_remote_code=True)
    model = AutoModelForCausalLM.from_pretrained(str(folder), torch_dtype=torch.bfloat16, device_map="auto", trust_remote_code=True)
    layers = [torch.nn.Linear(model.config.hidden_size, 128), torch.nn.GELU(), torch.nn.Dropout(0.2), torch.nn.Linear(128, 1)]
    head = torch.nn.Sequential(*layers, torch.nn.Sigmoid())
    head.load_state_dict(torch.load(f"{folder}/score_head.pt", map_location="cpu"))
    head = head.to(model.device).to(model.dtype)
    model.eval()
    head.eval()
    scores = []
    for prompt in prompts:
        asked = tokenizer(prompt, return_tensors="pt", truncation=True, max_length=3072)
        asked = {name: value.to(model.device) for name, value in asked.items()}
        stops = {"pad_token_id": tokenizer.pad_token_id, "eos_token_id": tokenizer.eos_token_id}
        written = model.generate(**asked, max_new_tokens=2, temperature=0.6, top_p=0.9, do_sample=True, **stops)
        assert isinstance(tokenizer.decode(written[0][len(asked["input_ids"][0]) :], skip_special_tokens=True), str)
        states = model(**asked, output_hidden_states=True).hidden_states[-1]
        scores.append(head(states[:, -1, :]).item())
    return scores


def predicted(folder: Path, cases: list[dict], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> list[dict]:
    file = tmp_path / "cases.jsonl"
    file.write_text("".join(json.dumps(case) + "\n" for case in cases))
    assert predict.main(["--model", str(folder), "--case", str(file), "--json", "--score-only"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_the_published_calls_give_the_score_of_predict(work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scores = quick_start(work / "model", [case["instruction"] + "\n\n" + case["input"] + "\n\nAnswer:\n" for case in rows(5)])
    found = [row["score"] for row in predicted(work / "model", rows(5), tmp_path, capsys)]
    # bf16 keeps 8 bits: states, head and the score itself are each rounded to 1 part in 256.
    assert scores == pytest.approx(found, abs=0.025)
    assert max(found) - min(found) > 0.06  # or the comparison would say nothing


def test_predict_gives_the_score_of_the_fold_itself(work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exported(work, "exact", "--dtype", "float32")
    (found,) = predicted(work / "exact", [CASE], tmp_path, capsys)
    tokenizer = AutoTokenizer.from_pretrained(work / "base")
    base = AutoModelForCausalLM.from_pretrained(work / "base", dtype=torch.float32)
    model = PeftModel.from_pretrained(base, work / "fold").eval()
    ids = tokenizer(f"{CASE['instruction']}\n\n{CASE['input']}\n\nAnswer:\n", return_tensors="pt")["input_ids"]
    _, head = open_model_folder(work / "exact", CPU)
    with torch.no_grad():
        state = model(input_ids=ids, output_hidden_states=True).hidden_states[-1][:, -1]
        assert found["logit"] == pytest.approx(float(head[:-1](state)), abs=1e-4)


def test_the_folder_has_the_published_files(work: Path) -> None:
    folder = work / "model"
    names = {path.name for path in folder.iterdir()}
    assert {"config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "score_head.pt"} <= names
    assert list(folder.glob("model-*.safetensors"))
    assert set(torch.load(folder / "score_head.pt", weights_only=True)) == {"0.weight", "0.bias", "3.weight", "3.bias"}
    config = json.loads((folder / "config.json").read_text())
    assert config["hidden_size"] == 32
    assert config["dtype"] == "bfloat16"
    assert not any("lora" in name for file in folder.glob("*.safetensors") for name in load_file(file))


def test_tokens_are_those_of_the_base_and_a_cut_spares_the_answer_marker(work: Path) -> None:
    text = "Drugs: osimertinib\n\nAnswer:\n"
    base, written = (AutoTokenizer.from_pretrained(work / name) for name in ("base", "model"))
    assert written(text)["input_ids"] == base(text)["input_ids"]
    assert set(written(text)) == {"input_ids", "attention_mask"}
    cut = written(text, truncation=True, max_length=8)["input_ids"]
    assert cut[-3:] == base(text)["input_ids"][-3:]
    assert len(cut) == 8
    assert written.pad_token_id is not None


def test_the_drift_is_measured_and_small_where_nothing_is_rounded(work: Path) -> None:
    exact = json.loads((exported(work, "exact", "--dtype", "float32") / "export.json").read_text())
    rounded = json.loads((work / "model" / "export.json").read_text())
    assert exact["drift"]["prompts"] == 8
    assert exact["drift"]["source"] == "rows.jsonl"
    assert exact["drift"]["largest_score_difference"] < 1e-5
    assert rounded["drift"]["largest_score_difference"] > exact["drift"]["largest_score_difference"]
    manifest = json.loads((work / "model" / "manifest.json").read_text())
    assert manifest["counts"] == rounded["drift"]
    assert any(name.endswith("adapter_model.safetensors") for name in manifest["inputs"])


def test_the_merge_is_done_in_fp32_from_a_bf16_base(tmp_path: Path) -> None:
    work = build(tmp_path, "llama", torch.bfloat16)
    name = "model.layers.1.self_attn.q_proj.weight"
    base = load_file(work / "base" / "model.safetensors")[name].float()
    adapter = load_file(work / "fold" / "adapter_model.safetensors")
    one, two = (adapter[f"base_model.model.{name.removesuffix('.weight')}.lora_{part}.weight"] for part in "AB")
    merged = base + (8.0 / 4) * two @ one  # alpha / rank
    assert torch.equal(load_file(next(exported(work, "model").glob("model-*.safetensors")))[name], merged.to(torch.bfloat16))
    whole = exported(work, "whole", "--dtype", "float32")
    assert torch.allclose(load_file(next(whole.glob("model-*.safetensors")))[name], merged, atol=1e-6)


def test_a_multimodal_gemma_is_exported_as_its_text_model(tmp_path: Path) -> None:
    from transformers import Gemma3Config, Gemma3ForConditionalGeneration, SiglipVisionConfig

    work = build(tmp_path, "gemma3")
    text = AutoModelForCausalLM.from_pretrained(work / "base", dtype=torch.float32)
    vision = SiglipVisionConfig(
        hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=28, patch_size=14
    )
    config = Gemma3Config(text_config=text.config, vision_config=vision, mm_tokens_per_image=4)
    whole = Gemma3ForConditionalGeneration(config)
    whole.model.language_model.load_state_dict(text.model.state_dict())
    tokenizer = AutoTokenizer.from_pretrained(work / "base")
    shutil.rmtree(work / "base")
    whole.save_pretrained(work / "base")
    tokenizer.save_pretrained(work / "base")
    record = json.loads((work / "fold" / "manifest.json").read_text())
    record["inputs"] = {"../base/config.json": export.file_digest(work / "base" / "config.json")}
    (work / "fold" / "manifest.json").write_text(json.dumps(record))
    folder = exported(work, "model")
    stored = json.loads((folder / "config.json").read_text())
    assert stored["model_type"] == "gemma3_text"
    assert not any("vision" in name for file in folder.glob("*.safetensors") for name in load_file(file))
    model, _ = open_model_folder(folder, CPU)
    ids = torch.tensor([[5, 9, 60, 71]])
    adapted = PeftModel.from_pretrained(text, work / "fold").eval()
    with torch.no_grad():
        assert torch.allclose(model(input_ids=ids).logits, adapted(input_ids=ids).logits, atol=1e-3)


def test_the_folder_has_its_card_and_the_manifest_names_it(one: Path) -> None:
    card = ModelCard.load(one / "model" / "README.md")
    assert NOT_EVALUATED in card.text
    assert card.data.library_name == "transformers"
    outputs = json.loads((one / "model" / "manifest.json").read_text())["outputs"]
    assert outputs["README.md"] == export.file_digest(one / "model" / "README.md")
    assert set(outputs) | {"manifest.json"} == {path.name for path in (one / "model").iterdir()}


def test_two_exports_are_alike(one: Path) -> None:
    again = exported(one, "again")
    for name in ("export.json", "config.json", "model-00001-of-00001.safetensors", "tokenizer.json", "README.md"):
        assert (again / name).read_bytes() == (one / "model" / name).read_bytes(), name


def remove(name: str) -> Callable[[Path], None]:
    return lambda work: (work / name).unlink()


def other_weights(work: Path) -> None:
    build(work / "other", "qwen3", seed=6)
    shutil.copy(work / "other" / "base" / "model.safetensors", work / "base" / "model.safetensors")


def wide_head(work: Path) -> None:
    from oncoraft.models.fold_model import new_score_head

    torch.save(new_score_head(64).state_dict(), work / "fold" / "score_head.pt")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (remove("fold/score_head.pt"), "score_head.pt: expected a score head"),
        (remove("fold/adapter_model.safetensors"), "expected adapter weights beside adapter_config.json"),
        (remove("fold/manifest.json"), "expected the manifest of a fold written by `oncoraft train`"),
        (lambda work: shutil.move(work / "base", work / "moved"), "expected the base model that the manifest names; give --base"),
        (other_weights, "model.safetensors: expected the base model that the adapter was trained on"),
        (wide_head, "expected a head for hidden size 32: 0.weight of shape (128, 32), found '(128, 64)'"),
        (lambda work: (work / "fold" / "score_head.pt").write_bytes(b"torn"), "expected the weights of a score head"),
    ],
)
def test_a_spoilt_fold_is_refused_and_nothing_is_written(one: Path, tmp_path: Path, spoil: Callable[[Path], None], said: str) -> None:
    for name in ("base", "fold"):
        shutil.copytree(one / name, tmp_path / name)
    shutil.copy(one / "rows.jsonl", tmp_path)
    spoil(tmp_path)
    with pytest.raises(InputError) as caught:
        exported(tmp_path, "model")
    assert said in str(caught.value)
    assert not (tmp_path / "model").exists()
    assert not list(tmp_path.glob(".partial-*"))


def test_a_base_that_was_moved_is_given_by_hand(one: Path, tmp_path: Path) -> None:
    shutil.copytree(one / "fold", tmp_path / "fold")
    shutil.copytree(one / "base", tmp_path / "elsewhere")
    found = json.loads((exported(tmp_path, "model", "--base", str(tmp_path / "elsewhere")) / "export.json").read_text())
    assert found["drift"]["source"] == "built-in"  # its training file is gone


def without_a_weight(folder: Path) -> None:
    file = next(folder.glob("model-*.safetensors"))
    weights = load_file(file)
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, file, metadata={"format": "pt"})


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: (folder / "score_head.pt").unlink(), "expected score_head.pt in a model folder"),
        (
            lambda folder: next(folder.glob("model-*.safetensors")).rename(folder / "else.safetensors"),
            "model-00001-of-00001.safetensors is not there",
        ),
        (lambda folder: (folder / "config.json").unlink(), "expected config.json"),
        (without_a_weight, "1 are not there, the first model.layers.1.mlp.up_proj.weight"),
        (lambda folder: next(folder.glob("model-*.safetensors")).write_bytes(b"\0" * 64), "expected a causal language model"),
        (lambda folder: (folder / "model.safetensors.index.json").write_text("{"), "expected an index of weights"),
    ],
)
def test_an_incomplete_model_folder_is_refused(one: Path, tmp_path: Path, spoil: Callable[[Path], object], said: str) -> None:
    folder = shutil.copytree(one / "model", tmp_path / "model")
    spoil(folder)
    with pytest.raises(InputError) as caught:
        open_model_folder(folder, CPU)
    assert said in str(caught.value)
