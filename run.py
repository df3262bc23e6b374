"""``python run.py COMMAND``: the same as the installed ``sluice COMMAND``."""

import sys

from engine.control.cli import main

if __name__ == "__main__":
    sys.exit(main())
