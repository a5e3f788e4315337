"""Models of cells, as tiny random ones: an encoder and a decoder over genes, frozen and by LoRA, on cells whose response a gene tells."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sklearn.metrics import roc_auc_score
from transformers import BertConfig, BertForMaskedLM, GPT2Config, GPT2LMHeadModel

from oncoraft.cells.prompts import sentence
from oncoraft.foundation.errors import InputError, RetryLater
from oncoraft.foundation.jsonl import read_jsonl, write_jsonl
from oncoraft.models.cases import read_rows
from oncoraft.planning.config import Adapter, CellModel, Strategy, Training
from oncoraft.training import cell_model
from oncoraft.training.cell_model import main
from oncoraft.training.cell_tokens import GENES, encoded, read_vocabulary
from oncoraft.training.checkpoints import States

NAMES = [f"G{number:02d}A" for number in range(30)]
VOCABULARY = {"<pad>": 0, "<cls>": 1, "<eos>": 2} | {name: 3 + place for place, name in enumerate(NAMES)}
POOLING = {"encoder": "mean", "decoder": "last"}


def rows_of(cells: int, donors: int, seed: int, first: int = 0) -> list[dict[str, Any]]:
    """Sensitive cells express G00A most, resistant ones G01A; the other genes say nothing."""
    draw = np.random.default_rng(seed)
    rows = []
    for number in range(cells):
        responds = bool(number % 2)
        genes = [NAMES[not responds], *(NAMES[k] for k in draw.choice(np.arange(2, 30), 8, replace=False))]
        label = {"responder": responds, "score": float(responds)}
        text = {"instruction": "Judge.", "input": "Drug: x.\n" + sentence(genes), "output": ""}
        rows.append({"case_id": f"c{first + number}", "patient_id": f"p{first + number % donors}", "fold": 0, **text, **label})
    return rows


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder, a decoder, their vocabulary and one fold."""
    folder = tmp_path_factory.mktemp("cell-models")
    torch.manual_seed(3)
    size = {"vocab_size": len(VOCABULARY), "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
    bert = BertConfig(**size, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, max_position_embeddings=16)
    BertForMaskedLM(bert).save_pretrained(folder / "encoder")
    GPT2LMHeadModel(GPT2Config(**size, n_embd=32, n_layer=2, n_head=2, n_positions=16)).save_pretrained(folder / "decoder")
    (folder / "tokens.json").write_text(json.dumps(VOCABULARY))
    write_jsonl(folder / "train.jsonl", rows_of(120, 20, 1))
    write_jsonl(folder / "heldout.jsonl", rows_of(60, 10, 2, first=1000))
    return folder


def settings_of(home: Path, kind: str, adapter: bool, **more: Any) -> dict[str, Any]:
    model = {"path": str(home / kind), "vocabulary": str(home / "tokens.json"), "pooling": POOLING[kind]}
    model |= {"target_modules": ["query", "value"] if kind == "encoder" else ["c_attn"]}
    strategy = {"adapter": adapter, "language_model_weight": 0.0, "score_weight": 1.0} | more
    training = {"epochs": 12, "global_batch_size": 12, "learning_rate": 3e-3, "score_head_learning_rate": 5e-3}
    return {"cell_model": model, "strategy": strategy, "adapter": {"rank": 4, "alpha": 8}, "training": training}


def state_of(out: Path) -> Path:
    return out.with_name(f"{out.name}-state")


def left_by(out: Path) -> dict[str, Any]:
    """What a fold left, but for the clock: weights by name, scores, the log."""
    timed = {"tokens_per_second", "memory_gib"}
    found: dict[str, Any] = {"head": torch.load(out / "score_head.pt", weights_only=True)}
    if (out / "adapter_model.safetensors").is_file():
        found["adapter"] = load_file(out / "adapter_model.safetensors")
    found = {part: {name: value.tolist() for name, value in weights.items()} for part, weights in found.items()}
    log = [{name: value for name, value in line.items() if name not in timed} for line in read_jsonl(out / "training_log.jsonl")]
    return found | {"log": log, "scores": read_jsonl(out / "predictions.jsonl")}


def called(home: Path, out: Path, settings: dict[str, Any]) -> list[dict[str, Any]]:
    words = [str(home / "train.jsonl"), str(home / "heldout.jsonl"), "--out", str(out), "--state", str(state_of(out))]
    assert main([*words, "--threads", "1", "--settings", json.dumps(settings)]) == 0
    return read_jsonl(out / "predictions.jsonl")


@pytest.mark.parametrize("adapter", [False, True], ids=["frozen", "lora"])
@pytest.mark.parametrize("kind", ["encoder", "decoder"])
def test_a_tiny_random_model_learns_which_gene_tells_the_response(home: Path, tmp_path: Path, kind: str, adapter: bool) -> None:
    rows = called(home, tmp_path / "fold", settings_of(home, kind, adapter))
    told = {row["case_id"]: row["responder"] for row in read_jsonl(home / "heldout.jsonl")}
    assert {row["case_id"] for row in rows} == set(told)
    assert roc_auc_score([told[row["case_id"]] for row in rows], [row["score"] for row in rows]) > 0.85
    files = {path.name for path in (tmp_path / "fold").iterdir()}
    assert ("adapter_model.safetensors" in files) == adapter
    assert {"score_head.pt", "training_log.jsonl", "training_patients.txt", "manifest.json"} <= files


def test_the_same_call_gives_the_same_scores(home: Path, tmp_path: Path) -> None:
    one, other = (called(home, tmp_path / name, settings_of(home, "encoder", True)) for name in ("one", "other"))
    assert one == other


@pytest.mark.parametrize("adapter", [False, True], ids=["frozen", "lora"])
def test_a_fold_that_is_killed_goes_on_and_ends_bitwise_equal(
    home: Path, tmp_path: Path, adapter: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(home, "encoder", adapter)
    settings["training"] |= {"epochs": 2, "checkpoint_every_steps": 4, "tokens_per_micro_batch": 256}
    called(home, tmp_path / "whole", settings)
    save, steps = States.save, []

    def kill_after_the_second_save(self: States, step: int, state: dict[str, Any]) -> None:
        save(self, step, state)
        steps.append(step)
        if len(steps) == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(States, "save", kill_after_the_second_save)
    with pytest.raises(RetryLater, match=r"stopped after step 9 of 20; its state is saved") as caught:
        called(home, tmp_path / "killed", settings)
    assert caught.value.status == 75
    assert not (tmp_path / "killed").exists()
    monkeypatch.setattr(States, "save", save)
    torch.manual_seed(99)  # the generator's state is the saved one, not what it happens to be
    called(home, tmp_path / "killed", settings)
    assert left_by(tmp_path / "killed") == left_by(tmp_path / "whole")
    assert [file.name for file in state_of(tmp_path / "killed").rglob("*.pt")] == ["step-00000020.pt"]


def test_a_fold_that_is_killed_while_it_scores_does_not_train_again(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_of(home, "encoder", True)
    settings["training"] |= {"epochs": 1}
    called(home, tmp_path / "whole", settings)
    with monkeypatch.context() as patched:
        patched.setattr(cell_model, "predicted", lambda *_: os.kill(os.getpid(), signal.SIGTERM))
        with pytest.raises(RetryLater, match="stopped before the end"):
            called(home, tmp_path / "killed", settings)
    monkeypatch.setattr(cell_model, "take_step", lambda *_: pytest.fail("every step was taken before"))
    called(home, tmp_path / "killed", settings)
    assert left_by(tmp_path / "killed") == left_by(tmp_path / "whole")


@pytest.mark.parametrize("change", [{"seed": 5}, {"learning_rate": 2e-3}, "vocabulary"])
def test_a_fold_with_other_settings_or_another_vocabulary_starts_anew(
    home: Path, tmp_path: Path, change: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(home, "encoder", True)
    settings["training"] |= {"epochs": 1}
    called(home, tmp_path / "fold", settings)
    if change == "vocabulary":
        (tmp_path / "tokens.json").write_text(json.dumps(VOCABULARY | {NAMES[2]: VOCABULARY[NAMES[3]]}))
        settings["cell_model"] |= {"vocabulary": str(tmp_path / "tokens.json")}
    else:
        settings["training"] |= change
    taken, step = [], cell_model.take_step
    monkeypatch.setattr(cell_model, "take_step", lambda *given: taken.append(1) or step(*given))
    called(home, tmp_path / "fold", settings)
    assert len(taken) == 10


def test_a_step_read_in_parts_is_the_step_read_at_once(home: Path) -> None:
    found = []
    for tokens in (16_384, 256):
        given = settings_of(home, "decoder", True)
        given["training"] |= {"tokens_per_micro_batch": tokens}
        kinds = {"cell_model": CellModel, "strategy": Strategy, "adapter": Adapter, "training": Training}
        blocks = {name: kind.model_validate(given[name]) for name, kind in kinds.items()}
        cases, _ = encoded(read_rows(home / "train.jsonl"), VOCABULARY, 16, home)
        model, _ = cell_model.opened(blocks["cell_model"], torch.device("cpu"))
        trainer = cell_model.equip(model, blocks, len(cases), torch.device("cpu"))
        for module in (*trainer.model.modules(), *trainer.head.modules()):
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        found.append(cell_model.take_step(trainer, 0, "last", cases))
    assert sum(case.length for case in cases) > 256
    for name in ("loss", "gradient_norm"):
        assert found[1][name] == pytest.approx(found[0][name], rel=1e-5)


def test_a_cell_is_its_known_genes_within_the_context_and_what_is_lost_is_counted(tmp_path: Path) -> None:
    row = {"case_id": "c", "patient_id": "p", "input": sentence([NAMES[5], "UNKNOWN1", *NAMES[:20]])}
    cases, counts = encoded([row], VOCABULARY, 10, tmp_path)
    assert cases[0].prompt == (1, 8, *range(3, 10), 2)
    assert counts == {"genes": 22, "genes_not_in_vocabulary": 1, "genes_beyond_context": 13}


def test_a_sentence_begins_here_as_it_is_written_there() -> None:
    assert sentence(["A", "B"]) == f"{GENES}A, B"


def test_a_vocabulary_of_ensembl_ids_is_read_through_a_table_of_symbols(tmp_path: Path) -> None:
    (tmp_path / "v.json").write_text(json.dumps({"<pad>": 0, "ENSG00000141510": 1}))
    (tmp_path / "ids.csv").write_text("id,symbol\nENSG00000141510.17,TP53\nENSG00000146648,EGFR\n")
    settings = CellModel(path="m", vocabulary=str(tmp_path / "v.json"), gene_table=str(tmp_path / "ids.csv"))
    assert read_vocabulary(settings, 2) == {"<pad>": 0, "TP53": 1}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"vocabulary": "none.json"}, "expected a vocabulary as a JSON object, gene -> token"),
        ({"path": "nowhere"}, "expected the folder of a model that transformers can read"),
        ({"target_modules": ["q_proj"]}, "target_modules: expected layers of this model"),
        ({"vocabulary": "large.json"}, "expected tokens below 33, the model's embedding"),
        ({"vocabulary": "other.json"}, "expected genes of the vocabulary; none of its 9 is there"),
    ],
)
def test_a_model_that_cannot_read_these_cells_is_refused_in_one_line(home: Path, tmp_path: Path, change: dict[str, Any], said: str) -> None:
    (tmp_path / "large.json").write_text(json.dumps(VOCABULARY | {"G99A": 400}))
    (tmp_path / "other.json").write_text(json.dumps({"<pad>": 0, "TP53": 3}))
    change = {key: str(tmp_path / value) if isinstance(value, str) else value for key, value in change.items()}
    settings = settings_of(home, "encoder", True)
    with pytest.raises(InputError, match=said) as caught:
        called(home, tmp_path / "fold", settings | {"cell_model": settings["cell_model"] | change})
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "fold").exists()


def test_a_strategy_that_wants_a_text_is_refused(home: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a model of cells writes no text"):
        called(home, tmp_path / "fold", settings_of(home, "encoder", True, language_model_weight=1.0))


def test_fp8_products_are_refused_for_a_model_of_cells(home: Path, tmp_path: Path) -> None:
    settings = settings_of(home, "encoder", True)
    with pytest.raises(InputError, match="models of cells are read as they are"):
        called(home, tmp_path / "fold", settings | {"training": settings["training"] | {"fp8_base": True}})
