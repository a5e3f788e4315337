"""After supervised training: answers are sampled, judged by verifiers, and the model learns from the judgement."""
