"""The images of a request, as files or by address."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field

from starlette.datastructures import UploadFile

from roadworthy.errors import DataError
from roadworthy.serving.context import Context
from roadworthy.serving.limits import too_large
from roadworthy.serving.refusals import Refusal

NAME_LENGTH = 200


@dataclass(frozen=True)
class Upload:
    """One image of a request."""

    filename: str
    content: bytes
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    """Names the answers about it, for the log and for feedback."""


async def received(
    files: Sequence[UploadFile], urls: Sequence[str], context: Context, most: int | None = None
) -> list[Upload]:
    """The images of a request, read or fetched: first the files, then the addresses.

    Args:
        most: images of one request; None: as the settings say.

    Raises:
        Refusal: none, too many, one is too large or cannot be fetched.
    """
    most = min(most or context.settings.files, context.settings.files)
    count = len(files) + len(urls)
    if not count:
        raise Refusal(422, "no_image", "the request has no image", "send -F file=@IMAGE")
    if count > most:
        raise Refusal(
            413, "too_many_files", f"{count} images are over {most}", "send fewer at once"
        )
    if any((one.size or 0) > context.max_bytes for one in files):
        raise too_large(context.max_bytes)
    uploads = [
        Upload(_plain(one.filename or f"file {number}"), await one.read())
        for number, one in enumerate(files)
    ]
    fetched = await context.fetcher.fetch_all(urls) if urls else []
    return uploads + [Upload(_plain(one.filename), one.content) for one in fetched]


def _plain(name: str) -> str:
    """A name that can be written as JSON: the caller's own charset can make half a character."""
    return name.encode("utf-8", "replace").decode()[:NAME_LENGTH]


def unusable(filename: str, error: DataError) -> Refusal:
    """The refusal of a file that is no usable image."""
    return Refusal(
        422,
        "unusable_image",
        f"{filename}: {error}",
        "send a complete JPEG, PNG, WebP, BMP, GIF or TIFF file within the limits of /info",
    )
