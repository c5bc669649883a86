"""What comes out of a gzip file, with its checksums proved and what follows it counted.

A gzip file is one stream or more, padded with zeros perhaps. Bytes that follow and are neither (a line end of a faulty
download, half a stream) take nothing from what was proved before: whoever needs no more may go on.
"""

from __future__ import annotations

from typing import BinaryIO

from isal import igzip

from bratsseg.files import GZIP_MAGIC

_CHUNK = 1 << 20
_GZIP = 31  # zlib's word for a gzip header and trailer


class Gunzip:
    """Reads ``raw`` from its start. ``proved`` bytes came out of streams whose checksums were right.

    ``surplus`` is how many bytes follow the last whole stream; 0 until the end is reached.
    """

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        self._decoder = igzip.isal_zlib.decompressobj(wbits=_GZIP)
        self._waiting = b""
        self._end = False
        self._out = 0
        self._whole = 0  # where the last whole stream ends in the file
        self.proved = self.surplus = 0

    def read(self, size: int) -> bytes:
        """At most ``size`` bytes, none at the end; ``EOFError`` or ``isal_zlib.error`` when a stream is broken."""
        while not self._end:
            if self._decoder.eof:
                self._next()
                continue
            given = self._waiting or self._raw.read(_CHUNK)
            out: bytes = self._decoder.decompress(given, size)
            self._waiting = self._decoder.unconsumed_tail
            if out:
                self._out += len(out)
                return out
            if not given and not self._decoder.eof:
                raise EOFError("the stream has no end")
        return b""

    def finish(self, needed: int) -> int:
        """Read to the end and return ``surplus``; what is broken counts as surplus once ``needed`` bytes are proved."""
        try:
            while self.read(_CHUNK):
                pass
        except (EOFError, igzip.isal_zlib.error):
            if self.proved < needed:
                raise
            self.surplus = self._raw.seek(0, 2) - self._whole
        return self.surplus

    def _next(self) -> None:
        """A stream is whole: begin the next one, or end."""
        self.proved = self._out
        rest = self._decoder.unused_data
        self._whole = self._raw.tell() - len(rest)
        if len(rest) < len(GZIP_MAGIC):
            rest += self._raw.read(_CHUNK)
        if rest.startswith(GZIP_MAGIC):
            self._decoder, self._waiting = igzip.isal_zlib.decompressobj(wbits=_GZIP), rest
            return
        self._end = True
        self._raw.seek(self._whole)
        padded = all(not chunk.strip(b"\0") for chunk in iter(lambda: self._raw.read(_CHUNK), b""))
        self.surplus = 0 if padded else self._raw.seek(0, 2) - self._whole
