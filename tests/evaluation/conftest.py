"""Evidence as the steps upstream write it: a twin, ingested, cut into cases and stated, once a session."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from oncoraft.cases.build import main as cases
from oncoraft.cohort.ingest import main as ingest
from oncoraft.evidence.evidence import main as evidence
from oncoraft.twin.twin import main as twin


@dataclass(frozen=True)
class Upstream:
    """Where the artefacts lie, and the two tables that covariates are read from."""

    tables: Path
    cases_folder: Path
    evidence_file: Path
    truth: Path

    @property
    def cases(self) -> pd.DataFrame:
        return pd.read_parquet(self.cases_folder / "cases.parquet")

    @property
    def evidence(self) -> pd.DataFrame:
        return pd.read_parquet(self.evidence_file)


@pytest.fixture(scope="session")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Upstream:
    home = tmp_path_factory.mktemp("upstream")
    made = Upstream(home / "tables", home / "cases", home / "evidence.parquet", home / "truth.parquet")
    assert twin(["--patients", "120", "--seed", "5", "--out", str(home / "study"), "--truth", str(made.truth)]) == 0
    assert ingest([str(home / "study"), "--out", str(made.tables)]) == 0
    assert cases([str(made.tables), "--out", str(made.cases_folder)]) == 0
    assert evidence([str(made.tables), str(made.cases_folder), "--out", str(made.evidence_file)]) == 0
    return made
