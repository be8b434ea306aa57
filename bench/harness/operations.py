"""Single operations of the processor (bench/guest/operations.c), in host cycles each.

A host cycle here is one of the time stamp counter's nominal frequency, so that figures compare with cycle counts of
others. The loop around each operation is included; the row "loop" says what it costs.
"""

import re
import statistics
import subprocess
import time
from pathlib import Path
from typing import Optional

from . import images
from .report import number
from .sides import Failed, Lines, cpu_seconds

PATIENCE = 120.0

# Name, what it is, cycles in VMware's binary translator (Adams and Agesen 2006), our goal in cycles.
OPERATIONS = (
    ("loop", "DEC and JNZ", None, None),
    ("call_ret", "CALL and RET", 51, 15),
    ("sysenter", "SYSENTER and SYSEXIT", 2308, 500),
    ("int80", "INT 80h and IRET", None, 500),
    ("in_port_80", "IN from port 80h", 216, 100),
    ("write_cr2", "MOV to CR2", 35, 35),
    ("write_cr3", "MOV to CR3, same value", None, None),
    ("write_cr4", "MOV to CR4, same value", 35, 35),
    ("cli_sti", "CLI and STI", None, None),
    ("rdtsc", "RDTSC", 216, 216),
    ("page_fault", "guest page fault and IRET", 3927, 3000),
    ("divide_by_zero", "#DE and IRET", 3223, 3200),
    ("pte_unchanged", "page table entry written, same value", 391, 391),
    ("pte_to_absent", "... present to absent", 17, 17),
    ("pte_to_present", "... absent to present", 2121, 2121),
    ("map_touch_unmap", "page entered, touched, taken out, INVLPG", None, None),
    ("fresh_code", "an instruction that runs once", 2300, 1000),
)


def kernel() -> Path:
    source, target = images.BENCH / "guest" / "operations.c", images.OUT / "operations.elf"
    images.OUT.mkdir(parents=True, exist_ok=True)
    if not images.is_newer(target, [source]):
        subprocess.run(["gcc", "-m32", "-O2", "-Wall", "-Wextra", "-Werror", "-ffreestanding", "-fno-pic",
                        "-fno-asynchronous-unwind-tables", "-nostdlib", "-static",
                        "-Wl,-N,-Ttext=0x100000,--build-id=none,-z,noexecstack,--no-warn-rwx-segments",
                        "-o", target, source], check=True)
    return target


def nominal_hertz() -> float:
    """Linux derives BogoMIPS from the time stamp counter where its frequency is known: two for each cycle."""
    return float(re.search(r"bogomips\s*:\s*([\d.]+)", Path("/proc/cpuinfo").read_text()).group(1)) * 1e6 / 2


def measure(words: list) -> dict:
    """Cycles of each operation, on the machine that the command line WORDS starts."""
    hertz, cycles = nominal_hertz(), {}
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0)
    try:
        lines, deadline = Lines(process.stdout), time.monotonic() + PATIENCE
        while True:
            word = lines.next_with(b"@", deadline).split()
            if word[0] == b"@done":
                return cycles
            if word[0] == b"@begin":
                before = cpu_seconds(process.pid)
            else:
                cycles[word[1].decode()] = (cpu_seconds(process.pid) - before) / int(word[2]) * hertz
    finally:
        process.kill()
        process.wait()


class Operations:
    """Medians for several guests."""

    def __init__(self, guests):
        self._guests = guests
        self._cycles = {}
        self.troubles = []

    def run(self, repeat: int) -> None:
        for _ in range(repeat):
            for guest in self._guests:
                try:
                    for name, cycles in measure(guest.kernel_words(kernel(), None, "")).items():
                        self._cycles.setdefault((name, guest.name), []).append(cycles)
                except Failed as reason:
                    self.troubles.append(f"operations: {guest.name}: {reason}")

    def _median(self, name: str, side: str) -> Optional[float]:
        cycles = self._cycles.get((name, side))
        return statistics.median(cycles) if cycles else None

    def as_json(self) -> list:
        return [{"operation": name, "goal": goal, "vmware": vmware,
                 "cycles": {guest.name: self._cycles.get((name, guest.name)) for guest in self._guests}}
                for name, _, vmware, goal in OPERATIONS]

    def table(self) -> str:
        heads = ["operation, host cycles"] + [guest.name for guest in self._guests] + ["VMware's translator, 2006", "goal"]
        lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
        for name, title, vmware, goal in OPERATIONS:
            values = [number(self._median(name, guest.name)) for guest in self._guests]
            lines.append("| " + " | ".join([f"{name}: {title}"] + values + [str(vmware or ""), str(goal or "")]) + " |")
        return "\n".join(lines) + "\n"
