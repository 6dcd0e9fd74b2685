"""The examination of one image of many: what is sent to a worker, and what comes back whatever the image holds."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING

from vmrescue.dataclass import dataclass
from vmrescue.fleet.result import ImageError, ScanResult
from vmrescue.image.containers.parents import parents_in
from vmrescue.image.file_hash import sha256_of_file
from vmrescue.image.reference import Reference
from vmrescue.image.transports.remote import RemoteFile
from vmrescue.image.virtual_disk import Layer
from vmrescue.progress import on_progress

if TYPE_CHECKING:
    from pathlib import Path

    from vmrescue.checks import Policy
    from vmrescue.diagnosis import Diagnosis
    from vmrescue.image import VirtualDisk


class MeteredDisk(Layer):
    """A disk that counts the bytes read from it."""

    def __init__(self, below: VirtualDisk) -> None:
        super().__init__(below)
        self._bytes_read = 0

    @property
    def bytes_read(self) -> int:
        """Of the disk, or where it comes over a network, of the file."""
        file = self.file
        return file.bytes_read if isinstance(file, RemoteFile) else self._bytes_read

    @property
    def requests(self) -> int:
        """The number of requests made over a network; 0 for a file of this machine."""
        return self.file.requests if isinstance(self.file, RemoteFile) else 0

    @property
    def depth(self) -> int:
        """How many of these were made one after another."""
        return self.file.depth if isinstance(self.file, RemoteFile) else 0

    def read_at(self, offset: int, length: int) -> bytes:
        self._bytes_read += length
        return super().read_at(offset, length)


@dataclass(frozen=True)
class Examination:
    """What is asked of every image; calling it with one answers. It can be pickled.

    Args:
        policy: what counts as right.
        only, skip: ids of the checks to run, and not to run.
        parents: where differencing VHDs' parents are, if not beside them.
        hashed: whether the result is to tell the SHA-256 of the image's file.
    """

    policy: Policy
    only: tuple[str, ...]
    skip: tuple[str, ...]
    parents: Path | None = None
    hashed: bool = False

    def __call__(self, image: str) -> ScanResult:
        """Never raises: whatever is wrong with an image, or with our reading of it, is that image's result."""
        with on_progress(None):  # of each image nothing: that its result comes says enough
            return self._result(image)

    def _result(self, image: str) -> ScanResult:
        begun = time.perf_counter()
        diagnosis: Diagnosis | None = None
        error: ImageError | None = None
        disk: MeteredDisk | None = None
        digest: str | None = None
        try:
            if self.hashed:  # first, as it was found, and whatever it turns out to be
                digest = sha256_of_file(image)
            from vmrescue.image import open_disk

            disk = MeteredDisk(open_disk(image, parent_folder=self.parents))
            diagnosis = self._examine(image, disk)
        except Exception as reason:  # noqa: BLE001 - one image, however odd, must not end a batch of thousands
            error = ImageError.of(reason)
        seconds, shown = time.perf_counter() - begun, Reference.of(image).shown
        read = (disk.bytes_read, disk.requests, disk.depth) if disk else (0, 0, 0)
        return ScanResult(shown, diagnosis, error, seconds, *read, digest)

    def failed(self, image: str, error: ImageError, seconds: float) -> ScanResult:
        """The result of an image whose worker was lost, or took too long."""
        return ScanResult(Reference.of(image).shown, None, error, seconds, 0)

    def _examine(self, image: str, disk: MeteredDisk) -> Diagnosis:
        from vmrescue.diagnosis import examine
        from vmrescue.windows import Disk

        with closing(disk), parents_in(self.parents):  # which the commands that findings recommend name
            return examine([Disk(disk, Reference.of(image).shown)], self.policy, self.only or None, self.skip, now=True)
