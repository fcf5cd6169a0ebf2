"""A client of HTTP/2, small enough to read: one connection, one GET after the other, and as much of HPACK as nginx sends."""

import socket
import ssl
import struct
from typing import Self

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 4, 6, 7, 8
END_STREAM, END_HEADERS, ACK = 1, 4, 1
STATUS_OF_INDEX = {8: 200, 9: 204, 10: 206, 11: 304, 12: 400, 13: 404, 14: 500}


class Http2:
    """``preamble`` goes before TLS, as the PROXY protocol does."""

    def __init__(self, port: int, host: str = "makerlog.test", preamble: bytes = b"") -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols(["h2"])
        plain = socket.create_connection(("127.0.0.1", port), timeout=5)
        plain.sendall(preamble)
        self.socket = context.wrap_socket(plain, server_hostname=host)
        assert self.socket.selected_alpn_protocol() == "h2"
        self.host, self.stream, self.rest = host, -1, b""
        self.socket.sendall(
            PREFACE + frame(SETTINGS, 0, 0, b"") + frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1 << 30))
        )

    def get(self, path: str, **headers: str) -> int:
        """The status. Raises ConnectionError when the connection is at its end."""
        self.stream += 2
        fields = {":method": "GET", ":scheme": "https", ":authority": self.host, ":path": path}
        fields |= {name.replace("_", "-").lower(): value for name, value in headers.items()}
        block = b"".join(literal(name, value) for name, value in fields.items())
        self.socket.sendall(frame(HEADERS, END_STREAM | END_HEADERS, self.stream, block))
        return self._status()

    def _status(self) -> int:
        status = 0
        while True:
            kind, flags, stream, payload = self._frame()
            if kind == SETTINGS and not flags & ACK:
                self.socket.sendall(frame(SETTINGS, ACK, 0, b""))
            elif kind == GOAWAY:
                raise ConnectionError("GOAWAY")
            elif stream == self.stream and kind == HEADERS:
                status = status_in(payload)
            if stream == self.stream and flags & END_STREAM:
                return status

    def _frame(self) -> tuple[int, int, int, bytes]:
        head = self._exactly(9)
        size = int.from_bytes(head[:3], "big")
        return head[3], head[4], int.from_bytes(head[5:], "big"), self._exactly(size)

    def _exactly(self, size: int) -> bytes:
        while len(self.rest) < size:
            piece = self.socket.recv(65536)
            if not piece:
                raise ConnectionError("closed")
            self.rest += piece
        taken, self.rest = self.rest[:size], self.rest[size:]
        return taken

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.socket.close()


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def literal(name: str, value: str) -> bytes:
    """Never indexed, no Huffman."""
    return b"\x10" + string(name.encode()) + string(value.encode())


def string(raw: bytes) -> bytes:
    return bytes([len(raw)]) + raw if len(raw) < 127 else bytes([127]) + varint(len(raw) - 127) + raw


def varint(number: int) -> bytes:
    out = b""
    while number >= 128:
        out += bytes([number % 128 + 128])
        number //= 128
    return out + bytes([number])


def status_in(block: bytes) -> int:
    """nginx writes the status first, after the size of a table that nobody uses."""
    block = block[1:] if block[0] & 0xE0 == 0x20 else block
    if block[0] & 0x80:
        return STATUS_OF_INDEX[block[0] & 0x7F]
    return int(block[2:5])
