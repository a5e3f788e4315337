"""A base model read a part at a time: an outline without weights, then the same model as the library loads."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import Qwen3ForCausalLM

from oncoraft.foundation.errors import InputError
from oncoraft.models.base import load_base
from oncoraft.models.fold_model import with_adapter
from oncoraft.models.streamed import Weights, outline
from tests.models.test_base_models import CPU, TARGETS, multimodal, save_tokenizer
from tests.models.tiny_models import ARCHITECTURES, random_model


def untied_in_parts(folder: Path) -> None:
    torch.manual_seed(1)
    config = random_model("qwen3").config
    config.tie_word_embeddings = False
    Qwen3ForCausalLM(config).save_pretrained(folder, max_shard_size="20KB")
    assert len(list(folder.glob("*.safetensors"))) > 2


def folder_of(kind: str, folder: Path) -> Path:
    if kind == "multimodal":
        multimodal(folder)
        return folder
    if kind == "untied in parts":
        untied_in_parts(folder)
    else:
        random_model(kind).save_pretrained(folder)
    save_tokenizer(folder, eos_token="<end>", pad_token="<pad>")
    return folder


def filled(folder: Path) -> Any:
    model, weights = outline(folder, CPU), Weights(folder)
    weights.fill(model.model, "model", CPU)
    model.tie_weights()
    weights.fill(model.lm_head, "lm_head", CPU)
    return model


@pytest.mark.parametrize("kind", [*ARCHITECTURES, "multimodal", "untied in parts"])
def test_read_in_parts_it_is_the_model_that_the_library_loads(kind: str, tmp_path: Path) -> None:
    folder = folder_of(kind, tmp_path)
    whole, model = load_base(folder, CPU), filled(folder)
    assert type(model) is type(whole)
    for which in ("named_parameters", "named_buffers"):
        expected, found = (dict(getattr(one, which)()) for one in (whole, model))
        assert list(found) == list(expected)
        for name, value in expected.items():
            assert found[name].dtype == value.dtype, name
            assert torch.equal(found[name], value), name
    assert (model.lm_head.weight is model.model.embed_tokens.weight) == (kind != "untied in parts")


def test_an_outline_takes_no_memory_and_an_adapter_on_it_starts_as_on_the_model(tmp_path: Path) -> None:
    folder = folder_of("qwen3", tmp_path)
    adapted = []
    for model in (outline(folder, CPU), load_base(folder, CPU)):
        torch.manual_seed(5)
        adapted.append(with_adapter(model, 2, 4, 0.1, TARGETS))
    frozen = [parameter for parameter in adapted[0].parameters() if not parameter.requires_grad]
    assert {parameter.untyped_storage().nbytes() for parameter in frozen} == {4}
    Weights(folder).fill(adapted[0].get_base_model().model, "model", CPU)
    found = dict(adapted[0].named_parameters())
    for name, value in adapted[1].named_parameters():
        if "lm_head" not in name:
            assert torch.equal(found[name], value), name


def test_a_folder_that_cannot_be_read_by_names_is_one_line(tmp_path: Path) -> None:
    folder = folder_of("qwen3", tmp_path)
    weights = load_file(folder / "model.safetensors")
    name = "model.layers.1.self_attn.q_proj.weight"
    for changed, said in (
        (
            {**weights, name: weights[name][:4].clone()},
            r"model.safetensors: expected a weight model.layers.1.*of shape \(32, 32\), found \(4, 32\)",
        ),
        ({one: value for one, value in weights.items() if one != name}, r"expected a weight model.layers.1.self_attn.q_proj.weight"),
    ):
        save_file(changed, folder / "model.safetensors", metadata={"format": "pt"})
        with pytest.raises(InputError, match=said):
            filled(folder)
    (folder / "model.safetensors").rename(folder / "consolidated.safetensors")
    with pytest.raises(InputError, match=r"expected model.safetensors or model.safetensors.index.json"):
        filled(folder)
    (folder / "model.safetensors").write_bytes(b"torn")
    with pytest.raises(InputError, match=r"model.safetensors: expected weights as safetensors"):
        filled(folder)


def test_a_quantised_base_is_refused_before_its_numbers_are_misread(tmp_path: Path) -> None:
    folder = folder_of("qwen3", tmp_path)
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "fp8", "activation_scheme": "dynamic"}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match=r"it is quantised, which training.shard does not read"):
        outline(folder, CPU)
