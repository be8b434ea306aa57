"""A plot of ratios to native time as SVG: one line of dots for each row, on a logarithmic axis."""

import math
from xml.sax.saxutils import escape

COLOURS = {"bt": "#1668b5", "qemu": "#d9541e", "interp": "#7a7a7a", "bochs": "#3c9a4a"}
ROW_HEIGHT, LABELS, WIDTH, TOP = 16, 190, 560, 40
TICKS = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


def svg(results) -> str:
    guests = [side for side in results.sides if side != "native"]
    rows = [(group, row) for group in results.groups for row in group.rows
            if any(results.ratio(row.name, side) for side in guests)]
    ratios = [r for r in (results.ratio(row.name, side) for _, row in rows for side in guests) if r]
    low, high = min([0.5] + ratios) / 1.2, max([2.0] + ratios) * 1.2

    def x(ratio: float) -> float:
        return LABELS + WIDTH * math.log(ratio / low) / math.log(high / low)

    height = TOP + ROW_HEIGHT * (len(rows) + len({group.name for group, _ in rows})) + 10
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{LABELS + WIDTH + 20}" height="{height}" '
           'font-family="sans-serif" font-size="11">', '<rect width="100%" height="100%" fill="white"/>']
    for i, side in enumerate(guests):
        out.append(f'<circle cx="{LABELS + 80 * i}" cy="10" r="4" fill="{COLOURS.get(side, "black")}"/>'
                   f'<text x="{LABELS + 80 * i + 8}" y="14">{escape(side)}</text>')
    out.append(f'<text x="{LABELS + 80 * len(guests)}" y="14">bar: goal; axis: time / native time</text>')
    for tick in TICKS:
        if low <= tick <= high:
            out.append(f'<line x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="{TOP - 4}" y2="{height}" stroke="#ddd"/>'
                       f'<text x="{x(tick):.1f}" y="{TOP - 8}" text-anchor="middle">{tick:g}</text>')
    y, last = TOP, None
    for group, row in rows:
        if group.name != last:
            y += ROW_HEIGHT
            out.append(f'<text x="6" y="{y - 3}" font-weight="bold">{escape(group.title)}</text>')
            last = group.name
        y += ROW_HEIGHT
        out.append(f'<text x="14" y="{y - 4}">{escape(row.name)}</text>')
        goal = row.goal or group.goal
        if goal:
            out.append(f'<line x1="{x(goal):.1f}" x2="{x(goal):.1f}" y1="{y - 14}" y2="{y - 2}" stroke="black"/>')
        for side in guests:
            ratio = results.ratio(row.name, side)
            if ratio:
                out.append(f'<circle cx="{x(ratio):.1f}" cy="{y - 8}" r="4" fill="{COLOURS.get(side, "black")}"/>')
    return "\n".join(out + ["</svg>"]) + "\n"
