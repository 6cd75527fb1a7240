"""TIFF files of the worst kind."""

import struct
import zlib
from collections.abc import Iterator

from PIL import Image

from broken_files import TIFF, encoded
from hostile.files import EITHER, FINE, REFUSED, Case

SHORT, LONG, RATIONAL = 3, 4, 5
Tags = dict[int, tuple[int, int, int]]


def cases(size: int) -> Iterator[Case]:
    """All of them."""
    yield from _directories()
    yield from _layouts()
    yield from _packed()
    yield from _dear(size)


def made(changes: Tags, tail: bytes = b"", side: int = 8, follows: int = 0) -> bytes:
    """A grey picture of raw pixels behind its one directory.

    Args:
        changes: by tag, type, count and value; a count of 0 leaves the tag out.
        tail: behind the pixels.
    """
    tags: Tags = {
        256: (LONG, 1, side),
        257: (LONG, 1, side),
        258: (SHORT, 1, 8),
        259: (SHORT, 1, 1),
        262: (SHORT, 1, 1),
        273: (LONG, 1, 0),
        277: (SHORT, 1, 1),
        278: (LONG, 1, side),
        279: (LONG, 1, side * side),
        **changes,
    }
    kept = {tag: entry for tag, entry in sorted(tags.items()) if entry[1]}
    end = 8 + 2 + 12 * len(kept) + 4
    if kept.get(273) == (LONG, 1, 0):
        kept[273] = (LONG, 1, end)
    rows = b"".join(struct.pack("<HHII", tag, *entry) for tag, entry in kept.items())
    return (
        b"II*\0"
        + struct.pack("<IH", 8, len(kept))
        + rows
        + struct.pack("<I", follows)
        + bytes(side * side)
        + tail
    )


def _directories() -> Iterator[Case]:
    yield Case("tiff whose directory is its head", b"II*\0" + bytes(4) + TIFF[8:])
    yield Case("tiff whose directory is behind its end", b"II*\0" + b"\xff\xff\xff\x7f" + TIFF[8:])
    yield Case(
        "tiff with 65535 entries announced", b"II*\0" + struct.pack("<IH", 8, 65535) + bytes(4000)
    )
    yield Case("tiff whose second page is its first", made({}, follows=8), FINE)
    yield Case("tiff without a size", made({256: (LONG, 0, 0)}))
    yield Case("tiff without pixels", made({273: (LONG, 0, 0)}))
    yield Case("tiff with a size of text", made({256: (2, 4, 0x41414141)}))
    yield Case("tiff of 0 x 0", made({256: (LONG, 1, 0), 257: (LONG, 1, 0)}))
    yield Case(
        "tiff of 4294967295 x 4294967295",
        made({256: (LONG, 1, 2**32 - 1), 257: (LONG, 1, 2**32 - 1)}),
    )
    yield Case("tiff with a tag of 32 GB", made({270: (RATIONAL, 2**32 - 1, 8)}), EITHER)
    yield Case(
        "tiff with a resolution of 0 / 0",
        made({282: (RATIONAL, 1, 240), 283: (RATIONAL, 1, 240)}),
        EITHER,
    )
    yield Case("tiff with an orientation of 99", made({274: (SHORT, 1, 99)}), FINE)
    yield Case("tiff that lies on its side", made({274: (SHORT, 1, 6)}), FINE)
    yield Case("tiff with an EXIF directory in itself", made({34665: (LONG, 1, 8)}), FINE)
    wide = b"II+\0" + struct.pack("<HHQ", 8, 0, 16)
    yield Case("big tiff with 2^63 entries", wide + struct.pack("<Q", 2**63) + bytes(4000))
    yield Case(
        "big tiff whose directory is at 2^64",
        b"II+\0" + struct.pack("<HHQ", 8, 0, 2**64 - 1) + bytes(99),
    )
    yield Case(
        "big tiff with offsets of 3 bytes", b"II+\0" + struct.pack("<HHQ", 3, 9, 16) + bytes(99)
    )
    yield Case(
        "big tiff from a big-endian machine", b"MM\0+" + struct.pack(">HHQ", 8, 0, 16) + bytes(99)
    )


