"""Tables and figures a person reads."""
