"""The recording's file: tensors' bytes as they come, the header last."""

from __future__ import annotations

import json
import os
import struct

MAGIC = b"ATLINES1"
_SMALL = 1 << 16
_BUFFER = 1 << 20


class Writer:
    """Appends bytes to a file. Small pieces are collected, large ones go straight from their memory."""

    def __init__(self, path):
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
        self.fd = os.open(path, flags, 0o600)
        self.owner = os.getpid()
        self.offset = 0
        self._pending = bytearray()
        self._written = 0

    def append(self, data):
        """Where the bytes begin; `data` is bytes or a C-contiguous buffer."""
        at, length = self.offset, len(data) if isinstance(data, bytes) else data.nbytes
        if length <= _SMALL:
            self._pending += data
            if len(self._pending) > _BUFFER:
                self._flush()
        else:
            self._flush()
            self._write(memoryview(data).cast("B"))
        self.offset = at + length
        return at

    def equals(self, at, data):
        """Whether the bytes at `at` are `data`."""
        if at >= self._written:
            begin = at - self._written
            return bytes(self._pending[begin : begin + len(data)]) == data
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
        self._flush()
        self._write(memoryview(text + struct.pack("<Q", len(text)) + MAGIC))
        os.close(self.fd)

    def _flush(self):
        if self._pending:
            pending, self._pending = self._pending, bytearray()
            self._write(memoryview(pending))

    def _write(self, view):
        self._written += len(view)
        while len(view):
            view = view[os.write(self.fd, view) :]
