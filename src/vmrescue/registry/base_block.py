"""The base block: the first 4096 bytes of a hive. Each of its logs begins with a copy of the first 512.

Source of the layout: M. Suhanov, "Windows registry file format specification", section "Base block".
"""

from __future__ import annotations

import struct
from enum import IntEnum

from construct import Bytes, Const, Int32ul, Int64ul, Struct

from vmrescue.dataclass import dataclass
from vmrescue.errors import FormatError, UnsupportedError
from vmrescue.registry.names import utf16
from vmrescue.signatures import HIVE

SIZE = 4096
SECTOR = 512  # bytes; the part of the base block that a log has a copy of
CHECKED = 508  # the checksum covers the bytes before itself
LOG_SUFFIXES = (".LOG1", ".LOG2", ".LOG")  # of the files beside a hive; the single .LOG is Windows Vista's and older

LAYOUT = Struct(
    "signature" / Const(HIVE),
    "primary" / Int32ul,  # sequence number: raised when a write to the hive begins
    "secondary" / Int32ul,  # sequence number: set to `primary` when the write is complete
    "last_written" / Int64ul,  # 100 ns since 1601; Windows 8.1 and later do not update it
    "major" / Int32ul,
    "minor" / Int32ul,
    "file_type" / Int32ul,
    "file_format" / Int32ul,
    "root" / Int32ul,  # offset of the root key's cell, from the first bin
    "bins_size" / Int32ul,  # bytes
    "clustering" / Int32ul,  # sector size / 512; always 1 since Windows 8
    "file_name" / Bytes(64),  # the end of a path, UTF-16
    "guids" / Bytes(32),  # of the transaction manager
    "flags" / Int32ul,
    "reserved" / Bytes(360),
    "checksum" / Int32ul,
)


class FileType(IntEnum):
    """What a file with a base block is."""

    HIVE = 0
    OLD_LOG = 1
    OLDEST_LOG = 2  # up to Windows 2000
    NEW_LOG = 6


MEMORY_LOAD = 1  # the only file format
TRANSACTION_FLAG = 1  # the one flag that log entries carry
LAYER_FLAG = 2  # the hive may lie over another one, such as a container's
READABLE_MINORS = (3, 4, 5, 6)


@dataclass(frozen=True)
class BaseBlock:
    """The fields of a base block that reading and editing need."""

    primary: int
    secondary: int
    last_written: int
    major: int
    minor: int
    file_type: int
    file_format: int
    root: int
    bins_size: int
    clustering: int
    guids: bytes
    flags: int
    checksum: int
    expected_checksum: int

    @classmethod
    def parse(cls, data: bytes | bytearray, what: str = "base block") -> BaseBlock:
        """The fields; the checksum is not verified. Raises FormatError if `data` does not begin with a base block."""
        if len(data) < SECTOR:
            raise FormatError(what, 0, f"{SECTOR} bytes", f"{len(data)} bytes")
        if data[:4] != HIVE:
            raise FormatError(what, 0, "the signature 'regf'", bytes(data[:4]))
        fields = LAYOUT.parse(data[:SECTOR])
        names = [name for name in cls.__dataclass_fields__ if name != "expected_checksum"]
        return cls(**{name: fields[name] for name in names}, expected_checksum=checksum(data))

    @property
    def is_layered(self) -> bool:
        return bool(self.flags & LAYER_FLAG)

    @property
    def checksum_is_right(self) -> bool:
        return self.checksum == self.expected_checksum

    def store(self, data: bytes | bytearray) -> bytes:
        """The first 512 bytes of `data` with these fields and a right checksum."""
        fields = LAYOUT.parse(data[:SECTOR])
        fields.update({name: getattr(self, name) for name in self.__dataclass_fields__ if name in fields})
        return _sealed(LAYOUT.build(fields))

    def check_readable(self) -> None:
        """Raises FormatError or UnsupportedError unless this is a hive of a version that we know."""
        if self.file_type != FileType.HIVE:
            known = self.file_type in list(FileType)
            found = f"{self.file_type} ({'a transaction log' if known else 'no type that is known'})"
            raise FormatError("base block", 28, "the file type 0 (a hive)", found)
        if self.major != 1 or self.minor not in READABLE_MINORS:
            raise UnsupportedError(f"the hive has version {self.major}.{self.minor}; known are 1.3 to 1.6")
        if self.file_format != MEMORY_LOAD:
            raise UnsupportedError(f"the hive has file format {self.file_format}; known is {MEMORY_LOAD}")


def checksum(block: bytes | bytearray) -> int:
    """XOR of the 127 numbers before the checksum; a result of 0 is stored as 1, and 0xffffffff as 0xfffffffe."""
    value = 0
    for number in struct.unpack_from("<127I", block):
        value ^= number
    return {0: 1, 0xFFFFFFFF: 0xFFFFFFFE}.get(value, value)


def new(root: int, bins_size: int, minor: int, name: str, when: int) -> bytes:
    """The first 512 bytes of a new, clean hive."""
    fields = {
        "signature": HIVE,
        "primary": 1,
        "secondary": 1,
        "last_written": when,
        "major": 1,
        "minor": minor,
        "file_type": FileType.HIVE,
        "file_format": MEMORY_LOAD,
        "root": root,
        "bins_size": bins_size,
        "clustering": 1,
        "file_name": utf16(name)[-62:].ljust(64, b"\0"),
        "guids": bytes(32),
        "flags": 0,
        "reserved": bytes(360),
        "checksum": 0,
    }
    return _sealed(LAYOUT.build(fields))


def _sealed(block: bytes) -> bytes:
    """The block with a right checksum."""
    return block[:CHECKED] + struct.pack("<I", checksum(block))
