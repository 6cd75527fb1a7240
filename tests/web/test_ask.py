"""What a person does on the first view: images in, answers out, and what happens when it goes wrong."""

import json
import re
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
from playwright.sync_api import Route, expect

from visits import LIMIT, MAKES, Visit, photo, upload

pytestmark = pytest.mark.slow
Open = Callable[..., Visit]
DROPPED = """([name, bytes, event]) => {
  const transfer = new DataTransfer();
  transfer.items.add(new File([new Uint8Array(bytes)], name, { type: "image/png" }));
  const init = { bubbles: true, cancelable: true };
  document.body.dispatchEvent(event === "paste"
    ? new ClipboardEvent("paste", { ...init, clipboardData: transfer })
    : new DragEvent("drop", { ...init, dataTransfer: transfer }));
}"""


def answers(visit: Visit, task: str = "police") -> list[str]:
    return visit.page.get_by_test_id(f"answer-{task}").all_inner_texts()


def told(service: str, content: bytes, task: str = "police") -> dict[str, Any]:
    """What the service says of it to a program."""
    reply = httpx.post(f"{service}predict", files={"file": ("x.png", content)}, data={"task": task})
    prediction: dict[str, Any] = reply.json()["predictions"][0]
    return prediction


def test_several_images_get_the_services_own_answers(visit: Open, service: str) -> None:
    """The page adds nothing to an answer, and gives none to another image."""
    seen = visit()
    contents = [photo(seed) for seed in range(4)]
    seen.choose(*(upload(f"{n}.png", content) for n, content in enumerate(contents)))
    names = seen.page.locator("[data-status] h3").all_inner_texts()
    assert names == ["3.png", "2.png", "1.png", "0.png"]
    for task in ("police", "brand"):
        expected = [told(service, content, task)["label"] for content in reversed(contents)]
        assert answers(seen, task) == expected
    unsure = [told(service, content, "brand")["sure"] for content in contents].count(False)
    assert unsure and seen.page.get_by_text("not sure", exact=True).count() == unsure
    expect(seen.page.get_by_role("heading", name="4 images")).to_be_visible()
    assert seen.asked("/predict") == 4


@pytest.mark.parametrize("event", ["paste", "drop"])
def test_images_are_pasted_and_dropped(visit: Open, event: str) -> None:
    """Anywhere on the page."""
    seen = visit()
    expect(seen.page.get_by_text("All tasks")).to_be_visible()
    seen.page.evaluate(DROPPED, ["image.png", list(photo()), event])
    expect(seen.page.get_by_test_id("answer-brand")).to_have_count(1)
    expect(seen.page.get_by_role("img", name=re.compile("pasted-.*png"))).to_be_visible()


def test_an_address_is_fetched_by_the_service_only(visit: Open, service: str) -> None:
    """A page that loads a stranger's picture tells that stranger who looks at it."""
    asked: list[str] = []

    class Pictures(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.headers.get("user-agent", ""))
            self.send_response(200)
            self.send_header("content-type", "image/png")
            self.end_headers()
            self.wfile.write(photo(2))

        def log_message(self, *words: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Pictures)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        seen = visit()
        field = seen.page.get_by_label("Address of an image")
        field.fill("nonsense")
        field.press("Enter")
        expect(seen.page.get_by_role("alert")).to_contain_text("https://")
        field.fill(f"http://127.0.0.1:{server.server_port}/street.png")
        field.press("Enter")
        expect(seen.page.get_by_test_id("answer-police")).to_have_text(
            told(service, photo(2))["label"]
        )
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert len(asked) == 1 and "Mozilla" not in asked[0]


def test_a_bad_file_says_why_and_spoils_no_other(visit: Open) -> None:
    """Message and hint are the service's own, with the id that its log has too."""
    seen = visit()
    seen.choose(upload("notes.jpg", b"no image at all", "image/jpeg"), upload("ok.png", photo()))
    alert = seen.page.get_by_role("alert")
    expect(alert).to_contain_text("notes.jpg")
    expect(alert).to_contain_text("JPEG, PNG")
    expect(alert).to_contain_text(re.compile("request [0-9a-f]{32}"))
    assert len(answers(seen)) == 1


def test_what_is_too_large_is_never_sent(visit: Open) -> None:
    """Nobody waits for an upload that will be refused."""
    seen = visit()
    seen.choose(upload("huge.png", bytes(LIMIT + 1)), upload("empty.png", b""))
    expect(seen.page.get_by_role("alert")).to_have_count(2)
    expect(seen.page.get_by_text("100 kB is over the limit of 100 kB")).to_be_visible()
    assert seen.asked("/predict") == 0


def test_a_service_that_is_away_can_be_asked_again(visit: Open) -> None:
    """A lost connection costs a click, not the choosing."""
    seen = visit()
    expect(seen.page.get_by_text("All tasks")).to_be_visible()

    def lost(route: Route) -> None:
        route.abort()

    seen.page.route("**/predict", lost)
    seen.choose(upload("a.png", photo()))
    expect(seen.page.get_by_role("alert")).to_contain_text("did not answer")
    seen.page.unroute("**/predict")
    seen.page.get_by_role("button", name="Try again").click()
    expect(seen.page.get_by_test_id("answer-police")).to_be_visible()


