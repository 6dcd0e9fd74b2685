"""What vmrescue says of a folder of files, beside what every other reader on this machine says of them.

Run by hand, on files that are not in the repository (hives, images, volumes from public collections, or one's own):

    python tests/public_files.py FOLDER                  a table of differences
    python tests/public_files.py FOLDER --all            the rows on which all agree too
    python tests/public_files.py FOLDER --edit           a copy of each is edited and undone as well, before the judges

Each file is looked at by a process of its own, so that one that takes too long costs only its own rows. Each row begins
with what comes of the comparison: ``=`` both say the same, or neither can read it; ``?`` the other one cannot; ``-``
vmrescue refuses an edit, or finds fault with what it reads, and nobody else is asked; ``!`` a difference. That is a
place to look, no verdict: other readers have faults too. The judges, where they are installed: hivexml, reglookup,
yarp, regipy, qemu-img, sfdisk, fsstat, fls and icat, ntfsresize, ntfsfix, fsck.vfat.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import io
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

sys.path.insert(0, str(Path(__file__).resolve().parent))

from registry.judges import assert_dissect_agrees, assert_hivexml_agrees, assert_reglookup_agrees, content_of
from support import judges
from vmrescue.disk import open_disk
from vmrescue.errors import VmRescueError
from vmrescue.readers.guard import reading
from vmrescue.registry import Hive
from vmrescue.registry.check import Weight
from vmrescue.registry.hive_file import read_hive, read_log
from vmrescue.registry.reg_file import import_reg
from vmrescue.volumes.disk import Disk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from registry.judges import Content
    from vmrescue.windows import Volume

SECONDS = 600  # for one file
MOST_FILES = 5000  # of a volume whose content is compared
MOST_BYTES = 64 << 20  # of a file whose content is compared
LARGEST_EDITED = 2 << 30  # bytes of a copy
LARGEST_IMPORTED = 4 << 20  # bytes of a hive whose export is imported by the command; of others by the library
NO = "no: "  # what an answer begins with that is none
LOGS = (".LOG1", ".LOG2", ".log1", ".log2", ".LOG", ".log")
CONTAINERS = {b"vhdxfile": "VHDX", b"conectix": "VHD", b"QFI\xfb": "QCOW2", b"KDMV": "VMDK", b"# Disk D": "VMDK"}
EWF = b"EVF\t\r\n\xff\0"
METAFILES = {r"$SECURE", r"$EXTEND\$OBJID", r"$EXTEND\$QUOTA", r"$EXTEND\$REPARSE"}  # no unnamed stream: fls lists none
PROBE = b"written by a comparison of vmrescue with other programs\n" * 40


SOUND, EDITED, PUT = "sound", "an edit", "a file put"
REFUSALS = (SOUND, EDITED, PUT)


@dataclass(frozen=True)
class Row:
    """One question about one file, what vmrescue answered, and what somebody else did."""

    file: str
    kind: str
    question: str
    ours: str
    judge: str
    theirs: str

    @property
    def outcome(self) -> str:
        """One of the marks that are explained above."""
        ours, theirs = self.ours.startswith(NO), self.theirs.startswith(NO)
        if self.ours == self.theirs or (ours and theirs):
            return "="
        if self.judge == "-" and self.question in REFUSALS:
            return "-"
        return "?" if theirs else "!"


@dataclass(frozen=True)
class Asked:
    """A file, and rows of it."""

    path: Path
    kind: str

    def row(self, question: str, ours: object, judge: str, theirs: object) -> Row:
        return Row(str(self.path), self.kind, question, one_line(ours), judge, one_line(theirs))


def one_line(answer: object) -> str:
    return " ".join(str(answer).split("\n"))


def kind_of(path: Path) -> str:
    """What a file is, by its first bytes and its last, with no code of vmrescue's."""
    with open(path, "rb") as stream:
        head = stream.read(4608)
        stream.seek(max(0, path.stat().st_size - 512))
        tail = stream.read(512)
    if head[:4] == b"regf":
        return "log" if path.name.lower().endswith((".log", ".log1", ".log2")) else "hive"
    if head[:8] == EWF:
        return "E01"
    if head[0x40:0x44] == b"\x7f\x10\xda\xbe":
        return "VDI"
    for signature, name in CONTAINERS.items():
        if head.startswith(signature) or (name == "VHD" and tail.startswith(signature)):
            return name
    return "raw"


