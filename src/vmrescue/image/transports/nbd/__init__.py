"""NBD, the network block device: a disk that a server such as `qemu-nbd` or `nbdkit` exports, read and written.

`address` parses a URL, `handshake` agrees with the server on what is used, `session` sends requests and checks the
replies, `device` is the disk. Everything that a server says has a bound, in bytes and in time: it may be hostile.
"""
