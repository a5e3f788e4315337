"""The tasks, one a file: where its cases come from, what is known at its index date, its answer, its parser, its metrics."""