# Hives


def hive_rows(asked: Asked) -> Iterator[Row]:
    logs = [read_log(log.open("rb"), log.name) for log in logs_of(asked.path)]
    try:
        hive = Hive(read_hive(asked.path.open("rb"), asked.path.name), logs=logs)
        content = content_of(hive)
    except VmRescueError as error:
        yield from unreadable_hive(asked, error)
        return
    faults = [str(problem) for problem in hive.check() if problem.weight > Weight.NOTE]
    yield asked.row(SOUND, "; ".join(faults[:2]) or "yes", "-", "yes")
    with tempfile.TemporaryDirectory() as folder:
        seen = Path(folder) / "hive"
        seen.write_bytes(hive.to_bytes() if hive.recovered else asked.path.read_bytes())
        comparisons: dict[str, Callable[[], None]] = {
            "dissect.regf": lambda: assert_dissect_agrees(seen.read_bytes(), content),
            "hivexml": lambda: assert_hivexml_agrees(seen, content),
            "reglookup": lambda: assert_reglookup_agrees(seen, content),
        }
        for judge, compare in comparisons.items():
            if judge == "dissect.regf" or judges.find(judge):
                yield asked.row("keys, values, data", "the same", judge, verdict(compare))
    for judge, read in (("yarp", with_yarp), ("regipy", with_regipy)):
        if importlib.util.find_spec(judge) and not (judge == "regipy" and hive.recovered):  # which replays no logs
            yield asked.row("keys and values, logs replayed", counts(content), judge, attempt(read, asked.path))
    if "Objects" in content:
        yield from store_rows(asked)
    yield from exported(asked, content)


def store_rows(asked: Asked) -> Iterator[Row]:
    """The objects of a boot store, each with the number of its elements."""
    if not judges.find("hivexml"):
        return
    command = [sys.executable, "-m", "vmrescue", "bcdedit", str(asked.path), "/enum", "all", "--format", "json"]
    done = subprocess.run(command, capture_output=True, timeout=SECONDS)
    ours = f"{done.returncode}: {last_line(done.stderr)}"
    if done.returncode == 0:
        ours = str(sorted((row["identifier"].lower(), len(row["elements"])) for row in json.loads(done.stdout)))
    tree = ElementTree.fromstring(subprocess.run(["hivexml", asked.path], capture_output=True, check=True).stdout)
    objects = tree.findall("./node/node[@name='Objects']/node")
    counted = sorted(
        (str(each.get("name")).lower(), len(each.findall("./node[@name='Elements']/node"))) for each in objects
    )
    yield asked.row("boot store: elements of each object", ours, "hivexml", counted)


def logs_of(path: Path) -> list[Path]:
    """The transaction logs beside a hive, each once."""
    beside = {path.with_name(path.name + suffix) for suffix in LOGS}
    return sorted(log for log in beside if log.is_file())


def unreadable_hive(asked: Asked, error: VmRescueError) -> Iterator[Row]:
    """What others make of a hive that vmrescue refuses."""
    for judge, command in {"hivexml": ["hivexml"], "reglookup": ["reglookup"]}.items():
        if judges.find(judge):
            done = subprocess.run([*command, asked.path], capture_output=True, timeout=SECONDS)
            said = last_line(done.stderr)
            yield asked.row("can be read", f"{NO}{error}", judge, f"{NO}{said}" if said or done.returncode else "yes")
    if importlib.util.find_spec("yarp"):
        yield asked.row("can be read", f"{NO}{error}", "yarp", attempt(with_yarp, asked.path))


def counts(content: Content) -> str:
    return f"{len(content)} keys, {sum(map(len, content.values()))} values"


def with_yarp(path: Path) -> str:
    """Keys and values as yarp counts them, with the logs applied that it thinks fit."""
    from yarp import Registry  # type: ignore[import-not-found]

    with open(path, "rb") as primary:
        hive = Registry.RegistryHive(primary)
        logs = [io.BytesIO(log.read_bytes()) for log in logs_of(path)]
        if logs:
            hive.recover_auto(None, logs[0], logs[1] if len(logs) > 1 else None)
        keys = values = 0
        waiting = [hive.root_key()]
        while waiting:
            key = waiting.pop()
            keys, values = keys + 1, values + sum(1 for _ in key.values())
            waiting += key.subkeys()
    return f"{keys} keys, {values} values"


