"""Malformed bodies: forms, fields and feedback, and what may be said to each."""

import json
from collections.abc import Iterator

from broken_files import PNG
from hostile.requests import ANSWERED, FORM, MULTIPART, Request
from hostile.wire import BOUNDARY, field, file, form, post, upload

ID = "0f8fad5bd9cb469fa16570867728950e"


def cases() -> Iterator[Request]:
    """All of them."""
    yield from _forms()
    yield from _fields()
    yield from _feedback()


def _forms() -> Iterator[Request]:
    """What is wrong with a body."""

    def body(
        name: str,
        content: bytes,
        kind: str = MULTIPART,
        allowed: frozenset[str] = FORM,
        *headers: str,
    ) -> Request:
        return Request(name, (post("/predict", content, kind, *headers),), allowed)

    good = form(file(PNG))
    between = b"--" + BOUNDARY
    yield body("no boundary", good, "multipart/form-data")
    yield body("an empty boundary", good, "multipart/form-data; boundary=")
    yield body("another boundary", good, "multipart/form-data; boundary=another")
    yield body("a boundary of 8 kB", good, "multipart/form-data; boundary=" + "b" * 8000)
    yield body("a boundary of line breaks", good, 'multipart/form-data; boundary="a%0d%0a"')
    yield body("two boundaries", good, MULTIPART + "; boundary=another", FORM | ANSWERED)
    yield body("another kind of multipart", good, MULTIPART.replace("form-data", "mixed"))
    yield body("a form without parts", between + b"--\r\n")
    yield body("a form without an end", good[:-50])
    yield body("a form that is empty", b"")
    yield body("a form of null bytes", bytes(100_000))
    yield body("a form of boundaries", (between + b"\r\n") * 10_000)
    yield body("a part without a head", between + b"\r\n\r\n" + PNG + b"\r\n" + between + b"--\r\n")
    yield body("a part without a name", form(b"Content-Disposition: form-data\r\n\r\nx"))
    yield body("a part with a name of 10 kB", form(field(b"n" * 10_000, b"x")))
    yield body("a part with 20,000 headers", form(b"A: b\r\n" * 20_000 + field(b"task", b"car")))
    yield body(
        "a part with a header of 1 MB",
        form(b"A: " + b"b" * 1_000_000 + b"\r\n" + field(b"task", b"car")),
    )
    yield body("a part with a header without a colon", form(b"nonsense\r\n\r\nx"))
    yield body(
        "a form in a form", form(file(form(file(PNG)), b"inner")), allowed=FORM | {"unusable_image"}
    )
    yield body("10,000 fields", form(*[field(b"a", b"b")] * 10_000))
    yield body("10,000 files", form(*[file(b"")] * 10_000))
    yield body("100 files", form(*[file(PNG)] * 100), allowed=frozenset({"too_many_files"}))
    yield body("a file as a field", form(field(b"file", PNG)), allowed=FORM)
    yield body("a file as the task", form(file(PNG), file(PNG, name=b"task")))
    yield body("another field's name", form(file(PNG, name=b"image")))
    yield body("a field of 2 MB", form(file(PNG), field(b"task", b"a" * 2_000_000)))
    yield body("a file without a name", form(file(PNG, b"")), allowed=FORM | ANSWERED)
    star = b"Content-Disposition: form-data; name=file; filename*=UTF-16''%ff%fe\r\n\r\n" + PNG
    yield body("a file with a name in another encoding", form(star), allowed=FORM | ANSWERED)
    broken = (
        b'Content-Disposition: form-data; name="file"; filename="a\r\nSet-Cookie: b"\r\n\r\n' + PNG
    )
    yield body("a file with a line break in its name", form(broken), allowed=FORM | ANSWERED)
    yield body(
        "a part in base64",
        form(b"Content-Transfer-Encoding: base64\r\n" + file(PNG)),
        allowed=ANSWERED,
    )
    for charset in (
        "utf-7",
        "utf-16",
        "undefined",
        "idna",
        "punycode",
        "unicode_escape",
        "zlib",
        "rot13",
        "x" * 99,
    ):
        content = form(file(PNG, b"+2AA-\\ud800xn--\xff"), field(b"task", b"+2AA-\\ud800\xff."))
        allowed = FORM | ANSWERED | {"unknown_task", "charset"}
        yield body(f"a form in {charset[:20]}", content, f"{MULTIPART}; charset={charset}", allowed)
    yield body("no kind", good, "")
    yield body("a kind of nonsense", good, '; ; =;;"')
    yield body("JSON instead of a form", b'{"file": "a.png"}', "application/json")
    yield body("a picture instead of a form", PNG, "image/png")
    yield body("a form of the other kind", b"file=a&task=car", "application/x-www-form-urlencoded")
    yield body(
        "a million fields of the other kind",
        b"a=&" * 1_000_000,
        "application/x-www-form-urlencoded",
    )
    yield body(
        "a field of 3 MB of the other kind",
        b"a=" + b"%41" * 1_000_000,
        "application/x-www-form-urlencoded",
    )
    yield body("a packed form", good, MULTIPART, FORM | ANSWERED, "Content-Encoding: gzip")
    yield body("5 MB of nothing", bytes(5_000_000), MULTIPART, frozenset({"too_large"}))


