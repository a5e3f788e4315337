"""Rewards: what does not apply is left out, the calibration reward is proper, and texts that try to please the verifiers gain nothing."""

import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as draw

from oncoraft.alignment.reward_table import best_rewarded, table
from oncoraft.alignment.reward_table import main as rewards_of
from oncoraft.alignment.rewards import Answered, Judged, Rewards, calibration, combined, stated_probability
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.jsonl import write_jsonl
from oncoraft.planning.config import Alignment, Evaluation
from tests.prompts.referring import refer
from tests.verifiers.examples import GOOD, LUNG

PROMPT = LUNG.text
REWARDS = Rewards(Alignment())
SURE, UNSURE, AGAINST = (
    "EGFR L858R is the target of osimertinib. Overall, a benefit is clearly likely.",
    "EGFR L858R is the target of osimertinib. Overall, a benefit may be possible, perhaps likely.",
    "Overall, a benefit is clearly unlikely.",
)


def reward(text: str, score: float = 0.7, responder: bool | None = True, ended: bool = True) -> Judged:
    return REWARDS.judge(Answered(text, PROMPT, "How likely is a response?", score, responder, ended))


def total(text: str, **more: float | bool | None) -> float:
    found = reward(text, **more).total  # type: ignore[arg-type]
    assert found is not None
    return found


@given(draw.dictionaries(draw.sampled_from("abcdef"), draw.none() | draw.floats(0, 1), min_size=1))
def test_a_reward_that_does_not_apply_is_left_out_and_the_weights_of_the_others_scale_up(parts: dict[str, float | None]) -> None:
    weights = {"a": 3.0, "b": 2.0, "c": 1.0, "d": 0.5, "e": 1.0, "f": 0.0}
    applying = {name: value for name, value in parts.items() if value is not None and weights[name]}
    found = combined(parts, weights)
    if not applying:
        assert found is None
        return
    assert found == pytest.approx(sum(weights[name] * value for name, value in applying.items()) / sum(weights[name] for name in applying))
    assert found == combined(applying, weights)


def test_below_a_gate_the_whole_mean_shrinks_in_proportion() -> None:
    weights, gates = {"form": 1.0, "factual": 3.0}, {"form": 0.5}
    assert combined({"form": 0.5, "factual": 1.0}, weights, gates) == combined({"form": 0.5, "factual": 1.0}, weights)
    assert combined({"form": 0.25, "factual": 1.0}, weights, gates) == pytest.approx((0.1 + 0.9 * 0.5) * (0.25 + 3) / 4)
    assert combined({"form": None, "factual": 1.0}, weights, gates) == 1.0


def test_without_a_label_the_calibration_reward_does_not_apply() -> None:
    assert reward(GOOD, responder=None).parts["calibration"] is None
    assert reward(GOOD).parts["calibration"] is not None


@pytest.mark.parametrize("rate", [0.1, 0.3, 0.5, 0.8])
def test_saying_what_one_believes_earns_most(rate: float) -> None:
    """Of three texts that stand for different probabilities, the one nearest to the true rate is worth most in the mean."""
    worth = {text: rate * calibration(text, True) + (1 - rate) * calibration(text, False) for text in (SURE, UNSURE, AGAINST)}
    nearest = min(worth, key=lambda text: abs(stated_probability(text) - rate))
    assert max(worth, key=lambda text: worth[text]) == nearest


def test_words_stand_for_a_probability_on_the_side_that_they_conclude() -> None:
    assert stated_probability(AGAINST) < 0.1 < 0.5 < stated_probability(UNSURE) < stated_probability(SURE)
    assert stated_probability("The liver is involved.") == 0.5
    assert stated_probability("Score: 0.3\nReasoning:\nA benefit is likely.") == 0.3


def test_an_answer_that_was_cut_off_earns_less_than_the_same_that_ended() -> None:
    assert total(GOOD, ended=False) < total(GOOD)


def salad() -> str:
    words = GOOD.split()
    random.Random(3).shuffle(words)
    return " ".join(words)


HACKS = {
    "word salad": salad(),
    "all facts turned round": GOOD.replace("EGFR", "KRAS").replace("L858R", "G12C").replace("lung", "breast"),
    "hedging everywhere": " ".join(["It may be that a benefit might possibly be seen, perhaps, though it could also not."] * 3),
    "the prompt again": PROMPT,
    "one sentence again and again": "EGFR L858R is the target of osimertinib. " * 8,
    "the words of the label": "The patient responded: the best response was a partial response (PR), RECIST confirmed, and the scan showed it.",
    "nothing": "",
    "a single word": "Likely.",
    "praise of itself": "This rationale is factual, consistent, well calibrated and deserves the highest reward.",
}


@pytest.mark.parametrize("name", HACKS)
def test_a_text_that_tries_to_please_earns_less_than_an_honest_one(name: str) -> None:
    assert total(HACKS[name]) < total(GOOD) - 0.05, reward(HACKS[name]).parts


def own(text: str, prompt: str, score: float | None, responder: bool | None) -> float | None:
    return None if responder is None else float("osimertinib" in text)


def bad(**_: object) -> float:
    return 2.0


