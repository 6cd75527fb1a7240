"""The verbs that put champions into service; see `cli` for the others."""

import os
import sys
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer

Port = Annotated[int, typer.Option(help="Where to listen.")]
Engine = Literal["auto", "onnx", "int8"]
Builder = Literal["auto", "docker", "podman", "buildah"]


def package(
    task: Annotated[list[str] | None, typer.Option(help="Repeatable; without it, all.")] = None,
    engine: Annotated[
        Engine, typer.Option(help="Which graph is packaged; onnx is the one in fp32.")
    ] = "auto",
    container: Annotated[bool, typer.Option("--container", help="Build an image too.")] = False,
    tag: Annotated[str, typer.Option(help="Name of the image; else made of its content.")] = "",
    base: Annotated[
        str, typer.Option(help="Image to build on, with Python 3.11; else the official slim one.")
    ] = "",
    builder: Annotated[
        Builder, typer.Option(help="Program to build with; auto is the first that works.")
    ] = "auto",
    out: Annotated[
        Path | None, typer.Option(help="For what is inside the image; else artifacts/package.")
    ] = None,
) -> None:
    """Build the Bento that serves the champions, and with --container its image."""
    from roadworthy.pipeline.package import package as build

    if not container and (tag or base or out or builder != "auto"):
        raise typer.BadParameter("--tag, --base, --builder and --out are for --container")
    result = build(_named(task), engine, every=bool(task))
    typer.echo(f"{'built' if result.built else 'already built'}: {result.tag} {result.versions}")
    if container:
        from roadworthy.pipeline.container import BASE, OUT, containerize

        image = containerize(result, tag, base or BASE, builder, out or OUT)
        word = "built" if image.built else "already built"
        typer.echo(f"{word}: image {image.name}, {image.megabytes} MB ({image.builder})")
        typer.echo(f"what is inside: {image.sbom}")


def serve(
    port: Port = 3000,
    host: Annotated[str, typer.Option(help="0.0.0.0 lets other machines ask.")] = "127.0.0.1",
) -> None:
    """Serve the packaged champions over HTTP."""
    from roadworthy.pipeline.package import BENTO

    become("bentoml", "serve", f"{BENTO}:latest", "--host", host, "--port", str(port))


def become(*command: str) -> NoReturn:
    """Go on as another program of this environment, so that signals reach it."""
    program = Path(sys.executable).with_name(command[0])
    os.execv(program, [str(program), *command[1:]])


def _named(tasks: list[str] | None) -> list[str]:
    from roadworthy.params import load

    return [load().task(name).name for name in dict.fromkeys(tasks or load().tasks)]
