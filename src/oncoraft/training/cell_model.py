"""Models of cells on one fold: `oncoraft cell-model train.jsonl heldout.jsonl --out FOLD_DIR`.

Encoders and decoders that read a cell as tokens of its genes in the order of their expression (as Geneformer and tGPT do), loaded by the
classes of transformers from a local folder with a vocabulary file of its own. The same strategies as for language models: a frozen
embedding with a score head, or LoRA with it; the loss is that of the score alone, since these models write no text. A fold is trained
and its held-out cases are scored in one call.
"""

from __future__ import annotations

import argparse
import csv
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from torch import nn
from transformers import AutoConfig, AutoModel

from oncoraft.foundation.errors import InputError
from oncoraft.foundation.jsonl import parse_json, write_jsonl
from oncoraft.foundation.lease import hold_devices
from oncoraft.foundation.provenance import manifest, publishing, write_json
from oncoraft.foundation.publishing import claim
from oncoraft.foundation.stable import stable_seed
from oncoraft.models.base import device_for, first_line
from oncoraft.models.cases import Case, batches_by_length, padded, read_rows
from oncoraft.models.fold_model import HEAD_FILE, new_score_head, score_logit
from oncoraft.planning.config import CellModel, Strategy, Training
from oncoraft.planning.edge import read_settings, run, settings_record, step_parser
from oncoraft.training.loop import steps_in, steps_of
from oncoraft.training.objective import summed_score_loss
from oncoraft.training.trainer import new_optimizer

log = logging.getLogger("oncoraft")
GENES = "Genes: "  # how the sentence of a cell begins in its prompt; genes are parted by ", "
STARTS, ENDS, PADS = ("<cls>", "[CLS]", "<s>", "<bos>"), ("<eos>", "[SEP]", "</s>"), ("<pad>", "[PAD]")
WRITTEN = ("adapter_*", HEAD_FILE, "training_log.jsonl", "training_patients.txt", "predictions.jsonl", "manifest.json")
Tokens = dict[str, int]


def read_vocabulary(settings: CellModel, size: int) -> Tokens:
    """Token by gene symbol, special tokens by their own names.

    Args:
        settings: where the vocabulary is, and the table of symbols where it holds ids.
        size: of the model's embedding.

    Raises:
        InputError: no JSON object of names and ids, an id beyond the model's embedding, or no gene.
    """
    path = Path(settings.vocabulary)
    try:
        found = parse_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"expected a vocabulary as a JSON object, gene -> token ({first_line(error)})", file=path) from None
    if not isinstance(found, dict) or not all(isinstance(value, int) and not isinstance(value, bool) for value in found.values()):
        raise InputError("expected a vocabulary as a JSON object, gene -> token", file=path)
    if beyond := [name for name, token in found.items() if not 0 <= token < size]:
        raise InputError(
            f"expected tokens below {size}, the model's embedding; that of {beyond[0]!r} is beyond", file=path, found=found[beyond[0]]
        )
    tokens = {str(name) if name in (*STARTS, *ENDS, *PADS) else str(name).upper(): token for name, token in found.items()}
    if settings.gene_table is None:
        return tokens
    by_symbol = {symbol: tokens[key] for key, symbol in read_symbols(Path(settings.gene_table)) if key in tokens}
    return {name: token for name, token in tokens.items() if name in (*STARTS, *ENDS, *PADS)} | by_symbol


