"""Servers on this machine that answer over raw sockets: well, badly, slowly, or not at all."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from io import BytesIO
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from PIL import Image

Reply = Callable[[str, asyncio.StreamWriter], Awaitable[None]]


def picture(kind: str = "PNG") -> bytes:
    """An encoded image."""
    buffer = BytesIO()
    Image.new("RGB", (24, 18), "red").save(buffer, kind)
    return buffer.getvalue()


def message(status: str, headers: str = "", body: bytes = b"") -> bytes:
    """An HTTP/1.1 answer with an honest length, if the headers name no other."""
    if "content-length" not in headers.lower() and "transfer-encoding" not in headers.lower():
        headers += f"Content-Length: {len(body)}\r\n"
    return f"HTTP/1.1 {status}\r\n{headers}\r\n".encode("latin-1") + body


class Running:
    """A server that is running, and the heads of the requests it saw."""

    def __init__(self, port: int, scheme: str) -> None:
        self.port, self.scheme = port, scheme
        self.heads: list[str] = []

    def url(self, path: str = "/car.png", host: str = "127.0.0.1") -> str:
        return f"{self.scheme}://{host}:{self.port}{path}"


@contextlib.asynccontextmanager
async def serving(
    reply: Reply | bytes, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[Running]:
    """A server that sends `reply`, or calls it with the path that was asked for."""
    running = Running(0, "https" if tls else "http")

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Python 3.11 complains about a cancelled answer.
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            running.heads.append(head)
            if isinstance(reply, bytes):
                writer.write(reply)
            else:
                await reply(head.split()[1], writer)
            await writer.drain()
        writer.close()
        with contextlib.suppress(OSError, asyncio.CancelledError):
            await writer.wait_closed()

    server = await asyncio.start_server(answer, host, 0, ssl=tls)
    running.port = server.sockets[0].getsockname()[1]
    try:
        yield running
    finally:
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


class Canary:
    """A port of this machine, IPv4 and IPv6, that never accepts and knows whether anybody came."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self.port: int = listener.getsockname()[1]

    def connections(self) -> int:
        """How many came since the last call. The kernel has queued them before `connect` returned."""
        count = 0
        with contextlib.suppress(BlockingIOError):
            while True:
                self._listener.accept()[0].close()
                count += 1
        return count


@contextlib.contextmanager
def canary() -> Iterator[Canary]:
    """A canary that listens."""
    both = socket.has_dualstack_ipv6()
    family, host = (socket.AF_INET6, "::") if both else (socket.AF_INET, "0.0.0.0")
    with socket.create_server((host, 0), family=family, dualstack_ipv6=both) as listener:
        listener.setblocking(False)
        yield Canary(listener)


def certificate(folder: Path, *names: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Self-signed for `names`: the context of its server, and one of a caller who trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "odd")])
    alternatives = [
        x509.IPAddress(ip_address(name)) if name[0].isdigit() else x509.DNSName(name)
        for name in names
    ]
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(alternatives), False)
        .add_extension(x509.BasicConstraints(True, None), True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(path)
    trusting = ssl.create_default_context(cafile=path)
    return server, trusting
