"""Configuration: unknown keys, wrong types and where the message points."""

import os
from pathlib import Path

import pytest

from oncoraft.foundation.errors import InputError
from oncoraft.planning.config import BLOCK_TYPES, Block, CellModel, Config, Model, TinyModel
from oncoraft.planning.config_files import check_config, load_config, read_blocks

CONFIGS = Path(__file__).parents[2] / "config"


def message_for(tmp_path: Path, text: str) -> str:
    file = tmp_path / "config.yaml"
    file.write_text(text)
    with pytest.raises(InputError) as caught:
        load_config(file)
    return str(caught.value).replace(str(file), "config.yaml")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cohort: x\nlabels:\n  windw_days: 3\n", "config.yaml, line 3: labels.windw_days: unknown key; did you mean 'window_days'?"),
        ("labl: {}\n", "config.yaml, line 1: labl: unknown key; did you mean 'labels'?"),
        ("models:\n  a:\n    pth: x\n", "config.yaml, line 3: models.a.pth: unknown key; did you mean 'path'?"),
        (
            "models:\n  a:\n    build:\n      archi: x\n",
            "config.yaml, line 4: models.a.build.archi: unknown key; did you mean 'architecture'?",
        ),
        ("folds:\n  folds: two\n", "line 2: folds.folds: expected a valid integer"),
        ("labels: {window_days: 0}\n", "labels.window_days: expected greater than or equal to 1, found 0"),
        ("models: {a: {}}\n", "models.a: give exactly one of path and build"),
        ("models: {a: {path: x, build: {}}}\n", "give exactly one of path and build"),
        ("cohort: Has Spaces\n", "cohort: expected string should match pattern"),
        ("cohort: pretraining\n", "'pretraining' is the name of the tiny models' own population"),
        ("models: {tables: {path: x}}\n", "'tables' is the name of a results folder"),
        ("folds: {seed: 1:30}\n", "line 1: expected YAML (1:30 would be read as a number to another base"),
        ("labels:\n  lag_days: 017\n", "line 2: expected YAML (017 would be read as a number to another base"),
        ("- a\n", "expected a mapping of configuration keys, found 'list'"),
        ("a: [\n", "expected YAML"),
    ],
)
def test_a_mistake_is_one_line_that_names_file_line_and_key(tmp_path: Path, text: str, expected: str) -> None:
    message = message_for(tmp_path, text)
    assert expected.lower() in message.lower()
    assert "\n" not in message


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.yaml.*readable configuration file"):
        load_config(tmp_path / "none.yaml")


@pytest.mark.parametrize("name", ["config.yaml", "msk_chord.yaml"])
def test_shipped_configurations_are_valid(name: str) -> None:
    assert load_config(CONFIGS / name).models


def test_the_reproduction_has_the_published_settings_and_no_limit_of_the_demo() -> None:
    config = load_config(CONFIGS / "msk_chord.yaml")
    assert len(config.models) == 3
    assert all(model.path for model in config.models.values())
    assert config.folds.folds == 5
    adapter, training = config.adapter, config.training
    assert (adapter.rank, adapter.alpha, adapter.dropout) == (16, 32, 0.1)
    assert set(adapter.target_modules) == {"q_proj", "k_proj", "v_proj", "o_proj"}
    assert (training.epochs, training.global_batch_size) == (3, 8)
    assert (training.learning_rate, training.score_head_learning_rate) == (1e-5, 3e-5)
    assert config.split.max_training_cases is None
    assert config.inference.rationales is None


def test_the_line_of_a_later_file_wins(tmp_path: Path) -> None:
    first, second = tmp_path / "a.yaml", tmp_path / "b.yaml"
    first.write_text("folds: {folds: 5}\n")
    second.write_text("\n\nfolds: {folds: 1}\n")
    with pytest.raises(InputError, match=r"b\.yaml, line 3"):
        check_config({"folds": {"folds": 1}}, [first, second])


def test_a_step_gets_only_the_blocks_that_it_declares() -> None:
    blocks = read_blocks(("labels",), {"labels": {"window_days": 90}})
    assert blocks["labels"].window_days == 90
    with pytest.raises(InputError, match="reads no block 'folds'"):
        read_blocks(("labels",), {"folds": {}})


def test_an_unknown_model_is_answered_with_those_there_are() -> None:
    config = Config(models={"a": Model(build=TinyModel())})
    with pytest.raises(InputError, match="expected one of a, found 'b'"):
        config.blocks(("model",), model="b")


