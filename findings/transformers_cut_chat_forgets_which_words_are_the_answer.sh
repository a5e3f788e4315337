#!/usr/bin/env bash
# transformers 5.17.0 (tokenizers 0.23.3): apply_chat_template(return_assistant_tokens_mask=True) of a conversation that is cut on the left
#
# Guess: the mask marks each token of the assistant that is left after the cut. truncation_side="left" is what keeps the end of a long conversation, the last
#        question and its answer, so that the last answer is always marked.
# Fact:  once the beginning of the first answer is cut away the mask is 0 everywhere, the last answer, which is there as a whole, included: the search for the
#        answers' first tokens stops at the first one that it does not find. One token more, and all are marked. Cut on the right, masks are right.
# Why:   the mask makes the labels of fine-tuning. Conversations about a patient (question, answer, next visit) that are longer than the limit, those of the sickest, give
#        no label at all: they cost their full time, teach nothing, and a batch of such has no loss or nan. Nothing is said, and a look at short ones is fine.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile transformers==5.17.0 tokenizers==0.23.3 jinja2==3.1.6 numpy==2.4.6
export HF_HUB_OFFLINE=1 TRANSFORMERS_VERBOSITY=error
venv/bin/python -W ignore - <<'PYTHON'
import sys

from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

VISITS = [("scan one", "partial response"), ("scan two", "stable disease"), ("scan three", "progression now")]
TURNS = [{"role": role, "content": text} for visit in VISITS for role, text in zip(("user", "assistant"), visit)]
WORDS = ["<pad>", "<unk>", "user", "assistant", ":", *(word for visit in VISITS for text in visit for word in text.split())]
words = Tokenizer(models.WordLevel({word: place for place, word in enumerate(dict.fromkeys(WORDS))}, unk_token="<unk>"))
words.pre_tokenizer = pre_tokenizers.Whitespace()
tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<pad>", unk_token="<unk>")
tokenizer.chat_template = (
    "{% for turn in messages %}{{ turn.role }} : {% if turn.role == 'assistant' %}{% generation %}{{ turn.content }}{% endgeneration %}"
    "{% else %}{{ turn.content }}{% endif %} {% endfor %}"
)


def marked(side: str, length: int) -> tuple[list[str], list[str]]:
    """The tokens of a conversation cut to a length, and those of them that are marked as the assistant's."""
    tokenizer.truncation_side = side
    answer = tokenizer.apply_chat_template(
        TURNS, tokenize=True, return_dict=True, return_assistant_tokens_mask=True, truncation=True, max_length=length
    )
    tokens = tokenizer.convert_ids_to_tokens(answer["input_ids"])
    return tokens, [token for token, mask in zip(tokens, answer["assistant_masks"]) if mask]


LAST = VISITS[-1][1].split()
found = {}
for side, length in (("left", 24), ("left", 18), ("left", 17), ("left", 8), ("right", 12)):
    tokens, found[side, length] = marked(side, length)
    print(f"cut on the {side} to {length:2}, ends with {' '.join(tokens[-2:])!r}: marked {' '.join(found[side, length]) or 'nothing'!r}")
    assert side == "right" or tokens[-2:] == LAST, "the last answer is left as a whole"
whole = [word for _, answer in VISITS for word in answer.split()]
print(f"guess: cut on the left to 8, marked {' '.join(LAST)!r}; fact: {' '.join(found['left', 8]) or 'nothing'!r}")
right = found["left", 24] == found["left", 18] == whole and found["right", 12] == whole[:2]
if right and found["left", 17] == found["left", 8] == []:
    sys.exit(0)
sys.exit("changed: answers that are left are marked, or none is")
PYTHON
