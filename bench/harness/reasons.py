"""Why a run on Vellum took its time: the difference of two of its statistics (docs/manual.md, "Statistics")."""

import json
import socket
from pathlib import Path


def ask_statistics(control: Path) -> dict:
    """The answer to "stats" on the control socket at CONTROL: JSON, and a line "ok" behind it."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(control))
        connection.settimeout(10)
        connection.sendall(b"stats\n")
        answer = b""
        while not answer.endswith(b"ok\n"):
            received = connection.recv(65536)
            if not received:
                break
            answer += received
    return json.loads(answer.removesuffix(b"ok\n"))


def difference(before: dict, after: dict) -> dict:
    """What grew, by the same keys."""
    grown = {}
    for key, value in after.items():
        if isinstance(value, dict):
            value = difference(before.get(key, {}), value)
        elif isinstance(value, (int, float)):
            value -= before.get(key, 0)
        if value and not isinstance(value, str):
            grown[key] = value
    return grown


def largest_shares(used: dict) -> str:
    """Of the object "seconds": what took at least a hundredth of all the CPU time, largest first."""
    flat = {}
    for name, value in used.items():
        if isinstance(value, dict):
            flat.update({f"{name.removesuffix('s').replace('_', ' ')} {detail}": s for detail, s in value.items()})
        elif name not in ("idle", "waiting"):
            flat[name] = value
    total = sum(flat.values())
    largest = sorted(((s, name) for name, s in flat.items() if s > 0.01 * total), reverse=True)[:8]
    return ", ".join(f"{name} {100 * s / total:.0f} %" for s, name in largest)


def sentence(seconds: float, grown: dict) -> str:
    """The counters that can cost time, largest first, for a run of SECONDS."""
    callouts = grown.get("callouts", {}).get("by_reason", {})
    faults = {f"{name} faults": count for name, count in grown.get("faults", {}).items()}
    blocks = {f"blocks {name}": count for name, count in grown.get("blocks", {}).items()}
    largest = sorted({**callouts, **faults, **blocks}.items(), key=lambda item: -item[1])[:6]
    translating = grown.get("translate_seconds", 0)
    parts = [f"{seconds:.3f} s"] + ([f"translating {translating:.3f} s"] if translating > 0.01 * seconds else [])
    line = ", ".join(parts + [f"{name} {count}" for name, count in largest])
    return line + ("\n    time in: " + largest_shares(grown["seconds"]) if grown.get("seconds") else "")
