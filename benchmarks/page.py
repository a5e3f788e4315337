"""The page against its own promise: how soon the first answer comes, pasted or typed into the form, and how eight clients at once fare
beside a batched run of their cases.

    python benchmarks/page.py --model results/models/demo --cases results/demo/tiny-qwen3/prompts/kfold/fold-0/heldout.jsonl

A case of the form is asked for as a program would, and as the page does, which has the case read while it is typed: each time another
age, so that nothing is remembered.

Rounds take turns, so that a busy machine disturbs both sides alike: the engine answers the eight cases in one batch, as `oncoraft predict`
does with a file of eight; then eight clients ask the page for them at the same moment. Every answer is compared with that of the case alone:
none may be lost, mixed up or different in its score. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import httpx
import torch

from oncoraft.inference.engine import Engine
from oncoraft.inference.opening import stop_tokens
from oncoraft.inference.predict import answers, encoded, read_prompts
from oncoraft.models.base import context_length, load_tokenizer
from oncoraft.models.model_folder import open_model_folder
from oncoraft.page.demo import DEMO
from oncoraft.planning.config import Inference

CLIENTS = 8


def served(model: Path, settings: dict[str, Any], threads: int) -> tuple[subprocess.Popen[str], str]:
    """A page of a model, ready, and its address."""
    words = [sys.executable, "-m", "oncoraft", "page", "--model", str(model), "--port", "0", "--threads", str(threads)]
    process = subprocess.Popen([*words, "--settings", json.dumps({"inference": settings})], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    found = re.search(r"http://\S+", process.stdout.readline())
    assert found is not None
    address = found.group().rstrip("/")
    while httpx.get(f"{address}/api/health", trust_env=False, timeout=60).json()["status"] != "ok":
        time.sleep(0.2)
    return process, address


def ask(address: str, case: dict[str, Any], gate: Barrier | None = None) -> dict[str, Any]:
    """One case's answer, and the seconds until its score and until its end."""
    with httpx.Client(base_url=address, timeout=600, trust_env=False) as client:
        client.get("/api/version")  # the connection stands before the clock starts
        if gate is not None:
            gate.wait()
        began, first = time.perf_counter(), 0.0
        with client.stream("POST", "/api/predict", json=case) as response:
            for line in response.iter_lines():
                first = first or time.perf_counter() - began
                last = json.loads(line)
        return {"first": first, "whole": time.perf_counter() - began, "record": last["record"]}


def typed(address: str, rounds: int, is_read_ahead: bool) -> float:
    """Median seconds until the first score of a case of the form."""
    found = []
    for number in range(rounds):
        entries = [
            one | {"value": str(40 + 2 * number + is_read_ahead)} if one["field"] == "age_at_index" else one for one in DEMO[0]["entries"]
        ]
        if is_read_ahead:
            httpx.post(f"{address}/screen/read", json={"entries": entries}, trust_env=False, timeout=60).raise_for_status()
        found.append(ask(address, {"entries": entries})["first"])
    return statistics.median(found)


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--cases", type=Path, required=True)
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    settings = {"max_new_tokens": given.tokens}
    prompts = read_prompts(given.cases)[:CLIENTS]
    cases = [{"case_id": name, "prompt": text} for name, text in prompts]
    torch.set_num_threads(given.threads)
    model, head = open_model_folder(given.model, torch.device("cpu"))
    tokenizer, longest, inference = load_tokenizer(given.model), context_length(model), Inference(**settings)
    engine = Engine(model, head, tokenizer.pad_token_id, stop_tokens(tokenizer, model), inference.batch_tokens)
    process, address = served(given.model, settings, given.threads)
    try:
        alone = [ask(address, case) for case in cases]
        forms = {is_ahead: typed(address, given.rounds, is_ahead) for is_ahead in (False, True)}
        batched, slowest, firsts = [], [], []
        for _ in range(given.rounds):
            began = time.perf_counter()
            answers(engine, tokenizer, encoded(prompts, tokenizer, longest, given.cases), inference, longest)
            batched.append(time.perf_counter() - began)
            gate = Barrier(CLIENTS)
            with ThreadPoolExecutor(CLIENTS) as pool:
                together = list(pool.map(lambda case, gate=gate: ask(address, case, gate), cases))
            slowest.append(max(one["whole"] for one in together))
            firsts.append(statistics.median(one["first"] for one in together))
            for one, case, own in zip(together, cases, alone):
                assert one["record"]["case_id"] == case["case_id"]
                assert one["record"]["score"] == own["record"]["score"]
        texts = sum(one["record"]["rationale"] == own["record"]["rationale"] for one, own in zip(together, alone))
    finally:
        process.terminate()
    found = {
        "seconds_to_the_first_score_alone": statistics.median(one["first"] for one in alone),
        "seconds_to_the_first_score_of_a_form": forms[False],
        "seconds_to_the_first_score_of_a_form_read_while_typed": forms[True],
        "seconds_to_the_first_score_of_eight": statistics.median(firsts),
        "batched_seconds": statistics.median(batched),
        "slowest_of_eight_seconds": statistics.median(slowest),
        "ratio": statistics.median(slow / batch for slow, batch in zip(slowest, batched)),
        "texts_equal_to_those_alone": f"{texts} of {CLIENTS}",
        "rounds": given.rounds,
        "tokens": given.tokens,
    }
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
