"""The bytes of an image file or a block device: the lowest layer, which calls the operating system."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import struct
import sys
from contextlib import closing
from pathlib import Path
from typing import NoReturn, Protocol

from vmrescue.device import BlockDevice, check_range
from vmrescue.errors import ReadError, RefusedError, WriteError
from vmrescue.files import IMAGE_AND_VOLUME, kind_of, open_untouched

SECTOR = 512
WRITE = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH
BLKSSZGET = 0x1268  # linux/fs.h: the logical sector size of a block device, as an int
BLKROGET = 0x125E  # linux/fs.h: whether a block device is read-only, as an int
FS_IOC_GETFLAGS = 0x80086601  # linux/fs.h: a file's attributes, as an int
ATTRIBUTES = ((0x10, "immutable", "i"), (0x20, "only appended to", "a"))  # FS_IMMUTABLE_FL and FS_APPEND_FL: chattr(1)


class ImageStore(BlockDevice, Protocol):
    """The bytes of an image file, container included: a device whose length can change."""

    def resize(self, size: int) -> None:
        """Makes it `size` bytes long; bytes beyond the old end read as zero."""


class HeldStore(ImageStore, Protocol):
    """The bytes of an image that is being edited: locked, so that nobody else writes to them until they are closed.

    Attributes:
        path: the image's path, for messages and to find its journals; a URL without secrets.
        unfinished: the place of an interrupted repair's journal, if the image itself names one.
    """

    path: str
    unfinished: str | None

    @property
    def version(self) -> str | None:
        """A version that changes with every write by anybody; None if there is no reliable one."""

    def settle(self) -> None:
        """Returns when whoever opens the image anew reads what was written. Raises WriteError."""

    def drop_cache(self) -> None:
        """Drops cached bytes, so that later reads come from storage. Raises WriteError."""

    def must_be_unchanged(self) -> None:
        """Raises RefusedError if somebody else has written nevertheless, and that can be detected."""


class FileDevice:
    """An image file or a block device. Nothing is cached here; the kernel's page cache is enough.

    A block device is written in whole sectors. It is opened for writing exclusively, which fails if it is mounted. The
    time of the last access stays as it is, where the system lets us.

    Raises:
        ReadError: it cannot be opened, or is neither a file nor a block device.
        RefusedError: it may not be written, by its mode even where the user is root, or is in use.
    """

    unfinished: str | None = None  # a file's journals lie beside it
    version: str | None = None  # a file's times are not reliable: they can be set, are coarse, and change in copies

    def __init__(self, path: str | os.PathLike[str], writable: bool = False) -> None:
        self.path = os.fspath(path)
        self.writable = writable
        self._descriptor = -1
        self.is_block_device = _is_block_device(self.path)
        flags = os.O_RDWR if writable else os.O_RDONLY
        if writable and self.is_block_device:
            flags |= os.O_EXCL
        try:
            self._descriptor = open_untouched(self.path, flags)
            self.size, self.sector_size = self._measure()
            protected = self.protected() if writable else ""
        except OSError as error:
            self.close()
            protected = _by_mode(Path(self.path).stat()) if writable and error.errno == errno.EACCES else ""
            if not protected:
                _cannot_open(self.path, writable, error)
        if protected:
            self.close()
            raise RefusedError(f"{self.path} is not written to: {protected}")

    def _measure(self) -> tuple[int, int]:
        size = os.lseek(self._descriptor, 0, os.SEEK_END)
        if not self.is_block_device:
            return size, SECTOR
        answer = fcntl.ioctl(self._descriptor, BLKSSZGET, struct.pack("i", 0))
        return size, int(struct.unpack("i", answer)[0])

    def protected(self) -> str:
        """Why somebody wants it to stay as it is, and how to let it be written; empty if nobody does."""
        if self.is_block_device:
            answer = fcntl.ioctl(self._descriptor, BLKROGET, struct.pack("i", 0))
            return "the device is read-only (blockdev --setrw)" if any(answer) else ""
        return _by_mode(os.fstat(self._descriptor))

    @property
    def attribute(self) -> str:
        """The attribute of the file that keeps it from being written, root's writes included; empty if none does."""
        try:
            answer = fcntl.ioctl(self._descriptor, FS_IOC_GETFLAGS, bytes(8))
        except OSError:  # not every file system has attributes
            return ""
        flags = int.from_bytes(answer[:4], sys.byteorder)
        return next((f"it is {name}: chattr -{letter}" for bit, name, letter in ATTRIBUTES if flags & bit), "")

    def fileno(self) -> int:
        """The open file's descriptor, for locks."""
        return self._descriptor

    def read_at(self, offset: int, length: int) -> bytes:
        check_range(self.path, offset, length, self.size)
        parts = []
        while length:
            try:
                part = os.pread(self._descriptor, length, offset)
            except OSError as error:
                raise ReadError(f"cannot read {self.path} at byte {offset}: {error.strerror}") from error
            if not part:
                raise ReadError(f"{self.path} became shorter while it was read: it ends at byte {offset}")
            parts.append(part)
            offset += len(part)
            length -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def next_data(self, offset: int) -> int:
        """Skips holes of a sparse file, if its file system reports them."""
        try:
            return os.lseek(self._descriptor, offset, os.SEEK_DATA)
        except OSError as error:
            return self.size if error.errno == errno.ENXIO else offset

    def write_at(self, offset: int, data: bytes | memoryview) -> None:
        check_range(self.path, offset, len(data), self.size)
        self._must_be_writable()
        if self.is_block_device:
            offset, data = self._whole_sectors(offset, data)
        view = memoryview(data)
        while view:
            try:
                written = os.pwrite(self._descriptor, view, offset)
            except OSError as error:
                raise WriteError(f"cannot write {self.path} at byte {offset}: {error.strerror}") from error
            offset += written
            view = view[written:]

    def _whole_sectors(self, offset: int, data: bytes | memoryview) -> tuple[int, bytes | memoryview]:
        """The write, extended to sector boundaries with the device's present bytes."""
        before = offset % self.sector_size
        after = -(offset + len(data)) % self.sector_size
        if not before and not after:
            return offset, data
        head = self.read_at(offset - before, before)
        tail = self.read_at(offset + len(data), after)
        return offset - before, b"".join((head, data, tail))

    def resize(self, size: int) -> None:
        """Shortens the file, or extends it by a hole. Raises RefusedError for a block device."""
        self._must_be_writable()
        if size == self.size:
            return
        if self.is_block_device:
            raise RefusedError(f"{self.path} is a block device: it cannot be made {size} bytes long")
        try:
            os.ftruncate(self._descriptor, size)
        except OSError as error:
            raise WriteError(f"cannot make {self.path} {size} bytes long: {error.strerror}") from error
        self.size = size

    def flush(self) -> None:
        if not self.writable:
            return
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            raise WriteError(f"cannot bring {self.path} to stable storage: {error.strerror}") from error

    def settle(self) -> None:
        """Nothing to do: the kernel shows every write at once."""

    def drop_cache(self) -> None:
        """Drops the kernel's cached pages that are written already, so that later reads come from the disk.

        After a failed sync, Linux keeps pages that never reached the disk, marked as clean.
        """
        os.posix_fadvise(self._descriptor, 0, 0, os.POSIX_FADV_DONTNEED)

    def must_be_unchanged(self) -> None:
        """Nothing to do: other writers were looked for when the lock was taken."""

    def close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _must_be_writable(self) -> None:
        if not self.writable:
            raise RefusedError(f"{self.path} was opened for reading only")


