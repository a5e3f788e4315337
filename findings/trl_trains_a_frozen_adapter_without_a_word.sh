#!/usr/bin/env bash
# trl 1.16.0, peft 0.21.2, transformers 5.17.0, torch 2.13.0: fine-tuning goes on from an adapter that was loaded as for inference
#
# Guess: PeftModel.from_pretrained(base, adapter) without is_trainable=True has no trainable parameter, so a trainer refuses it; torch does, with
#        "element 0 of tensors does not require grad".
# Fact:  so it is with gradient_checkpointing=False. SFTTrainer has checkpointing on unless told otherwise, which lets the input embeddings require a gradient:
#        the loss then has a graph, backward works, the run prints its losses and learning rates, takes its full time and leaves every tensor as it was.
#        grad_norm 0 in the log is the only trace.
# Why:   the second stage of a language model (on from a first cohort, a first cancer type, a teacher's rationales) is a day on a GPU; its result, the first
#        stage once more, looks like "the second stage does not help".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile torch==2.13.0 transformers==5.17.0 accelerate==1.15.0 peft==0.21.2 trl==1.16.0 datasets==5.2.0 numpy==2.4.6
export HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1
venv/bin/python -W ignore - <<'PYTHON' 2>&1 | tr '\r' '\n' | sed '/examples\/s\]/d; /it\/s\]/d; /^$/d'
import sys

import torch
from datasets import Dataset
from peft import LoraConfig, PeftModel, get_peft_model
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from trl import SFTConfig, SFTTrainer

WORDS = ["<pad>", "<eos>", "<unk>", *(f"word{number}" for number in range(20))]
words = Tokenizer(models.WordLevel({word: place for place, word in enumerate(WORDS)}, unk_token="<unk>"))
words.pre_tokenizer = pre_tokenizers.Whitespace()
tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>")

torch.manual_seed(0)
sizes = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2}
LlamaForCausalLM(LlamaConfig(vocab_size=len(WORDS), pad_token_id=0, eos_token_id=1, bos_token_id=None, **sizes)).save_pretrained("base")
first = LoraConfig(task_type="CAUSAL_LM", target_modules=["q_proj", "v_proj"], init_lora_weights=False)
get_peft_model(AutoModelForCausalLM.from_pretrained("base"), first).save_pretrained("first_stage")


def second_stage(**settings: bool) -> str:
    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained("base"), "first_stage")
    before = {name: value.clone() for name, value in model.state_dict().items()}
    arguments = SFTConfig(
        "out", max_steps=3, learning_rate=0.01, per_device_train_batch_size=4, report_to="none", use_cpu=True, bf16=False,
        disable_tqdm=True, save_strategy="no", **settings,
    )
    trainer = SFTTrainer(model, arguments, train_dataset=Dataset.from_dict({"text": ["word1 word2 word3"] * 8}), processing_class=tokenizer)
    try:
        trainer.train()
    except RuntimeError as error:
        return f"refused: {str(error)[:55]}"
    changed = sum(not torch.equal(value, before[name]) for name, value in model.state_dict().items())
    return f"ran {trainer.state.global_step} steps and changed {changed} tensors"


without, unset = second_stage(gradient_checkpointing=False), second_stage()
print("with gradient_checkpointing=False:", without)
print("with nothing said about it: guess the same, fact", unset)
if without.startswith("refused") and unset == "ran 3 steps and changed 0 tensors":
    sys.exit(0)
sys.exit("changed: a frozen adapter is refused, or trained")
PYTHON
