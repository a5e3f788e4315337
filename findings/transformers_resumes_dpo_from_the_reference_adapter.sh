#!/usr/bin/env bash
# transformers 5.17.0 with trl 1.16.0, peft 0.21.2, torch 2.13.0 (mended by transformers 5.24.0): a DPO run over an SFT adapter is resumed
#
# Guess: trainer.train(resume_from_checkpoint=...) goes on with the weights of the checkpoint.
# Fact:  trl keeps a frozen copy of the SFT adapter as the adapter "ref", so a checkpoint holds the trained adapter at its root and "ref" in a folder. Once
#        Trainer sees a folder with an adapter it loads folders alone. The trained adapter is left as the script made it, which is the SFT adapter, while
#        optimizer, scheduler and step counter do go on: a run that was stopped at 90 % ends with a model trained for 10 %, and says nothing.
# Why:   jobs on a cluster have a wall time and are resumed by plan. Preference training on from a fine-tuned adapter costs GPU days, and nothing in
#        the log of the resumed run looks broken.
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
from safetensors.torch import load_file
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, TrainerCallback
from trl import DPOConfig, DPOTrainer

WORDS = ["<pad>", "<eos>", "<unk>", *(f"word{number}" for number in range(20))]
words = Tokenizer(models.WordLevel({word: place for place, word in enumerate(WORDS)}, unk_token="<unk>"))
words.pre_tokenizer = pre_tokenizers.Whitespace()
tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>")

torch.manual_seed(0)
sizes = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2}
LlamaForCausalLM(LlamaConfig(vocab_size=len(WORDS), pad_token_id=0, eos_token_id=1, bos_token_id=None, **sizes)).save_pretrained("base")
lora = LoraConfig(task_type="CAUSAL_LM", target_modules=["q_proj", "v_proj"], init_lora_weights=False)
get_peft_model(AutoModelForCausalLM.from_pretrained("base"), lora).save_pretrained("sft")

pairs = Dataset.from_list([{"prompt": f"word{n} ", "chosen": "word1 word2", "rejected": "word3 word4"} for n in range(5, 13)])


class AtTheStart(TrainerCallback):
    """Keeps the trained adapter as it is when the first step begins."""

    def on_train_begin(self, args, state, control, model=None, **others):
        self.step = state.global_step
        self.weights = {
            name.replace(".default", ""): value.detach().clone() for name, value in model.named_parameters() if ".default." in name
        }


def trainer(steps: int, *callbacks: TrainerCallback) -> DPOTrainer:
    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained("base"), "sft", is_trainable=True)
    arguments = DPOConfig(
        "out", max_steps=steps, save_steps=2, learning_rate=0.01, per_device_train_batch_size=2, report_to="none", use_cpu=True,
        bf16=False, disable_tqdm=True, lr_scheduler_type="constant",
    )
    return DPOTrainer(model, args=arguments, train_dataset=pairs, processing_class=tokenizer, callbacks=list(callbacks))


trainer(2).train()
begin = AtTheStart()
trainer(4, begin).train(resume_from_checkpoint="out/checkpoint-2")


def distance(path: str) -> float:
    saved = load_file(f"{path}/adapter_model.safetensors")
    return max((begin.weights[name] - value).abs().max().item() for name, value in saved.items())


print(f"resumed at step {begin.step}; largest difference of a weight")
print(f"  from the checkpoint:  guess 0, fact {distance('out/checkpoint-2'):.3f}")
print(f"  from the SFT adapter: guess more than 0, fact {distance('sft'):.3f}")
if begin.step == 2 and distance("sft") == 0 < distance("out/checkpoint-2"):
    sys.exit(0)
sys.exit("changed: the resumed run goes on with the weights of its checkpoint")
PYTHON
