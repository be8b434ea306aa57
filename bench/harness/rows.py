"""What is measured: the rows in groups, with the goal of each, and how often a program repeats its work.

Repetition counts make a native run last about 0.3 to 0.5 s of CPU time; rows that translators run very much slower last
0.03 to 0.1 s. Goals are ratios to the native time.
"""

from dataclasses import dataclass
from typing import Optional


@dataclass(frozen=True)
class Row:
    name: str
    words: tuple  # as the agent takes them: "here" or "in FOLDER", program, arguments; "{count}" stands for the count
    count: int = 0
    quick: bool = False  # part of --quick
    goal: Optional[float] = None  # where it differs from the group's

    def command(self, scale: float) -> str:
        count = max(1, round(self.count * scale))
        return " ".join(self.words).replace("{count}", str(count))


@dataclass(frozen=True)
class Group:
    name: str
    title: str
    goal: Optional[float]
    rows: tuple


def program(name: str, count: int, quick: bool = False, goal: Optional[float] = None) -> Row:
    return Row(name, ("here", f"bench/{name}", "{count}"), count, quick, goal)


def busybox(name: str, *words: str, quick: bool = False) -> Row:
    return Row(f"busybox {name}", ("here", "bin/busybox") + words, quick=quick)


def debian(name: str, *words: str, quick: bool = False) -> Row:
    return Row(f"debian {name}", ("in", "debian") + words, quick=quick)


TEXT, DEBIAN_TEXT = ("data/text",), ("/data/text",)  # 1 MiB

GROUPS = (
    Group("integer", "Integer programs", 1.15, (
        program("alu", 60, quick=True),
        program("divide", 600),
        program("sieve", 100, quick=True),
        program("sort", 15),
        program("pointer_chase", 800),
        program("recursion", 1000, quick=True, goal=1.4),
        program("interpreter", 300, quick=True),
        program("indirect_calls", 1000),
        program("sha256", 100, quick=True),
        program("crc", 600),
    )),
    Group("float", "x87 and SSE", 1.1, (
        program("x87_nbody", 1500, quick=True),
        program("x87_mandelbrot", 200),
        program("sse_nbody", 3000),
        program("sse_packed_single", 5000, quick=True),
        program("sse_packed_integer", 50000),
    )),
    Group("strings", "REP string instructions", None, (
        program("rep_large", 16000, quick=True, goal=1.1),
        program("rep_short", 400, quick=True, goal=1.5),
    )),
    Group("calls", "Calls without end, many targets", 1.4, (
        program("deep_recursion", 700),
        program("many_targets", 4000),
    )),
    Group("locks", "Locked instructions, of one processor", 0.6, (
        program("lock", 300, quick=True),
    )),
    Group("system", "Operating system primitives", 2.5, (
        program("syscall_int80", 5, quick=True),
        program("syscall_vdso", 200, quick=True),
        program("pipe_ping_pong", 40, quick=True),
        program("fork_exit", 20, quick=True),
        program("fork_exec", 5, quick=True),
        program("page_touch", 40, quick=True, goal=5.0),
        program("signal", 35),
        program("mmap_churn", 40),
    )),
    Group("code", "Self-modifying and generated code", 8.0, (
        program("patched_loop", 2000, quick=True),
        program("small_jit", 150, quick=True),
        program("mixed_page", 3000),
    )),
    Group("busybox", "busybox tools and shell scripts", 1.6, (
        busybox("shell arithmetic", "sh", "scripts/arithmetic.sh"),
        busybox("shell words", "sh", "scripts/words.sh", quick=True),
        busybox("shell commands", "sh", "scripts/commands.sh", quick=True),
        busybox("awk", "awk", "-f", "scripts/count.awk", "data/text"),
        busybox("sed", "sed", "-f", "scripts/edit.sed", *TEXT * 3),
        busybox("grep", "grep", "-c", "-i", "[a-m]*ra[n-z]*to", *TEXT * 8),
        busybox("sort", "sort", "-r", *TEXT * 6),
        busybox("gzip", "gzip", "-c", *TEXT * 3, quick=True),
    )),
    Group("debian", "Debian's programs", 1.8, (
        debian("gzip", "/usr/bin/gzip", "-9", "-n", "-c", *DEBIAN_TEXT * 3, quick=True),
        debian("gunzip", "/usr/bin/gzip", "-d", "-c", *("/data/text8.gz",) * 4),
        debian("bzip2", "/usr/bin/bzip2", "-c", *DEBIAN_TEXT * 4),
        debian("xz", "/usr/bin/xz", "-2", "-T1", "-c", *DEBIAN_TEXT),
        debian("python", "/usr/bin/python3", "/scripts/objects.py", quick=True),
        debian("perl", "/usr/bin/perl", "/scripts/words.pl", *DEBIAN_TEXT),
        debian("openssl digest", "/usr/bin/openssl", "dgst", "-sha512", *("/data/text8",) * 10),
        debian("openssl cipher", "/usr/bin/openssl", "enc", "-aes-256-cbc", "-nosalt", "-pbkdf2", "-iter", "150000",
               "-k", "secret", "-in", "/data/text8"),
        debian("mawk", "/usr/bin/mawk", "-f", "/scripts/count.awk", *DEBIAN_TEXT * 6),
        debian("sort", "/usr/bin/sort", "--parallel=1", "-S", "64M", *DEBIAN_TEXT * 16),
        debian("gcc", "/usr/bin/gcc", "-O3", "-S", "-o", "-", "/scripts/compiled.c", quick=True),
    )),
)
