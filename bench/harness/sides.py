"""The sides of a comparison: the host itself, and guests on Vellum, QEMU and Bochs.

All of them run the same agent (bench/guest/agent.c), which announces the beginning and the end of each command. What is
compared is CPU time of the host: natively as the host's kernel counts it for the command, else all of the emulator's
process between the two marks.
"""

import os
import selectors
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from . import images
from .reasons import ask_statistics

MEMORY_MIB = 256
QEMU = "qemu-system-i386"
QEMU_CPU = ["-accel", "tcg", "-cpu", "n270,stepping=10"]
BOOT_PATIENCE = 1200.0  # seconds until the agent must be ready; Bochs needs minutes


@dataclass(frozen=True)
class Measurement:
    seconds: float
    status: int
    checksum: str


class Failed(Exception):
    """A side did not answer in time, or ended."""


def cpu_seconds(pid: int) -> float:
    """User and system time of all threads of a process, by its CPU clock (clock_getcpuclockid(3))."""
    return time.clock_gettime_ns((~pid << 3) | 2) / 1e9


class Lines:
    """Lines that a process writes, taken with a deadline."""

    def __init__(self, stream):
        self._descriptor = stream.fileno()
        self._selector = selectors.DefaultSelector()
        self._selector.register(stream, selectors.EVENT_READ)
        self._pending = b""

    def next_with(self, prefix: bytes, deadline: float) -> bytes:
        """The next line that begins with PREFIX; others are dropped."""
        while True:
            while b"\n" in self._pending:
                line, self._pending = self._pending.split(b"\n", 1)
                if line.startswith(prefix):
                    return line
            left = deadline - time.monotonic()
            if left <= 0 or not self._selector.select(left):
                raise Failed("no answer in time")
            received = os.read(self._descriptor, 65536)
            if not received:
                raise Failed("it ended")
            self._pending += received


class Side:
    """Something that runs the agent's commands."""

    def __init__(self, name: str):
        self.name = name
        self.process: Optional[subprocess.Popen] = None
        self._lines: Optional[Lines] = None

    def start(self) -> None:
        raise NotImplementedError

    def _send(self, line: bytes) -> None:
        raise NotImplementedError

    def _seconds(self, before: float, after: float, nanoseconds: int) -> float:
        raise NotImplementedError

    def run(self, command: str, patience: float) -> Measurement:
        """Runs one command of the agent's; PATIENCE is in seconds of the host's clock."""
        deadline = time.monotonic() + patience
        idle = cpu_seconds(self.process.pid)
        self._send(command.encode() + b"\n")
        try:
            self._lines.next_with(b"@begin", deadline)
            before = cpu_seconds(self.process.pid)
            _, status, checksum, nanoseconds = self._lines.next_with(b"@end", deadline).split()
        except Failed as reason:
            used = cpu_seconds(self.process.pid) - idle if self.process.poll() is None else 0
            raise Failed(f"{reason}; {used:.1f} s of CPU time until then") from None
        after = cpu_seconds(self.process.pid)
        return Measurement(self._seconds(before, after, int(nanoseconds)), int(status), checksum.decode())

    def statistics(self) -> dict:
        """Counters of what the side has done so far, if it has any."""
        return {}

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


class Native(Side):
    """The host. The agent and what it starts stay on one processor, as in a guest."""

    def start(self) -> None:
        one = {min(os.sched_getaffinity(0))}
        native = images.OUT / "native"
        self.process = subprocess.Popen([native / "bench" / "agent", "stdout", native], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, bufsize=0,
                                        preexec_fn=lambda: os.sched_setaffinity(0, one))
        self._lines = Lines(self.process.stdout)
        self._lines.next_with(b"@ready", time.monotonic() + 10)

    def _send(self, line: bytes) -> None:
        self.process.stdin.write(line)

    def _seconds(self, before: float, after: float, nanoseconds: int) -> float:
        return nanoseconds / 1e9


def connect_to(path: Path, process: subprocess.Popen) -> socket.socket:
    """The socket that PROCESS, just started, will listen at."""
    deadline = time.monotonic() + 10
    while process.poll() is None and time.monotonic() < deadline:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(str(path))
            return connection
        except (FileNotFoundError, ConnectionRefusedError):
            connection.close()
            time.sleep(0.01)
    raise Failed("it does not listen on its serial line")


class Guest(Side):
    """A machine with the agent in it: commands go in by its serial line, marks come out of port E9h."""

    def __init__(self, name: str, initramfs: Path, disk: Optional[Path]):
        super().__init__(name)
        self._initramfs = initramfs
        self._disk = disk
        self._serial: Optional[socket.socket] = None
        self._folder = tempfile.TemporaryDirectory(prefix="bench-")

    def kernel_words(self, kernel: Path, initrd: Optional[Path], append: str, memory_mib: int = MEMORY_MIB) -> list:
        """The command line that starts a kernel directly; what the guest writes to port E9h comes out of stdout."""
        raise NotImplementedError

    def cd_words(self, image: Path) -> list:
        """The same for a machine that starts from a CD."""
        raise NotImplementedError

    def serial_words(self, path: Path) -> list:
        """More words: the first serial line is a socket that listens at PATH."""
        raise NotImplementedError

    def disk_words(self, image: Path) -> list:
        """More words: a first IDE disk, whose writes are forgotten."""
        raise NotImplementedError

    def start(self) -> None:
        self._serial = self._begin()
        self._lines.next_with(b"@ready", time.monotonic() + BOOT_PATIENCE)

    def _begin(self) -> socket.socket:
        """Starts the machine; returns its first serial line."""
        serial = Path(self._folder.name) / "serial"
        serial.unlink(missing_ok=True)
        words = self.kernel_words(images.GUEST / "vmlinuz", self._initramfs, "quiet") + self.serial_words(serial)
        self._launch(words + (self.disk_words(self._disk) if self._disk else []))
        return connect_to(serial, self.process)

    def _launch(self, words: list) -> None:
        with open(images.OUT / f"{self.name}.log", "wb") as log:
            self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, bufsize=0)
        self._lines = Lines(self.process.stdout)

    def _send(self, line: bytes) -> None:
        self._serial.sendall(line)

    def _seconds(self, before: float, after: float, nanoseconds: int) -> float:
        return after - before

    def stop(self) -> None:
        super().stop()
        if self._serial is not None:
            self._serial.close()
            self._serial = None


