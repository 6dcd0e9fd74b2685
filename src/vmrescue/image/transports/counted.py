"""The transport of Azure's SDK, which counts requests where they are made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from azure.core.pipeline.transport import AioHttpTransport

if TYPE_CHECKING:
    from vmrescue.image.transports.remote import Traffic

CONNECT, SILENCE = 30, 60  # seconds for a connection, and without a byte
KIND = "x-ms-blob-type"


class CountedTransport(AioHttpTransport):  # type: ignore[misc]  # it has no types
    """Sends requests, and counts them in `traffic`.

    Where a range of a page blob was asked for, the answer's field for the kind of blob is left out. Because of it,
    version 12.31 of the SDK (`StorageStreamDownloader._initial_request`) asks for the list of the whole blob's pages
    after each range, to spare requests for holes in the ranges that follow; there are none.
    """

    def __init__(self, traffic: Traffic) -> None:
        super().__init__(connection_timeout=CONNECT, read_timeout=SILENCE)
        self._traffic = traffic

    async def send(self, request: Any, **options: Any) -> Any:
        self._traffic.requests += 1
        answer = await super().send(request, **options)
        if request.method == "GET" and answer.status_code == 206:
            answer.headers.pop(KIND, None)
        return answer
