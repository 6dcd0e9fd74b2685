"""NBD servers of others, on Unix sockets in private folders: `qemu-nbd` and `nbdkit`; and TLS certificates for them."""

from __future__ import annotations

import subprocess
import tempfile
import time
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from support.machine import need_tool, run

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS = 20


@contextmanager
def served(*command: object, socket: str = "--unix") -> Iterator[str]:
    """The URL of the default export of a server, which listens on the socket that its option names."""
    with tempfile.TemporaryDirectory(prefix="nbd-") as folder:
        place = Path(folder) / "socket"
        words = [need_tool(str(command[0])), *map(str, command[1:])]
        words[1:1] = [socket, str(place)]
        with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as server:
            try:
                _wait_for(place, server)
                yield f"nbd+unix:///?socket={place}"
            finally:
                server.kill()  # nbdkit would wait for its clients; nothing of theirs is asked for any more
                server.wait(SECONDS)


def _wait_for(place: Path, server: subprocess.Popen[str]) -> None:
    until = time.monotonic() + SECONDS
    while not place.exists():
        assert server.poll() is None, server.stderr.read() if server.stderr else ""
        assert time.monotonic() < until, f"{server.args!r} does not listen"
        time.sleep(0.01)


def qemu_nbd(image: Path, form: str, *options: str) -> AbstractContextManager[str]:
    """`served` by qemu-nbd, as many clients as come."""
    return served("qemu-nbd", "--persistent", "--shared=0", "-f", form, *options, image, socket="--socket")


def nbdkit(*words: object) -> AbstractContextManager[str]:
    """`served` by nbdkit."""
    return served("nbdkit", "--foreground", *words)


def certificates(folder: Path) -> Path:
    """A folder with the files that QEMU and libnbd want of an authority, a server called localhost, and a client."""
    folder.mkdir()
    make = ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    run(
        "openssl",
        *make,
        "-x509",
        "-subj",
        "/CN=authority",
        "-keyout",
        folder / "ca.key",
        "-out",
        folder / "ca-cert.pem",
    )
    for who in ("server", "client"):
        asked, names = folder / f"{who}.csr", folder / f"{who}.ext"
        names.write_text("subjectAltName=DNS:localhost\n")
        run("openssl", *make, "-subj", "/CN=localhost", "-keyout", folder / f"{who}-key.pem", "-out", asked)
        signed: list[str | Path] = ["-CA", folder / "ca-cert.pem", "-CAkey", folder / "ca.key", "-CAcreateserial"]
        signed += ["-extfile", names]
        run("openssl", "x509", "-req", "-in", asked, *signed, "-days", "2", "-out", folder / f"{who}-cert.pem")
    return folder
