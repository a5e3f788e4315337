"""A teacher that is a language model behind an OpenAI-compatible chat API.

Every answer is on disk before anything else is done with it, under the digest of its request: a killed run goes on where it stopped and
nothing is asked twice. Equal cases are asked once. The key comes from the environment and goes nowhere but into the request's header.
What is sent of a case is its evidence (no case id, no patient id, no date) and, if the teacher may see the label, its score.
"""

from __future__ import annotations

import logging
import math
import os
import re
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from oncoraft.foundation.errors import InputError, RetryLater
from oncoraft.foundation.stable import stable_seed
from oncoraft.planning.config import Rationales
from oncoraft.rationales.endpoint_cache import Cache, digest_of
from oncoraft.rationales.endpoint_client import Client, NoAnswer, Unavailable
from oncoraft.rationales.teacher import Lesson

log = logging.getLogger("oncoraft")
DATA_FILES = ("teacher.txt",)
INSTRUCTION = Path(__file__).parent / DATA_FILES[0]
CHARACTERS_PER_TOKEN = 3.5  # an estimate for English clinical text, on the safe side; the server's own count is in its answers
TOKENS_PER_MESSAGE = 8
PROGRESS_SECONDS = 10.0
FEW = 5  # requests that may be refused by chance before a server is taken for set up wrongly
# Mid-points between the labels' scores, as the categories of an answer have them.
ATTITUDE = (
    (0.85, "The treatment is judged very likely to help: argue so, surely."),
    (0.5, "The treatment is judged likely to help, not certain: argue so, with reserve."),
    (0.15, "The treatment is judged rather unlikely to help, not certain: argue so, with reserve."),
    (-1.0, "The treatment is judged very unlikely to help: argue so, surely."),
)
THINKING = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL | re.IGNORECASE)
PREFACE = re.compile(
    r"\A\W*(?:(?:assistant|model)\s*:\s*)?(?:score\W+[01]?\.?\d+\W+)?(?:(?:reasoning|rationale|answer)\s*:\s*)?", re.IGNORECASE
)


def instruction_of(block: Rationales) -> str:
    """The system message.

    Raises:
        InputError: the configured file cannot be read.
    """
    path = Path(block.endpoint_instruction) if block.endpoint_instruction else INSTRUCTION
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise InputError("expected a text file with the teacher's instruction", file=path) from None


def request_body(block: Rationales, instruction: str, lesson: Lesson, attempt: int) -> dict[str, Any]:
    """What is sent for a case: the same case, settings and attempt always give the same body."""
    sections: dict[str, list[str]] = {}
    for section, text in lesson.statements:
        sections.setdefault(section, []).append(text)
    shown = "\n".join(f"{section.replace('_', ' ').capitalize()}: {'; '.join(texts)}" for section, texts in sections.items())
    if lesson.score is not None:
        score = lesson.score
        shown += "\n\n" + next(text for least, text in ATTITUDE if score >= least)
    return {
        "model": block.endpoint_model,
        "messages": [{"role": "system", "content": instruction}, {"role": "user", "content": shown}],
        "temperature": block.endpoint_temperature,
        "top_p": block.endpoint_top_p,
        "max_tokens": block.endpoint_max_tokens,
        "seed": stable_seed(block.seed, "endpoint", attempt) >> 1,  # some servers hold it in 31 bits
        "stream": False,
    }


def cleaned(content: str) -> str:
    """The rationale in an answer: without thinking aloud, without a score line or heading before it, without emphasis marks."""
    text = THINKING.sub("", content).replace("**", "").replace("```", "").strip()
    return PREFACE.sub("", text, count=1).strip().strip('"').strip()