def _fields() -> Iterator[Request]:
    def fields(
        name: str, allowed: frozenset[str], *pairs: tuple[str, bytes], path: str = "/predict"
    ) -> Request:
        parts = [field(key.encode(), value) for key, value in pairs]
        return Request(name, (upload(path, [file(PNG), *parts]),), allowed)

    invalid = frozenset({"invalid"})
    for value in ("-1", "0", "NaN", "1e999", "1.5", "", " ", "9" * 5000, "٣", "0x10", "true"):
        yield fields(
            f"top_k={value[:20]}",
            invalid | (ANSWERED if value in ("", "٣") else frozenset()),
            ("top_k", value.encode()),
        )
    yield fields("top_k of 20 digits", ANSWERED | invalid, ("top_k", b"9" * 20))
    for value in (
        "NaN",
        "inf",
        "-inf",
        "2",
        "-0.1",
        "1e999",
        "",
        "abc",
        "1_0",
        "٠",
        "0" * 9000 + ".5",
    ):
        yield fields(
            f"threshold={value[:20]}",
            invalid | ANSWERED if value in ("", "٠") or len(value) > 99 else invalid,
            ("threshold", value.encode()),
        )
    unknown = frozenset({"unknown_task"})
    for name, task in {
        "control characters": b"a\0\1\x1b[31m\r\n",
        "10 kB": b"a" * 10_000,
        "emoji": "🚗".encode() * 50,
        "half a character": b"\xc3",
        "half of a surrogate": b"\xed\xa0\x80",
        "a path": b"../car",
        "an attribute": b"__class__",
        "capitals": b"CAR",
        "a space behind": b"car ",
        "a turn in direction": "\u202erac".encode(),
    }.items():
        yield fields(f"a task of {name}", unknown, ("task", task))
        yield fields(f"/inspect about a task of {name}", unknown, ("ask", task), path="/inspect")
    yield fields("two tasks", ANSWERED | invalid, ("task", b"car"), ("task", b"brand"))
    yield fields("1000 tasks", ANSWERED | FORM, *[("task", b"car")] * 1000)
    yield fields("two thresholds", ANSWERED | invalid, ("threshold", b"0.5"), ("threshold", b"NaN"))
    yield fields("900 tasks to /inspect", ANSWERED, *[("ask", b"car")] * 900, path="/inspect")
    yield fields(
        "an address where none is fetched", frozenset({"urls_off"}), ("url", b"http://127.0.0.1:1/")
    )
    yield fields(
        "a label that is none for /explain",
        frozenset({"unknown_label", "invalid"}),
        ("label", b"\xff\0"),
        path="/explain",
    )


def _feedback() -> Iterator[Request]:
    good = {"id": ID, "task": "car", "label": "car"}

    def sent(
        name: str, body: bytes, allowed: frozenset[str], kind: str = "application/json"
    ) -> Request:
        return Request(f"feedback {name}", (post("/feedback", body, kind),), allowed)

    def changed(**changes: object) -> bytes:
        return json.dumps({**good, **changes}).encode()

    invalid = frozenset({"invalid"})
    bodies = {
        "of nothing": b"",
        "of null": b"null",
        "of a list": b"[]",
        "of a text": b'"car"',
        "of a number of 10,000 digits": b"9" * 10_000,
        "in 7,000 brackets": b"[" * 7000,
        "in 2,000 objects": b'{"a":' * 2000,
        "that is cut": changed()[:-5],
        "that is not UTF-8": changed().replace(b'"car"', b'"\xff\xfe"'),
        "in UTF-16": changed().decode().encode("utf-16"),
        "with NaN": changed(comment=float("nan")),
        "with 1e999": changed().replace(b'"car"', b"1e999"),
        "with half of a surrogate": changed(comment="\ud800"),
        "with a key twice": changed()[:-1] + b',"label":null}',
        "with an unknown key": changed(admin=True),
        "with another id": changed(id="../../etc/passwd"),
        "with an id of another script": changed(id="٣" * 32),
        "with a line break in its id": changed(id=ID + "\n"),
        "with a number as label": changed(label=1),
        "with an object as task": changed(task={"$ne": ""}),
        "with a comment of 2,000 letters": changed(comment="x" * 2000),
        "without an id": b'{"task": "car", "label": "car"}',
    }
    for name, body in bodies.items():
        yield sent(name, body, invalid)
    yield sent("in 100,000 brackets", b"[" * 100_000, frozenset({"too_large"}))
    yield sent("as a form", b"id=1", frozenset({"not_json"}), "application/x-www-form-urlencoded")
    yield sent("as a text", changed(), frozenset({"not_json"}), "text/plain")
    yield sent("about another task", changed(task="\u202e\0🚗"), frozenset({"unknown_task"}))
    yield sent("with another label", changed(label="\n\x1b[31m"), frozenset({"unknown_label"}))
    yield sent(
        "with a comment of control characters", changed(comment="\0\r\n\x1b[31m\u2028"), ANSWERED
    )
