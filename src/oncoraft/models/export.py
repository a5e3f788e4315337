"""Write the model folder of one trained fold: `oncoraft export --run FOLD_DIR [--base MODEL_DIR] --out MODEL_DIR`.

The adapter is merged once, in fp32, from the original base, and cast once: adding a small update to bf16 weights would round
much of it away. What the cast costs is measured: scores of the same prompts by adapter on base (fp32) and by the written folder,
read back, stand in `export.json`. The adapter stays the authority; predictions of a study are made with it, not with this folder.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from safetensors import SafetensorError
from torch import nn
from transformers import GenerationConfig

from oncoraft.answers import prompt_token_ids
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.ownership import refuse_over_inputs
from oncoraft.foundation.provenance import file_digest, manifest, publishing, write_json
from oncoraft.foundation.publishing import claim
from oncoraft.foundation.stable import stable_fraction
from oncoraft.model_card.card import Card, read_card
from oncoraft.model_card.text import model_card
from oncoraft.models.base import context_length, final_hidden, first_line, load_base, load_tokenizer
from oncoraft.models.cases import prompt_text, read_rows
from oncoraft.models.fold_model import HEAD_FILE, check_digests, score_logit
from oncoraft.models.model_folder import number_weight_files, open_model_folder, read_score_head
from oncoraft.planning.config import Inference
from oncoraft.planning.edge import read_settings, run, settings_record, step_parser

log = logging.getLogger("oncoraft")
DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}
SHARD_SIZE = "5GB"
# Largest difference of a probability that rounding the merged weights explains: two decimal digits in bfloat16, three in float16. Far
# above what tiny folds show (`tests/models/test_export.py`); an unmerged or damaged adapter moves scores further.
LARGEST_DRIFT = {"bfloat16": 0.1, "float16": 0.02, "float32": 0.001}
EPILOG = """what goes in: a fold written by `oncoraft train` (adapter and score head) and the base model it was trained on, found from the
fold's manifest when --base is left out. An 8B model needs about 35 GB of memory for the merge in fp32.
what comes out: MODEL_DIR with config.json, model-*.safetensors, tokenizer, generation_config.json, score_head.pt, export.json, and README.md,
the model card, with the metrics that stand beside the fold; exported before there are any, it says that the model is not evaluated yet.

example:
  oncoraft export --run results/demo/tiny-qwen3/raft/kfold/fold-0 --out models/fold-0
  oncoraft predict --model models/fold-0 --case heldout.jsonl"""
# Probes for a fold whose training file is gone: any text will do, since only the difference of two scores is read.
PROBES = tuple(
    {"instruction": "How likely is a response to this treatment?", "input": f"Drugs: {drugs}\nPatient: ECOG {ecog}\nGenomics: {gene}"}
    for drugs, ecog, gene in (
        ("pembrolizumab", 0, "TMB high; MSI unstable"),
        ("carboplatin + pemetrexed", 1, "KRAS G12D; TP53 R175H"),
        ("osimertinib", 1, "EGFR L858R"),
        ("docetaxel", 2, "no alteration found"),
    )
)


def base_files(run_folder: Path) -> dict[Path, str]:
    """Files of the base model that a fold's manifest names (path as recorded, from the fold's folder), with their digests.

    Raises:
        InputError: no manifest, or one that `oncoraft train` did not write.
    """
    path = run_folder / "manifest.json"
    try:
        inputs = json.loads(path.read_text(encoding="utf-8"))["inputs"]
        folders = [Path(name).parent for name in inputs if Path(name).name == "config.json"]
    except (OSError, json.JSONDecodeError, KeyError, TypeError):
        raise InputError("expected the manifest of a fold written by `oncoraft train`", file=path) from None
    if len(folders) != 1:
        raise InputError("expected one base model (a config.json) among the inputs of the manifest", file=path, found=len(folders))
    return {Path(name): digest for name, digest in inputs.items() if Path(name).parent == folders[0]}


def find_base(run_folder: Path, given: Path | None) -> Path:
    """The base model of a fold, its configuration and weights proven to be the ones that the adapter was trained on.

    Raises:
        InputError: not where the manifest says and not given; or another model than the adapter's.
    """
    files = base_files(run_folder)
    folder = given if given is not None else run_folder / next(iter(files)).parent
    if not folder.is_dir():
        raise InputError("expected the base model that the manifest names; give --base", file=folder)
    for path, digest in sorted(files.items()):
        if path.name != "config.json" and path.suffix != ".safetensors":
            continue
        if not (folder / path.name).is_file():
            raise InputError("expected this file of the base model that the adapter was trained on", file=folder / path.name)
        if (found := file_digest(folder / path.name)) != digest:
            raise InputError(
                f"expected the base model that the adapter was trained on (sha256 {digest[:12]})", file=folder / path.name, found=found[:12]
            )
    return folder


def probe_rows(run_folder: Path, given: Path | None, count: int) -> tuple[list[dict[str, Any]], str]:
    """Prompts to measure drift on, and where they come from: the file given, the fold's training file, or built-in probes."""
    path = given
    if path is None:
        inputs = json.loads((run_folder / "manifest.json").read_text(encoding="utf-8"))["inputs"]
        path = next((run_folder / name for name in inputs if name.endswith(".jsonl") and (run_folder / name).is_file()), None)
    if path is None:
        return list(PROBES)[:count], "built-in"
    # By hash: the same probes in whatever order the file lists its cases.
    rows = sorted(read_rows(path), key=lambda row: (stable_fraction("drift", row["case_id"]), row["case_id"]))
    return rows[:count], path.name


