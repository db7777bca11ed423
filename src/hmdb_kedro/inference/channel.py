"""Messages between a server and its worker: JSON and bytes, so that neither can run the other."""

import json
import struct
from collections.abc import Mapping
from typing import Any, BinaryIO

# How long the header is, and how long the body.
_LENGTHS = struct.Struct("<IQ")


class Channel:
    """Two streams of bytes that carry messages."""

    def __init__(self, reads: BinaryIO, writes: BinaryIO):
        """Take what the other side writes, and what it reads."""
        self._reads, self._writes = reads, writes

    def send(self, header: Mapping[str, Any], body: bytes = b"") -> None:
        """Send plain values, and bytes as they are."""
        head = json.dumps(header).encode()
        self._writes.write(_LENGTHS.pack(len(head), len(body)) + head)
        self._writes.write(body)
        self._writes.flush()

    def receive(self) -> tuple[dict[str, Any], bytes]:
        """Return the next message.

        Raises:
            EOFError: The other side has ended.
        """
        head, body = _LENGTHS.unpack(self._exactly(_LENGTHS.size))
        header: dict[str, Any] = json.loads(self._exactly(head))
        return header, self._exactly(body)

    def _exactly(self, size: int) -> bytes:
        found = self._reads.read(size)
        if len(found) < size:
            raise EOFError
        return found
