"""`proposal.html`: what would come into the data, for a person who says yes or no.

A click on a picture strikes it out; the command at the top says so. Without scripts the page is a
gallery, and the command is typed with the eight digits below a picture.
"""

from collections import defaultdict
from collections.abc import Collection
from html import escape
from pathlib import Path

from PIL import Image

from roadworthy import page
from roadworthy.data.images import open_image
from roadworthy.errors import DataError
from roadworthy.pipeline.offers import FEEDBACK, Left
from roadworthy.pipeline.proposal import STAGED, Candidate, Part, Proposal

SIDE = 160
"""Longest side of a picture, in pixels."""
SHOWN = 200
"""Pictures of one label, and of one reason, on the page."""
DIGITS = 8
"""Of the SHA-256, by which a person names an image."""
SPLITS = {"train": "to learn from", "val": "to choose by", "test": "to test with"}
STYLE = """
body{max-width:72rem}h2{font-size:1.35rem}.figure{font-size:2rem}
.tile{flex:1 1 8.5rem;min-width:0;padding:.6rem .9rem}
.command{display:flex;flex-wrap:wrap;gap:.6rem;align-items:center;position:sticky;top:0;z-index:1;
padding:.6rem 0;background:var(--paper);border-bottom:1px solid var(--line)}
.command code{flex:1 1 18rem;min-width:0;background:var(--soft);padding:.45rem .7rem;
border-radius:.4rem;overflow-wrap:anywhere}
.command button{font:inherit;border:0;border-radius:.4rem;padding:.45rem 1rem;background:#2563eb;
color:#fff;cursor:pointer}.command small{flex-basis:100%;color:var(--muted)}
.new figure{position:relative;border-radius:.5rem}
.new .toggle{display:block;width:100%;padding:0;border:0;background:none;font:inherit;color:inherit;
text-align:left;cursor:pointer}.new .toggle:focus-visible{outline:3px solid var(--accent);
outline-offset:3px;border-radius:.3rem}
.new .out img{opacity:.25;filter:grayscale(1)}.new .out figcaption{opacity:.55}
.new .out:before{content:"left out";position:absolute;top:2.9rem;left:0;right:0;
text-align:center;font-weight:650;color:var(--bad)}
.stop{border:2px solid var(--bad);border-radius:.6rem;padding:.2rem 1rem;margin:1rem 0}
details{margin:.6rem 0}summary{cursor:pointer;overflow-wrap:anywhere}
details ul{overflow-wrap:anywhere;padding-left:1.2rem}
@media print{.command{position:static}.command button{display:none}}
"""
SCRIPT = """
const code=document.querySelector('.command code'),plain=code.textContent;
const toggles=[...document.querySelectorAll('.toggle')];
function show(){
  const names=toggles.map(t=>t.dataset.sha),short=name=>name.split(':')[1];
  const alone=name=>names.filter(n=>short(n)===short(name)).length<2;
  const out=toggles.filter(t=>t.getAttribute('aria-pressed')==='true').map(t=>t.dataset.sha)
    .map(name=>alone(name)?short(name):name);
  const command=out.length<toggles.length?plain:plain.replace(' --yes',' --no');
  code.textContent=out.length&&out.length<toggles.length?command+' --without '+out.join(','):command;
}
for(const t of toggles)t.onclick=()=>{
  const out=t.getAttribute('aria-pressed')!=='true';
  t.setAttribute('aria-pressed',out);t.closest('figure').classList.toggle('out',out);show();
};
const copy=document.querySelector('.command button');
if(navigator.clipboard){copy.hidden=false;copy.onclick=async()=>{
  await navigator.clipboard.writeText(code.textContent);
  copy.textContent='Copied';setTimeout(()=>copy.textContent='Copy',1500);};}
"""


def render(
    proposal: Proposal, command: str = "", done: str = "", refused: Collection[tuple[str, str]] = ()
) -> str:
    """The page.

    Args:
        command: takes the images in; empty: there is nothing to take.
        done: what became of the proposal, where it is settled.
        refused: task and SHA-256 of the images that a person has refused.
    """
    count = proposal.size
    title = f"{count:,} new image{'s' * (count != 1)}" if count else "Nothing new"
    words = (
        done or f"proposal {proposal.digest[:DIGITS]}, for data version {proposal.version[:DIGITS]}"
    )
    body = [f"<h1>{title}</h1><p class=muted>{escape(words)}</p>", _tiles(proposal)]
    if command and not done:
        body.append(_command(command))
    asked = bool(command) and not done
    body += [_part(part, asked, refused) for part in proposal.parts if _said(part)]
    body.append(f"<script>{SCRIPT}</script>" if asked else "")
    return page.page(f"ingest: {title}", "".join(body), STYLE)


def _said(part: Part) -> bool:
    return bool(part.new or part.left or part.there)


def _tiles(proposal: Proposal) -> str:
    new = [one for part in proposal.parts for one in part.taken]
    told = sum(one.offer.source == FEEDBACK for one in new)
    tests = sum(one.fate.split == "test" for one in new)
    left = sum(len(part.left) for part in proposal.parts)
    there = sum(len(part.there) for part in proposal.parts)
    tiles = [
        page.tile("from feedback", f"{told:,}", "told by people"),
        page.tile("from the inbox", f"{len(new) - told:,}", "labelled by people"),
        page.tile("of those to test with", f"{tests:,}", "never learned from"),
        page.tile("not taken", f"{left:,}", f"and {there:,} that are in the data already"),
    ]
    return f'<div class="tiles">{"".join(tiles)}</div>'


def _command(command: str) -> str:
    return (
        f'<div class="command"><code>{escape(command)}</code><button hidden>Copy</button>'
        "<small>takes them in. Click a picture whose label is wrong: it is left out, and never "
        "proposed under that label again.</small></div>"
    )


