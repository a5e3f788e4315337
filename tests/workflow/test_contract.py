"""This change, exactly these jobs: the contract of partial reruns, on a finished small run that is copied for each row."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest

from .finished_run import FinishedRun, Job, count, downstream

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("small-run")]

RUN = "tiny/raft/kfold"
AFTER_TRAINING = {"infer": 4, "recalibrate_kfold": 1, "gather": 1, "metrics": 1, "survival": 1, "report": 1}
AFTER_GATHERING = {rule: jobs for rule, jobs in AFTER_TRAINING.items() if rule != "infer"}
OF_ONE_FOLD = {"infer": 2}
AFTER_INGESTION = {
    "regimens": 1,
    "labels": 1,
    "folds": 1,
    "followup": 1,
    "flow": 1,
    "evidence": 1,
    "audit": 1,
    "label_truth": 1,
    "rationales": 1,
    "render": 1,
    "tokens": 1,
    "leakage": 1,
    "split": 2,
    "train": 2,
    "baselines": 1,
    "selection": 1,
    **AFTER_TRAINING,
}


@pytest.fixture(scope="session")
def whole_plan(finished_run: FinishedRun) -> list[Job]:
    """Every job of the small run's plan, whether it is current or not."""
    return finished_run.jobs(everything=True)


@pytest.fixture
def copy(finished_run: FinishedRun, tmp_path: Path) -> Iterator[FinishedRun]:
    """A copy of the finished run that a test may change."""
    yield finished_run.copy(tmp_path / "copy")
    shutil.rmtree(tmp_path / "copy")


def touch_all(run: FinishedRun) -> None:
    for file in run.code.rglob("*"):
        os.utime(file)


def edit(file: str, text: str = "\nEDITED = True\n") -> Callable[[FinishedRun], None]:
    return lambda run: run.edit(file, text)


def setting(**blocks: object) -> Callable[[FinishedRun], None]:
    return lambda run: run.setting(**blocks)


def without(*paths: str) -> Callable[[FinishedRun], None]:
    """Delete results of the small cohort."""

    def delete(run: FinishedRun) -> None:
        for path in paths:
            target = run.results / path
            if target.is_dir():
                shutil.rmtree(target)
            else:
                target.unlink()

    return delete


def docstring(run: FinishedRun) -> None:
    run.replace("cases/labels.py", '"""', '"""Reworded. ')


def one_row(run: FinishedRun) -> None:
    """Progression of one scan turned round in the study's own file."""
    file = run.results / "study" / "data_timeline_progression.txt"
    text = file.read_text()
    assert "\tN\t" in text
    file.write_text(text.replace("\tN\t", "\tY\t", 1))


def new_regimen(run: FinishedRun) -> None:
    """An agent that nobody in the study had so far."""
    file = run.results / "study" / "data_timeline_treatment.txt"
    lines = file.read_text().splitlines(keepends=True)
    agents = pd.read_csv(file, sep="\t", comment="#", dtype=str)["AGENT"]
    old = agents.dropna().iloc[0]
    place = next(number for number, line in enumerate(lines) if f"\t{old}\t" in line)
    lines[place] = lines[place].replace(f"\t{old}\t", "\tTRABECTEDIN\t", 1)
    file.write_text("".join(lines))


def older_file(run: FinishedRun) -> None:
    """A table of the study replaced by one that lacks a row and is years older, as a release unpacked anew is."""
    file = run.results / "study" / "data_timeline_radiation.txt"
    other = file.with_name("other")
    other.write_text("".join(file.read_text().splitlines(keepends=True)[:-1]))
    os.utime(other, (1_714_500_000, 1_714_500_000))
    other.replace(file)


