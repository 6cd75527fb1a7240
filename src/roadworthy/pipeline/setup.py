"""setup: make a checkout ready: the images, and a page for `dvc plots` that needs no network."""

from pathlib import Path

from roadworthy import params
from roadworthy.data import version
from roadworthy.progress import bar

PLOTS_PAGE = Path(".cache/dvc_plots.html")
VEGA = "window.vega = vega; window.vegaLite = vegaLite; window.vegaEmbed = vegaEmbed;"


def run(accept: bool = False, restore: bool = False) -> None:
    """Bring `data/` to the recorded version, or record what is there as a new one.

    Args:
        restore: throw away what was changed by hand; files that are new are put aside, not deleted.

    Raises:
        DataError: the images were changed, or cannot be had.
    """
    checked = params.load()
    if not PLOTS_PAGE.is_file():
        write_plots_page(PLOTS_PAGE)
    if accept:
        _accept()
        return
    if not version.RECORD.is_file():
        settings = checked.generate
        if not version.DATA.is_dir():
            draw(version.DATA, settings.seed, settings.scale)
        version.accept({version.GENERATOR: settings.model_dump()})
    print(f"data: {version.restore(draw) if restore else version.ensure(draw)}")


def _accept() -> None:
    made = version.accept()
    if made.changes is not None and not made.changes:
        print(f"data: nothing changed, it is version {made}")
        return
    print(f"data: new version {made}: {made.message}")
    print(f'next: git commit -m "data: {made.message}" {version.RECORD}')


def draw(folder: Path, seed: int, scale: float) -> None:
    """Draw the embedded set with a progress bar."""
    from roadworthy.data.generated import generate

    with bar("draw images") as progress:
        generate(folder, seed=seed, scale=scale, progress=progress)


def write_plots_page(path: Path) -> None:
    """DVC's own page for plots, with Vega inside: DVC's loads it from a CDN, and is blank offline."""
    import vl_convert
    from dvc_render.html import PAGE_HTML

    script = vl_convert.javascript_bundle(VEGA).replace("</script", "<\\/script")
    path.parent.mkdir(parents=True, exist_ok=True)
    page = PAGE_HTML.replace("{scripts}", f"<script>{script}</script>")
    path.write_text(page, encoding="utf-8")
