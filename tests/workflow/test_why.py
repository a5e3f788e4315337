"""`oncoraft why`: what is not current, in a user's words, with what it cost before; engine records or not."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from oncoraft.reruns.moves import moved_files
from oncoraft.reruns.planning import Job, in_order
from oncoraft.reruns.reasons import Verdict, changed_settings, judge
from oncoraft.reruns.why import cost, duration, forcing, lines_of

from .finished_run import FinishedRun, count


@pytest.fixture
def copy(finished_run: FinishedRun, tmp_path: Path) -> Iterator[FinishedRun]:
    yield finished_run.copy(tmp_path / "copy")
    shutil.rmtree(tmp_path / "copy")


def why(run: FinishedRun, *more: str) -> str:
    files = [run.code / "small.yaml", *run.overlays]
    done = run.oncoraft("why", "--snakefile", run.code / "workflow/Snakefile", "--configfile", *files, *run.arguments, *more)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.xdist_group("small-run")
class TestOnAFinishedRun:
    def test_nothing(self, finished_run: FinishedRun) -> None:
        assert re.fullmatch(r"all \d+ jobs are current; nothing would run\n", why(finished_run))

    def test_a_setting_is_named_with_both_values_and_what_follows_is_told_after_what(self, copy: FinishedRun) -> None:
        copy.setting(training={"learning_rate": 0.0011})
        text = why(copy)
        assert re.search(r"^train, 2 jobs    \d+", text, re.M)
        assert "    training.learning_rate: 0.001 -> 0.0011\n" in text
        assert re.search(r"^infer, 4 jobs .*\n    after train\n", text, re.M)
        assert re.search(r"^11 of \d+ jobs are not current; by earlier runs (\d+ s|\d+ min \d\d s) of computing$", text, re.M)
        assert "--forcerun" not in text

    def test_the_costs_are_those_of_the_benchmark_files(self, copy: FinishedRun) -> None:
        for shard, seconds in ((0, 100), (1, 23)):
            file = copy.results / f"tiny/raft/kfold/benchmarks/infer-0-{shard}.tsv"
            head, values = file.read_text().splitlines()
            file.write_text(f"{head}\n{seconds}\t{values.split(chr(9), 1)[1]}\n")
            (copy.results / f"tiny/raft/kfold/fold-0/predictions/shard-{shard}.jsonl").unlink()
        text = why(copy)
        assert re.search(r"^infer .* 0 raft    1 min 40 s$", text, re.M)
        assert re.search(r"^infer .* 1 raft    23 s$", text, re.M)

    def test_a_module_that_changed_is_named(self, copy: FinishedRun) -> None:
        copy.edit("survival/stratify.py")
        text = why(copy)
        assert "    code: survival/stratify.py\n" in text
        assert "2 of " in text

    def test_missing_and_altered_files_are_named(self, copy: FinishedRun) -> None:
        (copy.results / "tiny/raft/kfold/fold-1/adapter_model.safetensors").unlink()
        metrics = copy.results / "tiny/raft/kfold/metrics/metrics.csv"
        metrics.write_text(metrics.read_text() + "x")
        text = why(copy)
        assert "    missing: results/small/tiny/raft/kfold/fold-1/adapter_model.safetensors\n" in text
        assert "    altered since it was written: results/small/tiny/raft/kfold/metrics/metrics.csv\n" in text

    def test_without_the_engines_records_it_still_knows_and_says_how_to_run_it(self, copy: FinishedRun) -> None:
        shutil.rmtree(copy.run / ".snakemake")
        copy.setting(training={"learning_rate": 0.0011})
        assert copy.jobs() == []  # the engine is blind
        text = why(copy)
        assert "training.learning_rate: 0.001 -> 0.0011" in text
        assert "the engine by itself would run 0 of them" in text
        forced = text.split("--forcerun ")[1].split()
        assert len(forced) == 2
        expected = {"train": 2, "infer": 4, "recalibrate_kfold": 1, "gather": 1, "metrics": 1, "survival": 1, "report": 1}
        assert count(copy.jobs("--forcerun", *forced)) == expected

    def test_a_new_model_never_ran_and_costs_what_the_others_did(self, copy: FinishedRun) -> None:
        copy.setting(
            models={"second": {"build": {"hidden_size": 32, "layers": 1, "heads": 2, "key_value_heads": 1, "intermediate_size": 64}}}
        )
        text = why(copy)
        assert re.search(r"^base_model second    \d+ s\n    never run$", text, re.M)
        assert text.splitlines()[-1].endswith("and 1 jobs whose like never ran")  # of one experiment there was nothing to compare

    def test_one_json_object_a_job(self, copy: FinishedRun) -> None:
        copy.setting(survival={"alpha": 0.01})
        rows = [json.loads(line) for line in why(copy, "--json").splitlines()]
        assert [row["rule"] for row in rows] == ["survival", "report"]
        assert rows[0]["reasons"] == ["survival.alpha: 0.05 -> 0.01"]
        assert rows[0]["engine_knows"] is True
        assert rows[0]["seconds"] > 0

    def test_a_second_cohort_reruns_nothing_of_the_first_but_what_shows_it(self, copy: FinishedRun) -> None:
        copy.setting(cohorts={"bpc": {"role": "validate", "reader": "genie_bpc", "twin": {"patients": 60, "seed": 11, "overlap": 20}}})
        rows = [json.loads(line) for line in why(copy, "--json").splitlines()]
        assert {row["rule"] for row in rows if row["cohort"] != "bpc"} == {"mapping", "grid", "report"}
        # What they read has grown; none of them was changed.
        assert {reason for row in rows for reason in row["reasons"] if ": " in reason and "->" in reason} == set()
        assert not {"train", "infer", "base_model", "gather"} & {row["rule"] for row in rows}

    def test_a_configuration_that_is_refused_ends_in_one_line(self, copy: FinishedRun) -> None:
        copy.setting(training={"learning_rat": 1})
        files = [copy.code / "small.yaml", *copy.overlays]
        done = copy.oncoraft("why", "--snakefile", copy.code / "workflow/Snakefile", "--configfile", *files)
        assert done.returncode == 2
        assert "training.learning_rat: unknown key; did you mean 'learning_rate'?" in done.stderr.splitlines()[-1]


def job(rule: str, inputs: tuple[str, ...], outputs: tuple[str, ...], **settings: object) -> Job:
    return Job(rule, "train", {}, inputs, outputs, settings, None, "")


def test_settings_are_compared_key_by_key_and_the_code_is_none() -> None:
    before = {"adapter": {"rank": 8, "alpha": 16.0, "gone": 1}, "code": "old"}
    now = {"adapter": {"rank": 16, "alpha": 8, "fresh": [1, 2]}, "code": "new"}
    assert changed_settings(before, now) == [
        "adapter.alpha: 16.0 -> 8",
        "adapter.fresh: a new key, [1, 2]",
        "adapter.gone: 1 -> no longer a key",
        "adapter.rank: 8 -> 16",
    ]
    assert changed_settings({"a": {"x": 32}}, {"a": {"x": 32.0}}) == []
    assert changed_settings({"a": {"x": 1}, "gone": {"y": 1, "z": 2}}, {"a": {"x": 1}, "fresh": {}}) == [
        "fresh: the step reads this block now",
        "gone: the step no longer reads this block",
    ]


def test_jobs_come_after_those_whose_files_they_read() -> None:
    jobs = [job("c", ("b",), ("c",)), job("a", (), ("a",)), job("b", ("a",), ("b",))]
    assert [one.rule for one in in_order(jobs)] == ["a", "b", "c"]


def test_what_follows_from_a_stale_job_is_stale_and_what_does_not_is_not(tmp_path: Path) -> None:
    for name in ("a", "c", "d"):
        (tmp_path / name).touch()
    jobs = [job("first", (), ("a",)), job("second", ("a",), ("b",)), job("third", ("b",), ("c",)), job("apart", ("a",), ("d",))]
    verdicts = judge(jobs, {}, tmp_path)
    assert [(verdict.job.rule, verdict.reasons) for verdict in verdicts] == [("second", ("never run",)), ("third", ("after second",))]


def test_what_reads_a_file_whose_age_does_not_count_is_left_where_the_engine_leaves_it(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).touch()
    jobs = [job("tokens", (), ("a",)), job("train", ("a",), ("b",))]
    assert [verdict.job.rule for verdict in judge(jobs, {"tokens": "Params have changed"}, tmp_path)] == ["tokens"]


def test_what_only_the_engine_sees_is_told_in_its_words(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    verdicts = judge([job("first", (), ("a",))], {"first": "Params have changed"}, tmp_path)
    assert verdicts[0].reasons == ("the engine says: Params have changed",)


def test_cost_of_a_job_without_record_is_the_mean_of_its_rule_or_unknown() -> None:
    verdicts = [Verdict(job("train", (), ("a",)), ("x",), 10.0), Verdict(job("train", (), ("b",)), ("x",), None)]
    assert cost(verdicts, {"train": [10.0, 30.0]}) == (30.0, 0)  # 10 + (10 + 30) / 2
    assert cost([Verdict(job("new", (), ("a",)), ("x",), None)], {}) == (0.0, 1)


def test_durations_for_people() -> None:
    assert [duration(seconds) for seconds in (0.4, 59.4, 60, 754, 3600, 100_000)] == [
        "0 s",
        "59 s",
        "1 min 00 s",
        "12 min 34 s",
        "1 h 00 min",
        "27 h 46 min",
    ]


def test_only_the_heads_of_chains_need_forcing() -> None:
    jobs = [job("a", (), ("a",)), job("b", ("a",), ("b",)), job("c", (), ("c", "c.manifest.json"))]
    assert forcing(jobs) == ["a", "c.manifest.json"]


def test_the_last_line_counts_what_never_ran() -> None:
    lines = lines_of([Verdict(job("new", (), ("a",)), ("never run",), None)], 3, {}, {"new": ""})
    assert lines[-1] == "1 of 3 jobs are not current; by earlier runs 0 s of computing, and 1 jobs whose like never ran"


class TestMovedCode:
    def test_a_file_under_the_same_name_in_another_folder_has_moved(self) -> None:
        before = {"cohort/twin_genes.py": "1", "errors.py": "2", "cases/labels.py": "3", "cases/old.py": "4"}
        now = {"twin/genes.py": "5", "foundation/errors.py": "2", "other/errors.py": "6", "cases/labels.py": "7", "cases/new.py": "8"}
        assert moved_files(before, now) == {"cohort/twin_genes.py": "twin/genes.py", "errors.py": "foundation/errors.py"}

    def test_it_is_told_in_one_sentence_with_its_price_and_not_at_every_job(self) -> None:
        jobs = [Verdict(job(name, (), (name,)), ("code: a.py",), 90.0) for name in ("one", "two")]
        altered = Verdict(job("three", (), ("three",)), ("code: a.py", "altered since it was written: x"), 60.0)
        lines = lines_of([*jobs, altered], 3, {}, {}, {"a.py": "room/a.py"})
        assert lines[0].startswith(
            "the code of all steps moved (1 files: a.py -> room/a.py), so every job would run again, by earlier runs 4 min 00 s"
        )
        assert [line for line in lines if "code: a.py" in line] == []
        assert any("altered since it was written: x" in line for line in lines)
