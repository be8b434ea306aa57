"""Rows of programs, run in turn on every side."""

import sys

from .reasons import difference, sentence
from .report import Results
from .sides import Failed


def run_row(row, sides, repeat: int, results: Results, scale: float, patience: float, why: bool) -> None:
    """All sides in turn. The first run of a program that reads files is not counted: it fills caches."""
    warm_up = row.count == 0
    given_up = set()
    for turn in range(repeat + warm_up):
        for side in sides:
            if side.name in given_up:
                continue
            try:
                if side.process is None:
                    side.start()
                before = side.statistics()
                measured = side.run(row.command(scale), patience)
                after = side.statistics()
            except Failed as reason:
                results.trouble(row.name, side.name, str(reason))
                given_up.add(side.name)
                side.stop()
                continue
            if measured.status != 0:
                results.trouble(row.name, side.name, f"status {measured.status}")
                given_up.add(side.name)
            elif turn >= warm_up:
                results.add(row.name, side.name, measured.seconds, measured.checksum)
                if before and why:
                    print(f"{row.name}: {side.name}: {sentence(measured.seconds, difference(before, after))}")


def run_rows(groups, sides, repeat: int, scale: float = 1.0, patience: float = 300.0, why: bool = False) -> Results:
    results = Results(groups, [side.name for side in sides])
    try:
        for row in (row for group in groups for row in group.rows):
            run_row(row, sides, repeat, results, scale, patience, why)
            values = ((side.name, results.median(row.name, side.name)) for side in sides)
            print(f"{row.name}: " + ", ".join(f"{name} {v:.3f}" for name, v in values if v), file=sys.stderr)
    finally:
        for side in sides:
            side.stop()
    return results
