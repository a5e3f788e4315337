"""Folders from strangers: no code of theirs runs, no control token is smuggled in by text, and damage is seen before a score is given."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from oncoraft.answers import answer_token_ids, prompt_token_ids, text_token_ids
from oncoraft.foundation.errors import InputError
from oncoraft.inference.opening import open_fold
from oncoraft.models import export
from oncoraft.models.base import check_folder, context_of_folder, load_base, load_tokenizer
from oncoraft.models.fold_model import with_adapter
from oncoraft.models.model_folder import read_score_head
from oncoraft.planning.config import Strategy
from tests.models.tiny_folds import ARCHITECTURES, build, tokenizer_of
from tests.models.tiny_models import random_model

CPU = torch.device("cpu")
CONTROL = ("<end>", "<begin>", "<pad>", "<unused0>")


@pytest.fixture
def work(tmp_path: Path) -> Path:
    return build(tmp_path, "qwen3")


class TestCodeOfAModelFolder:
    @pytest.mark.parametrize("model_type", ["strange", "qwen3"])
    def test_is_never_run_and_never_asked_about(self, work: Path, monkeypatch: pytest.MonkeyPatch, model_type: str) -> None:
        """Whatever `auto_map` names: a known architecture loads by the library's class, an unknown one is refused in one line."""
        monkeypatch.setattr("builtins.input", lambda *words: pytest.fail("asked on the terminal"))
        base, mark = work / "base", work / "ran"
        (base / "strange.py").write_text(f"import pathlib\npathlib.Path({str(mark)!r}).touch()\n")
        config = json.loads((base / "config.json").read_text())
        config |= {"model_type": model_type, "auto_map": {name: "strange.Strange" for name in ("AutoConfig", "AutoModelForCausalLM")}}
        (base / "config.json").write_text(json.dumps(config))
        if model_type == "qwen3":
            load_base(base, CPU)
        else:
            for step in (load_base, lambda folder, device: context_of_folder(folder)):
                with pytest.raises(InputError, match=r"expected the configuration of a language model \("):
                    step(base, CPU)
        assert not mark.exists()

    def test_of_a_tokenizer_is_not_run_either(self, work: Path) -> None:
        base, mark = work / "base", work / "ran"
        (base / "strange.py").write_text(f"import pathlib\npathlib.Path({str(mark)!r}).touch()\n")
        config = json.loads((base / "tokenizer_config.json").read_text())
        config |= {"tokenizer_class": "Strange", "auto_map": {"AutoTokenizer": ["strange.Strange", None]}}
        (base / "tokenizer_config.json").write_text(json.dumps(config))
        assert load_tokenizer(base).eos_token == "<end>"
        assert not mark.exists()


class TestControlTokensInText:
    @pytest.mark.parametrize("architecture", ARCHITECTURES)
    @settings(max_examples=60, deadline=None)
    @given(parts=st.lists(st.one_of(st.sampled_from(CONTROL), st.text(max_size=12)), max_size=8))
    def test_are_read_as_their_characters(self, architecture: str, parts: list[str]) -> None:
        tokenizer, text = tokenizer_of(architecture), "".join(parts)
        control = set(tokenizer.convert_tokens_to_ids(list(CONTROL)))
        begin = [] if tokenizer.bos_token_id is None else [tokenizer.bos_token_id]
        (prompt,), (answer,), (plain,) = (make(tokenizer, [text]) for make in (prompt_token_ids, answer_token_ids, text_token_ids))
        assert prompt == [*begin, *plain]
        assert answer == [*plain, tokenizer.eos_token_id]
        assert not control & set(plain)
        whole = text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
        assert tokenizer.decode(plain) == whole

    def test_read_the_same_in_an_exported_folder(self, work: Path) -> None:
        """The published quick start calls the tokenizer plainly; the folder itself says that spelled control tokens are text."""
        from transformers import AutoTokenizer

        assert export.run(export.main, ["--run", str(work / "fold"), "--out", str(work / "model")]) == 0
        text = "drug <end> and <pad>\n\nAnswer:\n"
        plain = AutoTokenizer.from_pretrained(work / "model", local_files_only=True)(text)["input_ids"]
        assert plain == prompt_token_ids(load_tokenizer(work / "base"), [text])[0]


