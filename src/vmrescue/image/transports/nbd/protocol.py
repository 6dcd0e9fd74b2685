"""The structures of the NBD protocol, and the bounds on what a server may send.

Source: the NBD project, doc/proto.md. All numbers are big-endian.
"""

from __future__ import annotations

import struct

MAGIC = b"NBDMAGIC"
OPTION_MAGIC = b"IHAVEOPT"  # of newstyle; an oldstyle server sends its own
OLDSTYLE_MAGIC = bytes.fromhex("0000420281861253")
REPLY_MAGIC = 0x3E889045565A9
REQUEST_MAGIC = 0x25609513
SIMPLE_MAGIC = 0x67446698
CHUNK_MAGIC = 0x668E33EF

FIXED_NEWSTYLE, NO_ZEROES = 1, 2  # flags of the handshake, the same for server and client

# Options
EXPORT_NAME, ABORT, STARTTLS, GO, STRUCTURED_REPLY, SET_META_CONTEXT = 1, 2, 5, 7, 8, 10
# Replies to options
ACK, INFO, META_CONTEXT = 1, 3, 4
ERROR = 1 << 31
ERRORS = {
    ERROR + 1: "it does not know the request",
    ERROR + 2: "its policy forbids it",
    ERROR + 3: "it calls the request invalid",
    ERROR + 4: "its platform does not support it",
    ERROR + 5: "it demands TLS",
    ERROR + 6: "it has no such export",
    ERROR + 7: "it is shutting down",
    ERROR + 8: "it demands that block sizes are kept",
    ERROR + 9: "the request is too long",
}
UNSUPPORTED, POLICY, PLATFORM, TLS_REQUIRED = ERROR + 1, ERROR + 2, ERROR + 4, ERROR + 5
INFO_EXPORT, INFO_BLOCK_SIZE = 0, 3

# Flags of an export
READ_ONLY, SEND_FLUSH, SEND_FUA = 1 << 1, 1 << 2, 1 << 3

# Commands
READ, WRITE, DISCONNECT, FLUSH, BLOCK_STATUS = 0, 1, 2, 3, 7
FUA = 1  # flag of a command: it is answered when its bytes are on stable storage

# Chunks of a structured reply
DONE = 1  # flag: the last one
NONE, OFFSET_DATA, OFFSET_HOLE, STATUS = 0, 1, 2, 5
CHUNK_ERROR = 1 << 15  # this and above: errors

ALLOCATION = b"base:allocation"
ZERO = 2  # a state of base:allocation: reads as zeros

HANDSHAKE = struct.Struct(">8s8s")
OPTION = struct.Struct(">8sII")  # magic, option, length
OPTION_REPLY = struct.Struct(">QIII")  # magic, option, type, length
EXPORT = struct.Struct(">QH")  # size, flags
EXPORT_INFO = struct.Struct(">HQH")  # type, size, flags
BLOCK_SIZES = struct.Struct(">HIII")  # type, minimum, preferred, most
REQUEST = struct.Struct(">IHHQQI")  # magic, flags, command, cookie, offset, length
SIMPLE = struct.Struct(">IQ")  # error, cookie; after the magic
CHUNK = struct.Struct(">HHQI")  # flags, type, cookie, length; after the magic
HOLE = struct.Struct(">QI")  # offset, length
EXTENT = struct.Struct(">II")  # length, state
NUMBER = struct.Struct(">I")
WORD = struct.Struct(">H")
OFFSET = struct.Struct(">Q")
ZEROES = 124  # bytes behind the answer to EXPORT_NAME, unless both sides agreed on NO_ZEROES

LONGEST_STRING = 4096  # bytes of a name or a message
LONGEST_ANSWER = 64 << 10  # bytes of a reply to an option
MOST_ANSWERS = 64  # replies to one option
MOST_EXTENTS = 1 << 17  # in one reply
BIGGEST = 1 << 62  # bytes of an export

SMALLEST_WRITE = 512  # bytes; the unit of writes, unless the server wants more
LARGEST_UNIT = 32 << 10  # bytes; a larger unit is refused
PIECE = 1 << 20  # bytes of one request; a server takes 32 MiB unless it says less
DEPTH = 16  # requests that are sent before the first is answered
CONNECT = 30.0  # seconds for the connection and the handshake
SILENCE = 60.0  # seconds without a byte
REPLY = 120.0  # seconds for the replies to `DEPTH` pieces
STORED = 600.0  # seconds until bytes are on stable storage: a disk may have to write out a large cache