def with_regipy(path: Path) -> str:
    """Keys and values as regipy counts them; the logs are not applied."""
    from regipy.registry import RegistryHive  # type: ignore[import-not-found]

    found: Content = {}
    waiting = [("", RegistryHive(str(path)).root)]
    while waiting:
        place, key = waiting.pop()
        found[place] = {str(number): (0, b"") for number in range(key.values_count)}
        waiting += (
            [(f"{place}\\{sub.name}".lstrip("\\"), sub) for sub in key.iter_subkeys()] if key.subkey_count else []
        )
    return counts(found)


def exported(asked: Asked, content: Content) -> Iterator[Row]:
    """What `reg export` writes, imported into an empty hive by the command: the same keys, values and data."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / asked.path.name
        shutil.copy(asked.path, copy)
        for log in logs_of(asked.path):
            shutil.copy(log, folder)
        text, empty = Path(folder) / "all.reg", Path(folder) / "empty"
        empty.write_bytes(Hive.create("EMPTY", minor=5).to_bytes())
        status, said = vmrescue("reg", copy, "export", rf"HKLM\{copy.name}", text)
        if status == 0:
            lines = text.read_bytes().decode("utf-16")
            text.write_bytes(
                lines.replace(f"HKEY_LOCAL_MACHINE\\{copy.name}", "HKEY_LOCAL_MACHINE\\empty").encode("utf-16")
            )
            if asked.path.stat().st_size <= LARGEST_IMPORTED:
                status, said = vmrescue("reg", empty, "import", text, "--yes")
            else:
                hive = Hive(empty.read_bytes())
                import_reg(hive, text.read_bytes(), r"HKEY_LOCAL_MACHINE\empty")
                empty.write_bytes(hive.to_bytes())
        answer = said.splitlines()[-1] if said else f"status {status}"
        if status == 0:
            again = content_of(Hive(empty.read_bytes()))
            answer = "the same" if again == content else f"differs in {sorted(set(content) ^ set(again))[:3]!r:.300}"
        yield asked.row("its export, imported", answer, "-", "the same")


def edited_hive(asked: Asked) -> Iterator[Row]:
    """A value set in a copy by the command, seen by hivexml, and undone to the byte."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / asked.path.name
        shutil.copy(asked.path, copy)
        for log in logs_of(asked.path):
            shutil.copy(log, folder)
        before = sha256(copy)
        status, said = vmrescue(
            "reg", copy, "add", rf"HKLM\{copy.name}\VmrescueProbe", "/v", "Probe", "/d", "probe", "--yes"
        )
        if status:
            yield asked.row(EDITED, f"refused, {status}: {said.strip()[-200:]}", "-", "made")
            yield asked.row("untouched by a refusal", sha256(copy), "-", before)
            return
        content = content_of(Hive(copy.read_bytes()))
        if judges.find("hivexml"):
            yield asked.row(
                "after an edit", "the same", "hivexml", verdict(lambda: assert_hivexml_agrees(copy, content))
            )
        yield from undone(asked, copy, before)


# Containers, tables, volumes


def image_rows(asked: Asked) -> Iterator[Row]:
    try:
        device = open_disk(asked.path)
    except VmRescueError as error:
        yield asked.row("can be opened", f"{NO}{error}", "qemu-img", qemu_size(asked))
        return
    with closing(device):
        if asked.kind not in ("raw", "E01") and judges.find("qemu-img"):
            yield asked.row("virtual size", device.size, "qemu-img", qemu_size(asked))
            digest = hashlib.sha256()
            for at in range(0, device.size, 1 << 22):
                digest.update(device.read_at(at, min(1 << 22, device.size - at)))
            yield asked.row("content", digest.hexdigest(), "qemu-img", qemu_content(asked, device.size))
        with tempfile.TemporaryDirectory(dir=asked.path.parent) as folder:
            raw = asked.path
            if asked.kind != "raw":
                raw = Path(folder) / "raw"
                with open(raw, "wb") as out:
                    for at in range(0, device.size, 1 << 22):
                        out.seek(at)
                        piece = device.read_at(at, min(1 << 22, device.size - at))
                        if any(piece):
                            out.write(piece)
                    out.truncate(device.size)
            yield from disk_rows(asked, raw, device)


