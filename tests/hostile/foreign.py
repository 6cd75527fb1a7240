"""What is no picture of ours, and pictures under names that break programs."""

import gzip
import io
import pickle
import tarfile
import zipfile
from collections.abc import Iterator

from PIL import Image

from broken_files import BMP, JPEG, PNG, encoded
from hostile.files import EITHER, FINE, REFUSED, Case

XML = b'<?xml version="1.0"?><!DOCTYPE s '


def cases(size: int) -> Iterator[Case]:
    """All of them."""
    yield from _kinds()
    yield from _other_images()
    yield from _two_things()
    yield from _names()


def _kinds() -> Iterator[Case]:
    heads = {
        "a Windows program": b"MZ\x90\0\3\0\0\0\4\0\0\0\xff\xff" + bytes(200),
        "a Linux program": b"\x7fELF\2\1\1" + bytes(200),
        "a Java class": b"\xca\xfe\xba\xbe\0\0\0\x34" + bytes(200),
        "WebAssembly": b"\0asm\1\0\0\0" + bytes(99),
        "a shell script": b"#!/bin/sh\nrm -rf /\n",
        "PHP": b"<?php system($_GET['c']); ?>",
        "JSON": b'{"image": null}',
        "a pickle": pickle.dumps({"a": list(range(99))}),
        "a RAR archive": b"Rar!\x1a\7\1\0" + bytes(99),
        "a 7z archive": b"7z\xbc\xaf\x27\x1c" + bytes(99),
        "an MP3": b"ID3\4\0\0\0\0\0\0" + bytes(99),
        "an Ogg": b"OggS\0\2" + bytes(99),
        "a Matroska film": b"\x1a\x45\xdf\xa3" + bytes(99),
        "an AVI film": b"RIFF\x99\0\0\0AVI LIST" + bytes(99),
        "a WAV": b"RIFF\x99\0\0\0WAVEfmt " + bytes(99),
        "a QuickTime film": b"\0\0\0\x14ftypqt  " + bytes(99),
        "an AVIF": b"\0\0\0\x1cftypavif\0\0\0\0mif1" + bytes(99),
        "a JPEG XL": b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(99),
        "an SQLite data base": b"SQLite format 3\0" + bytes(99),
        "an SVG bomb": XML + b'[<!ENTITY a "xx"><!ENTITY b "&a;&a;">]><svg>&b;</svg>',
        "an SVG that reads files": XML
        + b'[<!ENTITY x SYSTEM "file:///etc/passwd">]><svg>&x;</svg>',
        "an address": b"http://127.0.0.1:1/secret.png",
        "a Windows link": b"[InternetShortcut]\r\nURL=file://127.0.0.1/a.png\r\n",
        "a byte order mark": b"\xef\xbb\xbf",
        "UTF-16": "picture".encode("utf-16"),
        "a certificate": b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
        "an e-mail": b"From: a@example.com\r\nContent-Type: image/png\r\n\r\n",
    }
    for name, data in heads.items():
        yield Case(f"{name}, called a picture", data)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        entry = tarfile.TarInfo("../../car.jpg")
        entry.size = len(JPEG)
        archive.addfile(entry, io.BytesIO(JPEG))
    yield Case("a tar archive, called a picture", packed.getvalue())
    yield Case("a packed picture", gzip.compress(PNG, mtime=0))


def _other_images() -> Iterator[Case]:
    """Formats that Pillow reads and we do not."""
    picture = Image.linear_gradient("L").resize((40, 30)).convert("RGB")
    for kind in ("PPM", "TGA", "PCX", "SGI", "ICO", "ICNS", "DDS", "EPS", "PDF"):
        yield Case(f"a picture as {kind}", encoded(picture, kind))


def _two_things() -> Iterator[Case]:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(zipfile.ZipInfo("a.txt"), "hello")
    yield Case("a JPEG and a ZIP archive", JPEG + packed.getvalue(), FINE)
    yield Case("a PDF and a JPEG", b"%PDF-1.7\n" + JPEG)
    yield Case("a line break and a PNG", b"\n" + PNG)
    yield Case("a JPEG and a web page", JPEG + b"<html><script>alert(1)</script>", FINE)
    yield Case("a web page and a JPEG", b"<html>" + JPEG)
    yield Case("a BMP and a program", BMP + b"MZ" + bytes(99), FINE)
    yield Case("a GIF that is JavaScript", b"GIF89a/*" + bytes(9) + b"*/=1;alert(1)//;", EITHER)
    yield Case("two JPEGs", JPEG + JPEG, FINE)
    yield Case("a JPEG whose first half is another's", JPEG[: len(JPEG) // 2] + JPEG, EITHER)


NAMES = {
    "up and away": b"../../../../etc/passwd",
    "up and away, encoded": b"..%2f..%2fetc%2fpasswd",
    "absolute": b"/etc/passwd",
    "of Windows": b"C:\\\\Windows\\\\win.ini",
    "a network share": b"\\\\\\\\127.0.0.1\\\\share\\\\a.png",
    "with a null byte": b"car.jpg\0.png",
    "of 3 kB": b"a" * 3000 + b".png",
    "right to left": "car\u202egnp.exe".encode(),
    "of emoji": "🚗".encode() * 80,
    "of accents that pile up": ("a" + "\u0301" * 500).encode(),
    "of half a character": b"caf\xc3.png",
    "of Latin 1": b"caf\xe9.png",
    "of half of a surrogate": b"\xed\xa0\x80.png",
    "with control characters": b"a\x01\x02\x07\x1b[31m\x7f.png",
    "with a tabulator": b"a\tb.png",
    "of HTML": b"<img src=x onerror=alert(1)>.png",
    "of a format string": b"%s%n%x{0.__class__}${jndi:ldap://127.0.0.1/a}.png",
    "of SQL": b"'; DROP TABLE images; --.png",
    "of a shell": b"$(touch x);`id`|cat&.png",
    "of quotes": b"%22%22.png",
    "of dots": b"..",
    "of a space": b" ",
    "of a device": b"CON",
    "of a line separator": "a\u2028b\u2029c.png".encode(),
    "of a log line": b"a.png%0d%0a2026-01-01 INFO all is well",
    "a byte order mark": b"\xef\xbb\xbf.png",
    "with a semicolon": b"a;filename=b.png",
    "without a suffix": b"car",
    "with another suffix": b"car.exe",
}


def _names() -> Iterator[Case]:
    for name, filename in NAMES.items():
        yield Case(f"a good picture with a name {name}", PNG, FINE, filename)
    for name in (
        "up and away",
        "right to left",
        "of HTML",
        "of half of a surrogate",
        "with control characters",
    ):
        yield Case(f"no picture, with a name {name}", b"no", REFUSED, NAMES[name])
