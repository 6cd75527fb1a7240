"""Collections from Kaggle, through kagglehub's client: which version is newest, and the archive.

kagglehub finds the account and speaks with Kaggle. The archive is received here, because its own
download appends whatever answers a resumed request, verifies nothing where Kaggle sends no MD5,
has no limit, and extracts zip bombs. It lies in kagglehub's cache, under a name of its own.
"""

import base64
import hashlib
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

from roadworthy.errors import DataError
from roadworthy.params import Card
from roadworthy.progress import Report

CHUNK = 1 << 16
# Times that a broken connection is taken up again before a person is asked to.
ATTEMPTS = 5
# Seconds to connect, and between two pieces.
TIMEOUT = (10, 60)
ACCOUNT = (
    "make a token on kaggle.com (Settings, API), and either save it as ~/.kaggle/kaggle.json, or set "
    "KAGGLE_USERNAME and KAGGLE_KEY, or KAGGLE_API_TOKEN"
)


def newest(card: Card) -> int:
    """The newest version that Kaggle has of a collection.

    Raises:
        DataError: Kaggle cannot be reached, refuses, or has no such collection.
    """
    from kagglehub.handle import parse_dataset_handle
    from kagglesdk.datasets.types.dataset_api_service import ApiGetDatasetRequest

    handle = parse_dataset_handle(str(card.kaggle))
    request = ApiGetDatasetRequest()
    request.owner_slug, request.dataset_slug = handle.owner, handle.dataset
    with _asking(card) as api:
        return int(api.get_dataset(request).current_version_number)


def download(card: Card, progress: Report) -> Path:
    """The archive of a card's pinned version, verified; asks Kaggle only if it is not there.

    What was received stays when the connection breaks, and the next call goes on from there.

    Raises:
        DataError: as `newest`; or the archive is too large, or not what Kaggle says it is.
    """
    target = archive(card)
    if target.is_file():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    for _ in range(ATTEMPTS - 1):
        if _try_receive(card, part, progress):
            break
    else:
        with _asking(card) as api:
            _receive(api, card, part, progress)
    os.replace(part, target)
    return target


def archive(card: Card) -> Path:
    """Where the archive of a card's version lies, or will lie.

    Raises:
        DataError: the card pins no version.
    """
    from kagglehub.cache import get_cached_archive_path

    if card.version is None:
        raise DataError(
            f"the card {card.name!r} pins no version, and none is taken silently: the newest of "
            f"{card.kaggle} is {newest(card)}; say `version:` in the card"
        )
    # kagglehub's own name is also that of its unfinished downloads.
    path = Path(get_cached_archive_path(_handle(card)))
    return path.with_name(f"{card.version}.verified{path.suffix}")


def _handle(card: Card) -> Any:
    from kagglehub.handle import parse_dataset_handle

    return parse_dataset_handle(str(card.kaggle)).with_version(card.version or 0)


def _try_receive(card: Card, part: Path, progress: Report) -> bool:
    import requests

    with _asking(card) as api:
        try:
            _receive(api, card, part, progress)
        except (
            requests.ConnectionError,
            requests.Timeout,
            requests.exceptions.ChunkedEncodingError,
        ):
            # Nothing came at all: to go on is a person's decision.
            if not part.is_file():
                raise
            return False
    return True


def _receive(api: Any, card: Card, part: Path, progress: Report) -> None:
    from kagglehub.integrity import get_md5_checksum_from_response
    from kagglesdk.datasets.types.dataset_api_service import ApiDownloadDatasetRequest

    handle = _handle(card)
    request = ApiDownloadDatasetRequest()
    request.owner_slug, request.dataset_slug = handle.owner, handle.dataset
    request.dataset_version_number = handle.version
    with api.download_dataset(request) as whole:
        total = int(whole.headers.get("Content-Length", 0))
        _check_size(card, total, part)
        have = part.stat().st_size if part.is_file() else 0
        if have != total or not total:
            _write(whole, part, have, total, card, progress)
        _verify(card, part, total, get_md5_checksum_from_response(whole))


