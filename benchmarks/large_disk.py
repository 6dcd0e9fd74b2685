"""What a diagnosis and a repair of a 127 GB disk cost: bytes read, time of processor, memory, bytes written.

Run as root, in an environment where vmrescue is installed: ``python benchmarks/large_disk.py [FILES]``. The bytes are
the kernel's count for the process (/proc/self/io), not ours.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

IMAGES = Path(__file__).resolve().parents[1] / "images"

MEASURE = """
import pathlib, resource, sys, time
import vmrescue
from vmrescue.samples import unpack

def io(name):
    with open("/proc/self/io") as stream:
        return int(next(line for line in stream if line.startswith(name + ":")).split()[1])

small = unpack("gen2-broken", pathlib.Path(sys.argv[1]).with_suffix(".small"))
vmrescue.repair(small, dry_run=True)  # imports all that is needed: that is not what is measured
read, calls, clock, cpu = io("rchar"), io("syscr"), time.perf_counter(), time.process_time()
{act}
clock, cpu = time.perf_counter() - clock, time.process_time() - cpu
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(f"{{clock:.3f}} {{cpu:.3f}} {{io('rchar') - read}} {{io('syscr') - calls}} {{memory}}")
"""

ACTS = {
    "diagnose": "vmrescue.diagnose(sys.argv[1])",
    "repair": "vmrescue.repair(sys.argv[1])",
    "undo": "vmrescue.undo(sys.argv[1])",
}


def measure(act: str, image: Path) -> list[str]:
    """Runs one act in a process of its own; returns wall, processor (seconds), bytes, reads, peak memory (KiB)."""
    code = MEASURE.format(act=ACTS[act])
    done = subprocess.run([sys.executable, "-c", code, str(image)], check=True, capture_output=True, text=True)
    return done.stdout.split()


def main(files: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "large.vhd"
        subprocess.run([sys.executable, str(IMAGES / "large.py"), str(image), str(files)], check=True)
        print(f"127 GB fixed VHD, {files} files")
        print(f"{'':10}{'wall s':>10}{'cpu s':>10}{'MB read':>10}{'reads':>10}{'peak MB':>10}")
        for act in ("diagnose", "diagnose", "repair", "undo"):
            wall, cpu, read, calls, memory = measure(act, image)
            print(f"{act:10}{wall:>10}{cpu:>10}{int(read) / 1e6:>10.2f}{calls:>10}{int(memory) / 1024:>10.1f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
