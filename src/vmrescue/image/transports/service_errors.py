"""Errors of Azure's blob service in words: what is the matter, and what helps.

Source: Microsoft, "Common REST API error codes", "Blob service error codes"; "Download a VHD" for disks' addresses.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from urllib.parse import parse_qs

from vmrescue.image.url import QUERY

NEW_ADDRESS = "ask for a new address (`az disk grant-access`, `az storage blob generate-sas`)"

WORDS = {
    "AuthenticationFailed": f"its signature is wrong, or no longer valid: {NEW_ADDRESS}",
    "AuthorizationFailure": "it is not allowed, by the signature or by the account's network rules",
    "AuthorizationPermissionMismatch": "the signature or the role does not allow that",
    "AuthorizationProtocolMismatch": "the signature allows https alone",
    "AuthorizationSourceIPMismatch": "the signature does not allow this machine's address",
    "PublicAccessNotPermitted": "the address has no signature, and the account serves nobody without one",
    "InvalidBlobType": "it is not a page blob",
    "BlobNotFound": "there is no such blob",
    "ContainerNotFound": "there is no such container",
    "LeaseIdMissing": "it is under somebody else's lease, as a VM holds it on its disks",
    "LeaseIdMismatchWithBlobOperation": "it is under somebody else's lease",
    "LeaseLost": "our lease was broken, or has ended",
    "InvalidPageRange": "that part of the blob does not exist: it has another size",
    "SequenceNumberConditionNotMet": "somebody else has changed its sequence number",
    "ServerBusy": "the service is too busy (throttled): try again later",
    "OperationTimedOut": "the service did not finish in time: try again later",
    "InternalError": "the service failed: try again later",
    "AccountIsDisabled": "the storage account is disabled",
}


def in_words(code: str, url: str = "") -> str:
    """What an error code means; empty if it is not in the table. `url`: the address, whose end of validity is told."""
    said = WORDS.get(code, "")
    if code == "AuthenticationFailed" and (when := expired(url)):
        return f"its signature expired at {when:%Y-%m-%d %H:%M} UTC: {NEW_ADDRESS}"
    return said


def expired(url: str) -> datetime | None:
    """When the signature of a URL expired; None if it has not, or has no end."""
    found = QUERY.search(url)
    ends = parse_qs(found[0][1:]).get("se", [""])[0] if found else ""
    try:
        end = datetime.fromisoformat(re.sub(r"Z$", "+00:00", ends))
    except ValueError:
        return None
    end = end if end.tzinfo else end.replace(tzinfo=UTC)
    return end if end < datetime.now(UTC) else None