def test_one_click_tells_the_right_label(visit: Open, service: str, log: Path) -> None:
    """Of two labels the other one; undone by telling the first."""
    seen = visit()
    content = photo(7)
    seen.choose(upload("a.png", content))
    label = told(service, content)["label"]
    other = {"police": "other", "other": "police"}[label]
    row = seen.page.get_by_role("region", name="police answer")
    row.get_by_role("button", name="Wrong?").click()
    expect(row.get_by_role("status")).to_contain_text(other)
    row.get_by_role("button", name="Undo").click()
    expect(row.get_by_role("button", name="Wrong?")).to_be_visible()
    lines = "".join(path.read_text() for path in sorted(log.glob("feedback*")))
    kept = [json.loads(line) for line in lines.splitlines()][-2:]
    assert [(one["task"], one["label"], one["known"]) for one in kept] == [
        ("police", other, True),
        ("police", label, True),
    ]


def test_the_right_one_of_many_labels_is_searched(visit: Open) -> None:
    """A list of 120 makes is no place to scroll; the keyboard is enough."""
    seen = visit()
    seen.choose(upload("a.png", photo(1)))
    row = seen.page.get_by_role("region", name="brand answer")
    wanted = next(make for make in ("Volvo", "Audi") if make not in answers(seen, "brand"))
    row.get_by_role("button", name="Wrong?").click()
    box = row.get_by_role("combobox")
    expect(box).to_be_focused()
    expect(row.get_by_role("option")).to_have_count(len(MAKES) - 1)
    box.fill(wanted[:3].lower())
    box.press("ArrowDown")
    box.press("Enter")
    expect(row.get_by_role("status")).to_contain_text(wanted)


def test_the_threshold_decides_again_on_the_spot(visit: Open) -> None:
    """With what it does to precision and recall, and without another request."""
    seen = visit()
    seen.choose(upload("a.png", photo()))
    panel = seen.page.get_by_role("region", name="Threshold of police")
    slider = panel.get_by_role("slider", name="police")
    found = {}
    for value in ("0", "1"):
        slider.fill(value)
        found[value] = (answers(seen)[0], panel.get_by_test_id("precision").inner_text())
        expect(panel.get_by_test_id("recall")).to_have_text("100.0 %" if value == "0" else "0.0 %")
    assert found == {"0": ("police", "50.0 %"), "1": ("other", "100.0 %")}
    expect(panel).to_contain_text(re.compile("of 1 answer here|none of the answers"))
    panel.get_by_role("button", name="Back to").click()
    expect(slider).to_have_value("0.5")
    assert seen.asked("/predict") == 1


def test_cars_are_framed_and_named(visit: Open, service: str) -> None:
    """A box at its place in the picture, the make and police of each car beside it."""
    seen = visit()
    seen.choose(upload("street.png", photo(3, (160, 120))))
    seen.page.get_by_role("button", name="Find cars").click()
    boxes = seen.page.get_by_test_id("box")
    expect(boxes).to_have_count(2)
    picture = seen.page.get_by_role("img", name="street.png").bounding_box()
    box = boxes.first.bounding_box()
    assert picture and box
    left = (box["x"] - picture["x"]) / picture["width"]
    assert left == pytest.approx(0.1, abs=0.02)
    assert box["height"] / picture["height"] == pytest.approx(0.4, abs=0.02)
    rows = seen.page.get_by_role("table", name="Cars that were found").get_by_role("row")
    expect(rows).to_have_count(3)
    expect(rows.nth(1)).to_contain_text("95 %")
    seen.page.get_by_role("button", name="Find cars").click()
    expect(boxes).to_have_count(0)


def test_why_lays_a_heat_map_over_the_picture(visit: Open) -> None:
    """And takes it away again; the second look costs no request."""
    seen = visit()
    seen.choose(upload("a.png", photo(4)))
    row = seen.page.get_by_role("region", name="police answer")
    why = row.get_by_role("button", name="Why?")
    why.click()
    heat = seen.page.get_by_role("img", name="What speaks for")
    expect(heat).to_be_visible()
    expect(seen.page.get_by_label("Strength")).to_be_visible()
    why.click()
    expect(heat).to_have_count(0)
    why.click()
    expect(heat).to_be_visible()
    assert seen.asked("/explain") == 1


def test_one_task_and_samples(visit: Open) -> None:
    """A sample is an image like any other; another task is asked only when it must be."""
    seen = visit()
    seen.page.get_by_role("radio", name="brand").check(force=True)
    seen.page.get_by_role("button", name="Tractor").click()
    expect(seen.page.get_by_test_id("answer-brand")).to_have_count(1)
    expect(seen.page.get_by_test_id("answer-police")).to_have_count(0)
    assert seen.asked("/predict") == 1
    seen.page.get_by_role("radio", name="All tasks").check(force=True)
    expect(seen.page.get_by_test_id("answer-police")).to_have_count(1)
    seen.page.get_by_role("radio", name="police").check(force=True)
    expect(seen.page.get_by_test_id("answer-brand")).to_have_count(0)
    assert seen.asked("/predict") == 2


def test_a_removed_picture_is_forgotten(visit: Open) -> None:
    """Memory that a browser holds for previews is given back."""
    seen = visit()
    seen.choose(upload("a.png", photo()), upload("b.png", photo(1)))
    address = seen.page.get_by_role("img", name="a.png").get_attribute("src")
    loads = """(address) => new Promise((done) => {
      const image = new Image();
      image.onload = () => done(true);
      image.onerror = () => done(false);
      image.src = address;
    })"""
    assert seen.page.evaluate(loads, address) is True
    seen.page.get_by_role("button", name="Remove a.png").click()
    expect(seen.page.get_by_role("heading", name="1 image")).to_be_visible()
    assert seen.page.evaluate(loads, address) is False
    seen.complaints.clear()
    seen.page.get_by_role("button", name="Clear").click()
    expect(seen.page.get_by_text("Ask the champions about images")).to_be_visible()