@torch.inference_mode()
def probe_logits(model: Any, head: nn.Sequential, prompts: list[list[int]]) -> torch.Tensor:
    """The head's logit of every prompt, (prompts,), one prompt at a time and without padding."""
    found = []
    for ids in prompts:
        row = torch.tensor([ids])
        found.append(score_logit(head, final_hidden(model, row, torch.ones_like(row))[:, -1]))
    return torch.cat(found).double()


def adapted(base: Any, run_folder: Path) -> Any:
    """The base model in fp32 with the fold's adapter, or the base itself for a strategy without one.

    Raises:
        InputError: an adapter without weights, or one of another model.
    """
    if not (run_folder / "adapter_config.json").is_file():
        return base.eval()
    if not (run_folder / "adapter_model.safetensors").is_file():
        raise InputError("expected adapter weights beside adapter_config.json", file=run_folder / "adapter_model.safetensors")
    try:
        model: Any = PeftModel.from_pretrained(base, run_folder, local_files_only=True).eval()
    except (RuntimeError, ValueError, OSError, KeyError, SafetensorError) as error:
        raise InputError(f"expected an adapter of this base model ({first_line(error)})", file=run_folder) from None
    check_digests(run_folder, ["adapter_config.json", "adapter_model.safetensors"])
    return model


def sampling_defaults(base: Path, model: Any, tokenizer: Any, settings: Inference) -> GenerationConfig:
    """The base's stop tokens with the published sampling; top-k off, or the library's 50 would sample another distribution."""
    found = GenerationConfig.from_pretrained(base) if (base / "generation_config.json").is_file() else model.generation_config
    stops = found.eos_token_id if found.eos_token_id is not None else tokenizer.eos_token_id
    how: dict[str, Any] = {"do_sample": False}
    if settings.temperature > 0:
        how = {"do_sample": True, "temperature": settings.temperature, "top_p": settings.top_p, "top_k": 0}
    begin = tokenizer.bos_token_id
    return GenerationConfig(bos_token_id=begin, eos_token_id=stops, pad_token_id=tokenizer.pad_token_id, **how)


def write_folder(folder: Path, model: Any, tokenizer: Any, generation: GenerationConfig, head: nn.Sequential, dtype: torch.dtype) -> None:
    """Weights cast once, configuration, tokenizer and head.

    The tokenizer is told to cut a prompt that is too long for its caller on the left: the quick start truncates, and a cut at the end
    would take the answer marker, at which the score is read.
    """
    model.to(dtype).config.dtype = dtype
    model.generation_config = generation
    model.save_pretrained(folder, max_shard_size=SHARD_SIZE)
    number_weight_files(folder)
    for weights in folder.glob("*.safetensors"):
        weights.chmod(0o644)  # written readable by their owner alone
    tokenizer.save_pretrained(folder)
    path = folder / "tokenizer_config.json"
    settings = json.loads(path.read_text(encoding="utf-8"))
    # Left by this load; true of this machine alone.
    settings = {name: value for name, value in settings.items() if name not in {"is_local", "local_files_only"}}
    names = ["input_ids", "attention_mask"]  # a causal model refuses the token types that some tokenizers add
    # Control tokens spelled in a prompt are text there as they are here (`oncoraft.answers`).
    write_json(path, settings | {"truncation_side": "left", "model_input_names": names, "split_special_tokens": True})
    torch.save(head.state_dict(), folder / HEAD_FILE)


def drift(unmerged: torch.Tensor, merged: torch.Tensor, source: str) -> dict[str, Any]:
    """How far the written folder's scores are from the adapter's: logit and probability, largest and mean difference."""
    logit = (merged - unmerged).abs()
    score = (merged.sigmoid() - unmerged.sigmoid()).abs()
    return {
        "prompts": len(unmerged),
        "source": source,
        "largest_logit_difference": float(logit.max()),
        "mean_logit_difference": float(logit.mean()),
        "largest_score_difference": float(score.max()),
        "mean_score_difference": float(score.mean()),
    }


def check_drift(largest: float, dtype: str, folder: Path) -> None:
    """Whether rounding can explain how far the scores moved.

    Raises:
        InputError: they moved further than the type of the weights allows, or are no numbers: what was written is another model.
    """
    # Not `>`: NaN has to fail as well.
    if not largest <= LARGEST_DRIFT[dtype]:
        expected = f"expected scores within {LARGEST_DRIFT[dtype]:g} of the adapter's after rounding to {dtype}"
        raise InputError(f"{expected}; the folder was not written", file=folder, found=f"{largest:.3g}")