def qemu_size(asked: Asked) -> str:
    if not judges.find("qemu-img"):
        return "not installed"
    done = subprocess.run(["qemu-img", "info", "--output=json", asked.path], capture_output=True, timeout=SECONDS)
    return str(json.loads(done.stdout)["virtual-size"]) if done.returncode == 0 else f"{NO}{last_line(done.stderr)}"


def qemu_content(asked: Asked, size: int) -> str:
    options = ["-f", "vpc"] if asked.kind == "VHD" else []  # a fixed one would be taken for raw
    with tempfile.TemporaryDirectory(dir=asked.path.parent) as folder:
        raw = Path(folder) / "raw"
        command = ["qemu-img", "convert", *options, "-O", "raw", str(asked.path), str(raw)]
        done = subprocess.run(command, capture_output=True, timeout=SECONDS)
        if done.returncode:
            return f"{NO}{last_line(done.stderr)}"
        with open(raw, "rb") as stream:
            digest = hashlib.sha256()
            for at in range(0, size, 1 << 22):
                digest.update(stream.read(min(1 << 22, size - at)))
        return digest.hexdigest()


def disk_rows(asked: Asked, raw: Path, device: Any) -> Iterator[Row]:
    status, said = vmrescue("info", asked.path, "--format", "json")
    yield asked.row("info", "shown" if status == 0 else f"{status}: {said.strip()[-300:]}", "-", "shown")
    try:
        disk = Disk(device, str(asked.path))
    except VmRescueError as error:
        yield asked.row("partition table", f"{NO}{error}", "sfdisk", sfdisk(raw))
        return
    if disk.table.style != "none":  # of a boot sector sfdisk makes partitions too
        ours = sorted((volume.partition.start, volume.partition.size) for volume in disk.volumes)
        yield asked.row("partitions", ours, "sfdisk", sfdisk(raw))
    for volume in disk.volumes:
        yield from volume_rows(asked, raw, volume)


def sfdisk(raw: Path) -> str:
    if not judges.find("sfdisk"):
        return "not installed"
    done = subprocess.run(["sfdisk", "--json", raw], capture_output=True, timeout=SECONDS)
    if done.returncode:
        return f"{NO}{last_line(done.stderr)}"
    table = json.loads(done.stdout)["partitiontable"]
    sector = table.get("sectorsize", 512)
    rows = [row for row in table.get("partitions", []) if row.get("type", "").lower() not in ("5", "f", "85")]
    return str(sorted((row["start"] * sector, row["size"] * sector) for row in rows))


def volume_rows(asked: Asked, raw: Path, volume: Volume) -> Iterator[Row]:
    name, sector = f"partition {volume.partition.number}", volume.disk.table.sector_size
    offset = volume.position // sector
    place = ["-o", str(offset), "-b", str(sector)] if offset else []
    done = subprocess.run(["fsstat", *place, raw], capture_output=True, timeout=SECONDS)
    found = re.search(rb"File System Type: (\w+)", done.stdout)
    if found and volume.file_system:  # of those of Linux we know nothing
        yield asked.row(f"{name}: file system", volume.file_system, "fsstat", found[1].decode())
    if not volume.readable:
        return
    listed = their_files(place, raw)
    try:
        ours = dict(our_files(volume))
    except VmRescueError as error:
        yield asked.row(f"{name}: files", f"{NO}{error}", "fls", f"{NO}files" if listed is None else len(listed))
        return
    if listed is None:
        yield asked.row(f"{name}: files", len(ours), "fls", f"{NO}files")
        return
    shared = ours.keys() & listed.keys()
    yield asked.row(
        f"{name}: files", f"{len(ours)}; not seen: {sorted(listed.keys() - ours.keys())[:5]}", "fls",
        f"{len(listed)}; not seen: {sorted(ours.keys() - listed.keys())[:5]}",
    )  # fmt: skip
    wrong = []
    for path in sorted(shared)[:MOST_FILES]:
        answer = our_content(volume, path)
        if answer is not None and answer != icat(place, raw, listed[path]):
            wrong.append(f"{path}: {answer:.120}")
    yield asked.row(f"{name}: content of files", f"differs: {wrong[:5]}" if wrong else "the same", "icat", "the same")


