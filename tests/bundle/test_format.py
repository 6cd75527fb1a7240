"""What a bundle is called: its digest."""

from pathlib import Path

from roadworthy.bundle.format import CARD, IMAGES, LINEAGE, SEEN, digest
from support import tiny_bundle


def test_the_digest_is_of_what_the_model_is(tmp_path: Path) -> None:
    """Protects registering one model once: card and lineage tell hours and runs, which differ.

    And one that gets its validation images later is still the same model.
    """
    folder = tiny_bundle(tmp_path / "bundle")
    before = digest(folder)
    (folder / CARD).write_text("It took three hours.")
    (folder / LINEAGE).write_text("{}")
    (folder / IMAGES).write_bytes(b"validation images, for drift")
    assert digest(folder) == before
    (folder / "reference.json").write_text("{ }")
    assert digest(folder) != before


def test_what_it_has_seen_is_part_of_what_it_is(tmp_path: Path) -> None:
    """Protects the gate from a record that was made shorter after the training."""
    one = tiny_bundle(tmp_path / "one", seen=["a" * 64])
    other = tiny_bundle(tmp_path / "other")
    assert digest(one) != digest(other)


def test_a_bundle_from_before_the_record_keeps_its_name(tmp_path: Path) -> None:
    """Protects registries that are older than `seen.npy`: their champions go on being served."""
    folder = tiny_bundle(tmp_path / "bundle")
    (folder / SEEN).unlink()
    before = digest(folder)
    (folder / CARD).write_text("Another card.")
    assert digest(folder) != before