def merge_and_write(given: Any, base: Path, folder: Path, settings: Inference) -> dict[str, Any]:
    """Merge, write into `folder`, read back, compare; what `export.json` says."""
    tokenizer = load_tokenizer(base)
    model = load_base(base, torch.device("cpu"))  # fp32 on a CPU, whatever the file's type
    width = int(model.config.hidden_size)
    head = read_score_head(given.run / HEAD_FILE, width)
    check_digests(given.run, [HEAD_FILE])
    rows, source = probe_rows(given.run, given.prompts, given.probes)
    texts = [prompt_text(row) for row in rows]
    # Cut on the left, as the written tokenizer will: the score is read at the end.
    prompts = [ids[-context_length(model) :] for ids in prompt_token_ids(tokenizer, texts)]
    stored = json.loads((base / "config.json").read_text(encoding="utf-8"))
    # A multimodal configuration keeps the type of its language model inside.
    stored = stored | stored.get("text_config", {})
    name = given.dtype or str(stored.get("dtype") or stored.get("torch_dtype") or "bfloat16")
    if name not in DTYPES:
        raise InputError(f"--dtype: expected one of {', '.join(DTYPES)}", found=name)
    model = adapted(model, given.run)
    unmerged = probe_logits(model, head, prompts)
    has_adapter = isinstance(model, PeftModel)
    if has_adapter:
        # safe_merge: peft looks for NaN before the merged weights replace the base's.
        model = model.merge_and_unload(safe_merge=True)
    folder.mkdir()
    log.info("export: writing %d million parameters as %s", sum(part.numel() for part in model.parameters()) // 10**6, name)
    write_folder(folder, model, tokenizer, sampling_defaults(base, model, tokenizer, settings), head, DTYPES[name])
    # Before the folder is read back, or two copies stand in memory at once.
    del model
    if prompt_token_ids(load_tokenizer(folder), texts) != prompt_token_ids(tokenizer, texts):
        raise InputError("expected a tokenizer that reads the same after it is written; this one does not", file=base)
    merged = probe_logits(*open_model_folder(folder, torch.device("cpu")), prompts)
    moved = drift(unmerged, merged, source)
    check_drift(moved["largest_score_difference"], name, folder)
    return {"dtype": name, "has_adapter": has_adapter, "hidden_size": width, "drift": moved}


def card_of(run_folder: Path, base: Path) -> Card:
    """The model card of a fold. Where its folder stands alone, or under another name, little is known of its run, and the card says so."""
    number = run_folder.resolve().name.removeprefix("fold-")
    return read_card(run_folder.resolve().parent, int(number) if number.isdigit() else None, own=run_folder.resolve(), base=base)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write one model folder."""
    parser = step_parser("export", EPILOG)
    parser.add_argument("--run", type=Path, required=True, metavar="FOLD_DIR", help="folder written by `oncoraft train`")
    parser.add_argument("--base", type=Path, metavar="MODEL_DIR", help="its base model; left out: where the fold's manifest says")
    parser.add_argument("--out", type=Path, required=True, metavar="MODEL_DIR", help="model folder to write")
    parser.add_argument("--dtype", choices=sorted(DTYPES), help="type of the weights; left out: the base's own")
    parser.add_argument("--prompts", type=Path, metavar="FILE", help="JSONL whose prompts measure the drift; left out: the training file")
    parser.add_argument("--probes", type=int, default=8, metavar="N", help="prompts to measure the drift on (8)")
    given = parser.parse_args(arguments)
    if given.probes < 1:
        raise InputError("--probes: expected at least 1", found=given.probes)
    blocks = read_settings("export", given)
    if not given.run.is_dir():
        raise InputError("expected a fold's folder written by `oncoraft train`", file=given.run)
    if not (given.run / HEAD_FILE).is_file():
        raise InputError("expected a score head: a strategy without one has no model folder", file=given.run / HEAD_FILE)
    base = find_base(given.run, given.base)
    refuse_over_inputs([given.out], [given.run, base])
    claim(given.out, step="export", folders=[given.out])
    card = card_of(given.run, base)
    with publishing(given.out, step="export", folders=[given.out]) as (folder,):
        report = merge_and_write(given, base, folder, blocks["inference"])
        write_json(folder / "export.json", report)
        (folder / "README.md").write_text(model_card(card), encoding="utf-8")
        outputs = {given.out / path.name: path for path in sorted(folder.iterdir())}
        settings = settings_record(given, blocks)
        inputs, beside = [given.run / name for name in ("manifest.json", HEAD_FILE)], given.out / "manifest.json"
        inputs += [file for file in sorted(given.run.glob("adapter_*")) if file.is_file()]
        inputs += [file for file in sorted(base.iterdir()) if file.suffix in {".json", ".safetensors", ".model", ".jinja"}]
        inputs += card.files
        counts = report["drift"]
        write_json(
            folder / "manifest.json", manifest("export", inputs=inputs, outputs=outputs, settings=settings, counts=counts, beside=beside)
        )
    change = report["drift"]["largest_score_difference"]
    log.info("export: %s; scores of %d prompts move by at most %.2g", given.out, report["drift"]["prompts"], change)
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