def must_be_writable(path: str | os.PathLike[str]) -> None:
    """Raises what opening an image's file or device for writing raises, before anything is done for it."""
    FileDevice(path, writable=True).close()


def why_not_written(path: str) -> str | None:
    """Why this process cannot write to an image's file or device, without opening it to write; None if no reason shows.

    The sentence is that with which opening it would be refused, and names an attribute that is the cause. Raises
    ReadError where it cannot be read either.
    """
    with closing(FileDevice(path)) as image:
        if not image.is_block_device and os.statvfs(path).f_flag & os.ST_RDONLY:
            return f"{path} may not be written: {os.strerror(errno.EROFS)}"
        if kept := image.attribute:
            return f"{path} may not be written: {os.strerror(errno.EPERM)} ({kept})"
        if protected := image.protected():
            return f"{path} is not written to: {protected}"
    allowed = os.access(path, os.W_OK, effective_ids=True)
    return None if allowed else f"{path} may not be written: {os.strerror(errno.EACCES)}"


def sync_folder(folder: str | os.PathLike[str]) -> None:
    """Returns when the names in a folder are on stable storage. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def check_growth(old: int, new: int, biggest: int = 1 << 62) -> None:
    """Raises RefusedError unless a disk of `old` bytes may be made `new` bytes long, `biggest` at most."""
    if new < old or new % SECTOR or new > biggest:
        raise RefusedError(
            f"a disk of {old} bytes can't be made {new} bytes: only longer, in whole sectors, to {biggest}"
        )


def _by_mode(found: os.stat_result) -> str:
    mode = stat.S_IMODE(found.st_mode)
    return "" if mode & WRITE else f"its mode, {mode:04o}, lets nobody write (chmod u+w)"


def _is_block_device(path: str) -> bool:
    try:
        mode = Path(path).stat().st_mode
    except OSError as error:
        _cannot_open(path, False, error)
    except ValueError as error:
        raise ReadError(f"cannot open {path}: {error}") from error  # the path contains a NUL
    if stat.S_ISDIR(mode):
        if not path:
            raise ReadError("the image has no name: an empty text was given for its path")
        if not os.access(path, os.R_OK | os.X_OK, effective_ids=True):
            raise ReadError(f"the folder {path} cannot be listed: {os.strerror(errno.EACCES)}")
        raise ReadError(f"{path} is a directory, not a disk image")
    if not stat.S_ISREG(mode) and not stat.S_ISBLK(mode):
        raise ReadError(f"{path} is neither a file nor a block device")
    return stat.S_ISBLK(mode)


def _cannot_open(path: str, writable: bool, error: OSError) -> NoReturn:
    if writable and error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        raise RefusedError(f"{path} may not be written: {error.strerror}") from error
    if writable and error.errno in (errno.EBUSY, errno.ETXTBSY):
        raise RefusedError(f"{path} is in use (mounted, or held by another program)") from error
    raise ReadError(f"cannot open {path}: {error.strerror}{_whole_disk(path)}") from error


def _whole_disk(path: str) -> str:
    """What is said where only the image before ``:5`` or ``:C`` is there: commands that take a volume split it off."""
    match = IMAGE_AND_VOLUME.fullmatch(path)
    if match is None or not kind_of(match["image"]):
        return ""
    return f"; {match['image']} is there, and this takes the whole disk, without :{match['volume']}"
