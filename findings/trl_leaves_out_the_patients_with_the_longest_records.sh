#!/usr/bin/env bash
# trl 1.16.0, transformers 5.17.0, datasets 5.2.0, torch 2.13.0: prompts of which some are longer than max_length (1,024 tokens unless told otherwise)
#
# Guess: "sequences longer than max_length are truncated", so that every case stays in training and evaluation, worse for its cut; or a trainer that cannot learn
#        from a case says which.
# Fact:  a case whose prompt alone fills max_length is taken out of the training set and of the evaluation set when the trainer is made, in SFT and DPO alike. No
#        warning and no count: the only sign is the name of a progress bar, which stands there whether anything is dropped or not. The run, its loss and
#        eval_loss are those of the short records. Only a set of which nothing is left ends in an error, about num_samples.
# Why:   records are long because the disease is: many lines of treatment, many scans. Those left out are the heavily pretreated, who respond least, and
#        evaluation on the rest looks better than the model is.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile torch==2.13.0 transformers==5.17.0 accelerate==1.15.0 trl==1.16.0 datasets==5.2.0 numpy==2.4.6
export HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1
venv/bin/python - > out 2> err <<'PYTHON' || { cat out err; exit 1; }
import logging
import sys
import warnings

import torch
from datasets import Dataset
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer

WORDS = ["<pad>", "<eos>", "<unk>", "line", "of", "treatment", "response", "progression"]
words = Tokenizer(models.WordLevel({word: place for place, word in enumerate(WORDS)}, unk_token="<unk>"))
words.pre_tokenizer = pre_tokenizers.Whitespace()
tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>")
torch.manual_seed(0)
sizes = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2}
LlamaForCausalLM(LlamaConfig(vocab_size=len(WORDS), pad_token_id=0, eos_token_id=1, bos_token_id=None, **sizes)).save_pretrained("base")

lines = [1, 2, 3, 4, 5, 6, 7, 8]  # lines of treatment of eight patients, three tokens each; those of five and more do not respond
answers = [" response" if count < 5 else " progression" for count in lines]
cases = [{"prompt": "line of treatment " * count, "completion": answer} for count, answer in zip(lines, answers)]
pairs = [{"prompt": case["prompt"], "chosen": case["completion"], "rejected": " line"} for case in cases]
settings = {"max_length": 15, "report_to": "none", "use_cpu": True, "bf16": False, "disable_tqdm": True, "max_steps": 2, "save_strategy": "no"}


class Said(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


heard = Said()
for name in ("trl", "transformers", "datasets", "accelerate"):
    logging.getLogger(name).addHandler(heard)
with warnings.catch_warnings(record=True) as warned:
    warnings.simplefilter("always")
    tuned = SFTTrainer(
        AutoModelForCausalLM.from_pretrained("base"), SFTConfig("sft", **settings), train_dataset=Dataset.from_list(cases),
        eval_dataset=Dataset.from_list(cases), processing_class=tokenizer,
    )
    preferred = DPOTrainer(
        AutoModelForCausalLM.from_pretrained("base"), args=DPOConfig("dpo", **settings), train_dataset=Dataset.from_list(pairs), processing_class=tokenizer
    )
    tuned.train()
    loss = tuned.evaluate()["eval_loss"]
told = [text for text in (*heard.texts, *(str(one.message) for one in warned)) if "drop" in text.lower() or "max_length" in text or "mask" in text.lower()]
left = [len(trainer) for trainer in (tuned.train_dataset, tuned.eval_dataset, preferred.train_dataset)]
responders = sum(WORDS.index("response") in row for row in tuned.train_dataset["labels"])
print(f"cases: {len(cases)}, of whom respond: {sum(answer == ' response' for answer in answers)}")
print(f"left for SFT, for its evaluation, for DPO: guess {[len(cases)] * 3}, fact {left}; of whom respond in SFT: {responders}")
print(f"training and evaluation ran, eval_loss {loss:.2f}; words about it: {told}")
if left == [4, 4, 4] and responders == 4 and not told:
    sys.exit(0)
sys.exit("changed: long records stay, or their loss is told")
PYTHON
sed '/^{/d' out
echo "the only sign: $(tr '\r' '\n' < err | grep -o 'Dropping fully [a-z]* examples' | sort -u | paste -sd ';')"
