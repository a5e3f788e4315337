"""Token ids stored once: those that training makes from text itself, mapped into memory, known by the digest of their text."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from oncoraft.answers import answer_text, answer_token_ids, content_digest, full_prompt, prompt_token_ids, shortened
from oncoraft.foundation import ranges
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.jsonl import write_jsonl
from oncoraft.models.cases import encode
from oncoraft.prompts import tokens

CASES = pd.DataFrame(
    {"case_id": ["b_+1", "a_-2", "c_+0"], "patient_id": ["b", "a", "c"], "index_day": [1, -2, 0], "cancer_type": "x", "line_of_therapy": 1}
)
CASES["agents"] = CASES["agents_at_index"] = [["A"]] * 3
LABELS = pd.DataFrame(
    {
        "case_id": CASES["case_id"],
        "definition": "strict",
        "category": ["PR", "NE", "PD"],
        "score": [0.7, None, 0.0],
        "responder": [True, None, False],
    }
)


@pytest.fixture(scope="module", params=[False, True], ids=["without beginning-of-text", "with beginning-of-text"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small byte-level tokenizer, with or without a beginning-of-text token of its own."""
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    special = ["<bos>", "<eos>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    raw.train_from_iterator(
        ["Score: 0.7\nReasoning:\nEGFR L858R", "Answer:\n"],
        trainers.BpeTrainer(vocab_size=320, special_tokens=special, initial_alphabet=alphabet),
    )
    if request.param:
        raw.post_processor = processors.TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", raw.token_to_id("<bos>"))])
    folder = tmp_path_factory.mktemp("model")
    PreTrainedTokenizerFast(tokenizer_object=raw, bos_token="<bos>", eos_token="<eos>").save_pretrained(folder)
    return folder


@pytest.fixture
def inputs(tmp_path: Path) -> list[str]:
    CASES.to_parquet(tmp_path / "cases.parquet")
    LABELS.to_parquet(tmp_path / "labels.parquet")
    prompts = [
        {"case_id": name, "instruction": "Judge.", "input": f"- case {name} µg", "output": "", "prompt_tokens": 9, "cut": []}
        for name in CASES["case_id"]
    ]
    write_jsonl(tmp_path / "prompts.jsonl", prompts)
    write_jsonl(tmp_path / "rationales.jsonl", [{"case_id": name, "rationale": f"because of {name}"} for name in ("b_+1", "a_-2", "c_+0")])
    return [str(tmp_path / "prompts.jsonl"), str(tmp_path / "rationales.jsonl"), str(tmp_path)]


def read(path: Path) -> list[dict[str, Any]]:
    with pa.memory_map(str(path)) as source:
        return pa.ipc.open_file(source).read_all().to_pylist()