def _write(whole: Any, part: Path, have: int, total: int, card: Card, progress: Report) -> None:
    """Append what is missing, if the server sends just that; else begin anew."""
    import requests

    response = whole
    if 0 < have < total:
        wanted = {"Range": f"bytes={have}-"}
        response = requests.get(whole.url, headers=wanted, stream=True, timeout=TIMEOUT)
        if not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            response.close()
            response = whole
    done = have if response is not whole else 0
    with response, part.open("ab" if done else "wb") as file:
        for chunk in response.iter_content(CHUNK):
            file.write(chunk)
            done += len(chunk)
            _check_size(card, done)
            if done >> 20 != (done - len(chunk)) >> 20 or done == total:
                progress(-(-done >> 20), -(-max(total, done) >> 20), "MB")


def _check_size(card: Card, size: int, part: Path | None = None) -> None:
    """Raises if so much is not wanted, or has no room."""
    if size > card.max_gb * 1e9:
        raise DataError(
            f"{card.kaggle} is larger than max_gb of the card {card.name!r} "
            f"({size / 1e9:.1f} of {card.max_gb:g} GB): raise it there if that is what you want"
        )
    if part and size > (free := shutil.disk_usage(part.parent).free):
        raise DataError(
            f"{card.kaggle} has {size / 1e9:.1f} GB, and {part.parent} has room for "
            f"{free / 1e9:.1f}: KAGGLEHUB_CACHE names another place"
        )


def _verify(card: Card, part: Path, total: int, md5: str | None) -> None:
    """Size and MD5 as the server states them; what was damaged is dropped."""
    with part.open("rb") as file:
        found = base64.b64encode(hashlib.file_digest(file, "md5").digest()).decode()
    size = part.stat().st_size
    if (total and size != total) or (md5 and found != md5):
        part.unlink()
        raise DataError(
            f"what came of {card.kaggle} is damaged: {size} bytes with MD5 {found}, Kaggle says "
            f"{total} with {md5}. It was deleted: run the command again"
        )


@contextmanager
def _asking(card: Card) -> Iterator[Any]:
    """Kagglehub's client for collections; what goes wrong is said in our words."""
    import requests
    from kagglehub.clients import build_kaggle_client

    try:
        # kagglehub prints to stdout.
        with redirect_stdout(sys.stderr), build_kaggle_client() as client:
            yield client.datasets.dataset_api_client
    except requests.HTTPError as error:
        raise DataError(_refusal(card, _status(error))) from None
    except requests.RequestException as error:
        raise DataError(
            f"Kaggle cannot be reached, or the connection broke ({type(error).__name__}): check the "
            f"network, and run the command again; it goes on where it stopped"
        ) from None
    except ValueError as error:
        raise DataError(f"the Kaggle account cannot be read ({error}): {ACCOUNT}") from None


def _refusal(card: Card, status: int) -> str:
    from kagglehub.config import get_kaggle_credentials

    page = f"https://www.kaggle.com/datasets/{card.kaggle}"
    if status in (401, 403) and get_kaggle_credentials() is None:
        return f"Kaggle gives {card.kaggle} to accounts only, and none is set up: {ACCOUNT}"
    if status in (401, 403):
        return (
            f"Kaggle refused the account for {card.kaggle} ({status}): open {page} with it, accept "
            f"what it asks, and if that was it already, renew the token: {ACCOUNT}"
        )
    if status == 404:
        return (
            f"Kaggle has no {card.kaggle} in version {card.version} (404): see {page}, and correct "
            f"`kaggle` and `version` of the card {card.name!r}"
        )
    return f"Kaggle answered {status} for {card.kaggle}: run the command again later"


def _status(error: Any) -> int:
    """Kaggle also sends errors in a body under status 200."""
    response = error.response
    try:
        return int(response.json()["code"])
    except (ValueError, KeyError, TypeError):
        return int(response.status_code)
