"""Teachers that write clinical rationales, and the step that verifies them."""