def _layouts() -> Iterator[Case]:
    yield Case("tiff with 65535 samples", made({277: (SHORT, 1, 65535)}))
    yield Case("tiff with 64 bits a sample", made({258: (SHORT, 1, 64)}))
    yield Case("tiff with 0 bits a sample", made({258: (SHORT, 1, 0)}))
    yield Case("tiff of photometric 200", made({262: (SHORT, 1, 200)}))
    yield Case("tiff with colours without a map", made({262: (SHORT, 1, 3)}))
    yield Case(
        "tiff with a map of 3 values", made({262: (SHORT, 1, 3), 320: (SHORT, 3, 8)}), EITHER
    )
    yield Case(
        "tiff with planes that are not there",
        made({284: (SHORT, 1, 2), 277: (SHORT, 1, 3), 262: (SHORT, 1, 2)}),
        EITHER,
    )
    yield Case("tiff with strips of no rows", made({278: (LONG, 1, 0)}), EITHER)
    yield Case("tiff with strips of 4294967295 rows", made({278: (LONG, 1, 2**32 - 1)}), EITHER)
    yield Case("tiff with an offset of 4294967295", made({273: (LONG, 1, 2**32 - 1)}))
    yield Case("tiff that is its own pixels", made({273: (LONG, 1, 1)}), EITHER)
    tiled: Tags = {
        273: (LONG, 0, 0),
        278: (LONG, 0, 0),
        279: (LONG, 0, 0),
        324: (LONG, 1, 8),
        325: (LONG, 1, 64),
    }
    yield Case(
        "tiff with tiles of 0 x 0", made({**tiled, 322: (LONG, 1, 0), 323: (LONG, 1, 0)}), EITHER
    )
    yield Case("tiff with tiles without a size", made(tiled))
    yield Case(
        "tiff with tiles of 4 billion",
        made({**tiled, 322: (LONG, 1, 2**32 - 1), 323: (LONG, 1, 2**32 - 1)}),
        EITHER,
    )
    yield Case(
        "tiff with tiles larger than itself",
        made({**tiled, 322: (LONG, 1, 64), 323: (LONG, 1, 64)}),
        EITHER,
    )


def _packed() -> Iterator[Case]:
    names = {
        2: "fax",
        5: "LZW",
        6: "old JPEG",
        7: "JPEG",
        8: "deflate",
        32773: "PackBits",
        34676: "SGI",
        34925: "LZMA",
        50000: "Zstandard",
        50001: "WebP",
        777: "nothing known",
    }
    for number, name in names.items():
        allowed = EITHER if number in (2, 32773) else REFUSED
        yield Case(
            f"tiff of zeros that say they are {name}", made({259: (SHORT, 1, number)}), allowed
        )
    picture = Image.linear_gradient("L").resize((90, 60)).convert("RGB")
    for packing in ("tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits", "zstd"):
        data = encoded(picture, "TIFF", compression=packing)
        bent = bytearray(data)
        bent[len(data) // 3 : len(data) // 3 + 20] = b"\xaa" * 20
        yield Case(f"tiff with bent {packing}", bytes(bent), EITHER)
    lines = encoded(picture, "TIFF", compression="tiff_lzw", tiffinfo={317: 2})
    predictor = struct.pack("<HHI", 317, SHORT, 1)
    assert predictor in lines
    floats = lines.replace(predictor + b"\2", predictor + b"\3")
    yield Case("tiff with a predictor for floats", floats, EITHER)
    bomb = zlib.compress(bytes(60 << 20), 9)
    packed = made(
        {259: (SHORT, 1, 8), 273: (LONG, 1, 8 + 2 + 12 * 9 + 4 + 64), 279: (LONG, 1, len(bomb))},
        bomb,
    )
    yield Case("tiff of 8 x 8 with 60 MB of pixels", packed, EITHER)


def _dear(size: int) -> Iterator[Case]:
    place = 8 + 2 + 12 * 9 + 4 + 64
    many: Tags = {273: (SHORT, (size - 300) // 2, place), 278: (LONG, 1, 1)}
    yield Case("tiff with strips as there is room for", made(many, bytes(size)))
    tiled: Tags = {
        273: (LONG, 0, 0),
        278: (LONG, 0, 0),
        279: (LONG, 0, 0),
        322: (SHORT, 1, 1),
        323: (SHORT, 1, 1),
    }
    yield Case(
        "tiff with tiles as there is room for",
        made({**tiled, 324: (SHORT, (size - 300) // 2, place), 325: (SHORT, 1, 9)}, bytes(size)),
    )
    yield Case(
        "tiff with resolutions as there is room for",
        made({282: (RATIONAL, size // 8, place)}, bytes(size + 300)),
    )
    yield Case(
        "tiff with a map as long as there is room for",
        made({262: (SHORT, 1, 3), 320: (SHORT, size // 2, place)}, bytes(size + 300)),
    )
    rows = b"".join(struct.pack("<HHII", 1000 + n, 1, size, 8) for n in range(2000))
    shared = b"II*\0" + struct.pack("<IH", 8, 2000) + rows + bytes(4) + bytes(size)
    yield Case("tiff with 2000 tags that are the whole file each", shared)
