"""Does a rationale say what its case bears out? Pure functions over text; used on teachers' and on models' rationales alike."""
