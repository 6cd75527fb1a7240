"""Everybody can use it: screen reader, keyboard, phone, light and dark, no motion, with a key."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from contract_models import model, models
from visits import Visit, cannot, photo, upload

pytestmark = pytest.mark.slow
Open = Callable[..., Visit]
AXE = Path(__file__).parents[2] / "web/node_modules/axe-core/axe.min.js"
MODELS = models(
    police=model(["other", "police"]), brand=model([f"Make {number}" for number in range(13)])
)
PHONE: dict[str, Any] = {
    "viewport": {"width": 375, "height": 812},
    "is_mobile": True,
    "has_touch": True,
}


def serious(page: Page) -> list[str]:
    """What axe-core finds that is serious or critical."""
    if not AXE.is_file():
        cannot("axe-core is not installed: make web")
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run({ resultTypes: ['violations'] })")
    assert len(found["passes"]) > 10
    return [
        f"{one['id']}: {node['html'][:120]}"
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


def answered(seen: Visit) -> None:
    """A page with all an answer can show."""
    seen.choose(upload("bad.png", b"no image"), upload("street.png", photo(3, (160, 120))))
    seen.page.get_by_role("button", name="Find cars").click()
    expect(seen.page.get_by_test_id("box")).to_have_count(2)
    seen.page.get_by_role("region", name="brand answer").get_by_role(
        "button", name="Wrong?"
    ).click()
    expect(seen.page.get_by_role("combobox")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", ["empty", "answers", "models", "table", "phone"])
def test_axe_finds_nothing_serious(visit: Open, view: str, scheme: str) -> None:
    """Names, roles, contrast, in both colour schemes."""
    path = "#/models/brand" if view in ("models", "table") else ""
    options = PHONE if view == "phone" else {}
    seen = visit(path, models=MODELS, color_scheme=scheme, reduced_motion="reduce", **options)
    if view in ("models", "table"):
        expect(seen.page.get_by_role("region", name="Reliability")).to_be_visible()
    if view == "table":
        seen.page.get_by_role("button", name="Table", exact=True).click()
    if view in ("answers", "phone"):
        answered(seen)
    else:
        expect(seen.page.get_by_role("img").first).to_be_visible()
    assert not serious(seen.page)


def test_the_keyboard_is_enough(visit: Open) -> None:
    """From the address bar to a sample's answer, and to telling that it is wrong."""
    seen = visit()
    expect(seen.page.get_by_text("All tasks")).to_be_visible()
    press = seen.page.keyboard.press
    focused = "document.activeElement.textContent || document.activeElement.ariaLabel || ''"
    press("Tab")
    assert "Skip" in seen.page.evaluate(focused)
    press("Enter")
    assert seen.page.evaluate("document.activeElement.id") == "main"
    for _ in range(30):
        press("Tab")
        image = "document.activeElement.querySelector('img')?.alt ?? ''"
        if "Police car" in seen.page.evaluate(image):
            break
    press("Enter")
    expect(seen.page.get_by_test_id("answer-police")).to_be_visible()
    for _ in range(40):
        press("Tab")
        if seen.page.evaluate(focused).startswith("Wrong?"):
            break
    press("Space")
    expect(seen.page.get_by_text("Thank you, noted")).to_be_visible()


@pytest.mark.parametrize("path", ["", "#/models/brand"])
def test_a_phone_need_not_scroll_sideways(visit: Open, path: str) -> None:
    """At 375 pixels, with answers, with the camera at hand and fingers in mind."""
    seen = visit(path, models=MODELS, **PHONE)
    if path:
        expect(seen.page.get_by_role("region", name="Reliability")).to_be_visible()
    else:
        expect(seen.page.get_by_role("button", name="Take a photo")).to_be_visible()
        assert seen.page.locator("input[capture=environment]").count() == 1
        answered(seen)
        seen.page.get_by_text("Thresholds and shell").click()
        expect(seen.page.get_by_role("slider", name="police")).to_be_visible()
    assert seen.page.evaluate("document.documentElement.scrollWidth") == 375
    small = """[...document.querySelectorAll("button, summary, header a")]
      .map((one) => [one.textContent || one.ariaLabel, one.getBoundingClientRect()])
      .filter(([, box]) => box.width && box.height && box.bottom > 0 && box.height < 24)
      .map(([words]) => words)"""
    assert not seen.page.evaluate(small)


def test_light_and_dark_can_be_chosen(visit: Open) -> None:
    """As the system says, until somebody chooses; the choice outlives the visit."""
    seen = visit(color_scheme="light")
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    expect(seen.page.get_by_text("All tasks")).to_be_visible()
    light = seen.page.evaluate(ground)
    seen.page.get_by_role("button", name="Dark colours").click()
    dark = seen.page.evaluate(ground)
    assert dark != light
    seen.page.reload()
    expect(seen.page.get_by_role("button", name="Light colours")).to_be_visible()
    assert seen.page.evaluate(ground) == dark
    seen.page.get_by_role("button", name="Light colours").click()
    seen.page.emulate_media(color_scheme="dark")
    assert seen.page.evaluate(ground) == dark


def test_who_wants_no_motion_sees_none(visit: Open) -> None:
    """Vestibular disorders are common."""
    seen = visit(reduced_motion="reduce")
    expect(seen.page.get_by_text("All tasks")).to_be_visible()
    moving = "document.getAnimations().length"
    seen.page.get_by_role("button", name="Tractor").click()
    expect(seen.page.get_by_test_id("answer-police")).to_be_visible()
    assert seen.page.evaluate(moving) == 0


def test_a_key_is_asked_for_once(visit: Open, serve: Callable[..., str]) -> None:
    """A wrong one is refused and asked for again; the right one stays in this tab only."""
    address = serve(api_keys=["right"])
    seen = visit(address=address)
    field = seen.page.get_by_label("Key", exact=True)
    field.fill("wrong")
    field.press("Enter")
    expect(seen.page.get_by_role("alert")).to_contain_text("does not know that key")
    expect(field).to_have_value("")
    field.fill("right")
    field.press("Enter")
    expect(seen.page.get_by_role("dialog")).to_be_hidden()
    seen.choose(upload("a.png", photo()))
    expect(seen.page.get_by_test_id("answer-police")).to_be_visible()
    assert seen.page.evaluate("Object.values(sessionStorage)") == ["right"]
    assert seen.page.evaluate("Object.values(localStorage)") == []
    assert seen.page.context.cookies() == []


def test_who_has_no_key_may_leave(visit: Open, serve: Callable[..., str]) -> None:
    """The refusal is shown, and can be tried again."""
    seen = visit(address=serve(api_keys=["right"]))
    seen.page.get_by_role("button", name="Cancel").click()
    expect(seen.page.get_by_role("alert").first).to_contain_text("no API key")
    seen.page.get_by_role("button", name="Try again").click()
    expect(seen.page.get_by_label("Key", exact=True)).to_be_visible()
