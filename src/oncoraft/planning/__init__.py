"""The workflow before it runs: configuration, steps, sources, plan, the edge of a command line."""
