#!/usr/bin/env bash
# trl 0.28.0 and 1.16.0 (transformers 4.57.6 and 5.17.0, datasets 5.0.1 and 5.2.0, torch 2.13.0): DPOConfig(label_smoothing=...) with the default loss
#
# Guess: a setting that a trainer takes changes what it trains, as it did through trl 0.28: the conservative loss for labels of which some are wrong.
# Fact:  from 0.29 on the sigmoid loss, which is the default, does not read it. 0.3 is taken, kept in the saved arguments, and the run equals one
#        with 0.0 to the last bit; a wrong value is refused only for other losses. Whoever wants it has to write the loss anew: `robust` with the same
#        number is another one, without a lower bound.
# Why:   preferences over clinical texts are noisy (two oncologists agree on about seven of ten), so that a paper's configuration names 0.1 to 0.3. Run again
#        after an upgrade, it trains another objective, with no word in log or file.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1
cat > train.py <<'PYTHON'
import sys

import torch
from datasets import Dataset
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from trl import DPOConfig, DPOTrainer

WORDS = ["<pad>", "<eos>", "<unk>", *(f"word{number}" for number in range(20))]
words = Tokenizer(models.WordLevel({word: place for place, word in enumerate(WORDS)}, unk_token="<unk>"))
words.pre_tokenizer = pre_tokenizers.Whitespace()
tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>")
torch.manual_seed(0)
sizes = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2}
LlamaForCausalLM(LlamaConfig(vocab_size=len(WORDS), pad_token_id=0, eos_token_id=1, bos_token_id=None, **sizes)).save_pretrained("base")
pairs = Dataset.from_dict({"prompt": ["word1 word2"] * 8, "chosen": [" word3 word4"] * 8, "rejected": [" word5 word6"] * 8})


def trained(smoothing: float) -> tuple[float, torch.Tensor]:
    model, reference = (AutoModelForCausalLM.from_pretrained("base") for _ in range(2))
    arguments = DPOConfig(
        "out", label_smoothing=smoothing, max_steps=5, learning_rate=0.01, per_device_train_batch_size=4, report_to="none", use_cpu=True,
        bf16=False, disable_tqdm=True, save_strategy="no", logging_steps=5, gradient_checkpointing=False, seed=0,
    )
    trainer = DPOTrainer(model, reference, args=arguments, train_dataset=pairs, processing_class=tokenizer)
    assert trainer.args.label_smoothing == smoothing
    trainer.train()
    loss = next(entry["loss"] for entry in trainer.state.log_history if "loss" in entry)
    return float(loss), torch.cat([weight.detach().flatten() for weight in model.parameters()])


(loss, weights), (smoothed_loss, smoothed_weights) = trained(0.0), trained(0.3)
same = torch.equal(weights, smoothed_weights)
print(f"RESULT loss {loss:.4f} with label_smoothing 0, {smoothed_loss:.4f} with 0.3; weights {'equal to the last bit' if same else 'differ'}")
sys.exit(0 if same else 3)
PYTHON
run() { # versions of trl, transformers, datasets
  python3 -m venv "venv-$1"
  "venv-$1/bin/pip" install --quiet --no-compile torch==2.13.0 "trl==$1" "transformers==$2" accelerate==1.15.0 "datasets==$3" numpy==2.4.6
  local status=0
  "venv-$1/bin/python" -W ignore train.py > "log-$1" 2>&1 || status=$?
  echo "trl $1: $(grep RESULT "log-$1" | cut -c8- || tail -3 "log-$1")"
  rm -rf "venv-$1"
  return "$status"
}
before=0
run 0.28.0 4.57.6 5.0.1 || before=$?
after=0
run 1.16.0 5.17.0 5.2.0 || after=$?
[ "$before" = 3 ] && [ "$after" = 0 ] && exit 0
echo "changed: the default loss reads label_smoothing again, or it is refused"
exit 1
