"""Boots as rows: host CPU seconds of the whole process, from its start to power-off or to a known text on the screen."""

import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Optional

from . import images
from .report import number
from .sides import Failed, connect_to, cpu_seconds

PATIENCE = 300.0
INSTALLER = Path("/usr/lib/debian-installer/images/12/i386/text/debian-installer/i386")


def until_power_off(words: list) -> float:
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        ended, status, used = os.wait4(process.pid, os.WNOHANG)
        if ended:
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode != 0:
                raise Failed(f"status {process.returncode}")
            return used.ru_utime + used.ru_stime
        time.sleep(0.05)
    process.kill()
    process.wait()
    raise Failed("no power-off in time")


def until_text(words: list, serial: Path, text: bytes) -> float:
    """Seconds until TEXT comes over the serial line, a socket at SERIAL."""
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline, seen = time.monotonic() + PATIENCE, b""
    try:
        with connect_to(serial, process) as line:
            line.settimeout(1)
            while time.monotonic() < deadline:
                try:
                    received = line.recv(65536)
                except TimeoutError:
                    continue
                if not received:
                    raise Failed("it ended")
                seen = seen[-len(text):] + received
                if text in seen:
                    return cpu_seconds(process.pid)
    finally:
        process.kill()
        process.wait()
    raise Failed(f"no {text.decode()!r} in time")


class Boots:
    """Kernel to shell and power-off, the same from a CD, the Debian installer to its first question."""

    # Name, title, goal as a ratio to QEMU's time.
    ROWS = (("kernel", "kernel to shell and power-off", 0.23),
            ("cd", "... through SeaBIOS, GRUB and a CD", 0.28),
            ("installer", "Debian's installer to its first dialog", 0.25))

    def __init__(self, guests):
        self._guests = guests
        self._seconds = {}
        self.troubles = []

    def _once(self, name: str, guest, initramfs: Path, folder: Path) -> float:
        if name == "kernel":
            return until_power_off(guest.kernel_words(images.GUEST / "vmlinuz", initramfs, "quiet switch_off"))
        if name == "cd":
            return until_power_off(guest.cd_words(images.make_cd(initramfs, "switch_off")))
        serial = folder / "serial"
        serial.unlink(missing_ok=True)
        words = guest.kernel_words(INSTALLER / "linux", INSTALLER / "initrd.gz", "console=ttyS0 quiet", memory_mib=512)
        return until_text(words + guest.serial_words(serial), serial, b"language")

    def run(self, repeat: int) -> None:
        initramfs = images.make_boot_initramfs()
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            for name, title, _ in self.ROWS:
                if name == "installer" and not INSTALLER.exists():
                    self.troubles.append("installer: the package debian-installer-12-netboot-i386 is not installed")
                    continue
                for _ in range(repeat):
                    for guest in self._guests:
                        try:
                            self._seconds.setdefault((name, guest.name), []).append(
                                self._once(name, guest, initramfs, Path(folder)))
                        except Failed as reason:
                            self.troubles.append(f"{title}: {guest.name}: {reason}")

    def _median(self, name: str, side: str) -> Optional[float]:
        seconds = self._seconds.get((name, side))
        return statistics.median(seconds) if seconds else None

    def as_json(self) -> list:
        return [{"boot": name, "goal": goal, "seconds": {guest.name: self._seconds.get((name, guest.name))
                                                         for guest in self._guests}} for name, _, goal in self.ROWS]

    def table(self) -> str:
        names = [guest.name for guest in self._guests]
        heads = ["boot"] + [f"{name}, CPU s" for name in names] + [f"{name} / qemu" for name in names if name != "qemu"]
        lines = ["| " + " | ".join(heads + ["goal"]) + " |", "|---" * (len(heads) + 1) + "|"]
        for name, title, goal in self.ROWS:
            medians = {side: self._median(name, side) for side in names}
            peer = medians.get("qemu")
            ratios = [number(medians[side] / peer if peer and medians[side] else None) for side in names if side != "qemu"]
            lines.append("| " + " | ".join([title] + [number(medians[side]) for side in names] + ratios + [f"{goal:g}"]) + " |")
        return "\n".join(lines) + "\n"
