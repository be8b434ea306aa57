"""Results: medians, ratios, geometric means; as a table and for JSON."""

import math
import statistics
from typing import Optional


class Results:
    """Seconds of host CPU time, by row and side."""

    def __init__(self, groups, sides):
        self.groups, self.sides = groups, sides
        self._seconds, self._checksums, self.troubles = {}, {}, []

    def add(self, row: str, side: str, seconds: float, checksum: str) -> None:
        self._seconds.setdefault((row, side), []).append(seconds)
        expected = self._checksums.setdefault(row, (checksum, side))
        if checksum != expected[0]:
            self.trouble(row, side, f"checksum {checksum}, {expected[1]} has {expected[0]}")

    def trouble(self, row: str, side: str, what: str) -> None:
        text = f"{row}: {side}: {what}"
        if text not in self.troubles:
            self.troubles.append(text)

    def median(self, row: str, side: str) -> Optional[float]:
        seconds = self._seconds.get((row, side))
        return statistics.median(seconds) if seconds else None

    def ratio(self, row: str, side: str, to: str = "native") -> Optional[float]:
        mine, other = self.median(row, side), self.median(row, to)
        return mine / other if mine and other else None

    def mean(self, group, side: str, to: str = "native") -> Optional[float]:
        """Geometric mean over the rows of GROUP that both sides have."""
        ratios = [r for r in (self.ratio(row.name, side, to) for row in group.rows) if r]
        return math.exp(statistics.fmean(map(math.log, ratios))) if ratios else None

    def as_json(self) -> dict:
        rows = [{"group": group.name, "row": row.name, "goal": row.goal or group.goal,
                 "seconds": {side: self._seconds[row.name, side] for side in self.sides
                             if (row.name, side) in self._seconds},
                 "to_native": {side: self.ratio(row.name, side) for side in self.sides if side != "native"}}
                for group in self.groups for row in group.rows]
        means = {group.name: {side: self.mean(group, side) for side in self.sides if side != "native"}
                 for group in self.groups}
        return {"programs": rows, "geometric_means": means}

    def table(self) -> str:
        """A Markdown table: each group's mean, then its rows; ratios to native, and of the first guest to QEMU."""
        guests = [side for side in self.sides if side != "native"]
        first = guests[0] if guests else None
        against_qemu = "qemu" in guests and first != "qemu"
        heads = ["program", "native, s"] + [f"{side} / native" for side in guests]
        heads += [f"{first} / qemu"] if against_qemu else []
        lines = ["| " + " | ".join(heads + ["goal"]) + " |", "|---" * (len(heads) + 1) + "|"]

        def line(name, native, values, versus, goal):
            cells = [name, native] + [number(v) for v in values] + ([number(versus)] if against_qemu else [])
            lines.append("| " + " | ".join(cells + [f"{goal:g}" if goal else ""]) + " |")

        for group in self.groups:
            line(f"**{group.title}**, geometric mean", "", [self.mean(group, side) for side in guests],
                 self.mean(group, first, "qemu") if against_qemu else None, group.goal)
            for row in group.rows:
                native = self.median(row.name, "native")
                line(row.name, f"{native:.3f}" if native else "", [self.ratio(row.name, side) for side in guests],
                     self.ratio(row.name, first, "qemu") if against_qemu else None, row.goal)
        return "\n".join(lines) + "\n"


def number(value: Optional[float]) -> str:
    """About three digits."""
    if value is None:
        return ""
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
