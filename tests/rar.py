"""A writer of RAR archives, which no free program writes: format 3, stored, not compressed."""

from collections.abc import Mapping
from pathlib import Path
from struct import pack
from zlib import crc32

_LONG_BLOCK, _LOCKED = 0x8000, 0x0004
_UNIX, _STORED = 3, 0x30
_PLAIN, _LINK = 0o100644, 0o120777


def write_rar(file: Path, files: Mapping[str, bytes], *, link: str = "", locked: str = "") -> Path:
    """Write files by their name in the archive.

    Args:
        file: Where to.
        files: Content by name, folders included.
        link: The name of one that is a symbolic link; its content is the target.
        locked: The name of one that is marked as encrypted.
    """
    main = _block(0x73, 0, bytes(6))
    end = _block(0x7B, 0x4000, b"")
    blocks = [
        _file_block(name, data, _LINK if name == link else _PLAIN, name == locked)
        for name, data in files.items()
    ]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"".join([b"Rar!\x1a\x07\x00", main, *blocks, end]))
    return file


def rar_bytes(folder: Path, files: Mapping[str, bytes]) -> bytes:
    """Return an archive, to put into another."""
    file = write_rar(folder / "nested.rar", files)
    content = file.read_bytes()
    file.unlink()
    return content


def _file_block(name: str, data: bytes, mode: int, is_locked: bool) -> bytes:
    encoded = name.replace("/", "\\").encode("ascii")
    sizes = pack("<LLBL", len(data), len(data), _UNIX, crc32(data))
    rest = pack("<LBBHL", 0x5A210000, 20, _STORED, len(encoded), mode)  # of 2025-01-01
    flags = _LONG_BLOCK | (_LOCKED if is_locked else 0)
    return _block(0x74, flags, sizes + rest + encoded) + data


def _block(kind: int, flags: int, body: bytes) -> bytes:
    header = pack("<BHH", kind, flags, 7 + len(body)) + body
    return pack("<H", crc32(header) & 0xFFFF) + header
