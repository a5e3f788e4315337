"""Configuration: unknown keys, wrong types and where the message points."""

from pathlib import Path

import pytest

from oncoraft.foundation.errors import InputError
from oncoraft.planning.config import BLOCK_TYPES, Block, Config, Model, TinyModel
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
