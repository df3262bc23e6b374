"""``python -m tests.crash.table``: every crash point over every broker, as a table; exit code 1 if a cell failed."""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.crash.points import POINTS, Row, as_json, as_markdown, tried
from tests.crash.processes import a_nursery
from tests.crash.venues import VENUES


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--points", default=",".join(POINTS))
    asked.add_argument("--brokers", default=",".join(VENUES))
    asked.add_argument("--json", type=Path, help="also write the rows to this file")
    asked.add_argument("--markdown", type=Path, help="also write the table to this file")
    asked.add_argument("--keep", type=Path, help="keep journals and what the engines said in this folder")
    given = asked.parse_args()
    brokers, rows = given.brokers.split(","), list[Row]()
    with a_nursery() as nursery, tempfile.TemporaryDirectory() as place:
        for point in given.points.split(","):
            for broker in brokers:
                folder = (given.keep or Path(place)) / f"{point}-{broker}"
                folder.mkdir(parents=True)
                row = tried(nursery, point, broker, folder)
                rows.append(row)
                print(f"{point:4} {broker:15} {row.seconds:5.1f} s  {row.outcome}", flush=True)
                for text in row.accusations:
                    print(f"     FAILED: {text}", flush=True)
    if given.json:
        given.json.write_text(as_json(rows), encoding="utf-8")
    if given.markdown:
        given.markdown.write_text(as_markdown(rows, brokers), encoding="utf-8")
    failed = [row for row in rows if not row.ok]
    carried_out = [row for row in rows if not row.outcome.startswith("n/a")]
    print(f"{len(carried_out) - len(failed)} of {len(carried_out)} cells, {sum(row.lives for row in rows)} lives")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
