"""Blocks of single-cell cohorts: which files, which column says what, what a case is, which designs judge it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field, model_validator

from oncoraft.planning.settings.base import Block, Fraction, PathText, Slug
from oncoraft.planning.settings.models import Model, Strategy, TinyModel

CellDesign = Literal["pooled_by_donor", "pooled_by_cell", "leave_dataset_out", "leave_drug_out", "leave_tissue_out"]
LEAKING = "pooled_by_cell"  # cells of one donor on both sides, as published; beside the others it shows what that is worth


class CellTwin(Block):
    """Synthetic data sets of cells with a known response programme, in place of files."""

    data_sets: int = Field(4, ge=2, description="Data sets, a file each, with batch effects of their own.")
    donors: int = Field(50, ge=6, description="Donors of a data set under drugs whose response the programme goes with.")
    null_donors: int = Field(100, ge=0, description="Further donors of a data set under null drugs, three cells each.")
    cells: int = Field(20, ge=2, description="Cells of a donor, on average.")
    genes: int = Field(1000, ge=300, description="Genes, those of the mitochondrion, of ribosomes and of the programme among them.")
    seed: int = Field(3, ge=0, description="Another seed is another population with the same laws.")


class CellPretraining(CellTwin):
    """What a tiny model reads before it is fine-tuned on cells: prompts and answers of another twin, by a model of its own size."""

    seed: int = Field(1013, ge=0, description="Another population than the twin that is judged.")
    build: TinyModel = Field(
        TinyModel(hidden_size=64, layers=2, intermediate_size=192, steps=600, learning_rate=3e-3),
        description="Its size and pretraining; the architecture counts too.",
    )


class CellColumns(Block):
    """Which column of obs says what; null: the files have none."""

    donor: str = Field("donor", description="Who the cell is of: the unit that folds separate.")
    data_set: str | None = Field("data_set", description="Which study it is from; null: each file is one.")
    label: str = Field("response", description="Response of the donor or of the cell.")
    drug: str | None = Field("drug", description="Agent, or several joined by ' + '.")
    regimen: str | None = Field("regimen", description="Name of the regimen; null: the drug.")
    therapy_class: str | None = Field(None, description="Class of therapy; null: that of the drug table.")
    tissue: str | None = Field("tissue", description="Tissue that was sampled.")
    cancer: str | None = Field("cancer", description="Cancer type.")
    time: str | None = Field(None, description="When the sample was taken relative to treatment.")
    doublet: str | None = Field(None, description="True where a cell was called a doublet.")


class CellModel(Block):
    """A model of cells: an encoder or decoder over genes in the order of their expression, in a local folder of transformers."""

    path: PathText = Field(description="Folder with config.json and weights (safetensors); nothing is downloaded.")
    vocabulary: PathText = Field(description="JSON object: gene -> token, special tokens (<cls>, <eos>, <pad> or their like) among them.")
    gene_table: PathText | None = Field(None, description="CSV with columns id and symbol, where the vocabulary holds Ensembl ids.")
    pooling: Literal["mean", "first", "last"] = Field(
        "mean", description="State that stands for a cell: mean of its tokens, the first (a <cls>), the last (a decoder)."
    )
    gpus: int = Field(1, ge=0, description="GPUs that its jobs ask for; 0: a small one is trained on the CPU.")
    target_modules: tuple[str, ...] = Field(("query", "value"), description="Layers that get an adapter; of GPT-2's architecture c_attn.")


class CellStudy(Block):
    """A cohort of single cells: files of AnnData, what they say, and how response is learned from them."""

    files: tuple[PathText, ...] = Field((), description="Files of AnnData (.h5ad); none: the twin is made.")
    twin: CellTwin = Field(CellTwin(), description="What is made up where there are no files.")
    pretraining: CellPretraining | None = Field(
        None, description="Twin of another seed whose prompts and answers a tiny model reads first; null: it has read clinical text alone."
    )
    columns: CellColumns = Field(CellColumns(), description="Which column of obs says what.")
    donors: Literal["of_data_set", "of_all"] = Field(
        "of_data_set", description="Whether a donor's name is of its data set alone (P1 of two studies are two people) or of all of them."
    )
    matrix: str = Field("X", pattern=r"^(X|raw|layers/.+)$", description="Where expression stands: X, raw, or layers/NAME.")
    values: Literal["counts", "normalised"] = Field("counts", description="What stands there; counts are held to be whole numbers.")
    gene_ids: Literal["symbol", "ensembl"] = Field("symbol", description="What kind of name a gene has; ensembl: versions are taken off.")
    gene_column: str | None = Field(None, description="Column of var with these names; null: its index.")
    gene_table: PathText | None = Field(None, description="CSV with columns id and symbol, by which ids become symbols.")
    duplicate_genes: Literal["refuse", "sum"] = Field("refuse", description="What becomes of a name that stands twice in a file.")
    labels: dict[str, Fraction] = Field(
        {"sensitive": 1.0, "resistant": 0.0},
        description="Words of the label column -> graded response; {}: the column holds the grade, 0 to 1.",
    )
    times: tuple[str, ...] = Field((), description="Words of the time column that are kept; none: all. After treatment is no prediction.")
    minimum_genes: int = Field(200, ge=1, description="Cells with fewer expressed genes are left out.")
    maximum_mitochondrial: Fraction = Field(0.2, description="Cells with a larger share of mitochondrial counts are left out.")
    unit: Literal["cell", "donor"] = Field("cell", description="What a case is: a cell, or the sum of a donor's cells under one drug.")
    cells_per_donor: int | None = Field(None, ge=1, description="Cap on cells of a donor, by stable hash; null: all.")
    genes_shown: int = Field(60, ge=5, description="Genes of a cell's sentence, the most expressed first, ties by symbol.")
    mitochondrial: bool = Field(False, description="Whether mitochondrial genes enter a sentence.")
    ribosomal: bool = Field(False, description="Whether genes of ribosomal proteins enter a sentence.")
    token_budget: int = Field(
        512, ge=64, description="Longest prompt in tokens, estimated from its characters; the last genes are cut first."
    )
    designs: dict[CellDesign, int] = Field(
        {"pooled_by_donor": 4, "pooled_by_cell": 4, "leave_dataset_out": 4, "leave_drug_out": 4, "leave_tissue_out": 2},
        min_length=1,
        description="Design -> folds; where data sets, drugs or tissues outnumber the folds, several are left out together.",
    )
    models: tuple[Slug, ...] | None = Field(None, description="Base models of `models` that read the sentences; null: all.")
    strategies: tuple[Slug, ...] = Field(("raft",), description="Strategies of `strategies` by which they learn.")
    cell_models: tuple[Slug, ...] = Field((), description="Models of `cell_models` that read the genes as tokens of their own.")
    cell_strategies: tuple[Slug, ...] = Field(
        (), description="Strategies of `strategies` by which these learn: language_model_weight 0, with an adapter or without."
    )
    model_designs: tuple[CellDesign, ...] | None = Field(None, description="Designs that they are judged by; null: all of `designs`.")
    max_training_cases: int | None = Field(
        None, ge=20, description="Cap on a fold's training cases of language models, by stable hash; null: all."
    )
    max_heldout_cases: int | None = Field(None, ge=10, description="Cap on a fold's held-out cases, by stable hash; null: all.")
    variable_genes: int = Field(500, ge=10, description="Most variable genes of the training cells, which the baselines read.")
    marker_genes: int = Field(20, ge=0, description="Genes whose removal from the sentence is tried; 0: none.")
    marker_cases: int = Field(60, ge=1, description="Held-out cases on which removal is tried.")
    bootstrap: int = Field(1000, ge=10, description="Resamples of donors for the intervals.")
    seed: int = Field(71, description="Of folds, caps, baselines and bootstrap.")

    @model_validator(mode="after")
    def _two_folds(self) -> CellStudy:
        for name, count in self.designs.items():
            if not 2 <= count <= 50:
                raise ValueError(f"designs.{name}: expected 2 to 50 folds, found {count}")
        if absent := set(self.model_designs or ()) - set(self.designs):
            raise ValueError(f"model_designs: expected designs of `designs`, found {min(absent)!r}")
        if bool(self.cell_models) != bool(self.cell_strategies):
            raise ValueError("cell_models: expected cell_strategies beside it, and the other way round")
        if self.times and self.columns.time is None:
            raise ValueError("times: expected columns.time beside it, the column that holds these words")
        if self.unit == "donor" and LEAKING in self.designs:
            raise ValueError("designs.pooled_by_cell: expected unit cell; of donors there is nothing that could leak")
        return self


def check_cells(
    studies: Mapping[str, CellStudy], models: Mapping[str, Model], strategies: Mapping[str, Strategy], cell_models: Mapping[str, CellModel]
) -> None:
    """Whether what single-cell cohorts name is there, and can be learned by.

    Raises:
        ValueError: the first that is not.
    """
    if both := set(models) & set(cell_models):
        raise ValueError(f"cell_models: expected names that no model of `models` has, found {min(both)!r}")
    for name, study in studies.items():
        there: dict[str, Mapping[str, Block]] = {
            "models": models,
            "strategies": strategies,
            "cell_models": cell_models,
            "cell_strategies": strategies,
        }
        for key, known in there.items():
            if absent := set(getattr(study, key) or ()) - set(known):
                raise ValueError(f"cells.{name}.{key}: expected one of {', '.join(known) or 'none configured'}, found {min(absent)!r}")
        for one in study.strategies:
            asked = strategies[one]
            if asked.is_aligned or asked.control or asked.model_of:
                raise ValueError(f"cells.{name}.strategies: expected a supervised strategy of its own model, found {one!r}")
        for one in study.cell_strategies:
            asked = strategies[one]
            if asked.language_model_weight > 0 or not asked.has_head or asked.is_aligned or asked.control:
                raise ValueError(f"cells.{name}.cell_strategies: expected language_model_weight 0 and a score loss, found {one!r}")
