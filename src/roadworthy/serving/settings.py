"""What an operator can set, each as an environment variable `ROADWORTHY_NAME`."""

import os
from difflib import get_close_matches
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from roadworthy.errors import ParamsError

PREFIX = "ROADWORTHY_"
ALIKE = 0.8


def _distinct(values: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    return tuple({value.get_secret_value(): value for value in values}.values())


class Settings(BaseSettings):
    """Settings of the service. Lists are written as JSON: `ROADWORTHY_API_KEYS='["one", "two"]'`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    engine: Literal["auto", "onnx", "int8", "torch"] = "auto"
    """`auto`: the fastest graph of the bundle that passed its parity gate."""
    threads: int | None = Field(default=None, ge=1)
    """CPU threads for one batch; unset, what `lanes` leaves of the cores."""
    batch: int = Field(default=16, ge=1, le=256)
    """Most images that are answered together, of whatever requests."""
    lanes: int | None = Field(default=None, ge=1, le=64)
    """Batches that are computed at the same time; unset, one for each core. More is more answers a
    second, fewer with more threads each answers a lone request sooner."""
    queue: int = Field(default=512, ge=1)
    """Most answers that are being worked out; more get 429."""
    decoders: int | None = Field(default=None, ge=1)
    """Images decoded at the same time, each up to 0.6 GB; unset, 2 where there are as many cores."""

    requests: int = Field(default=64, ge=1)
    """Requests accepted at the same time; more get 429."""
    files: int = Field(default=32, ge=1, le=1000)
    """Images of one request."""
    upload_seconds: float = Field(default=30.0, gt=0)
    """Longest time for sending a body."""
    answer_seconds: float = Field(default=60.0, gt=0, le=60)
    """Longest time for a whole request; then 503."""
    rate: int = Field(default=0, ge=0)
    """Requests a minute that one client may make; 0 is no limit."""
    proxies: int = Field(default=0, ge=0)
    """Trusted proxies in front: whose `X-Forwarded-For` says who the client is."""
    api_keys: Annotated[tuple[SecretStr, ...], AfterValidator(_distinct)] = ()
    """One of these must come as `Authorization: Bearer KEY` or `X-API-Key`; none: everybody may ask."""

    urls: bool = False
    """Whether images may be given by address, which the server then fetches."""
    url_bytes: int = Field(default=20_000_000, ge=1)
    url_seconds: float = Field(default=10.0, gt=0)
    url_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    """Networks that may be fetched from although they are not public, as `["10.1.0.0/16"]`."""

    log: Path | None = None
    """Folder of the prediction log and the feedback; unset, nothing is kept."""
    log_bytes: int = Field(default=50_000_000, ge=10_000)
    """A log file is closed when it has grown to this."""
    log_files: int = Field(default=20, ge=1)
    """The oldest beyond this many are deleted."""
    log_images: bool = False
    """Whether the images themselves are kept too."""

    follow: str = ""
    """A registry alias, such as `champion`: new versions are loaded as they come; unset: frozen."""
    follow_seconds: float = Field(default=30.0, gt=0)
    shadow: float = Field(default=0.0, ge=0, le=1)
    """Share of the requests that the challenger answers too, unseen by the caller."""

    mlflow_url: str = ""
    """Where people see MLflow, for links on the page."""
    page: Path | None = None
    """Folder of the built page; unset, the one that was packaged."""

    def shared(self, cores: int) -> tuple[int, int]:
        """How many lanes there are, and how many threads each has."""
        if self.lanes:
            return self.lanes, self.threads or max(1, cores // self.lanes)
        threads = self.threads or 1
        return max(1, cores // threads), threads


def cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def read() -> Settings:
    """The settings of this process's environment.

    Raises:
        ParamsError: one cannot be used, or seems misspelt; says which and why.
    """
    _check_names()
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = f"{PREFIX}{str(first['loc'][0]).upper()}" if first["loc"] else PREFIX
        raise ParamsError(f"{name}: {first['msg']}") from None
    except SettingsError as error:
        raise ParamsError(f"{error}: lists are JSON, as {PREFIX}API_KEYS='[\"one\"]'") from None


def _check_names() -> None:
    """A limit with a slip in its name would be no limit. Other names are none of ours: Kubernetes
    sets `ROADWORTHY_PORT` for a service of that name."""
    known = [name.upper() for name in Settings.model_fields]
    for name in os.environ:
        own = name.removeprefix(PREFIX)
        if own == name or own in known:
            continue
        if near := get_close_matches(own, known, 1, ALIKE):
            raise ParamsError(f"{name} is no setting; perhaps {PREFIX}{near[0]}")
