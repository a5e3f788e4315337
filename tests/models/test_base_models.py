"""Base-model folders: the text part of a multimodal checkpoint, adapters on the decoder alone, and what a folder may lack."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import Gemma3Config, Gemma3ForConditionalGeneration, PreTrainedTokenizerFast

from oncoraft.foundation.errors import InputError, RetryLater
from oncoraft.models.attention import packed_hidden
from oncoraft.models.base import device_for, load_base, load_tokenizer, logits_of
from oncoraft.models.fold_model import with_adapter
from oncoraft.models.packing import pack
from tests.models.tiny_models import ARCHITECTURES, VOCABULARY, random_cases, random_model

CPU = torch.device("cpu")
TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj")


def save_tokenizer(folder: Path, **special: str) -> None:
    words = {"<end>": 0, "<pad>": 1} | {f"w{n}": n for n in range(2, VOCABULARY)}
    PreTrainedTokenizerFast(tokenizer_object=Tokenizer(WordLevel(words, unk_token="w2")), **special).save_pretrained(folder)


def multimodal(folder: Path) -> Gemma3ForConditionalGeneration:
    """A random Gemma 3 with a vision tower whose layers are named as the decoder's."""
    text = random_model("gemma3").config.to_dict() | {"vocab_size": VOCABULARY}
    vision = {
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "image_size": 8,
        "patch_size": 4,
    }
    config = Gemma3Config(text_config=text, vision_config=vision, mm_tokens_per_image=4, image_token_index=5, boi_token_index=6)
    torch.manual_seed(3)
    model = Gemma3ForConditionalGeneration(config).eval()
    model.save_pretrained(folder)
    save_tokenizer(folder, eos_token="<end>", pad_token="<pad>")
    return model


@pytest.fixture(params=ARCHITECTURES)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    random_model(request.param).save_pretrained(tmp_path / "base")
    save_tokenizer(tmp_path / "base", eos_token="<end>", pad_token="<pad>")
    return tmp_path / "base"


def test_the_language_part_of_a_multimodal_checkpoint_is_taken_whole(tmp_path: Path) -> None:
    whole = multimodal(tmp_path)
    ids = torch.tensor([random_cases(1, shortest=20)[0].prompt])
    text = load_base(tmp_path, CPU)
    assert not [name for name, _ in text.named_modules() if "vision" in name]
    assert text.config.model_type == "gemma3_text"
    assert text.config.hidden_size == 32
    assert text.lm_head.weight is text.model.embed_tokens.weight
    assert all(parameter.device.type == "cpu" for parameter in text.parameters())
    torch.testing.assert_close(text(input_ids=ids).logits, whole(input_ids=ids).logits)


def test_adapters_never_land_on_a_vision_tower(tmp_path: Path) -> None:
    whole = multimodal(tmp_path)
    assert [name for name, _ in whole.named_modules() if "vision" in name and name.endswith("q_proj")]
    for model in (whole, load_base(tmp_path, CPU)):
        adapted = with_adapter(model, 2, 4, 0.0, TARGETS)
        homes = [name for name, parameter in adapted.named_parameters() if parameter.requires_grad]
        assert len(homes) == 3 * 4 * 2  # layers, projections, two matrices each
        assert not [name for name in homes if "vision" in name]
        assert all("layers" in name for name in homes)


def test_adapters_are_fp32_on_a_half_precision_base() -> None:
    adapted = with_adapter(random_model("qwen3").bfloat16(), 2, 4, 0.1, TARGETS)
    kinds = {parameter.requires_grad: parameter.dtype for parameter in adapted.parameters()}
    assert kinds == {True: torch.float32, False: torch.bfloat16}


def test_logits_are_the_models_own(folder: Path) -> None:
    model, cases = load_base(folder, CPU), random_cases(1)
    packed = pack(cases, CPU)
    expected = model(input_ids=packed.ids).logits[0]
    torch.testing.assert_close(logits_of(model, packed_hidden(model, packed)), expected, rtol=1e-4, atol=1e-5)
    model.config.final_logit_softcapping = 0.5  # as Gemma 2 has it
    torch.testing.assert_close(logits_of(model, packed_hidden(model, packed)), torch.tanh(expected / 0.5) * 0.5, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "what"),
    [("config.json", "expected config.json"), ("model.safetensors", "expected weights"), ("tokenizer.json", "a tokenizer")],
)
def test_a_folder_that_lacks_a_file_is_one_line(folder: Path, name: str, what: str) -> None:
    (folder / name).unlink()
    if name == "tokenizer.json":
        (folder / "tokenizer_config.json").unlink()
    with pytest.raises(InputError, match=what):
        load_base(folder, CPU)


def test_a_weight_that_is_not_there_is_not_started_at_random(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    del weights["model.layers.1.self_attn.q_proj.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"1 are not there, the first model.layers.1.self_attn.q_proj.weight"):
        load_base(folder, CPU)


def test_cut_weights_a_missing_shard_and_a_broken_configuration_are_one_line(folder: Path) -> None:
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(InputError, match=r"2 weight files that its index names; model-00001-of-00002.safetensors is not there"):
        load_base(folder, CPU)
    (folder / "model.safetensors.index.json").unlink()
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="expected a causal language model"):
        load_base(folder, CPU)
    (folder / "config.json").write_text("{")
    with pytest.raises(InputError, match=r"config.json: expected the configuration of a language model"):
        load_base(folder, CPU)


def test_a_tokenizer_that_cannot_end_a_text_or_cannot_be_read_is_refused(folder: Path) -> None:
    save_tokenizer(folder)
    with pytest.raises(InputError, match="end-of-text token"):
        load_tokenizer(folder)
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(InputError, match="expected a tokenizer that transformers can read"):
        load_tokenizer(folder)


def test_a_gpu_that_is_not_there_is_worth_a_retry() -> None:
    with pytest.raises(RetryLater, match="99 GPU asked for") as caught:
        device_for(99)
    assert caught.value.status == 75


def test_a_layer_that_the_model_lacks_is_named() -> None:
    with pytest.raises(InputError, match=r"adapter.target_modules: expected linear parts of a decoder layer .*q_proj.*, found 'qkv_proj'"):
        with_adapter(random_model("qwen3"), 2, 4, 0.0, ("q_proj", "qkv_proj"))
