"""The local web page of one case: a model folder served on loopback, offline."""
