"""Azure's blob storage on this machine: Azurite, Microsoft's emulator, with page blobs in it."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from support.machine import need_tool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from azure.storage.blob import BlobClient

ACCOUNT = "devstoreaccount1"
# the key that Microsoft's documentation gives every emulator
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
PIECE = 4 << 20  # the most that one request may put into a page blob


@dataclass(frozen=True)
class Azurite:
    """A running emulator; `folder` is where it keeps its data."""

    port: int
    container: str = "images"

    @property
    def connection_string(self) -> str:
        endpoint = f"http://127.0.0.1:{self.port}/{ACCOUNT}"
        return f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};BlobEndpoint={endpoint};"

    def upload(self, image: Path) -> str:
        """Puts an image's data (not its holes) into a page blob of its name; returns the blob's az URL."""
        from azure.storage.blob import BlobServiceClient

        with BlobServiceClient.from_connection_string(self.connection_string) as service:
            container = service.get_container_client(self.container)
            if not container.exists():
                container.create_container()
            blob = container.get_blob_client(image.name)
            blob.create_page_blob(image.stat().st_size)
            with image.open("rb") as stream:
                for start, end in data_of(stream.fileno(), image.stat().st_size):
                    for at in range(start, end, PIECE):
                        stream.seek(at)
                        piece = stream.read(min(PIECE, end - at))
                        blob.upload_page(piece, at, len(piece))
        return f"az://{self.container}/{image.name}"

    def blob(self, name: str) -> BlobClient:
        """The SDK's own client for a blob."""
        from azure.storage.blob import BlobClient

        return BlobClient.from_connection_string(self.connection_string, self.container, name)

    def sas_url(self, name: str, write: bool = False) -> str:
        """A blob's address with a signature that lets anybody read it, or write to it too, for an hour."""
        from datetime import UTC, datetime, timedelta

        from azure.storage.blob import BlobSasPermissions, generate_blob_sas

        signature = generate_blob_sas(
            ACCOUNT,
            self.container,
            name,
            account_key=KEY,
            permission=BlobSasPermissions(read=True, write=write),
            expiry=datetime.now(UTC) + timedelta(hours=1),
        )
        return f"http://127.0.0.1:{self.port}/{ACCOUNT}/{self.container}/{name}?{signature}"


def blob_sha256(service: Azurite, image: Path) -> str:
    """Of what the service holds, downloaded with the SDK."""
    return hashlib.sha256(content(service, image)).hexdigest()


def content(service: Azurite, image: Path) -> bytes:
    """What the service holds. The SDK, which this is, asks for no holes."""
    return bytes(service.blob(image.name).download_blob().readall())


def is_left_alone(service: Azurite, image: Path) -> bool:
    """Whether nothing of a repair is left on the blob: neither a lease nor a mark."""
    properties = service.blob(image.name).get_blob_properties()
    return properties.lease.state == "available" and not properties.metadata


def data_of(descriptor: int, size: int) -> Iterator[tuple[int, int]]:
    """The parts of a sparse file that are no holes, in whole pages of 512 bytes."""
    end = 0
    while end < size:
        try:
            start = os.lseek(descriptor, end, os.SEEK_DATA)
        except OSError:  # ENXIO: only a hole follows
            return
        end = os.lseek(descriptor, start, os.SEEK_HOLE)
        yield start, end


@contextmanager
def azurite(folder: Path) -> Iterator[Azurite]:
    """Runs the emulator on a free port."""
    tool = need_tool("azurite-blob")
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [tool, "--silent", "--skipApiVersionCheck", "--location", str(folder), "--blobPort", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(port)
        yield Azurite(port)
    finally:
        process.terminate()
        process.wait(30)


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            assert time.monotonic() < deadline, "Azurite did not begin to listen within a minute"
            time.sleep(0.1)
