"""``beside_peers``, with its strategies declared and run by columns."""

import sys
from importlib.metadata import version
from pathlib import Path

import common  # type: ignore[import-not-found, unused-ignore] # The bench's own.

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.beside_peers import cases

if __name__ == "__main__":
    common.main(cases("column"), version("sluice"))
