"""What a scan yields for each image: its diagnosis, or why there is none."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

from vmrescue.dataclass import dataclass
from vmrescue.errors import NO_MEMORY, FormatError, VmRescueError, system_said

if TYPE_CHECKING:
    from vmrescue.checks import Finding
    from vmrescue.diagnosis import Diagnosis

SCHEMA = "vmrescue.scan/1"
Status = Literal["healthy", "findings", "error"]


@dataclass(frozen=True)
class ImageError:
    """Why an image has no diagnosis: plain data, so that it can come from another process or machine.

    Attributes:
        kind: the exception's class, such as ``FormatError``.
        message: its sentence.
        structure, position: of a FormatError, what was malformed and its first byte; None otherwise.
    """

    kind: str
    message: str
    structure: str | None = None
    position: int | None = None

    @classmethod
    def of(cls, error: BaseException) -> ImageError:
        kind = type(error).__name__
        if isinstance(error, FormatError):
            return cls(kind, str(error), error.structure, error.position)
        if isinstance(error, VmRescueError):
            return cls(kind, str(error))
        if isinstance(error, OSError):
            return cls(kind, system_said(error))
        if isinstance(error, MemoryError):
            return cls(kind, NO_MEMORY)
        return cls(kind, f"vmrescue failed, which is its own mistake; please report it: {kind}: {error}")

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True)
class ScanResult:
    """One image of a scan. Either `diagnosis` or `error` is None.

    Attributes:
        image: its path or URL as it was given, a URL without the secrets in it.
        seconds: how long the examination took, by the clock.
        bytes_read: of a file, the bytes of the disk that were read; of a URL, the bytes that came over the network.
        requests: of a URL, the number of requests made, counted where they are made; 0 for a file.
        depth: how many of these were made one after another, each because of what the one before had told.
        sha256: of the image's whole file, container included, where that was asked for; whatever else is wrong with it.
    """

    image: str
    diagnosis: Diagnosis | None
    error: ImageError | None
    seconds: float
    bytes_read: int
    requests: int = 0
    depth: int = 0
    sha256: str | None = None

    @property
    def status(self) -> Status:
        """``error``; ``findings`` where one is worse than advice, or a check could not be run; else ``healthy``."""
        if self.diagnosis is None:
            return "error"
        return "healthy" if self.diagnosis.healthy else "findings"

    @property
    def healthy(self) -> bool:
        """Whether the image was read, nothing in it is worse than advice, and all checks could be run."""
        return self.status == "healthy"

    @property
    def findings(self) -> list[Finding]:
        """The diagnosis's findings; none where the image could not be read, which `error` tells."""
        return self.diagnosis.findings if self.diagnosis else []

    def to_dict(self) -> dict[str, Any]:
        """The result as docs/results.md describes it."""
        return {
            "schema": SCHEMA,
            "image": self.image,
            "status": self.status,
            "seconds": round(self.seconds, 6),
            "bytes_read": self.bytes_read,
            "requests": self.requests,
            "depth": self.depth,
            "sha256": self.sha256,
            "error": asdict(self.error) if self.error else None,
            "diagnosis": self.diagnosis.to_dict() if self.diagnosis else None,
        }
