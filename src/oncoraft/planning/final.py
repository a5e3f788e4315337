"""Final models: trained on all of a cohort, named by a digest of the configuration that made them."""

from __future__ import annotations

from oncoraft.foundation.provenance import canonical_json, text_digest
from oncoraft.planning.config import Config

# What decides on a final model's training cases, their texts, and what is made of them. Code and data are told by its manifest.
BLOCKS = ("twin", "ingest", "cohort_filter", "regimens", "labels", "evidence", "rationales", "prompts", "split")
OF_MODEL = ("model", "strategy", "adapter", "training")
DIGITS = 12


class FinalModels:
    """The part of a plan that is about final models."""

    config: Config

    def final_strategies(self) -> tuple[str, ...]:
        """Strategies of which a final model is trained."""
        return self.config.final.strategies

    def final_name(self, model: str, strategy: str) -> str:
        """The name of a final model: equal configurations give equal names, and another configuration another model beside the first."""
        blocks = self.config.blocks((*BLOCKS, *OF_MODEL), model=model, strategy=strategy)
        values = {name: block.model_dump(mode="json") for name, block in blocks.items()}
        values["split"].pop("texts", None)  # where a text lies makes no other model of it
        values |= {"cohort": self.config.cohort, "study": self.config.study}
        if self.config.models[model].build is not None:
            values["pretraining"] = self.config.pretraining.model_dump(mode="json")
        return f"model-{text_digest(canonical_json(values))[:DIGITS]}"

    def final_folder(self, model: str, strategy: str) -> str:
        """Where a final model lies."""
        return f"results/{self.config.cohort}/{model}/{strategy}/final/{self.final_name(model, strategy)}"