@pytest.mark.parametrize("block", [*BLOCK_TYPES.values(), TinyModel], ids=lambda block: block.__name__)
def test_every_key_is_described_and_read_by_some_code(block: type[Block]) -> None:
    source = "\n".join(
        file.read_text()
        for file in (CONFIGS.parent / "src").rglob("*.py")
        if file.name not in {"config.py", "documents.py"} and file.parent.name != "settings"
    )
    for key, field in block.model_fields.items():
        assert field.description, f"{block.__name__}.{key} has no description"
        assert f".{key}" in source, f"{block.__name__}.{key} is read by no code"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "labels:\n  definition: strict\n  definition: oncoraft\n",
            "config.yaml, line 3: expected YAML (the key 'definition' is given twice, in line 2 and line 3)",
        ),
        (
            "labels: {}\n\nfolds: {}\nlabels: {lag_days: 3}\n",
            "config.yaml, line 4: expected YAML (the key 'labels' is given twice, in line 1 and line 4)",
        ),
        ("labels: {lag_days: 3, lag_days: 3}\n", "'lag_days' is given twice, in line 1 and line 1"),
        ("a: [{b: 1, b: 2}]\n", "'b' is given twice"),
        ("labels:\n  lag_days: true\n", "config.yaml, line 2: labels.lag_days: expected a valid integer, found True"),
        ("twin:\n  seed: '1'\n", "config.yaml, line 2: twin.seed: expected a valid integer, found '1'"),
        ("twin:\n  seed: 1.0\n", "line 2: twin.seed: expected a valid integer, found 1.0"),
        ("adapter:\n  dropout: '0.1'\n", "line 2: adapter.dropout: expected a valid number, found '0.1'"),
        ("adapter:\n  dropout: yes\n", "line 2: adapter.dropout: expected a valid number, found True"),
        ("adapter:\n  dropout: .nan\n", "line 2: adapter.dropout: expected a finite number"),
        ("training:\n  weight_decay: .inf\n", "line 2: training.weight_decay: expected a finite number"),
        ("training:\n  compile: 1\n", "line 2: training.compile: expected a valid boolean, found 1"),
        ("training:\n  compile: 'true'\n", "line 2: training.compile: expected a valid boolean"),
        ("cohort: 5\n", "line 1: cohort: expected a valid string, found 5"),
        ("study: 2024-01-01\n", "line 1: study: expected a valid string"),
        ("twin:\n  patients: " + "9" * 5000 + "\n", "config.yaml, line 2: expected YAML (Exceeds the limit (4300 digits)"),
        ("twin:\n  patients: 0x" + "f" * 5000 + "\n", "twin.patients: expected a number of at most 64 bits"),
        ("study: 2024-02-31\n", "config.yaml, line 1: expected YAML (day is out of range"),
        ("models: {a: {build: {heads: 3}}}\n", "models.a.build: heads: expected a multiple of key_value_heads, 2, found 3"),
        ("models: {a: {build: {hidden_size: 20}}}\n", "hidden_size: expected a multiple of twice the heads, 8, found 20"),
        ("[" * 5000, "expected YAML"),
        ("a: &x [*x]\n", "expected values that do not hold themselves"),
        ("? [a]\n: b\n", "expected YAML (found unhashable key)"),
        ("false\n", "expected a mapping of configuration keys, found 'bool'"),
    ],
)
def test_a_key_given_twice_and_a_value_of_another_type_are_refused(tmp_path: Path, text: str, expected: str) -> None:
    message = message_for(tmp_path, text)
    assert expected.lower() in message.lower()
    assert "\n" not in message
    assert len(message) < 400


def test_a_whole_number_is_a_float_and_so_is_one_with_an_exponent_and_no_dot(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("training: {learning_rate: 1e-5, weight_decay: 0}\nadapter: {alpha: 32, target_modules: [q_proj]}\n")
    config = load_config(file)
    assert config.training.learning_rate == 1e-5
    assert isinstance(config.training.weight_decay, float)
    assert config.adapter.target_modules == ("q_proj",)


def test_a_merged_mapping_may_override_a_key(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("models:\n  a: &a {build: {steps: 3}}\n  b:\n    <<: *a\n    build: {steps: 4}\n")
    assert load_config(file).models["b"].build == TinyModel(steps=4)


def test_a_file_that_the_engine_merged_is_refused_too_where_a_key_stands_twice(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("folds: {folds: 5}\nfolds: {folds: 3}\n")
    with pytest.raises(InputError, match=r"a\.yaml, line 2: expected YAML \(the key 'folds' is given twice, in line 1 and line 2\)"):
        check_config({"folds": {"folds": 3}}, [file])


@pytest.mark.parametrize("given", [{"labels": {"lag_days": True}}, {"labels": {"lag_days": "14"}}, {"labels": {"lag_days": 14.0}}])
def test_settings_of_a_rule_are_as_strict(given: dict) -> None:
    with pytest.raises(InputError, match=r"labels\.lag_days: expected a valid integer"):
        read_blocks(("labels",), given)


def test_every_block_goes_to_a_rule_and_back_unchanged() -> None:
    for name, block in BLOCK_TYPES.items():
        needed = {Model: {"path": "x"}, CellModel: {"path": "x", "vocabulary": "y"}}.get(block, {})
        whole = block(**needed)
        assert read_blocks((name,), {name: whole.model_dump(mode="json")})[name] == whole


def test_a_pipe_as_configuration_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(InputError, match=r"pipe\.yaml: expected a readable configuration file, found 'a pipe'"):
        load_config(tmp_path / "pipe.yaml")


def test_numbers_within_a_mapping_on_the_engines_command_line_are_numbers_and_texts_stay_texts() -> None:
    words = {"twin": {"patients": "61", "clean": "true"}, "training": {"learning_rate": "1e-4"}, "rationales": {"endpoint_model": "7"}}
    config = check_config(words, words=words)
    assert (config.twin.patients, config.twin.clean, config.training.learning_rate) == (61, True, 1e-4)
    assert config.rationales.endpoint_model == "7"
    with pytest.raises(InputError, match=r"twin\.seed: expected a valid integer, found '\['"):
        check_config({"twin": {"seed": "["}}, words={"twin": {"seed": "["}})
    with pytest.raises(InputError, match=r"twin\.patients: expected a valid integer, found '61'"):
        check_config(words, words={})


@pytest.mark.parametrize("text", ["study: ~/chord\n", "models: {a: {path: ~/chord}}\n", "prompts: {instruction_file: ~/chord}\n"])
def test_a_tilde_in_a_path_is_the_users_home(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    (tmp_path / "config.yaml").write_text(text)
    config = load_config(tmp_path / "config.yaml")
    paths = [config.study, config.prompts.instruction_file, *(model.path for model in config.models.values())]
    assert "/home/ada/chord" in paths
