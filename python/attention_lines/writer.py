"""The recording's file: tensors' bytes as they come, the header last."""

from __future__ import annotations

import json
import os
import struct

MAGIC = b"ATLINES1"
_SMALL = 1 << 13
_PIECES, _BUFFER = 512, 1 << 20
_GATHERS = hasattr(os, "writev")


class Writer:
    """Appends bytes to a file. Small pieces are collected; large ones are never copied but by the system."""

    def __init__(self, path):
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
        self.fd = os.open(path, flags, 0o600)
        self.owner = os.getpid()
        self.offset = 0
        self._pending, self._size = [], 0

    def append(self, data):
        """Where the bytes begin; `data` is bytes or a view of bytes."""
        at, length = self.offset, len(data)
        self.offset = at + length
        self._pending.append(data)
        self._size += length
        if length > _SMALL or len(self._pending) >= _PIECES or self._size > _BUFFER:
            self._flush()
        return at

    def equals(self, at, data):
        """Whether the bytes at `at` are `data`."""
        self._flush()
        done = 0
        while done < len(data):
            os.lseek(self.fd, at + done, os.SEEK_SET)
            piece = os.read(self.fd, min(_BUFFER, len(data) - done))
            if not piece or piece != data[done : done + len(piece)]:
                break
            done += len(piece)
        os.lseek(self.fd, 0, os.SEEK_END)
        return done == len(data)

    def finish(self, header):
        text = json.dumps(header, separators=(",", ":")).encode("ascii")
        self._pending.append(text + struct.pack("<Q", len(text)) + MAGIC)
        self._flush()
        os.close(self.fd)

    def _flush(self):
        pieces, self._pending, self._size = self._pending, [], 0
        if not pieces:
            return
        total = sum(map(len, pieces))
        done = os.writev(self.fd, pieces) if _GATHERS else 0
        for piece in pieces if done < total else ():
            view = memoryview(piece)[min(done, len(piece)) :]
            done = max(0, done - len(piece))
            while len(view):
                view = view[os.write(self.fd, view) :]
