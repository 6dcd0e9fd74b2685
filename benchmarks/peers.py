"""What other programs do for the same: shell scripts, which get the image as ``$0``, and a script for dissect."""

from __future__ import annotations

import large

MOUNT = f"""set -e
mkdir os
device=$(losetup --find --show --offset {large.OS[0]} --sizelimit {large.OS[1]} "$0")
ntfs-3g "$device" os
"""
UNMOUNT = """
umount os
losetup --detach "$device"
"""
VALUE = r"""cat > edit.reg <<'END'
Windows Registry Editor Version 5.00

[\ControlSet001\Control\CrashControl]
"AutoReboot"=dword:00000000
END
"""


def mounted(act: str) -> list[str]:
    """A script done in the OS volume, mounted at `os` through a loop device and ntfs-3g."""
    return ["bash", "-c", MOUNT + act + UNMOUNT]


def on_hive(act: str) -> list[str]:
    """A script done with the hive whose path is ``$0``."""
    return ["bash", "-c", f"set -e\n{act}"]


DELETE = mounted("rm os/pagefile.sys")
SET_VALUE = mounted(VALUE + "hivexregedit --merge os/Windows/System32/config/SYSTEM edit.reg")
SET_VALUE_IN_HIVE = on_hive(r"""hivexsh -w "$0" <<'END'
cd \ControlSet001\Control\CrashControl
setval 1
AutoReboot
dword:0
commit
END""")
VALUES = mounted(f"""mcopy -n -i "$0@@{large.ESP[0]}" ::/EFI/Microsoft/Boot/BCD BCD
df os
hivexsh os/Windows/System32/config/SYSTEM <<'END'
cd \\Select
lsval Current
cd \\ControlSet001\\Control\\CrashControl
lsval
cd \\ControlSet001\\Control\\Session Manager\\Memory Management
lsval PagingFiles
END
hivexsh BCD <<'END'
cd \\Objects
ls
END
""")
WALK_HIVE = on_hive('hivexml "$0" > /dev/null')

# The values that a diagnosis judges first, the boot store's objects and the free space, through dissect alone.
DISSECT = f"""
import io, sys
from dissect.fat import FATFS
from dissect.ntfs import NTFS
from dissect.regf import RegistryHive
from dissect.util.stream import RangeStream

with open(sys.argv[1], "rb") as disk:
    os = NTFS(RangeStream(disk, {large.OS[0]}, {large.OS[1]}))
    system = RegistryHive(io.BytesIO(os.mft.get("Windows/System32/config/SYSTEM").open().read()))
    number = system.open("Select").value("Current").value
    control = system.open(f"ControlSet{{number:03}}\\\\Control")
    crash = control.subkey("CrashControl")
    print([(value.name, value.value) for value in crash.values()])
    print(control.subkey("Session Manager").subkey("Memory Management").value("PagingFiles").value)
    esp = FATFS(RangeStream(disk, {large.ESP[0]}, {large.ESP[1]}))
    store = RegistryHive(io.BytesIO(esp.get("EFI/Microsoft/Boot/BCD").open().read()))
    for each in store.open("Objects").subkeys():
        print(each.name, [(one.name, one.value("Element").value) for one in each.subkey("Elements").subkeys()])
    bitmap = os.mft.get(6).open().read()
    print(8 * len(bitmap) - int.from_bytes(bitmap, "little").bit_count())
"""
