"""setup: make a checkout ready: the images, and a page for `dvc plots` that needs no network."""

from pathlib import Path

from roadworthy import params
from roadworthy.data import version
from roadworthy.progress import bar

PLOTS_PAGE = Path(".cache/dvc_plots.html")
VEGA = "window.vega = vega; window.vegaLite = vegaLite; window.vegaEmbed = vegaEmbed;"


def run(accept: bool = False) -> None:
    """Bring `data/` to the recorded version, or record what is there as a new one.

    Raises:
        DataError: the images were changed, or cannot be had.
    """
    checked = params.load()
    if not PLOTS_PAGE.is_file():
        write_plots_page(PLOTS_PAGE)
    if accept:
        print(f"data: new version {version.accept()}; commit data.dvc")
        return
    if not version.RECORD.is_file():
        settings = checked.generate
        if not version.DATA.is_dir():
            draw(version.DATA, settings.seed, settings.scale)
        version.accept({version.GENERATOR: settings.model_dump()})
    print(f"data: {version.ensure(draw)}")


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