class Vellum(Guest):
    def __init__(self, engine: str, program: Path, options: list, initramfs: Path, disk: Optional[Path], why: bool = False):
        super().__init__(engine, initramfs, disk)
        self._engine = engine
        self._why = why
        self._program = program
        self._options = options

    def _start_words(self, memory_mib: int) -> list:
        return [self._program, "run", "--engine", self._engine, "-m", str(memory_mib), "--display", "none", "--no-reboot",
                "--debugcon", "stdio"] + self._options

    def kernel_words(self, kernel: Path, initrd: Optional[Path], append: str, memory_mib: int = MEMORY_MIB) -> list:
        words = self._start_words(memory_mib) + ["--kernel", kernel, "--append", append]
        return words + (["--initrd", initrd] if initrd else [])

    def cd_words(self, image: Path) -> list:
        return self._start_words(MEMORY_MIB) + ["--cdrom", image, "--boot", "d"]

    def serial_words(self, path: Path) -> list:
        words = ["--serial", f"unix:{path}", "--control", f"unix:{self._control()}"]
        return words + (["--stats", self._control().with_name("statistics")] if self._why else [])

    def _control(self) -> Path:
        return Path(self._folder.name) / "control"

    def statistics(self) -> dict:
        return ask_statistics(self._control())

    def disk_words(self, image: Path) -> list:
        return ["--hda", image, "--snapshot"]


class Qemu(Guest):
    def _start_words(self, memory_mib: int) -> list:
        return [QEMU] + QEMU_CPU + ["-m", str(memory_mib), "-display", "none", "-no-reboot", "-nic", "none",
                                    "-chardev", "stdio,id=marks,signal=off",
                                    "-device", "isa-debugcon,iobase=0xe9,chardev=marks"]

    def kernel_words(self, kernel: Path, initrd: Optional[Path], append: str, memory_mib: int = MEMORY_MIB) -> list:
        words = self._start_words(memory_mib) + ["-kernel", kernel, "-append", append]
        return words + (["-initrd", initrd] if initrd else [])

    def cd_words(self, image: Path) -> list:
        return self._start_words(MEMORY_MIB) + ["-cdrom", image, "-boot", "d"]

    def serial_words(self, path: Path) -> list:
        return ["-serial", f"unix:{path},server=on,wait=off"]

    def disk_words(self, image: Path) -> list:
        return ["-drive", f"file={image},format=raw,if=ide,snapshot=on"]


class Bochs(Guest):
    """Bochs starts no kernel itself: it gets a CD with GRUB. Its first serial line connects to a socket of ours."""

    def __init__(self, name: str, initramfs: Path, disk: Optional[Path]):
        super().__init__(name, initramfs, disk)
        self._port = 0

    def cd_words(self, image: Path) -> list:
        lines = [
            "display_library: rfb, options=\"timeout=0\"",
            f"megs: {MEMORY_MIB}",
            # Guest time never runs ahead of the host's, so that an idle guest sleeps.
            "cpu: model=atom_n270, ips=100000000",
            "clock: sync=slowdown",
            "romimage: file=/usr/share/bochs/BIOS-bochs-latest",
            "vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest",
            "ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14",
            "ata1: enabled=1, ioaddr1=0x170, ioaddr2=0x370, irq=15",
            f"ata1-master: type=cdrom, path={image}, status=inserted",
            "boot: cdrom",
            "port_e9_hack: enabled=1",
            f"log: {images.OUT / 'bochs.log'}",
            "sound: waveoutdrv=dummy, waveindrv=dummy, midioutdrv=dummy",
            "panic: action=fatal",
            "error: action=ignore",
            "info: action=ignore",
        ]
        if self._port:
            lines.append(f"com1: enabled=1, mode=socket-client, dev=127.0.0.1:{self._port}")
        if self._disk:
            lines.append(f"ata0-master: type=disk, path={self._disk}, mode=volatile")
        file = Path(self._folder.name) / "bochsrc"
        file.write_text("\n".join(lines) + "\n")
        go = Path(self._folder.name) / "commands"  # Debian's Bochs has its debugger built in, which waits for one
        go.write_text("continue\n")
        return ["bochs", "-q", "-f", file, "-rc", go]

    def _begin(self) -> socket.socket:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(BOOT_PATIENCE)
            self._port = listener.getsockname()[1]
            self._launch(self.cd_words(images.make_cd(self._initramfs, "")))
            return listener.accept()[0]
