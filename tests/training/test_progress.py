"""What a person sees: a line every quarter of a minute in a log, a bar in a terminal; and the arithmetic of the roofline."""

import io
import logging
import sys

import pytest
import torch

from oncoraft.models.fold_model import with_adapter
from oncoraft.training import progress
from oncoraft.training.progress import Progress, duration
from oncoraft.training.roofline import Work, measured_roof, visible_pairs, work_of
from tests.models.tiny_models import WINDOW, random_cases, random_model


def run(monkeypatch: pytest.MonkeyPatch, seconds_per_step: float, shown: bool = True) -> None:
    clock = iter(range(1000))
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock) * seconds_per_step)
    bar = Progress(20, 4, shown)
    for step in range(5, 21):
        bar.show({"step": step, "loss": 1.0 / step, "tokens_per_second": 1234.0})
    bar.close()


def test_a_log_gets_a_line_every_quarter_of_a_minute_and_the_last_step(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "oncoraft"):
        run(monkeypatch, 6.0)
    lines = [record.getMessage() for record in caplog.records]
    # Every third step is 18 s after the line before; the clock stands at 6 s x 3 steps for 3 of 16 steps: 78 s for the 13 left.
    assert lines[0] == "train: step 7 of 20, loss 0.143, 1234 tokens/s, 1 min 18 s left"
    assert len(lines) == 6
    assert lines[-1].startswith("train: step 20 of 20")
    assert lines[-1].endswith("0 s left")


def test_processes_that_do_not_write_say_nothing(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "oncoraft"):
        run(monkeypatch, 60.0, shown=False)
    assert not caplog.records


def test_a_terminal_gets_a_bar_and_no_lines(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with caplog.at_level(logging.INFO, "oncoraft"):
        run(monkeypatch, 60.0)
    assert "training" in terminal.getvalue()
    assert "20/20" in terminal.getvalue()
    assert not caplog.records


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0 s"), (59, "59 s"), (185, "3 min 5 s"), (7800, "2 h 10 min")])
def test_durations_read_as_a_person_would_say_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_pairs_under_a_window_by_hand() -> None:
    """Length 5: 1 + 2 + 3 + 4 + 5 = 15 pairs; in a window of 3: 1 + 2 + 3 + 3 + 3 = 12."""
    assert visible_pairs(5, None) == 15
    assert visible_pairs(5, 3) == 12
    assert visible_pairs(2, 3) == 3


def test_operations_of_published_sizes() -> None:
    """Qwen3-8B, 2048 prompt and 768 answer tokens: 4 x 6.946 G + 6 x 15.3 M + 4 x 0.622 G x 768 / 2816 + attention; about 31 GFLOP a token.

    Attention: 12 x 4096 x 36 layers x 2817 / 2 pairs a token = 2.49 GFLOP a token.
    """
    work = Work(6_946_000_000, 15_300_000, 622_000_000, 4096, (None,) * 36, True)

    class Sized:
        length, answer = 2816, range(768)

    per_token = work.operations([Sized()], True) / 2816
    assert per_token == pytest.approx(27.784e9 + 0.0918e9 + 0.6785e9 + 2.4925e9, rel=1e-3)
    assert Work(6_946_000_000, 0, 0, 4096, (None,) * 36, False).operations([Sized()], False) / 2816 == pytest.approx(
        13.892e9 + 0.8308e9, rel=1e-3
    )


def test_weights_are_counted_by_what_they_cost() -> None:
    """Gemma's shape of the tests: q, o 32 x 32; k, v 16 x 32; gate, up, down 48 x 32; three layers; rank 2 on q (2 x 64 weights)."""
    model = with_adapter(random_model("gemma3"), 2, 4, 0.0, ("q_proj",))
    work = work_of(model, True)
    assert work.body == 3 * (2 * 32 * 32 + 2 * 16 * 32 + 3 * 48 * 32)
    assert work.adapters == 3 * 2 * (32 + 32)
    assert work.head == 97 * 32
    assert work.attention == 4 * 8
    assert work.windows == (WINDOW, None, WINDOW)
    assert work.operations(random_cases(2), True) > work.operations(random_cases(2), False)


def test_a_roof_can_be_measured_here() -> None:
    assert 1e8 < measured_roof(torch.device("cpu")) < 1e15
