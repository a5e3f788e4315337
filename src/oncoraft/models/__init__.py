"""Base models, score head, adapters, model folders."""
