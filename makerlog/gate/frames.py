"""Where the frames of a WebSocket begin in the bytes that a client sends, without parsing them. Pure.

Parsing a frame costs some ten microseconds, of whatever kind it is, and six bytes are a frame: so frames are counted before
they are parsed. This reads nothing but their headers, and stops as soon as there are more than the client may send.
"""

LEAST_HEADER = 2  # bytes
MASK_BYTES = 4
LENGTH_BYTES = {126: 2, 127: 8}  # of the longer forms of a length, by the short one that announces them
CLOSE = 0x8


class FrameScanner:
    """Follows one client's stream of frames over any pieces in which it comes."""

    def __init__(self) -> None:
        self.saw_close = False
        self._header = b""  # of a frame whose header has not come whole
        self._skip = 0  # bytes of the payload that have yet to come

    def count(self, data: bytes, most: float) -> int:
        """How many frames have their whole header in ``data`` now. What is behind the first that is more than ``most`` is
        not looked at, so nothing can be counted after that."""
        data, self._header = self._header + data, b""
        frames, at = 0, self._skip
        while at < len(data) and frames <= most:
            end = payload_end(data, at)
            if end is None:
                self._header, at = data[at:], len(data)
                break
            frames += 1
            self.saw_close = self.saw_close or data[at] & 0x0F == CLOSE
            at = end
        self._skip = at - len(data)
        return frames


def payload_end(data: bytes, at: int) -> int | None:
    """Where the frame that begins at ``at`` ends; None where its header is not whole."""
    if at + LEAST_HEADER > len(data):
        return None
    size = data[at + 1] & 0x7F
    begin = at + LEAST_HEADER + LENGTH_BYTES.get(size, 0)
    if begin + MASK_BYTES * (data[at + 1] >> 7) > len(data):
        return None
    if size in LENGTH_BYTES:
        size = int.from_bytes(data[at + LEAST_HEADER : begin])
    return begin + MASK_BYTES * (data[at + 1] >> 7) + size
