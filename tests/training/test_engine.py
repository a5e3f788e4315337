"""The engine on tiny models of every architecture: scores, gradients under accumulation, resumption, shards."""

import json
import os
import signal
from pathlib import Path

import pytest
import torch

from oncoraft.config import Inference, Strategy, TinyModel, Training
from oncoraft.errors import InputError
from oncoraft.inference import gather, infer
from oncoraft.models import tiny
from oncoraft.models.base import load_base, load_tokenizer
from oncoraft.models.cases import encode, read_rows
from oncoraft.models.fold_model import load_fold
from oncoraft.training import train as train_step
from oncoraft.training.loop import losses

ARCHITECTURES = ("qwen3", "llama", "gemma3")
SETTINGS = {
    "training": Training(
        epochs=2, global_batch_size=4, learning_rate=1e-3, score_head_learning_rate=1e-3, checkpoint_every_steps=2
    ).model_dump(),
    "strategy": Strategy().model_dump(),
}


def rows(count: int) -> list[dict]:
    return [
        {
            "instruction": "How likely is a response?",
            "input": f"ECOG {n % 3}; line {n % 5}" + "; liver disease" * (n % 4),
            "output": f"Score: {0.7 if n % 3 else 0.0}\nReasoning:\nECOG {n % 3} " + "matters " * (n % 7),
            "case_id": f"c{n:02d}",
            "patient_id": f"p{n:02d}",
            "fold": 0,
            "category": "PR" if n % 3 else "PD",
            "score": 0.7 if n % 3 else 0.0,
            "responder": bool(n % 3),
        }
        for n in range(count)
    ]


@pytest.fixture(scope="module", params=ARCHITECTURES)
def work(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows(24)))
    build = TinyModel(
        architecture=request.param,
        hidden_size=32,
        layers=2,
        heads=2,
        key_value_heads=1,
        intermediate_size=64,
        vocabulary_size=400,
        steps=12,
        batch_size=4,
    )
    settings = json.dumps({"model": {"build": build.model_dump()}})
    assert tiny.main([str(folder / "rows.jsonl"), "--out", str(folder / "base"), "--settings", settings]) == 0
    return folder


def run_training(work: Path, name: str) -> Path:
    out = work / name
    command = [
        str(work / "rows.jsonl"),
        "--base",
        str(work / "base"),
        "--out",
        str(out),
        "--state",
        str(work / f"state-{name}"),
        "--threads",
        "1",
    ]
    assert train_step.main([*command, "--settings", json.dumps(SETTINGS)]) == 0
    return out


