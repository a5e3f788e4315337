"""What a model reads and writes, as text and as token ids: the one place where prompt and answer are put together.

Stage folders do not import one another, but prompts, training and inference must agree to the byte and to the token. So the
published concatenation, the answer's layout, and the rule by which both become token ids stand here. Prompt and answer are
tokenised apart, so that no token spans their border; the prompt as the tokenizer does by itself (a beginning-of-text token
where the model has one), the answer without special tokens and closed by the tokenizer's end-of-text token.

Text is data: a control token spelled in a cell, a case file or a rationale is read as the characters it is made of, never as the
token. Left to itself a tokenizer would take `<|im_end|>` in a table for the end of the turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from oncoraft.foundation.errors import InputError
from oncoraft.foundation.provenance import text_digest

ANSWER_MARKER = "Answer:\n"
DIGEST_CHARACTERS = 16


def full_prompt(instruction: str, text: str) -> str:
    """What the model reads, up to where its answer begins; the published concatenation."""
    return f"{instruction}\n\n{text}\n\n{ANSWER_MARKER}"


def answer_text(score: float, rationale: str) -> str:
    """The answer that the model learns to write, in the published layout; `score` is the graded one, 0 to 1."""
    return f"Score: {score:.1f}\nReasoning:\n{rationale}"


def open_tokenizer(folder: Path) -> Any:
    """The tokenizer of a local folder; nothing is downloaded, and no code that lies in the folder is run.

    Raises:
        InputError: no such folder, or its files cannot be read.
    """
    if not folder.is_dir():
        raise InputError("expected a folder with a tokenizer", file=folder)
    from transformers import AutoTokenizer  # here: what only joins texts must not wait for it

    try:
        return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # the tokenizers library raises plain Exception for a file that it cannot read
        said = (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
        raise InputError(f"expected a tokenizer that transformers can read ({said})", file=folder) from None


def text_token_ids(tokenizer: Any, texts: Sequence[str]) -> list[list[int]]:
    """Token ids of text without special tokens of any kind: none added, and none that the text only spells.

    Args:
        tokenizer: a Hugging Face tokenizer of the base model.
        texts: any.
    """
    return list(tokenizer(list(texts), add_special_tokens=False, split_special_tokens=True)["input_ids"]) if texts else []


def prompt_token_ids(tokenizer: Any, texts: Sequence[str]) -> list[list[int]]:
    """Token ids of full prompts, never truncated.

    Args:
        tokenizer: a Hugging Face tokenizer of the base model.
        texts: from `full_prompt`.
    """
    return list(tokenizer(list(texts), split_special_tokens=True)["input_ids"]) if texts else []


def answer_token_ids(tokenizer: Any, texts: Sequence[str]) -> list[list[int]]:
    """Token ids of answers, each closed by the end-of-text token, never truncated.

    Args:
        tokenizer: a Hugging Face tokenizer of the base model.
        texts: from `answer_text`.
    """
    return [[*ids, tokenizer.eos_token_id] for ids in text_token_ids(tokenizer, texts)]


def shortened(answer: Sequence[int], longest: int) -> list[int]:
    """An answer cut to `longest` tokens, its end-of-text token kept; training cuts so, storage does not."""
    return list(answer) if len(answer) <= longest else [*answer[: longest - 1], answer[-1]]


def content_digest(text: str) -> str:
    """First 16 hexadecimal digits of a text's SHA-256: by this stored tokens are known to be those of a text."""
    return text_digest(text)[:DIGEST_CHARACTERS]
