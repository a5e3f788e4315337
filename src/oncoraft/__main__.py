"""`python -m oncoraft <step>`: the same as the `oncoraft` command, where no script is installed."""

from oncoraft.cli import entry

if __name__ == "__main__":
    entry()
