"""Checkout, working folder and study may stand under any name: none of it is ever code to a shell or a pattern to the engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from oncoraft.cli import main

from .conftest import ROOT, SMALL, snakemake
from .finished_run import copy_checkout

STRANGE = 'it\'s $HOME `b` & "c" ; d'


@pytest.mark.slow
def test_a_run_works_whatever_stands_in_the_paths_of_checkout_study_and_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / STRANGE
    home.mkdir()
    copy_checkout(ROOT, home / "code")
    assert main(["twin", "--patients", "60", "--seed", "5", "--out", str(home / "study")]) == 0
    monkeypatch.setenv("HOME", str(home))
    instruction = home / "instruction.txt"
    instruction.write_text("Will this patient respond?")
    settings = home / "mine.yaml"
    settings.write_text(f"study: ~/study\nprompts: {{instruction_file: '~/{instruction.name}'}}\n")
    done = snakemake(
        "--configfile", SMALL, settings, "--", "results/small/tables/manifest.json", "results/small/cases/cases.parquet",
        directory=home, snakefile=home / "code" / "workflow" / "Snakefile",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert (home / "results" / "small" / "tables" / "manifest.json").is_file()
    done = snakemake(
        "--configfile", SMALL, settings, "-n", "--", "results/small/prompts/audit.json",
        directory=home, snakefile=home / "code" / "workflow" / "Snakefile",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]


def test_settings_on_the_engines_command_line_are_read_and_a_wrong_type_is_one_line(tmp_path: Path) -> None:
    done = snakemake("--configfile", SMALL, "--config", "twin={patients: 61}", "training={learning_rate: 1e-4}", "-n", "-p", "--", "results/small/truth.parquet", directory=tmp_path)  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert '"patients":61' in done.stderr
    done = snakemake("--configfile", SMALL, "--config", "twin={patients: true}", "-n", "--", "results/small/truth.parquet", directory=tmp_path)  # fmt: skip
    assert done.returncode != 0
    assert "twin.patients: expected a valid integer, found True" in done.stderr


def test_a_key_given_twice_ends_the_plan_with_both_lines(tmp_path: Path) -> None:
    settings = tmp_path / "mine.yaml"
    settings.write_text("labels: {definition: strict}\nlabels: {definition: oncoraft}\n")
    done = snakemake("--configfile", SMALL, settings, "-n", directory=tmp_path)
    assert done.returncode != 0
    assert "the key 'labels' is given twice, in line 1 and line 2" in done.stderr


def test_braces_in_the_path_of_an_input_are_refused_by_its_key(tmp_path: Path) -> None:
    done = snakemake("--configfile", SMALL, "--config", f"study={tmp_path}/a{{b}}", "-n", directory=tmp_path)
    assert done.returncode != 0
    assert "study: expected a path without braces" in done.stderr


@pytest.mark.parametrize("where", ["code", "work"])
def test_braces_in_the_path_of_checkout_or_working_folder_are_refused_in_one_line(where: str, tmp_path: Path) -> None:
    code, work = (tmp_path / f"{name}{'{b}' * (name == where)}" for name in ("code", "work"))
    copy_checkout(ROOT, code)
    work.mkdir()
    done = snakemake("--configfile", SMALL, "-n", directory=work, snakefile=code / "workflow" / "Snakefile")
    assert done.returncode != 0
    assert "expected a folder whose path has no braces" in done.stderr
