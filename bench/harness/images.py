"""What the guests are made of: the programs, an initramfs that runs the agent, a disk with Debian's programs.

Everything lies in build/bench: root/ becomes the initramfs, native/ is the same tree for native runs, debian/ is the
unpacked i386 system, debian.img the same as ext4.
"""

import gzip
import os
import shutil
import subprocess
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
BENCH = PROJECT / "bench"
OUT = PROJECT / "build" / "bench"
GUEST = PROJECT / "guests" / "linux" / "686"
BUSYBOX = PROJECT / "guests" / "busybox" / "bin" / "busybox"

DEBIAN_RELEASE = "bookworm"
DEBIAN_PACKAGES = "gzip,bzip2,xz-utils,python3-minimal,perl,openssl,gcc,libc6-dev,mawk"
COMPILE = ["gcc", "-m32", "-march=i686", "-O2", "-Wall", "-Wextra", "-Werror", "-static", "-s"]


def options_for(name: str) -> list:
    """Compiler options by the first part of a program's name."""
    return {"x87": ["-mfpmath=387"], "sse": ["-msse2", "-mfpmath=sse"]}.get(name.split("_")[0], [])


def is_newer(target: Path, sources) -> bool:
    return target.exists() and all(source.stat().st_mtime <= target.stat().st_mtime for source in sources)


def compile_programs(folder: Path) -> None:
    """One static i386 program for each source, and the agent."""
    folder.mkdir(parents=True, exist_ok=True)
    headers = list((BENCH / "programs").glob("*.h"))
    for source in sorted((BENCH / "programs").glob("*.c")) + [BENCH / "guest" / "agent.c"]:
        target = folder / source.stem
        if not is_newer(target, [source] + headers):
            subprocess.run(COMPILE + options_for(source.stem) + ["-o", target, source, "-lm"], check=True)


def text(size: int) -> bytes:
    """Words made of syllables, some of them frequent, most of them rare, in lines; always the same."""
    seed = 1

    def random(limit: int) -> int:
        nonlocal seed
        seed = (seed * 6364136223846793005 + 1442695040888963407) % 2**64
        return (seed >> 33) % limit

    syllables = [c + v for c in "bcdfghjklmnprstvwz" for v in ("a", "e", "i", "o", "u", "an", "er", "is")]
    words = ["".join(syllables[random(len(syllables))] for _ in range(1 + random(4))) for _ in range(6000)]
    lines, length = [], 0
    while length < size:
        line = " ".join(words[random(1 + random(1 + random(len(words))))] for _ in range(4 + random(10))) + ".\n"
        lines.append(line)
        length += len(line)
    return "".join(lines).encode()[:size]


def write_data(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / "text8.gz").exists():
        return
    content = text(1 << 20)
    (folder / "text").write_bytes(content)
    (folder / "lines").write_bytes(b"".join(content.splitlines(keepends=True)[:400]))
    (folder / "text8").write_bytes(content * 8)
    (folder / "text8.gz").write_bytes(gzip.compress(content * 8, mtime=0))


def copy_scripts(folder: Path) -> None:
    shutil.copytree(BENCH / "guest" / "scripts", folder, dirs_exist_ok=True)


def make_initramfs() -> Path:
    """The default guest's initramfs, with our tree behind it."""
    root, native, data = OUT / "root", OUT / "native", OUT / "data"
    compile_programs(root / "bench")
    write_data(data)
    copy_scripts(root / "scripts")
    for folder in ("data", "bin", "debian"):
        (root / folder).mkdir(exist_ok=True)
    for name in ("text", "lines"):
        shutil.copyfile(data / name, root / "data" / name)
    shutil.copyfile(BENCH / "guest" / "init", root / "init")
    shutil.copy(BUSYBOX, root / "bin" / "busybox")
    (root / "init").chmod(0o755)
    native.mkdir(exist_ok=True)
    for name in ("bench", "scripts", "data", "bin"):
        if not (native / name).is_symlink():
            (native / name).symlink_to(root / name)
    if not (native / "debian").is_symlink():
        (native / "debian").symlink_to(OUT / "debian")
    return write_initramfs(root, OUT / "initrd")


