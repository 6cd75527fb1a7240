"""`suspects.html`: the images whose label is probably wrong, to be judged by a person at a glance.

A choice below each picture makes the CSV that `roadworthy audit --apply` takes; without scripts the
page is a gallery, and the CSV beside it is edited by hand.
"""

import base64
import json
from collections.abc import Callable
from html import escape
from pathlib import Path
from urllib.parse import quote

import pandas as pd

from roadworthy import page
from roadworthy.data.images import open_image
from roadworthy.errors import DataError

SIDE = 160
STYLE = f"""
body{{max-width:72rem}}.suspects{{display:grid;gap:1rem;
grid-template-columns:repeat(auto-fill,minmax({SIDE + 24}px,1fr))}}
.suspects figure{{display:flex;flex-direction:column;margin:0;padding:.6rem;
border:1px solid var(--line);border-radius:.6rem;break-inside:avoid}}
.suspects img{{display:block;width:100%;height:{SIDE}px;object-fit:contain;background:var(--soft)}}
.suspects figcaption{{font-size:.85rem;margin:.4rem 0}}.suspects small{{color:var(--muted)}}
.suspects .changed{{border-color:var(--accent);box-shadow:0 0 0 1px var(--accent)}}
select,button{{font:inherit;border-radius:.4rem;padding:.3rem .5rem}}
select{{margin-top:auto;width:100%;font-size:.85rem;color:var(--ink);background:var(--paper);
border:1px solid var(--line)}}
.save{{position:sticky;top:0;padding:.6rem 0;background:var(--paper)}}
button{{background:#2563eb;color:#fff;border:0;padding:.4rem 1rem}}button:disabled{{background:#6b7280}}
@media print{{select,.save{{display:none}}}}
"""
SCRIPT = """
const known=JSON.parse(document.getElementById('labels').textContent);
const figures=[...document.querySelectorAll('figure')];
const button=document.getElementById('save');
const cell=text=>'"'+text.replaceAll('"','""')+'"';
const edited=()=>figures.filter(f=>f.querySelector('select').value!==f.dataset.given);
function show(){
  for(const f of figures)f.classList.toggle('changed',f.querySelector('select').value!==f.dataset.given);
  const count=edited().length;
  button.disabled=!count;button.textContent='Save '+count+' corrections as CSV';
}
for(const f of figures){
  const select=document.createElement('select');
  select.setAttribute('aria-label','label of '+f.dataset.path);
  const {given,suggested}=f.dataset;
  select.add(new Option('keep '+given,given));
  if(suggested!==given)select.add(new Option('make it '+suggested,suggested));
  for(const l of known)if(l!==given&&l!==suggested)select.add(new Option('make it '+l,l));
  select.add(new Option('take the image out',''));
  select.onchange=show;f.append(select);
}
button.onclick=()=>{
  const lines=edited().map(f=>[f.dataset.path,f.dataset.given,f.querySelector('select').value,
    f.dataset.sha256].map(cell).join(','));
  const link=document.createElement('a');
  link.href=URL.createObjectURL(new Blob([['path,given,label,sha256',...lines,''].join('\\n')]));
  link.download=button.dataset.file;link.click();
};
button.hidden=false;show();
"""


def render(
    task: str,
    table: pd.DataFrame,
    labels: tuple[str, ...],
    show: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> str:
    """The page.

    Args:
        table: all images as `suspects.rank` gives them.
        labels: what a person may choose.
        show: the most pictures on the page.

    Raises:
        DataError: a picture is no longer there.
    """
    suspects = table[table["suggested"] != table["given"]]
    shown = suspects.head(show)
    cards = []
    for place, row in enumerate(shown.to_dict("records"), 1):
        cards.append(_card(place, {str(name): value for name, value in row.items()}))
        progress(place, len(shown))
    body = [
        f"<h1>Suspects: {escape(task)}</h1>",
        "<p class=muted>Images whose label is disputed by a classifier that has not seen them. The "
        "number above a label is the probability that it is right, as that classifier sees it; "
        "“probably wrong” is the judgement of confident learning over all images.</p>",
        _tiles(table, suspects, shown),
    ]
    if not cards:
        body.append("<p>No label is disputed.</p>")
    else:
        body += [_pairs(suspects), _bar(task), f'<div class="suspects">{"".join(cards)}</div>']
        names = json.dumps(list(labels)).replace("<", "\\u003c")
        body.append(f'<script type="application/json" id="labels">{names}</script>')
        body.append(f"<script>{SCRIPT}</script>")
    return page.page(f"Suspects: {task}", "".join(body), STYLE)


def _tiles(table: pd.DataFrame, suspects: pd.DataFrame, shown: pd.DataFrame) -> str:
    issues = int((table["issue"] == "yes").sum())
    tiles = [
        page.tile("disputed labels", str(len(suspects)), f"of {len(table)} images"),
        page.tile("probably wrong", str(issues), f"{issues / len(table):.1%} of all"),
        page.tile(
            "agreement", f"{1 - len(suspects) / len(table):.0%}", "the less, the weaker a doubt"
        ),
        page.tile("shown here", str(len(shown)), "the most suspicious first"),
    ]
    return f'<div class="tiles">{"".join(tiles)}</div>'


def _pairs(suspects: pd.DataFrame) -> str:
    counts = suspects.groupby(["given", "suggested"]).size().sort_values(ascending=False)
    rows = counts.head(12).rename("images").reset_index()
    return f"<h2>What is taken for what</h2>{page.table(rows)}"


def _bar(task: str) -> str:
    file = f"{task}-corrections.csv"
    command = f"roadworthy audit {task} --apply {file}"
    return (
        "<h2>Judge them</h2><p>Choose below a picture what it really is, save the choices, then "
        f"<code>{escape(command)}</code> makes a new version of the data. Without a choice nothing "
        "changes. All images are in <code>suspects.csv</code> beside this page; its column "
        "<code>label</code> can be edited instead.</p>"
        f'<div class="save"><button id="save" data-file="{escape(file)}" hidden></button></div>'
    )


def _card(place: int, row: dict[str, str | float]) -> str:
    path, given, suggested = (str(row[name]) for name in ("path", "given", "suggested"))
    data = {"path": path, "given": given, "suggested": suggested, "sha256": str(row["sha256"])}
    fields = " ".join(f'data-{name}="{escape(value)}"' for name, value in data.items())
    # From artifacts/TASK/audit/ back to the project.
    link = f"../../../{quote(path)}"
    sure = " · probably wrong" if row["issue"] else ""
    return (
        f'<figure {fields}><a href="{link}">{_thumbnail(path)}</a><figcaption>'
        f"<small>{place} · {row['score']:.3f}{sure}</small>"
        f"<div>labelled <b>{escape(given)}</b></div><div>looks like <b>{escape(suggested)}</b></div>"
        f"<small>{escape(path)}</small></figcaption></figure>"
    )


def _thumbnail(path: str) -> str:
    try:
        image = open_image(Path(path))
    except DataError as error:
        raise DataError(f"{path}: {error}; the data have changed: run `dvc repro` first") from None
    image.thumbnail((SIDE, SIDE))
    data = base64.b64encode(page.jpeg(image)).decode()
    return f'<img alt="{escape(path)}" src="data:image/jpeg;base64,{data}">'