def test_ids_are_those_of_the_text_sorted_by_case_with_digests(model: Path, inputs: list[str], tmp_path: Path) -> None:
    out = tmp_path / "tokens.arrow"
    assert tokens.main([*inputs, "--tokenizer", str(model), "--out", str(out)]) == 0
    rows = read(out)
    assert [row["case_id"] for row in rows] == ["a_-2", "b_+1", "c_+0"]
    tokenizer = tokens.open_tokenizer(model)
    prompt = "Judge.\n\n- case b_+1 µg\n\nAnswer:\n"
    answer = "Score: 0.7\nReasoning:\nbecause of b_+1"
    assert rows[1]["prompt_digest"] == hashlib.sha256(prompt.encode()).hexdigest()[:16]
    assert rows[1]["answer_digest"] == hashlib.sha256(answer.encode()).hexdigest()[:16]
    assert rows[1]["prompt_tokens"] == tokenizer(prompt)["input_ids"]
    assert rows[1]["answer_tokens"] == [*tokenizer(answer, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
    assert rows[0]["answer_tokens"] is None  # not evaluable: no answer
    assert rows[0]["answer_digest"] is None
    counts = json.loads((tmp_path / "tokens.arrow.manifest.json").read_text())["counts"]
    assert counts["cases"] == 3
    assert counts["answers"] == 2
    assert counts["prompt_tokens"] == sum(len(row["prompt_tokens"]) for row in rows)
    assert counts["longest_answer"] == max(len(row["answer_tokens"] or []) for row in rows)


def test_training_makes_the_same_ids_from_text(model: Path, inputs: list[str], tmp_path: Path) -> None:
    out = tmp_path / "tokens.arrow"
    tokens.main([*inputs, "--tokenizer", str(model), "--out", str(out)])
    (stored,) = (row for row in read(out) if row["case_id"] == "c_+0")
    row = {
        "case_id": "c_+0",
        "patient_id": "c",
        "instruction": "Judge.",
        "input": "- case c_+0 µg",
        "output": answer_text(0.0, "because of c_+0"),
    }
    (case,) = encode([row], tokens.open_tokenizer(model), 4096, 1024)
    assert list(case.prompt) == stored["prompt_tokens"]
    assert list(case.answer) == stored["answer_tokens"]


def test_the_file_is_read_without_copying_its_ids(model: Path, inputs: list[str], tmp_path: Path) -> None:
    out = tmp_path / "tokens.arrow"
    tokens.main([*inputs, "--tokenizer", str(model), "--out", str(out)])
    before = pa.total_allocated_bytes()
    with pa.memory_map(str(out)) as source:
        table = pa.ipc.open_file(source).read_all()
        assert table["prompt_tokens"].chunk(0).values.to_numpy(zero_copy_only=True).dtype == "int32"
        assert pa.total_allocated_bytes() - before < 4096
    assert table.schema == tokens.SCHEMA


def test_prompt_and_answer_are_tokenised_apart_and_cut_only_on_demand(model: Path) -> None:
    tokenizer = tokens.open_tokenizer(model)
    (ids,) = answer_token_ids(tokenizer, ["Score: 0.7"])
    assert ids[-1] == tokenizer.eos_token_id
    assert ids.count(tokenizer.eos_token_id) == 1
    assert tokenizer.bos_token_id not in ids
    assert shortened(ids, len(ids)) == ids
    assert shortened(ids, 3) == [*ids[:2], tokenizer.eos_token_id]
    assert answer_token_ids(tokenizer, []) == []


def test_the_published_concatenation_and_its_digest() -> None:
    assert full_prompt("I", "x") == "I\n\nx\n\nAnswer:\n"
    assert answer_text(0.3, "why") == "Score: 0.3\nReasoning:\nwhy"
    assert content_digest("") == "e3b0c44298fc1c14"  # SHA-256 of nothing, FIPS 180-4


def test_what_does_not_fit_together_is_one_line_and_nothing_is_written(model: Path, inputs: list[str], tmp_path: Path) -> None:
    out = tmp_path / "out" / "tokens.arrow"
    with pytest.raises(InputError, match="expected a folder with a tokenizer"):
        tokens.main([*inputs, "--tokenizer", str(tmp_path / "none"), "--out", str(out)])
    with pytest.raises(InputError, match="labels of definition 'oncoraft'"):
        tokens.main([*inputs, "--tokenizer", str(model), "--out", str(out), "--settings", '{"labels": {"definition": "oncoraft"}}'])
    lines = Path(inputs[0]).read_text().splitlines(keepends=True)
    Path(inputs[0]).write_text("".join([*lines, lines[0]]))
    with pytest.raises(InputError, match=r"prompts\.jsonl, line 4: expected each case once, the first time was line 1"):
        tokens.main([*inputs, "--tokenizer", str(model), "--out", str(out)])
    Path(inputs[0]).write_text("".join(lines[1:]))
    with pytest.raises(InputError, match=r"expected a prompt of every case; 1 have none, the first, found 'b_\+1'"):
        tokens.main([*inputs, "--tokenizer", str(model), "--out", str(out)])
    assert not list(out.parent.glob("*"))


def test_how_many_patients_are_in_a_range_changes_no_byte(
    model: Path, inputs: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, written = tmp_path / "tokens.arrow", set()
    monkeypatch.setattr(tokens, "CHUNK", 2)
    for patients in (1, 2, 10**9):
        monkeypatch.setattr(ranges, "PATIENTS", patients)
        assert tokens.main([*inputs, "--tokenizer", str(model), "--out", str(out)]) == 0
        written.add(out.read_bytes() + out.with_name("tokens.arrow.manifest.json").read_bytes())
    assert len(written) == 1


def test_how_many_threads_tokenise_changes_no_byte(model: Path, inputs: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TOKENIZERS_PARALLELISM", "RAYON_NUM_THREADS"):
        monkeypatch.setenv(name, "false" if name.startswith("T") else "1")  # given back at the end
    out, written = tmp_path / "tokens.arrow", set()
    for threads in ("1", "2", "3"):
        assert tokens.main([*inputs, "--tokenizer", str(model), "--out", str(out), "--threads", threads]) == 0
        written.add(out.read_bytes() + out.with_name("tokens.arrow.manifest.json").read_bytes())
    assert len(written) == 1
    with pytest.raises(InputError, match="--threads: expected 1 or more, found 0"):
        tokens.main([*inputs, "--tokenizer", str(model), "--out", str(out), "--threads", "0"])


def test_the_fast_way_gives_the_ids_of_the_rule_for_text_that_spells_special_tokens(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false")
    monkeypatch.setenv("RAYON_NUM_THREADS", "1")
    tokenizer = tokens.open_tokenizer(model)
    texts = ["Judge.\n\n<eos> <bos>\n\nAnswer:\n", "", "µ" * 700, *(f"case {number}" for number in range(600))]
    encoder = tokens.Encoder(tokenizer)
    assert encoder.backend is not None
    assert [ids.tolist() for ids in encoder.prompts(texts)] == prompt_token_ids(tokenizer, texts)
    assert [ids.tolist() for ids in encoder.answers(texts)] == answer_token_ids(tokenizer, texts)


def test_a_tokenizer_that_does_more_than_its_backend_is_asked_itself(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false")
    monkeypatch.setenv("RAYON_NUM_THREADS", "1")
    tokenizer = tokens.open_tokenizer(model)

    class Lowering:
        """Reads small letters alone."""

        is_fast, backend_tokenizer = True, tokenizer.backend_tokenizer
        all_special_tokens, eos_token_id = tokenizer.all_special_tokens, tokenizer.eos_token_id

        def __call__(self, texts: list[str], **how: Any) -> Any:
            return tokenizer([text.lower() for text in texts], **how)

    encoder = tokens.Encoder(Lowering())
    assert [ids.tolist() for ids in encoder.prompts(["EGFR"])] == prompt_token_ids(tokenizer, ["egfr"])


def test_an_error_in_the_range_read_ahead_ends_the_step(
    model: Path, inputs: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false")
    monkeypatch.setenv("RAYON_NUM_THREADS", "1")
    rows = sorted(Path(inputs[0]).read_text().splitlines(), key=lambda line: json.loads(line)["case_id"])
    Path(inputs[0]).write_text("\n".join([*rows[:2], rows[2].removesuffix("}") + ', "cut": 1}']) + "\n")
    with pytest.raises(InputError, match=r"prompts\.jsonl, line 3"):
        tokens.main([*inputs, "--tokenizer", str(model), "--out", str(tmp_path / "out" / "tokens.arrow"), "--threads", "2"])
    assert not (tmp_path / "out").exists()