def read_symbols(path: Path) -> list[tuple[str, str]]:
    """Id, without its version, and symbol of every row that has both; of a CSV with columns id and symbol.

    Raises:
        InputError: no such file, or a column is missing.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = csv.DictReader(stream)
            if absent := {"id", "symbol"} - set(rows.fieldnames or ()):
                raise InputError("expected this column", file=path, line=1, column=min(absent))
            return [(row["id"].upper().partition(".")[0], row["symbol"].upper()) for row in rows if row["id"] and row["symbol"]]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"expected a CSV with columns id and symbol ({first_line(error)})", file=path) from None


def encoded(rows: Sequence[dict[str, Any]], tokens: Tokens, longest: int, path: Path) -> tuple[list[Case], dict[str, int]]:
    """Cells as tokens of their genes, the most expressed first, within the model's context; what was unknown and what was cut.

    Raises:
        InputError: a row without a sentence, or a cell none of whose genes is in the vocabulary.
    """
    start, end = ([tokens[name] for name in names if name in tokens][:1] for names in (STARTS, ENDS))
    cases, counts = [], {"genes": 0, "genes_not_in_vocabulary": 0, "genes_beyond_context": 0}
    for number, row in enumerate(rows, 1):
        if GENES not in row["input"]:
            raise InputError("expected the sentence of a cell in the input", file=path, line=number, column="input")
        genes = [name for name in row["input"].rpartition(GENES)[2].split(", ") if name]
        known = [tokens[name] for name in genes if name in tokens]
        room = longest - len(start) - len(end)
        counts["genes"] += len(genes)
        counts["genes_not_in_vocabulary"] += len(genes) - len(known)
        counts["genes_beyond_context"] += max(0, len(known) - room)
        if not known:
            raise InputError(
                f"case {row['case_id']}: expected genes of the vocabulary; none of its {len(genes)} is there", file=path, line=number
            )
        ids = (*start, *known[:room], *end)
        cases.append(Case(row["case_id"], row["patient_id"], row.get("fold"), ids, (), row.get("responder"), row.get("score")))
    return cases, counts


def opened(settings: CellModel, device: torch.device) -> tuple[Any, int]:
    """The model in full precision, and the longest sequence that it reads.

    Raises:
        InputError: no folder that transformers can read, or one that would run code of its own.
    """
    folder = Path(settings.path)
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        model: Any = AutoModel.from_pretrained(folder, local_files_only=True, trust_remote_code=False, use_safetensors=True)
    except Exception as error:  # transformers raises many kinds for a folder that it cannot read
        raise InputError(f"expected the folder of a model that transformers can read ({first_line(error)})", file=folder) from None
    return model.float().to(device).eval(), int(config.max_position_embeddings)


def adapted(model: Any, blocks: dict[str, Any]) -> Any:
    """The model with LoRA on the layers that the settings name.

    Raises:
        InputError: no such layer.
    """
    adapter, names = blocks["adapter"], blocks["cell_model"].target_modules
    # A decoder's Conv1D holds its weight the other way round; peft asks to be told.
    turned = any(type(module).__name__ == "Conv1D" and name.endswith(tuple(names)) for name, module in model.named_modules())
    config = LoraConfig(
        r=adapter.rank, lora_alpha=adapter.alpha, lora_dropout=adapter.dropout, target_modules=list(names), fan_in_fan_out=turned
    )
    try:
        return get_peft_model(model, config)
    except ValueError as error:
        raise InputError(f"cell_models.<name>.target_modules: expected layers of this model ({first_line(error)})") from None


def pooled(model: Any, cases: Sequence[Case], pad: int, how: str, device: torch.device) -> torch.Tensor:
    """One state a cell, (cases, hidden): that of the first or the last token, or the mean of all."""
    ids, mask = padded(list(cases), pad, device)
    states = model(input_ids=ids, attention_mask=mask).last_hidden_state
    if how == "first":
        return states[:, 0]
    if how == "last":
        return states[torch.arange(len(ids), device=device), mask.sum(dim=1) - 1]
    weight = mask.unsqueeze(-1).to(states.dtype)
    return (states * weight).sum(dim=1) / weight.sum(dim=1)


@torch.no_grad()
def embedded(model: Any, cases: list[Case], pad: int, how: str, tokens: int, device: torch.device) -> dict[str, torch.Tensor]:
    """The state of every cell, read without dropout."""
    model.eval()
    found: dict[str, torch.Tensor] = {}
    for batch in batches_by_length(cases, tokens):
        found.update(zip((case.case_id for case in batch), pooled(model, batch, pad, how, device), strict=True))
    return found


def trained(
    model: Any, cases: list[Case], blocks: dict[str, Any], pad: int, device: torch.device
) -> tuple[Any, nn.Sequential, list[dict[str, float]]]:
    """Model (with adapters where the strategy has them), score head and a log line a step, from the configured seed."""
    strategy: Strategy = blocks["strategy"]
    settings: Training = blocks["training"]
    how = blocks["cell_model"].pooling
    torch.manual_seed(stable_seed(settings.seed, "start"))
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    if strategy.has_adapter:
        model = adapted(model, blocks)
    head = new_score_head(model.config.hidden_size).to(device)
    optimizer, schedule = new_optimizer(model, head, settings, steps_in(len(cases), settings))
    frozen = None if strategy.has_adapter else embedded(model, cases, pad, how, settings.tokens_per_micro_batch, device)
    learning = [parameter for module in (model, head) for parameter in module.parameters() if parameter.requires_grad]
    lines = []
    head.train()
    for step, batch in enumerate(steps_of(cases, settings), 1):
        if frozen is None:
            model.train()
        states = pooled(model, batch, pad, how, device) if frozen is None else torch.stack([frozen[case.case_id] for case in batch])
        loss = summed_score_loss(score_logit(head, states), batch, strategy) / len(batch)
        if not torch.isfinite(loss):
            raise InputError(f"step {step}: expected a finite loss; lower the learning rate", found=float(loss))
        optimizer.zero_grad()
        loss.backward()
        norm = float(torch.nn.utils.clip_grad_norm_(learning, settings.max_gradient_norm))
        optimizer.step()
        schedule.step()
        lines.append({"step": step, "loss": float(loss.detach()), "gradient_norm": norm})
    return model.eval(), head.eval(), lines


@torch.no_grad()
def predicted(
    model: Any, head: nn.Sequential, cases: list[Case], blocks: dict[str, Any], pad: int, device: torch.device
) -> list[dict[str, Any]]:
    """Predictions of the held-out cases, as language models' are written, without a text."""
    states = embedded(model, cases, pad, blocks["cell_model"].pooling, blocks["training"].tokens_per_micro_batch, device)
    rows = []
    for case in sorted(cases, key=lambda case: case.case_id):
        score = float(torch.sigmoid(score_logit(head, states[case.case_id][None]).double())[0])
        told = {"score_from_text": None, "rationale": None, "finish_reason": "not_sampled"}
        rows.append({"case_id": case.case_id, "patient_id": case.patient_id, "fold": case.fold, "score": score, **told})
    return rows


