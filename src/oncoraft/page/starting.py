"""`python -m oncoraft.page.starting FOLDER ...`: the worker, in a process that loads what it uses and nothing else; people wait for it."""

from oncoraft.planning.imports import load, prepare

if __name__ == "__main__":
    prepare("page")
    raise SystemExit(load("oncoraft.page.worker").main())
