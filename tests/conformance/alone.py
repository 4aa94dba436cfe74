"""Starts a command in a network of its own, where nothing can be reached but this machine's loopback.

    python alone.py COMMAND …

Run by `unshare --user --map-root-user --net`. Many tools talk to themselves over 127.0.0.1, so that is switched on.
"""

import fcntl
import os
import socket
import struct
import sys

UP, FLAGS, SET = 0x1, 0x8913, 0x8914  # IFF_UP, SIOCGIFFLAGS, SIOCSIFFLAGS of Linux

with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
    found = fcntl.ioctl(handle, FLAGS, struct.pack("16sh14x", b"lo", 0))
    (flags,) = struct.unpack("16xh14x", found)
    fcntl.ioctl(handle, SET, struct.pack("16sh14x", b"lo", flags | UP))

os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606 (the command takes the place of this one)