def refuse_what_it_cannot_learn(strategy: Strategy) -> None:
    """Refuse a strategy that wants a text, or trains nothing.

    Raises:
        InputError: such a one.
    """
    if strategy.language_model_weight > 0 or not strategy.has_head:
        raise InputError("expected language_model_weight 0 and score_weight above 0: a model of cells writes no text", column="strategy")


def main(arguments: Sequence[str] | None = None) -> int:
    """Train on one fold and score its held-out cases."""
    parser = step_parser(
        "cell-model",
        'example:\n  oncoraft cell-model train.jsonl heldout.jsonl --out fold-0 --settings \'{"cell_model": {"path": "geneformer", "vocabulary": "tokens.json"}, ...}\'',
    )
    parser.add_argument("train", type=Path, metavar="TRAIN", help="training file written by `oncoraft cell-split`")
    parser.add_argument("heldout", type=Path, metavar="HELDOUT", help="held-out file of the same fold")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLD_DIR", help="folder for adapter, score head and predictions")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads")
    parser.add_argument("--gpus", type=int, default=0, help="GPUs that must be visible; 0: CPU")
    given: argparse.Namespace = parser.parse_args(arguments)
    if not given.settings and not given.config:
        raise InputError("--config: expected a configuration file with cell_models, or --settings")
    blocks = read_settings("cell-model", given)
    refuse_what_it_cannot_learn(blocks["strategy"])
    claim(given.out, step="cell-model", folders=[given.out], own=WRITTEN)
    torch.set_num_threads(given.threads)
    device = device_for(hold_devices(given.gpus))
    model, longest = opened(blocks["cell_model"], device)
    tokens = read_vocabulary(blocks["cell_model"], model.config.vocab_size)
    pad = next((tokens[name] for name in PADS if name in tokens), 0)
    cases, counts = encoded(read_rows(given.train), tokens, longest, given.train)
    held, held_counts = encoded(read_rows(given.heldout), tokens, longest, given.heldout)
    if shared := {case.patient_id for case in cases} & {case.patient_id for case in held}:
        log.info("cell-model: %d donors train and are held out too; this design leaks", len(shared))
    if len({case.responder for case in cases}) < 2:
        raise InputError(f"expected sensitive and resistant cases; all {len(cases)} are of one class", file=given.train)
    model, head, lines = trained(model, cases, blocks, pad, device)
    rows = predicted(model, head, held, blocks, pad, device)
    with publishing(given.out, step="cell-model", folders=[given.out], own=WRITTEN) as (folder,):
        folder.mkdir()
        if blocks["strategy"].has_adapter:
            model.save_pretrained(folder)
            (folder / "README.md").unlink(missing_ok=True)
        torch.save({name: value.cpu() for name, value in head.state_dict().items()}, folder / HEAD_FILE)
        write_jsonl(folder / "training_log.jsonl", lines)
        write_jsonl(folder / "predictions.jsonl", rows)
        (folder / "training_patients.txt").write_text("\n".join(sorted({case.patient_id for case in cases})) + "\n", encoding="utf-8")
        outputs = {given.out / path.name: path for path in sorted(folder.iterdir())}
        told = {"cases": len(cases), "held_out": len(held), "steps": len(lines), "training": counts, "heldout": held_counts}
        inputs = [given.train, given.heldout, Path(blocks["cell_model"].path), Path(blocks["cell_model"].vocabulary)]
        settings = settings_record(given, blocks)
        note = manifest("cell-model", inputs=inputs, outputs=outputs, settings=settings, counts=told, beside=given.out / "manifest.json")
        write_json(folder / "manifest.json", note)
    log.info("cell-model: %s", told)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
