"""Model cards: what stands in the README.md of an exported folder and in the report."""