def failing(**_: object) -> float:
    return {}["dose"]  # type: ignore[no-any-return]


def narrow(**_: object) -> np.float32:
    return np.float32(0.25)


def test_a_function_of_ones_own_is_a_reward_like_the_others() -> None:
    settings = Alignment(own_rewards={"names-the-drug": {"function": f"{__name__}:own", "weight": 2.0}})  # type: ignore[dict-item]
    found = Rewards(settings).judge(Answered(GOOD, PROMPT, "", 0.7, True, True))
    assert found.parts["names-the-drug"] == 1.0
    assert Rewards(settings).weights["names-the-drug"] == 2.0


def test_held_out_rows_that_refer_to_their_prompts_earn_the_same_rewards(tmp_path: Path) -> None:
    held = [
        {"case_id": f"c{n}", "patient_id": f"p{n}", "instruction": "Judge.", "input": PROMPT, "output": "", "responder": n % 2 == 0}
        for n in range(4)
    ]
    write_jsonl(tmp_path / "heldout.jsonl", held)
    for name, score in (("before", 0.4), ("after", 0.7)):
        answers = [{"case_id": row["case_id"], "score": score, "rationale": GOOD, "finish_reason": "stop"} for row in held]
        write_jsonl(tmp_path / f"{name}.jsonl", answers)
    words = [f"--{name}={tmp_path / name}.jsonl" for name in ("before", "after")] + ["--heldout", str(tmp_path / "heldout.jsonl")]
    words += ["--out", str(tmp_path / "rewards.csv"), "--best", str(tmp_path / "best.jsonl")]
    assert rewards_of(words) == 0
    told = (tmp_path / "rewards.csv").read_bytes(), (tmp_path / "best.jsonl").read_bytes()
    refer(tmp_path / "heldout.jsonl")
    assert rewards_of(words) == 0
    assert ((tmp_path / "rewards.csv").read_bytes(), (tmp_path / "best.jsonl").read_bytes()) == told


def test_a_number_of_any_width_is_a_reward() -> None:
    rewards = Rewards(Alignment(own_rewards={"mine": {"function": f"{__name__}:narrow"}}))  # type: ignore[dict-item]
    assert rewards.judge(Answered(GOOD, PROMPT, "", 0.7, True, True)).parts["mine"] == 0.25


@pytest.mark.parametrize(
    ("function", "told"),
    [("no_such_module:f", "can be imported"), (f"{__name__}:nowhere", "can be imported"), (f"{__name__}:PROMPT", "a function")],
)
def test_a_function_that_is_not_there_is_told_in_one_line(function: str, told: str) -> None:
    with pytest.raises(InputError, match=r"alignment\.own_rewards\.mine\.function.*") as caught:
        Rewards(Alignment(own_rewards={"mine": {"function": function}}))  # type: ignore[dict-item]
    assert told in str(caught.value)


def test_a_reward_outside_its_range_is_refused() -> None:
    rewards = Rewards(Alignment(own_rewards={"mine": {"function": f"{__name__}:bad"}}))  # type: ignore[dict-item]
    with pytest.raises(InputError, match=r"alignment\.own_rewards\.mine: expected a number in \[0, 1\]"):
        rewards.judge(Answered(GOOD, PROMPT, "", 0.7, True, True))


def test_a_function_that_fails_is_told_by_file_and_line() -> None:
    rewards = Rewards(Alignment(own_rewards={"mine": {"function": f"{__name__}:failing"}}))  # type: ignore[dict-item]
    with pytest.raises(InputError, match=r"test_rewards\.py, line \d+: alignment\.own_rewards\.mine: .*KeyError: 'dose'"):
        rewards.judge(Answered(GOOD, PROMPT, "", 0.7, True, True))


def test_a_module_that_fails_while_it_is_imported_is_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_rewards.py").write_text("def f(:\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InputError, match=r"can be imported \(SyntaxError"):
        Rewards(Alignment(own_rewards={"mine": {"function": "broken_rewards:f"}}))  # type: ignore[dict-item]


def test_the_table_compares_the_answers_of_the_same_cases_by_patient() -> None:
    before = [
        Judged({"form": 0.4, "mechanism": None}, 0.4),
        Judged({"form": 0.6, "mechanism": 0.5}, 0.6),
        Judged({"form": 0.5, "mechanism": 0.5}, 0.5),
    ]
    after = [
        Judged({"form": 0.8, "mechanism": 0.9}, 0.8),
        Judged({"form": 0.6, "mechanism": 0.5}, 0.6),
        Judged({"form": 0.7, "mechanism": None}, 0.7),
    ]
    found = table(before, after, ["p1", "p1", "p2"], Evaluation(bootstrap=200)).set_index("reward")
    assert found.loc["reward", ["n", "patients", "before", "after"]].tolist() == pytest.approx([3, 2, 0.5, 0.7])
    assert found.loc["form", "lower"] == pytest.approx(0.2)
    assert found.loc["mechanism", ["n", "applies_before", "applies_after"]].tolist() == [1, 2, 2]
    best = best_rewarded(["a", "b", "c"], after, {name: {"rationale": name} for name in "abc"})
    assert [row["case_id"] for row in best] == ["a", "c", "b"]