def make_boot_initramfs() -> Path:
    """The default guest's initramfs with our init alone: for boots, which should not carry the programs."""
    root = OUT / "boot-root"
    root.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(BENCH / "guest" / "init", root / "init")
    (root / "init").chmod(0o755)
    return write_initramfs(root, OUT / "boot-initrd")


def write_initramfs(root: Path, target: Path) -> Path:
    names = sorted(str(path.relative_to(root)) for path in root.rglob("*"))
    archive = subprocess.run(["cpio", "-o", "-H", "newc", "--quiet", "--owner=0:0"], cwd=root, check=True,
                             input="\n".join(names).encode(), stdout=subprocess.PIPE)
    first = (GUEST / "initrd.gz").read_bytes()
    target.write_bytes(first + gzip.compress(archive.stdout, compresslevel=1, mtime=0))
    return target


def debian_sources() -> bytes:
    """The host's own package sources for the release (not its updates), as lines of sources.list(5)."""
    told = subprocess.run(["apt-get", "indextargets", "--format", "$(SITE) $(RELEASE) $(COMPONENT)", "Created-By: Packages"],
                          check=True, capture_output=True, text=True).stdout
    lines = {f"deb {line}\n" for line in told.splitlines() if line.split()[1] == DEBIAN_RELEASE}
    if not lines:
        raise SystemExit(f"bench: no package source of {DEBIAN_RELEASE} is known to apt")
    return "".join(sorted(lines)).encode()


def make_debian() -> Path:
    """The i386 system as a tree and as an ext4 image; made once (delete build/bench/debian to make it anew)."""
    tree, image = OUT / "debian", OUT / "debian.img"
    if not tree.exists():
        if shutil.which("mmdebstrap") is None:
            raise SystemExit("bench: Debian's programs need the package mmdebstrap and arch-test, or leave them out: --groups")
        unfinished = OUT / "debian.new"
        if unfinished.exists():
            raise SystemExit(f"bench: {unfinished} is left from a run that did not end: delete it (nothing is mounted in it?)")
        subprocess.run(["mmdebstrap", "--quiet", "--architectures=i386", "--variant=minbase",
                        f"--include={DEBIAN_PACKAGES}", DEBIAN_RELEASE, unfinished, "-"], input=debian_sources(), check=True)
        unfinished.rename(tree)
    write_data(OUT / "data")
    shutil.copytree(OUT / "data", tree / "data", dirs_exist_ok=True)
    copy_scripts(tree / "scripts")
    scripts = list((BENCH / "guest" / "scripts").iterdir())
    if not is_newer(image, scripts + [tree / "usr" / "bin" / "gcc"]):
        image.unlink(missing_ok=True)
        mke2fs = shutil.which("mke2fs") or "/sbin/mke2fs"
        subprocess.run([mke2fs, "-q", "-t", "ext4", "-O", "^has_journal", "-d", tree, image, "800M"], check=True)
    return image


def make_cd(initramfs: Path, append: str) -> Path:
    """A CD with GRUB and the guest."""
    folder, image = OUT / "cd", initramfs.with_suffix(".iso")
    grub = folder / "boot" / "grub"
    grub.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(GUEST / "vmlinuz", folder / "boot" / "vmlinuz")
    shutil.copyfile(initramfs, folder / "boot" / "initrd")
    (grub / "grub.cfg").write_text("set timeout=0\nset default=0\nmenuentry guest {\n"
                                   f"  linux /boot/vmlinuz quiet {append}\n  initrd /boot/initrd\n}}\n")
    subprocess.run(["grub-mkrescue", "-d", "/usr/lib/grub/i386-pc", "-o", image, folder], check=True, capture_output=True)
    return image
