"""The model card: what the model is for, what it was measured on, and what is not known."""

import pandas as pd

from roadworthy.bundle.format import BundleSpec


def write_card(spec: BundleSpec, weakest: pd.DataFrame, baseline: float) -> str:
    """Markdown.

    Args:
        weakest: slices with the least accuracy; columns slice, images, accuracy.
        baseline: accuracy of a classifier that sees only size, format and mean colour.
    """
    m = spec.metrics
    lines = [
        f"# {spec.task}",
        "",
        f"A {spec.kind} classifier of car images: {spec.backbone.name} on "
        f"{spec.input.width} x {spec.input.height} pixels. Labels: {', '.join(spec.labels)}.",
        "",
        "## Figures on the test split",
        "",
        f"- accuracy {m['accuracy']:.3f} ({m['accuracy_low']:.3f} to {m['accuracy_high']:.3f})",
        f"- balanced accuracy {m['balanced_accuracy']:.3f}, macro F1 {m['macro_f1']:.3f}",
        f"- calibration error {m['ece']:.3f}, log loss {m['log_loss']:.3f}",
        f"- a classifier that sees only size, format and mean colour: {baseline:.3f}",
        "",
        "## Data",
        "",
        *(f"- {split}: {count} images" for split, count in spec.rows.items()),
        "",
        "## Where it is weakest",
        "",
        *(
            f"- {row['slice']}: {row['accuracy']:.3f} on {row['images']} images"
            for row in weakest.to_dict("records")
        ),
        "",
        "## Limits",
        "",
        "Measured on images of the kind it was trained on; on others nothing is known. It answers "
        "one of its labels for any image. Not for decisions about people.",
        "",
    ]
    return "\n".join(lines)
