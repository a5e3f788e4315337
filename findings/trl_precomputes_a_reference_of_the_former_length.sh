#!/usr/bin/env bash
# trl 1.16.0, datasets 5.2.0 (transformers 5.17.0, torch 2.13.0): DPOConfig(precompute_ref_log_probs=True), run again with another length
#
# Guess: what the reference thinks of the answers is computed anew once the tokens it reads are others. In the first step the policy is the reference, so that
#        the loss is ln 2 = 0.693 and the margin 0, whatever the length.
# Fact:  the log-probabilities go into the cache of the data set under a key of its fingerprint and the model's weights alone. With truncation_mode="keep_end",
#        max_length acts in the collator, later than the fingerprint: a run with 64 tokens is given the reference of the run with 16. So it is for ld_alpha
#        where max_length is None. (With keep_start a filter before it happens to read the arguments.) Nothing is said, not even that a cache is read.
# Why:   a record is cut on the left, to keep the latest notes, and the length is what one changes first. All of the training then pushes against answers
#        that the reference has not read: here a loss of 3.5 in the first step, and a margin of -3.4 in favour of the wrong answers, for a policy that has
#        not moved. A tuning of ld_alpha compares each value with the reference of the first.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile torch==2.13.0 trl==1.16.0 transformers==5.17.0 accelerate==1.15.0 datasets==5.2.0 numpy==2.4.6
export HF_HUB_OFFLINE=1 HF_HOME="$folder/home" OMP_NUM_THREADS=1
cat > train.py <<'PYTHON'
import json
import math
import sys

import torch
from datasets import load_dataset
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from trl import DPOConfig, DPOTrainer

WORDS = ["<pad>", "<eos>", "<unk>", *(f"word{number}" for number in range(20))]
words = Tokenizer(models.WordLevel({word: place for place, word in enumerate(WORDS)}, unk_token="<unk>"))
words.pre_tokenizer = pre_tokenizers.Whitespace()
tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>")
torch.manual_seed(0)
sizes = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2, "initializer_range": 0.3}
LlamaForCausalLM(LlamaConfig(vocab_size=len(WORDS), pad_token_id=0, eos_token_id=1, bos_token_id=None, **sizes)).save_pretrained("base")


def text(count: int) -> str:
    return " ".join(f"word{number}" for number in torch.randint(0, 20, (count,)).tolist())


with open("pairs.jsonl", "w") as lines:  # a long record, a long answer that is preferred, a short one that is not
    for _ in range(16):
        lines.write(json.dumps({"prompt": text(40), "chosen": " " + text(20), "rejected": " " + text(8)}) + "\n")


def first_step(precomputed: bool, **options) -> tuple[float, float]:
    """Loss and margin of the first step, where policy and reference are the same weights."""
    arguments = DPOConfig(
        "out", precompute_ref_log_probs=precomputed, max_steps=1, per_device_train_batch_size=4, gradient_accumulation_steps=4, report_to="none",
        use_cpu=True, bf16=False, disable_tqdm=True, save_strategy="no", logging_steps=1, gradient_checkpointing=False, seed=0, **options,
    )
    pairs = load_dataset("json", data_files="pairs.jsonl", split="train")
    trainer = DPOTrainer(AutoModelForCausalLM.from_pretrained("base"), args=arguments, train_dataset=pairs, processing_class=tokenizer)
    trainer.train()
    entry = next(entry for entry in trainer.state.log_history if "loss" in entry)
    return float(entry["loss"]), float(entry["rewards/margins"])


right, wrong = [], []
for name, former, latter in [
    ("max_length 16, then 64", {"truncation_mode": "keep_end", "max_length": 16}, {"truncation_mode": "keep_end", "max_length": 64}),
    ("ld_alpha none, then 0.5", {"max_length": None}, {"max_length": None, "ld_alpha": 0.5}),
]:
    torch.manual_seed(0)
    if name.startswith("ld_alpha"):  # other pairs, so that each of the two comparisons has a cache of its own
        with open("pairs.jsonl", "a") as lines:
            lines.write(json.dumps({"prompt": text(40), "chosen": " " + text(20), "rejected": " " + text(8)}) + "\n")
    first, second, afresh = first_step(True, **former), first_step(True, **latter), first_step(False, **latter)
    print(f"RESULT {name}: loss (margin) of the first step: first run {first[0]:.3f} ({first[1]:.2f}); second run guess 0.693 (0.00), "
          f"fact {second[0]:.3f} ({second[1]:.2f}); the second without precomputing {afresh[0]:.3f} ({afresh[1]:.2f})")
    right.append(all(abs(loss - math.log(2)) < 1e-3 for loss, _ in (first, afresh)))
    wrong.append(abs(second[0] - math.log(2)) > 0.05)
sys.exit(0 if all(right) and all(wrong) else 3)
PYTHON
status=0
venv/bin/python -W ignore train.py > log 2>&1 || status=$?
grep RESULT log | cut -c8- || tail -5 log
if [ "$status" = 0 ]; then
  exit 0
fi
[ "$status" = 3 ] && echo "changed: the reference is computed anew for another length or ld_alpha"
exit 1