def weights(folder: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return load_file(folder / "adapter_model.safetensors") | torch.load(folder / "score_head.pt")


def test_a_killed_and_resumed_run_ends_bitwise_equal(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = weights(run_training(work, "whole"))
    original, steps = train_step.save_state, []

    def kill_after_the_second_save(path, key, trainer):
        original(path, key, trainer)
        steps.append(trainer.step)
        if len(steps) == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(train_step, "save_state", kill_after_the_second_save)
    from oncoraft.errors import RetryLater

    with pytest.raises(RetryLater, match="its state is saved"):
        run_training(work, "killed")
    assert not (work / "killed").exists()
    monkeypatch.setattr(train_step, "save_state", original)
    resumed = weights(run_training(work, "killed"))
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    assert {"0.weight", "0.bias", "3.weight", "3.bias"} <= whole.keys()


def test_scores_depend_neither_on_the_answer_nor_on_the_batch(work: Path) -> None:
    fold = work / "whole" if (work / "whole").exists() else run_training(work, "whole")
    tokenizer = load_tokenizer(work / "base")
    model, head = load_fold(load_base(work / "base", torch.device("cpu")), fold)
    data = read_rows(work / "rows.jsonl")
    together = infer.score(model, head, encode(data, tokenizer, 4096), tokenizer.pad_token_id, 100_000)
    alone = infer.score(model, head, encode(data, tokenizer, 4096), tokenizer.pad_token_id, 1)
    answered = infer.score(model, head, encode(data, tokenizer, 4096, 50), tokenizer.pad_token_id, 100_000)
    for case_id, value in together.items():
        assert alone[case_id] == pytest.approx(value, abs=1e-4)
        assert answered[case_id] == pytest.approx(value, abs=1e-4)


def test_micro_batches_sum_to_the_loss_of_the_whole_step(work: Path) -> None:
    blocks = {"training": Training(), "strategy": Strategy(adapter=False), "adapter": None}
    trainer = train_step.build_trainer(work / "base", torch.device("cpu"), blocks, 10)
    trainer.head.eval()
    tokenizer = load_tokenizer(work / "base")
    cases = encode(read_rows(work / "rows.jsonl"), tokenizer, 4096, 100)
    whole = [float(part) for part in losses(trainer, cases, Strategy(), tokenizer.pad_token_id)]
    parts = [[float(part) for part in losses(trainer, [case], Strategy(), tokenizer.pad_token_id)] for case in cases]
    assert [sum(column) for column in zip(*parts)] == pytest.approx(whole, rel=1e-4)


def test_predictions_do_not_depend_on_the_shard_count_and_each_case_is_there_once(work: Path) -> None:
    fold = work / "whole" if (work / "whole").exists() else run_training(work, "whole")
    settings = json.dumps({"inference": Inference(rationales=2, max_new_tokens=8).model_dump()})
    found = []
    for shards in (1, 3):
        files = []
        for shard in range(shards):
            out = work / f"shard-{shard}-of-{shards}.jsonl"
            command = [
                str(work / "rows.jsonl"),
                "--base",
                str(work / "base"),
                "--fold-model",
                str(fold),
                "--shard",
                str(shard),
                "--shards",
                str(shards),
            ]
            assert infer.main([*command, "--out", str(out), "--settings", settings]) == 0
            files.append(str(out))
        joined = work / f"predictions-{shards}.jsonl"
        assert gather.main([*files, "--heldout", str(work / "rows.jsonl"), "--out", str(joined)]) == 0
        found.append([json.loads(line) for line in joined.read_text().splitlines()])
    assert [row["case_id"] for row in found[0]] == [f"c{n:02d}" for n in range(24)]
    assert [row["rationale"] for row in found[0]] == [row["rationale"] for row in found[1]]
    assert sum(row["rationale"] is not None for row in found[0]) == 2
    assert [row["score"] for row in found[0]] == pytest.approx([row["score"] for row in found[1]], abs=1e-5)


def test_a_missing_or_doubled_case_is_named() -> None:
    with pytest.raises(InputError, match="case b has no prediction"):
        gather.gather([("a", "")], [("a", ""), ("b", "")])
    with pytest.raises(InputError, match="case a is predicted more than once"):
        gather.gather([("a", ""), ("a", "")], [("a", "")])


def test_what_cannot_be_trained_on_is_one_clear_line(work: Path, tmp_path: Path) -> None:
    tokenizer = load_tokenizer(work / "base")
    one_class = tmp_path / "one.jsonl"
    one_class.write_text("".join(json.dumps(row | {"responder": True}) + "\n" for row in rows(3)))
    with pytest.raises(InputError, match="all 3 cases are of one class"):
        train_step.read_training_cases(one_class, tokenizer, 4096, 100)
    with pytest.raises(InputError, match="case c00: expected at most 5 tokens"):
        encode(rows(3), tokenizer, 5)
    with pytest.raises(InputError, match="expected a base-model folder"):
        load_base(tmp_path / "none", torch.device("cpu"))
    (tmp_path / "fold").mkdir()
    (tmp_path / "fold" / "score_head.pt").write_bytes(b"broken")
    with pytest.raises(InputError, match="expected the weights of a score head"):
        load_fold(load_base(work / "base", torch.device("cpu")), tmp_path / "fold")