def same_size_and_time(run: FinishedRun) -> None:
    """A table replaced by one of the same size and the same time to the nanosecond."""
    file = run.results / "study" / "data_timeline_progression.txt"
    facts, text = file.stat(), file.read_text()
    other = file.with_name("other")
    other.write_text(text.replace("\tN\t", "\tY\t", 1))
    os.utime(other, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    other.replace(file)
    assert (file.stat().st_size, file.stat().st_mtime_ns) == (facts.st_size, facts.st_mtime_ns)


# Name -> (change, jobs that run again by rule). Each edit of code goes into a module that only its own step imports.
COUNTS: dict[str, tuple[Callable[[FinishedRun], None], dict[str, int]]] = {
    "nothing": (lambda run: None, {}),
    "every source touched": (touch_all, {}),
    "a comment": (edit("cases/labels.py", "# A remark.\n"), {}),
    "a docstring": (docstring, {}),
    "the code of the command line": (edit("cli.py"), {}),
    "learning rate": (setting(training={"learning_rate": 0.0011}), {"train": 2, **AFTER_TRAINING}),
    "a base model in parts": (setting(training={"shard": True}), {"train": 2, **AFTER_TRAINING}),
    "rank and alpha swapped": (setting(adapter={"rank": 32, "alpha": 16}), {"train": 2, **AFTER_TRAINING}),
    "token budget of the prompts": (
        setting(prompts={"token_budget": 500}),
        {
            "audit": 1,
            "corpus_prompts": 1,
            "corpus": 1,
            "base_model": 1,
            "render": 1,
            "tokens": 1,
            "leakage": 1,
            "split": 2,
            "train": 2,
            **AFTER_TRAINING,
        },
    ),
    # The corpus that the tiny base reads is of the same step.
    "texts of the fold files kept in one place": (
        setting(split={"texts": "referred"}),
        {"corpus": 1, "base_model": 1, "render": 1, "tokens": 1, "leakage": 1, "split": 2, "train": 2, **AFTER_TRAINING},
    ),
    "definition that trains": (
        setting(labels={"definition": "oncoraft"}),
        {
            "labels": 2,
            "flow": 1,
            "label_truth": 1,
            "rationales": 2,
            "corpus": 1,
            "base_model": 1,
            "render": 1,
            "tokens": 1,
            "leakage": 1,
            "split": 2,
            "train": 2,
            "baselines": 1,
            "selection": 1,
            **AFTER_TRAINING,
        },
    ),
    "alpha of the survival tests": (setting(survival={"alpha": 0.01}), {"survival": 1, "report": 1}),
    "endpoints of survival": (setting(survival={"endpoints": ["overall_survival"]}), {"survival": 1, "report": 1}),
    "anchor of survival": (setting(survival={"anchor": "diagnosis"}), {"survival": 1, "report": 1}),
    "landmarks with response curves": (
        setting(survival={"landmarks": [120], "response_label": "strict"}),
        {"survival": 1, "report": 1},
    ),
    "score groups of survival": (setting(survival={"groups": "tertiles"}), {"survival": 1, "report": 1}),
    "covariates of the clinical tables": (
        setting(survival={"covariates": ["age", "clinical_sample.tumor_purity"]}),
        {"survival": 1, "report": 1},
    ),
    "bootstrap resamples": (setting(evaluation={"bootstrap": 300}), {"metrics": 1, "report": 1}),
    "sampling temperature": (setting(inference={"temperature": 0.7}), AFTER_TRAINING),
    "strictness of ingestion": (
        setting(ingest={"strictness": "fail"}),
        {
            **{rule: jobs + (rule in {"regimens", "labels", "evidence", "rationales"}) for rule, jobs in AFTER_INGESTION.items()},
            "ingest": 2,
            "corpus_prompts": 1,
            "corpus": 1,
            "base_model": 1,
        },
    ),
    "seed of the twin": (setting(twin={"seed": 4}), {"twin": 1, "ingest": 1, **AFTER_INGESTION}),
    "a third fold": (
        setting(folds={"folds": 3}),
        {
            "folds": 1,
            "flow": 1,
            "leakage": 1,
            "baselines": 1,
            "selection": 1,
            "split": 3,
            "train": 3,
            **AFTER_TRAINING,
            "infer": 6,
        },
    ),
    "a third shard": (
        setting(inference={"shards": 3}),
        {**AFTER_TRAINING, "infer": 6},
    ),
    "one adapter deleted": (without(f"{RUN}/fold-0/adapter_model.safetensors"), {"train": 1, **AFTER_TRAINING, **OF_ONE_FOLD}),
    "one score head deleted": (without(f"{RUN}/fold-1/score_head.pt"), {"train": 1, **AFTER_TRAINING, **OF_ONE_FOLD}),
    "one shard deleted": (without(f"{RUN}/fold-1/predictions/shard-0.jsonl"), {**AFTER_TRAINING, "infer": 1}),
    "one recalibration deleted": (without(f"{RUN}/fold-1/recalibration.json"), AFTER_GATHERING),
    "a fold that was never run": (
        without(f"{RUN}/fold-1", "tiny/prompts/kfold/fold-1"),
        {"split": 1, "train": 1, **AFTER_TRAINING, **OF_ONE_FOLD},
    ),
    "the report deleted": (without("report"), {"report": 1}),
    "the report's data deleted": (without("report/data"), {"report": 1}),
    "single patients taken out of the report": (setting(report={"individuals": False}), {"report": 1}),
    "logs and benchmarks deleted": (without("logs", "benchmarks", f"{RUN}/logs", f"{RUN}/benchmarks"), {}),
    "one input row": (one_row, {"ingest": 1, **AFTER_INGESTION}),
    "a study file replaced by an older one": (older_file, {"ingest": 1, **AFTER_INGESTION}),
    "a study file replaced by one of the same size and time": (same_size_and_time, {"ingest": 1, **AFTER_INGESTION}),
    "a new regimen in the data": (new_regimen, {"ingest": 1, **AFTER_INGESTION}),
}


@pytest.mark.parametrize("name", COUNTS)
def test_a_change_runs_exactly_these_jobs(copy: FinishedRun, name: str) -> None:
    change, expected = COUNTS[name]
    change(copy)
    assert count(copy.jobs()) == expected


# One edit in each stage: file -> (rules whose code it is, rules that it has nothing to do with).
CODE: dict[str, tuple[set[str], set[str]]] = {
    "twin/twin.py": ({"twin"}, set()),
    "cohort/ingest.py": ({"ingest"}, {"twin"}),
    "cases/labels.py": ({"labels"}, {"ingest", "regimens", "evidence"}),
    "cases/followup.py": ({"followup"}, {"labels", "folds", "train", "metrics"}),
    "cases/folds.py": ({"folds"}, {"labels", "evidence", "render", "base_model"}),
    "cases/flow.py": ({"flow"}, {"labels", "folds", "train", "metrics"}),
    "evidence/evidence.py": ({"evidence"}, {"ingest", "regimens", "labels", "folds"}),
    "prompts/audit.py": ({"audit"}, {"evidence", "render", "split", "base_model"}),
    "rationales/rationales.py": ({"rationales"}, {"evidence", "audit", "baselines"}),
    "prompts/split.py": ({"split", "corpus"}, {"evidence", "rationales", "baselines"}),
    "evidence/templates": ({"render", "corpus_prompts"}, {"evidence", "labels", "baselines"}),
    "models/tiny.py": ({"base_model"}, {"corpus", "baselines", "audit"}),
    "training/train.py": ({"train"}, {"split", "base_model", "baselines"}),
    "inference/infer.py": ({"infer"}, {"train", "split", "baselines"}),
    "inference/recalibrate.py": ({"recalibrate_kfold"}, {"train", "infer", "baselines"}),
    "inference/gather.py": ({"gather"}, {"train", "infer", "baselines"}),
    "evaluation/baselines.py": ({"baselines"}, {"train", "infer", "gather", "selection"}),
    "evaluation/metrics.py": ({"metrics"}, {"train", "infer", "gather", "baselines", "survival"}),
    "survival/stratify.py": ({"survival"}, {"train", "infer", "gather", "baselines", "metrics"}),
    "survival/selection.py": ({"selection"}, {"train", "infer", "gather", "baselines", "metrics", "survival"}),
    "report/report.py": ({"report"}, {"train", "infer", "gather", "baselines", "metrics", "survival"}),
    "model_card/text.py": ({"report"}, {"train", "infer", "gather", "baselines", "metrics", "survival"}),
    "report/templates": ({"report"}, {"train", "infer", "gather", "baselines", "metrics", "survival"}),
}


@pytest.fixture(scope="session")
def files_of_steps(finished_run: FinishedRun, whole_plan: list[Job]) -> dict[str, list[str]]:
    """Step -> source and data files that it stands on, by its imports (that these are the real ones, tests/planning/test_sources holds)."""
    steps = sorted({step_of(job) for job in whole_plan})
    code = (
        f"import json; from oncoraft.reruns.source_record import modules_of; print(json.dumps({{s: list(modules_of(s)) for s in {steps}}}))"
    )
    done = subprocess.run([sys.executable, "-c", code], env=finished_run.environment(), capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def step_of(job: Job) -> str:
    return job.record["shellcmd"].split("-m oncoraft ")[1].split()[0]


@pytest.mark.parametrize("name", CODE)
def test_an_edit_in_a_stage_runs_that_stage_and_what_follows_from_it(
    copy: FinishedRun, whole_plan: list[Job], files_of_steps: dict[str, list[str]], name: str
) -> None:
    own, apart = CODE[name]
    source = copy.code / "src" / "oncoraft"
    files = sorted(path for path in (source / name).rglob("*") if path.is_file()) or [source / name]
    file = files[0].relative_to(source).as_posix()
    copy.edit(file)
    seeds = {job.rule for job in whole_plan if file in files_of_steps[step_of(job)]}
    assert own <= seeds
    expected = downstream(whole_plan, lambda job: job.rule in seeds)
    jobs = {(job.rule, job.of) for job in copy.jobs()}
    assert jobs == expected
    assert not apart & {rule for rule, _ in jobs}


def test_a_new_model_runs_its_own_jobs_and_the_report(copy: FinishedRun) -> None:
    copy.setting(models={"second": {"build": {"hidden_size": 32, "layers": 1, "heads": 2, "key_value_heads": 1, "intermediate_size": 64}}})
    jobs = copy.jobs()
    assert count(jobs) == {"base_model": 1, "render": 1, "tokens": 1, "leakage": 1, "split": 2, "train": 2, "compare": 1, **AFTER_TRAINING}
    assert all(job.record["wildcards"].get("model") == "second" for job in jobs if job.rule not in {"compare", "report"})


def test_a_new_strategy_runs_its_own_jobs_and_the_report(copy: FinishedRun) -> None:
    copy.setting(strategies={"graded": {"score_loss": "mse"}})
    jobs = copy.jobs()
    assert count(jobs) == {"train": 2, **AFTER_TRAINING}
    assert all(job.record["wildcards"].get("strategy") == "graded" for job in jobs if job.rule not in {"compare", "report"})


def test_another_cohort_leaves_this_one_and_the_tiny_model_alone(copy: FinishedRun) -> None:
    copy.arguments = ["--config", "cohort=other"]
    jobs = copy.jobs()
    assert {job.record["wildcards"]["cohort"] for job in jobs} == {"other"}
    assert count(jobs)["train"] == 2
    assert "base_model" not in count(jobs)


def test_a_second_cohort_runs_its_own_jobs_and_the_report_and_nothing_of_the_first(copy: FinishedRun) -> None:
    copy.setting(cohorts={"bpc": {"role": "validate", "reader": "genie_bpc", "twin": {"patients": 60, "seed": 11, "overlap": 20}}})
    jobs = copy.jobs()
    once = (
        "twin_release",
        "convert",
        "ingest",
        "overlap",
        "regimens",
        "labels",
        "followup",
        "outside_folds",
        "flow",
        "label_truth",
        "evidence",
        "audit",
    )
    of_models = ("render", "outside_cases", "average", "apply_baselines", "metrics", "survival", "external", "label_validity")
    assert count(jobs) == dict.fromkeys((*once, *of_models, "report"), 1) | {"mapping": 2, "apply": 4, "grid": 1}
    assert {job.rule for job in jobs if job.record["wildcards"].get("cohort") != "bpc"} == {"mapping", "grid", "report"}


def test_a_final_model_runs_its_own_training_and_nothing_of_the_folds(copy: FinishedRun) -> None:
    copy.setting(final={"strategies": ["raft"]})
    assert count(copy.jobs()) == {"final_cases": 1, "train_final": 1}


def test_pooled_designs_train_their_own_models_and_leave_those_of_one_cohort_alone(copy: FinishedRun) -> None:
    second = {"role": "validate", "reader": "genie_bpc", "twin": {"patients": 60, "seed": 11, "overlap": 20}}
    copy.setting(cohorts={"bpc": second}, pooling={"designs": ["kfold", "leave_cohort_out"]})
    jobs = copy.jobs()
    pooled = Counter(job.rule for job in jobs if job.record["wildcards"].get("cohort") == "pooled")
    folds = {"split": 4, "train": 4, "infer": 8, "recalibrate_kfold": 1, "recalibrate_leave_cohort_out": 1, "gather": 2, "baselines": 2}
    assert pooled == {"pool": 1, "pool_prompts": 1, "tokens": 1, **folds}
    assert {job.rule for job in jobs if job.record["wildcards"].get("cohort") == "small"} == {"mapping", "grid", "report"}


def test_a_linear_probe_reads_the_base_once_and_fits_a_fold_at_a_time(copy: FinishedRun) -> None:
    copy.setting(strategies={"linear": {"adapter": False, "language_model_weight": 0, "probe": "end_of_prompt"}})
    jobs = count(copy.jobs())
    assert jobs == {"embed": 1, "probe": 2, "recalibrate_kfold": 1, "gather": 1, "metrics": 1, "survival": 1, "report": 1}


def test_a_moved_checkout_with_its_results_has_nothing_to_do(copy: FinishedRun, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere" / "a folder with spaces"
    moved.parent.mkdir()
    copy.folder.rename(moved)
    copy.folder.mkdir()
    assert FinishedRun(moved).jobs() == []


def test_results_inside_the_checkout_need_no_directory(copy: FinishedRun) -> None:
    for name in ("results", ".snakemake"):
        (copy.run / name).rename(copy.code / name)
    assert copy.jobs(directory=copy.code) == []


def test_a_copy_that_loses_the_times_of_files_has_nothing_to_do(copy: FinishedRun) -> None:
    """As after a clone and a download: everything is new, in whatever order it came."""
    files = sorted((file for file in copy.folder.rglob("*") if file.is_file()), key=lambda file: file.name[::-1])
    for number, file in enumerate(files):
        os.utime(file, (1_700_000_000 + number, 1_700_000_000 + number))
    assert copy.jobs() == []


def test_two_plans_in_a_row_touch_nothing(copy: FinishedRun) -> None:
    def times() -> dict[Path, int]:
        return {file: file.stat().st_mtime_ns for file in copy.run.rglob("*") if file.is_file() and ".snakemake" not in file.parts}

    before = times()
    copy.jobs()
    copy.jobs()
    assert times() == before


def test_a_source_edited_after_the_plan_ends_its_job_and_the_next_run_is_current(copy: FinishedRun) -> None:
    """The edit falls between the plan and the job's start: a record of the planned code would tell of code that never ran."""
    marker = copy.folder / "edited"
    copy.edit(
        "survival/stratify.py",
        f"\nimport pathlib as _p\nif not _p.Path({str(marker)!r}).exists():\n"
        f"    _p.Path({str(marker)!r}).touch()\n    _p.Path(__file__).open('a').write('EDITED_AFTER_THE_PLAN = True\\n')\n",
    )
    done = copy.execute()
    assert done.returncode != 0
    assert marker.exists()
    told = "".join(log.read_text() for log in copy.run.rglob("survival.log*"))
    assert "the sources changed after this run was planned" in told + done.stdout + done.stderr
    assert copy.execute().returncode == 0
    assert copy.jobs() == []


def test_losing_the_engines_records_is_told_by_the_engine(copy: FinishedRun) -> None:
    """It plans nothing, changed settings or not; `oncoraft why` goes by the manifests (test_why)."""
    shutil.rmtree(copy.run / ".snakemake")
    copy.setting(training={"learning_rate": 0.0011})
    assert copy.jobs() == []