def our_files(volume: Volume) -> Iterator[tuple[str, int]]:
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        for entry in volume.files.entries(folder):
            path = f"{folder}\\{entry.name}".lstrip("\\")
            if path.upper() in METAFILES:
                continue
            if not entry.is_directory:
                yield path, entry.size
            elif not entry.is_link:
                waiting.append(path)


def their_files(place: list[str], raw: Path) -> dict[str, str] | None:
    """Paths and addresses of the files that fls lists: no directories, streams, metafiles or deleted names."""
    done = subprocess.run(["fls", "-r", "-p", "-u", *place, raw], capture_output=True, timeout=SECONDS)
    if done.returncode:
        return None
    rows = {}
    for line in done.stdout.decode("utf-8", "replace").splitlines():
        match = re.match(r"(\S)/(\S) (?:\* )?(\S+?)(?:\(realloc\))?:\t(.*)", line)
        if match is None or match[1] in "d-" or match[2] in "dvV":  # "-": a record that no directory has
            continue
        path = match[4].removesuffix(" (Volume Label Entry)").replace("/", "\\")
        if ":" in path or path.startswith("$OrphanFiles") or match[4].endswith("(Volume Label Entry)"):
            continue
        rows[path] = match[3]
    return rows


def our_content(volume: Volume, path: str) -> str | None:
    """The SHA-256 of a file, or what keeps it from being read; None for one too large to be compared."""
    try:
        if (volume.files.size_of(path) or 0) > MOST_BYTES:
            return None
        return hashlib.sha256(volume.files.open(path).read()).hexdigest()
    except VmRescueError as error:
        return f"{NO}{error}"


def icat(place: list[str], raw: Path, address: str) -> str:
    done = subprocess.run(["icat", *place, raw, address], capture_output=True, timeout=SECONDS)
    return hashlib.sha256(done.stdout).hexdigest()


def edited_image(asked: Asked) -> Iterator[Row]:
    """A file put on each volume of a copy, seen by the judges, and undone to the byte."""
    if asked.path.stat().st_size > LARGEST_EDITED:
        return
    with tempfile.TemporaryDirectory(dir=asked.path.parent) as folder:
        copy, probe = Path(folder) / asked.path.name, Path(folder) / "probe"
        subprocess.run(["cp", "--sparse=always", asked.path, copy], check=True)
        probe.write_bytes(PROBE)
        before = sha256(copy)
        try:
            with closing(open_disk(copy)) as device:
                disk = Disk(device, str(copy))
                volumes = [(each.partition.number, each.file_system) for each in disk.volumes if has_files(each)]
        except VmRescueError:
            return
        for number, file_system in volumes:
            status, said = vmrescue("put", f"{copy}:{number}", probe, r"\vmrescue-probe.bin", "--yes")
            what = f"put on partition {number} ({file_system})"
            if status:
                yield asked.row(PUT, f"on {number} refused, {status}: {said.strip()[-300:]}", "-", "made")
                yield asked.row(f"{what}: untouched by a refusal", sha256(copy), "-", before)
                continue
            yield from judged_edit(asked, copy, number, str(file_system), what)
            yield from undone(asked, copy, before)


def has_files(volume: Volume) -> bool:
    """Whether a volume's files can be listed: nobody expects an edit of another."""
    try:
        return volume.readable and any(True for _ in volume.files.entries(""))
    except VmRescueError:
        return False


def judged_edit(asked: Asked, copy: Path, number: int, file_system: str, what: str) -> Iterator[Row]:
    """The judges of a volume: they may not have anything else to say after the edit than they had before."""
    checks = {"NTFS": [["ntfsfix", "-n"], ["ntfsresize", "--info", "--force"]]}.get(file_system, [["fsck.vfat", "-n"]])
    before, after = (dict(judgements(path, number, checks)) for path in (asked.path, copy))
    for judge, answer in after.items():
        yield asked.row(f"{what}, and as it was before", answer, judge, before[judge])