class EndpointTeacher:
    """Asks a server, several cases at a time.

    Args:
        block: the configuration.
        cache: folder of the answers.
    """

    name = "endpoint"
    instruction: str

    def __init__(self, block: Rationales, cache: Path) -> None:
        self.block = block
        self.instruction = instruction_of(block)
        key = key_of(block)
        self.cache = Cache(cache, key)
        self.client = Client(block, key)
        self.cached = self.answered = self.failed = 0
        self.seen: set[str] = set()  # digests of this run, so that equal cases count once wherever they stand
        self.tokens = {"prompt_tokens": 0, "completion_tokens": 0}

    def counts(self) -> dict[str, Any]:
        """For the manifest: how many requests were answered, from where, what went wrong on the way, tokens as the server counts them."""
        events = dict(sorted(self.client.events.items()))
        return {
            "model": self.block.endpoint_model,
            "requests_sent": events.pop("requests", 0),
            "answers_received": self.answered,
            "answers_from_cache": self.cached,
            "requests_failed": self.failed,
            "cache_entries_damaged": self.cache.damaged,
            "events": events,
            **self.tokens,
        }

    def propose(self, lessons: Sequence[Lesson], attempt: int) -> dict[str, str | None]:
        """A rationale of each case, None where every try of its request failed.

        Raises:
            InputError: key, address or model are wrong.
            RetryLater: the server cannot be reached; what it answered so far is kept.
        """
        bodies: dict[str, dict[str, Any]] = {}
        digest_by_case = {}
        for lesson in lessons:
            body = request_body(self.block, self.instruction, lesson, attempt)
            digest_by_case[lesson.case_id] = digest = digest_of(body)
            bodies[digest] = body
        with self.cache.held():
            answers: dict[str, dict[str, Any] | None] = {digest: self.cache.get(digest) for digest in bodies}
            self.cached += sum(answer is not None for digest, answer in answers.items() if digest not in self.seen)
            self.seen.update(answers)
            answers.update(self._ask_all({digest: bodies[digest] for digest, answer in answers.items() if answer is None}))
        texts = {digest: text_of(answer, bodies[digest]) if answer is not None else None for digest, answer in answers.items()}
        return {case_id: texts[digest] for case_id, digest in digest_by_case.items()}

    def _ask_all(self, bodies: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any] | None]:
        """Answers to requests that are not in the cache, None where there is none."""
        found: dict[str, dict[str, Any] | None] = {}
        if not bodies:
            return found
        unavailable, refused, last_log = 0, 0, time.monotonic()
        executor = ThreadPoolExecutor(self.block.endpoint_concurrency)
        try:
            futures = {executor.submit(self._ask, digest, body): digest for digest, body in bodies.items()}
            for future in as_completed(futures):
                try:
                    found[futures[future]] = future.result()
                    unavailable = 0
                except NoAnswer as error:
                    found[futures[future]] = None
                    unavailable, refused = 0, refused + 1
                    self._refuse_after(refused, len(bodies), str(error))
                except Unavailable as error:
                    found[futures[future]] = None
                    unavailable += 1
                    self._give_up_after(unavailable, len(bodies), str(error))
                if time.monotonic() - last_log > PROGRESS_SECONDS:
                    last_log = time.monotonic()
                    log.info("rationales: %d of %d requests answered or given up", len(found), len(bodies))
        finally:
            self.client.stop.set()
            executor.shutdown(wait=True, cancel_futures=True)
            self.client.stop.clear()
        failed = sum(answer is None for answer in found.values())
        self.failed += failed
        if failed:
            log.warning("rationales: %d of %d requests failed; their cases are asked again or fall back", failed, len(bodies))
        return found

    def _give_up_after(self, in_a_row: int, asked: int, reason: str) -> None:
        """End the run where the server is not there: after a row of requests none of whose tries was answered, or at the first while there
        is no answer at all. A last few that never come, beside many that did, are counted as failed instead."""
        kept = self.answered + self.cached
        if in_a_row >= (max(10, 2 * self.block.endpoint_concurrency) if kept else min(asked, self.block.endpoint_concurrency)):
            raise RetryLater(
                f"the endpoint does not answer ({reason}; {in_a_row} requests in a row); {kept} answers are kept in {self.cache.folder}:"
                " run again to go on"
            )

    def _refuse_after(self, refused: int, asked: int, reason: str) -> None:
        """End the run where the server answers but never with a rationale: that is how a wrong address, model or request shows."""
        if not self.answered and refused >= min(asked, max(FEW, self.block.endpoint_concurrency)):
            raise InputError(
                f"rationales.endpoint_url: expected a chat API that answers the requests of this model; none of the first {refused} was",
                found="answers that are none (see `garbage` in the cache)" if reason == "garbage" else reason,
            )

    def _ask(self, digest: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = self.client.ask(digest, body, self.cache.put_garbage)
        answer = self.cache.put(digest, body, answer)
        with self.client.lock:
            self.answered += 1
            usage = answer.get("usage")
            for name in self.tokens:
                count = usage.get(name) if isinstance(usage, dict) else None
                self.tokens[name] += count if isinstance(count, int) else 0
        return answer


def text_of(answer: dict[str, Any], body: dict[str, Any]) -> str:
    """The rationale in a server's answer; some servers hand the conversation back before it."""
    content: str = answer["choices"][0]["message"]["content"]
    return cleaned(content.rpartition(body["messages"][-1]["content"])[2])


def key_of(block: Rationales) -> str | None:
    """The key, from the environment only.

    Raises:
        InputError: it holds characters that no header can carry; the key itself is not shown.
    """
    key = os.environ.get(block.endpoint_key_variable, "").strip()
    if key and not re.fullmatch(r"[\x21-\x7e]+", key):
        raise InputError(f"expected a key of printable characters in the environment variable {block.endpoint_key_variable}")
    return key or None


@dataclass(frozen=True)
class Plan:
    """What a run would ask for, without asking."""

    block: Rationales
    cases: int
    requests: int
    cached: int
    prompt_tokens: int

    @classmethod
    def of(cls, block: Rationales, cache: Path, lessons: Iterable[Lesson]) -> Plan:
        """Count the first attempt's requests that the cache cannot answer."""
        instruction, kept = instruction_of(block), Cache(cache)
        seen: set[str] = set()
        cases = cached = tokens = 0
        for lesson in lessons:
            cases += 1
            body = request_body(block, instruction, lesson, 0)
            digest = digest_of(body)
            if digest not in seen:
                seen.add(digest)
                is_kept = kept.get(digest) is not None
                cached += is_kept
                tokens += 0 if is_kept else estimated_tokens(body)
        return cls(block, cases, len(seen), cached, tokens)

    def record(self) -> dict[str, Any]:
        """Requests and tokens, for the least and the most that a run may ask."""
        to_send = self.requests - self.cached
        completion = to_send * self.block.endpoint_max_tokens
        return {
            "endpoint": self.block.endpoint_url,
            "model": self.block.endpoint_model,
            "cases": self.cases,
            "distinct_requests": self.requests,
            "answered_from_cache": self.cached,
            "requests_to_send": to_send,
            "prompt_tokens_estimated": self.prompt_tokens,
            "completion_tokens_at_most": completion,
            "if_every_rationale_is_rejected": {
                "requests": to_send * self.block.samples,
                "prompt_tokens_estimated": self.prompt_tokens * self.block.samples,
                "completion_tokens_at_most": completion * self.block.samples,
            },
        }


@lru_cache(maxsize=8)
def _tokens_of(text: str) -> int:
    return math.ceil(len(text) / CHARACTERS_PER_TOKEN) + TOKENS_PER_MESSAGE


def estimated_tokens(body: dict[str, Any]) -> int:
    """Prompt tokens of a request."""
    return sum(_tokens_of(message["content"]) for message in body["messages"])