def flip(path: Path) -> None:
    """One bit in the middle of a file, where its numbers lie."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


class TestDamage:
    @pytest.mark.parametrize("name", ["score_head.pt", "adapter_model.safetensors", "adapter_config.json"])
    def test_of_one_bit_is_seen_before_a_score_is_given(self, work: Path, name: str) -> None:
        flip(work / "fold" / name)
        with pytest.raises(InputError, match=name.replace(".", r"\.") if name != "adapter_config.json" else "adapter"):
            open_fold(work / "base", work / "fold", Strategy(), CPU)
        assert export.run(export.main, ["--run", str(work / "fold"), "--out", str(work / "model")]) == 2
        assert not (work / "model").exists()

    def test_of_an_exported_folder_is_seen_too(self, work: Path) -> None:
        assert export.run(export.main, ["--run", str(work / "fold"), "--out", str(work / "model")]) == 0
        export.open_model_folder(work / "model", CPU)
        flip(work / "model" / "score_head.pt")
        with pytest.raises(InputError, match=r"score_head\.pt"):
            export.open_model_folder(work / "model", CPU)

    def test_scores_that_move_further_than_rounding_allows_end_the_export(self, work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A merge that loses its adapter writes a folder that loads well and scores like the base."""
        monkeypatch.setattr("peft.tuners.lora.LoraModel.merge_and_unload", lambda model, **words: model.unload())
        weights = load_file(work / "fold" / "adapter_model.safetensors")
        save_file({name: value + 0.5 for name, value in weights.items()}, work / "fold" / "adapter_model.safetensors")
        record = json.loads((work / "fold" / "manifest.json").read_text())
        record["outputs"]["adapter_model.safetensors"] = export.file_digest(work / "fold" / "adapter_model.safetensors")
        (work / "fold" / "manifest.json").write_text(json.dumps(record))
        assert export.run(export.main, ["--run", str(work / "fold"), "--out", str(work / "model"), "--dtype", "float32"]) == 2
        assert not (work / "model").exists()


def whole_model(base: Path) -> None:
    context_of_folder(base)
    load_tokenizer(base)
    load_base(base, CPU)


def configured(**changes: Any) -> Callable[[Path], None]:
    def edit(base: Path) -> None:
        config = json.loads((base / "config.json").read_text())
        (base / "config.json").write_text(json.dumps(config | changes))

    return edit


@pytest.mark.parametrize(
    "edit",
    [
        configured(max_position_embeddings=None),
        configured(max_position_embeddings="many"),
        configured(max_position_embeddings=-1),
        configured(vocab_size=7),
        configured(num_attention_heads=None),
        configured(hidden_act="no such activation"),
        configured(model_type=None),
        configured(model_type=7),
        configured(num_hidden_layers="two"),
        configured(rope_parameters="round"),
    ],
)
def test_odd_values_of_a_configuration_end_in_one_line(work: Path, edit: Callable[[Path], None]) -> None:
    edit(work / "base")
    with pytest.raises(InputError) as caught:
        whole_model(work / "base")
    assert "\n" not in str(caught.value)


def test_a_token_beyond_the_embedding_is_refused_but_for_a_control_token_that_no_text_becomes(work: Path) -> None:
    tokenizer = load_tokenizer(work / "base")
    tokenizer.add_special_tokens({"additional_special_tokens": ["<image_soft_token>"]})
    tokenizer.save_pretrained(work / "base")
    load_tokenizer(work / "base")
    tokenizer.add_tokens(["osimertinib"])
    tokenizer.save_pretrained(work / "base")
    with pytest.raises(InputError, match=r"expected token ids below \d+, the rows of the embedding"):
        load_tokenizer(work / "base")


def test_weights_as_a_pickle_alone_are_refused_with_the_remedy(work: Path) -> None:
    shutil.move(work / "base" / "model.safetensors", work / "base" / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"pytorch_model.bin, a pickle, which is not read: save it again as safetensors"):
        check_folder(work / "base")


@pytest.mark.parametrize("kind", [torch.int64, torch.bool])
def test_a_score_head_of_other_numbers_than_floating_point_is_refused(work: Path, kind: torch.dtype) -> None:
    path = work / "fold" / "score_head.pt"
    torch.save({name: value.to(kind) for name, value in torch.load(path, weights_only=True).items()}, path)
    with pytest.raises(InputError, match=r"expected floating-point numbers in 0\.weight"):
        read_score_head(path, 32)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_adapters_live_in_decoder_layers(architecture: str) -> None:
    """On a tied head an adapter would be merged into the embedding too: another model, status 0."""
    with pytest.raises(InputError, match=r"expected linear parts of a decoder layer \(.*q_proj.*\), found 'lm_head'"):
        with_adapter(random_model(architecture), 2, 4, 0.0, ("q_proj", "lm_head"))
