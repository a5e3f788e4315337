"""What of the user's own a run rests on is found, watched and missed before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from oncoraft.planning.plan import Plan

STRATEGIES = {"raft": {}, "grpo": {"method": "grpo", "from": "raft", "language_model_weight": 0.0}}
OWN = {"own_rewards": {"short": {"function": "short_rewards:short"}}}


def plan_of(folder: Path, strategies: dict[str, object] = STRATEGIES) -> Plan:
    plan = Plan({"models": {"tiny": {"build": {}}}, "strategies": strategies, "alignment": OWN})
    plan.content.kept = folder / "kept.json"
    return plan


def test_a_changed_reward_of_the_users_own_changes_the_parameter_that_decides_reruns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    module = tmp_path / "short_rewards.py"
    module.write_text("raise SystemExit('planning must not run it')\n")
    first = plan_of(tmp_path).own_reward_content()
    module.write_text("def short(text, **_):\n    return float(len(text) < 80)\n")
    second = plan_of(tmp_path).own_reward_content()
    assert first
    assert second
    assert first != second
    assert plan_of(tmp_path).missing() == []


def test_a_reward_whose_module_is_nowhere_is_told_before_anything_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "short_rewards.py").write_text("")
    monkeypatch.setenv("PYTHONPATH", str(elsewhere))  # a job of the workflow is given no PYTHONPATH but the package's
    monkeypatch.syspath_prepend(str(elsewhere))
    (line,) = plan_of(tmp_path).missing()
    assert "short_rewards:short: no such module in the folder of the run" in line
    assert "alignment.own_rewards.short.function" in line


def test_where_nothing_is_aligned_rewards_are_not_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert plan_of(tmp_path, {"raft": {}}).missing() == []


def test_a_package_is_found_by_its_dotted_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from oncoraft.planning.missing import module_on_path

    monkeypatch.chdir(tmp_path)
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab/__init__.py").write_text("")
    (tmp_path / "lab/rewards.py").write_text("")
    assert module_on_path("lab.rewards") == Path("lab/rewards.py")
    assert module_on_path("lab") == Path("lab/__init__.py")