def _part(part: Part, asked: bool, refused: Collection[tuple[str, str]]) -> str:
    parts = [f"<h2>{escape(part.task)}</h2>"]
    if part.stops:
        lines = "".join(f"<li>{escape(line)}</li>" for line in part.stops)
        parts.append(
            "<div class=stop><p><b class=bad>None of these is taken.</b> With them the data would "
            f"not be good enough to train on:</p><ul>{lines}</ul></div>"
        )
    if part.warned:
        lines = "".join(f"<li>{escape(line)}</li>" for line in part.warned)
        parts.append(
            f"<details><summary>Warnings of <code>validate</code>: {len(part.warned)}, "
            f"about all images with these</summary><ul>{lines}</ul></details>"
        )
    by_label = defaultdict(list)
    for one in part.new:
        by_label[one.offer.label].append(one)
    for label, shown in sorted(by_label.items()):
        cards = [_card(part.task, one, asked, refused) for one in shown[:SHOWN]]
        parts.append(f"<h3>{escape(label)}: {len(shown):,}</h3>")
        parts.append(f'<div class="new">{page.photos(cards)}</div>{_more(len(shown))}')
    return "".join([*parts, _left(part.left)])


def _card(task: str, one: Candidate, asked: bool, refused: Collection[tuple[str, str]]) -> str:
    offer, short = one.offer, one.offer.sha256[:DIGITS]
    lines = [short, *_told(one)]
    card = page.photo(_picture(STAGED / task / one.place), lines, offer.origin.as_posix())
    if (task, offer.sha256) in refused:
        return card.replace("<figure", '<figure class="out"', 1)
    if not asked:
        return card
    inside = card.removeprefix("<figure").removesuffix("</figure>")
    attributes, _, rest = inside.partition(">")
    start = f'<button class="toggle" aria-pressed="false" data-sha="{task}:{short}">'
    return f"<figure{attributes}>{start}{rest}</button></figure>"


def _told(one: Candidate) -> list[str]:
    offer = one.offer
    lines = []
    if offer.said:
        told = "agreed" if offer.said == offer.label else f"said {offer.said}"
        lines.append(f"the service {told}, {offer.probability:.0%}")
    if offer.source != FEEDBACK:
        lines.append(f"inbox: {offer.origin.name}")
    if offer.voices > 1:
        lines.append(f"told {offer.voices} times")
    lines.append(SPLITS.get(one.fate.split or "", one.fate.reason))
    if one.fate.like:
        lines.append(f"like {one.fate.like}")
    return lines


def _left(left: tuple[Left, ...]) -> str:
    """What is not taken, by reason: pictures where there are some, names where not."""
    by_reason: dict[str, list[Left]] = defaultdict(list)
    for one in left:
        by_reason[one.reason].append(one)
    parts = []
    for reason, found in sorted(by_reason.items(), key=lambda item: (-len(item[1]), item[0])):
        shown = [(one, _picture(one.origin)) for one in found[:SHOWN]]
        seen = [page.photo(image, [one.what], one.what) for one, image in shown if image]
        rest = "".join(
            f"<li>{escape(_printable(one.what))}</li>" for one, image in shown if not image
        )
        inside = (page.photos(seen) if seen else "") + (f"<ul>{rest}</ul>" if rest else "")
        summary = f"<summary>{escape(_printable(reason))}: {len(found):,}</summary>"
        parts.append(f"<details>{summary}{inside}{_more(len(found))}</details>")
    return f"<h3>Not taken: {len(left):,}</h3>{''.join(parts)}" if left else ""


def _picture(path: Path | None) -> Image.Image | None:
    """Small; None where there is nothing to see."""
    if path is None or path.is_symlink() or not path.is_file():
        return None
    try:
        image = open_image(path).convert("RGB")
    except DataError:
        return None
    image.thumbnail((SIDE, SIDE))
    return image


def _printable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


def _more(count: int) -> str:
    return f"<p class=muted>{SHOWN} of {count:,} are shown.</p>" if count > SHOWN else ""


def sheet(proposal: Proposal, columns: int = 8, most: int = 64) -> Image.Image | None:
    """The new images of all tasks in one picture, label by label; None where there are none."""
    places = [STAGED / part.task / one.place for part in proposal.parts for one in part.taken]
    small = [image for image in map(_picture, places[:most]) if image]
    if not small:
        return None
    cell, rows = 112, -(-len(small) // columns)
    out = Image.new("RGB", (cell * min(columns, len(small)), cell * rows), "white")
    for number, image in enumerate(small):
        image.thumbnail((cell - 4, cell - 4))
        column, row = number % columns, number // columns
        left, top = (cell - image.width) // 2, (cell - image.height) // 2
        out.paste(image, (column * cell + left, row * cell + top))
    return out


def rows(proposal: Proposal) -> list[dict[str, str | int]]:
    """A line for each task and label: how many come in, from where; and what is not taken."""
    lines: list[dict[str, str | int]] = []
    for part in proposal.parts:
        for label, count in part.counts.items():
            mine = [one.offer for one in part.new if one.offer.label == label]
            told = sum(offer.source == FEEDBACK for offer in mine)
            what = "stopped" if part.stops else "new"
            lines.append({"task": part.task, "label": label, "what": what, "images": count})
            lines[-1] |= {"feedback": told, "inbox": count - told}
        if part.left:
            told = sum(one.source == FEEDBACK for one in part.left)
            lines.append({"task": part.task, "label": "", "what": "not taken"})
            lines[-1] |= {
                "images": len(part.left),
                "feedback": told,
                "inbox": len(part.left) - told,
            }
    return lines