def judgements(path: Path, number: int, checks: list[list[str]]) -> Iterator[tuple[str, str]]:
    """What each judge says of a volume of an image: its status, and its last words where that is not 0."""
    with closing(open_disk(path)) as device, tempfile.NamedTemporaryFile(dir=path.parent) as window:
        volume = Disk(device, str(path)).volume(number)
        assert volume is not None
        for at in range(0, volume.device.size, 1 << 22):
            piece = volume.device.read_at(at, min(1 << 22, volume.device.size - at))
            window.seek(at)
            if any(piece):
                window.write(piece)
        window.truncate(volume.device.size)
        window.flush()
        for check in checks:
            if judges.find(check[0]):
                done = subprocess.run([*check, window.name], capture_output=True, timeout=SECONDS)
                yield check[0], "content" if done.returncode == 0 else f"{done.returncode}: {last_line(done.stderr)}"


def undone(asked: Asked, copy: Path, before: str) -> Iterator[Row]:
    status, said = vmrescue("undo", copy)
    yield asked.row("undo", "done" if status == 0 else f"{status}: {said.strip()[-200:]}", "-", "done")
    yield asked.row("undone to the byte", sha256(copy), "-", before)


# What all share


def vmrescue(*arguments: object) -> tuple[int, str]:
    """The command's exit status, and what it said last; a traceback is an answer too."""
    done = subprocess.run(
        [sys.executable, "-m", "vmrescue", *map(str, arguments)], capture_output=True, text=True, timeout=SECONDS
    )
    return done.returncode, done.stderr


def verdict(compare: Callable[[], None]) -> str:
    try:
        compare()
    except AssertionError as error:
        said = str(error) or "values"
        return f"{NO}{said}"[:300] if " ended with " in said.split("\n")[0] else f"differs: {said}"[:300]
    except ElementTree.ParseError as error:  # hivexml prints some characters that XML does not have
        return f"{NO}{error}"
    return "the same"


def attempt(read: Callable[[Path], str], path: Path) -> str:
    """What a reader of somebody else says, or that it cannot."""
    try:
        with reading(read.__name__, 0):
            return read(path)
    except VmRescueError as error:
        return f"{NO}{error}"[:200]


def last_line(said: bytes) -> str:
    lines = said.decode("utf-8", "replace").strip().splitlines()
    return lines[-1][-200:] if lines else ""


def sha256(path: Path) -> str:
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def rows_of(path: Path, edit: bool) -> Iterator[Row]:
    asked = Asked(path, kind_of(path))
    if asked.kind == "log":
        return
    hive = asked.kind == "hive"
    yield from hive_rows(asked) if hive else image_rows(asked)
    if edit:
        yield from edited_hive(asked) if hive else edited_image(asked)


def one(path: Path, edit: bool) -> list[Row]:
    """The rows of a file, by a process of its own."""
    command = [sys.executable, __file__, "--one", str(path), *(["--edit"] if edit else [])]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS * 2)
    except subprocess.TimeoutExpired:
        return [Row(str(path), "?", "is read", f"not within {SECONDS * 2} s", "-", "read")]
    rows = [Row(**json.loads(line)) for line in done.stdout.splitlines()]
    if done.returncode:
        rows.append(Row(str(path), "?", "is read", f"ended with {done.returncode}: {done.stderr[-600:]}", "-", "read"))
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--all", action="store_true", help="show the rows on which all agree too")
    parser.add_argument("--edit", action="store_true", help="edit a copy of each file, and undo it")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        out = io.TextIOWrapper(sys.stdout.buffer, encoding="utf-8", errors="backslashreplace")
        for row in rows_of(chosen.folder, chosen.edit):
            print(json.dumps(asdict(row)), file=out, flush=True)
        return 0
    tally: Counter[str] = Counter()
    for path in sorted(path for path in chosen.folder.rglob("*") if path.is_file()):
        for row in one(path, chosen.edit):
            tally[row.outcome] += 1
            if chosen.all or row.outcome != "=":
                name = path.relative_to(chosen.folder)
                print(f"{row.outcome} {name} [{row.kind}] {row.question}: {row.ours} | {row.judge}: {row.theirs}")
                sys.stdout.flush()
    print(
        f"{tally.total()} answers compared: {tally['=']} agree, {tally['!']} differ; of {tally['?']} the other reader "
        f"knows nothing; {tally['-']} faults found and edits refused"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
