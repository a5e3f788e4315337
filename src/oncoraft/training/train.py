"""Fine-tune one fold: `oncoraft train train.jsonl --base MODEL_DIR --out FOLD_DIR --state STATE_DIR`.

The trainer's state lies in STATE_DIR, keyed by everything that defines the run, so that a killed job goes on where it
stopped and never goes on from another experiment's state.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from oncoraft.edge import read_settings, run, settings_record, step_parser
from oncoraft.errors import InputError
from oncoraft.models.base import context_length, device_for, load_base, load_tokenizer
from oncoraft.models.cases import Case, encode, read_rows
from oncoraft.models.fold_model import HEAD_FILE, new_score_head, with_adapter
from oncoraft.provenance import canonical_json, file_digest, manifest, publishing, text_digest, write_json
from oncoraft.stable import stable_seed
from oncoraft.training.loop import Trainer, load_state, new_trainer, save_state, steps_of, train

log = logging.getLogger("oncoraft")


def read_training_cases(path: Path, tokenizer: Any, longest: int, max_answer_tokens: int) -> list[Case]:
    """Training cases with their labels.

    Raises:
        InputError: a case without label, or labels of one class only.
    """
    cases = encode(read_rows(path), tokenizer, longest, max_answer_tokens)
    for number, case in enumerate(cases, 1):
        if case.responder is None or case.score is None:
            raise InputError("expected a label (`responder` and `score`) of every training case", file=path, line=number)
    if len({case.responder for case in cases}) < 2:
        raise InputError(f"expected responders and non-responders; all {len(cases)} cases are of one class", file=path)
    return cases


def run_key(data: Path, base: Path, record: dict[str, Any]) -> str:
    """A digest of everything that defines a run: data, base model, settings and code."""
    files = {file.name: file_digest(file) for file in [*sorted(base.glob("*.safetensors")), base / "config.json"]}
    return text_digest(canonical_json({"data": file_digest(data), "base": files, "settings": record}))


def build_trainer(base: Path, device: torch.device, blocks: dict[str, Any], total_steps: int) -> Trainer:
    """The base model with adapters and a fresh head, started from the configured seed."""
    model = load_base(base, device)
    torch.manual_seed(stable_seed(blocks["training"].seed, "start"))
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    if blocks["strategy"].adapter:
        adapter = blocks["adapter"]
        model = with_adapter(model, adapter.rank, adapter.alpha, adapter.dropout, adapter.target_modules)
    head = new_score_head(model.config.hidden_size).to(device)
    return new_trainer(model, head, blocks["training"], total_steps)


def write_fold(folder: Path, trainer: Trainer, cases: list[Case]) -> None:
    """Adapter, score head, training log and the patients that the fold has seen."""
    folder.mkdir()
    if hasattr(trainer.model, "peft_config"):
        trainer.model.save_pretrained(folder)
        (folder / "README.md").unlink(missing_ok=True)
    torch.save({name: value.cpu() for name, value in trainer.head.state_dict().items()}, folder / HEAD_FILE)
    with (folder / "training_log.jsonl").open("w", encoding="utf-8") as stream:
        stream.writelines(json.dumps(entry) + "\n" for entry in trainer.log)
    (folder / "training_patients.txt").write_text("\n".join(sorted({case.patient_id for case in cases})) + "\n", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Train one fold; status 75 after SIGTERM, with the state saved."""
    parser = step_parser(
        "train", "example:\n  oncoraft train train.jsonl --base models/Qwen3-8B --out fold-0 --state state/fold-0 --gpus 1"
    )
    parser.add_argument("train", type=Path, metavar="TRAIN", help="training file written by `oncoraft split`")
    parser.add_argument("--base", type=Path, required=True, metavar="MODEL_DIR", help="base-model folder")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLD_DIR", help="folder for adapter, score head and log")
    parser.add_argument("--state", type=Path, required=True, metavar="STATE_DIR", help="folder for the trainer's state while it runs")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads")
    parser.add_argument("--gpus", type=int, default=0, help="GPUs that must be visible; 0: CPU")
    given = parser.parse_args(arguments)
    blocks = read_settings("train", given)
    torch.set_num_threads(given.threads)
    device, settings = device_for(given.gpus), blocks["training"]
    tokenizer = load_tokenizer(given.base)
    record = settings_record(given, blocks)
    key = run_key(given.train, given.base, record)
    rows = read_rows(given.train)
    trainer = build_trainer(given.base, device, blocks, len(list(steps_of([None] * len(rows), settings))))  # type: ignore[list-item]
    cases = read_training_cases(given.train, tokenizer, context_length(trainer.model), settings.max_answer_tokens)
    state_file = given.state / "state.pt"
    state = load_state(state_file, key)
    resumed_from = 0
    if state is not None:
        trainer.restore(state)
        resumed_from = trainer.step
        log.info("train: going on after step %d", resumed_from)
    train(trainer, cases, blocks["strategy"], settings, tokenizer.pad_token_id, lambda: save_state(state_file, key, trainer))
    responders = sum(bool(case.responder) for case in cases)
    counts = {"cases": len(cases), "patients": len({case.patient_id for case in cases}), "responders": responders, "steps": trainer.step}
    with publishing(given.out) as (folder,):
        write_fold(folder, trainer, cases)
        outputs = {given.out / path.name: path for path in sorted(folder.iterdir())}
        beside = given.out / "manifest.json"
        inputs = [given.train, given.base]
        write_json(
            folder / "manifest.json", manifest("train", inputs=inputs, outputs=outputs, settings=record, counts=counts, beside=beside)
        )
    state_file.unlink(missing_ok=True)
    log.info("train: %d cases, %d steps, last loss %.3f", len(cases), trainer.step, trainer.log[-1]["loss"])
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
