"""Text tasks of radiation oncology: cases, answers, prompts, baselines, scores, and sheets for raters."""
