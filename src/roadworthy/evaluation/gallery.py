"""The pictures a model got wrong or was least sure of, as one sheet with captions."""

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw, ImageFont

TILE, CAPTION, COLUMNS = 144, 44, 6


def worst(predictions: pd.DataFrame, count: int) -> pd.DataFrame:
    """The test rows with the least probability on the truth, wrong answers first.

    Args:
        predictions: columns label, predicted and one `p_LABEL` per label.
    """
    truth = [row[f"p_{row['label']}"] for row in predictions.to_dict("records")]
    ranked = predictions.assign(
        wrong=predictions["label"] != predictions["predicted"], on_truth=np.array(truth)
    )
    return ranked.sort_values(["wrong", "on_truth"], ascending=[False, True]).head(count)


def sheet(rows: pd.DataFrame, pixels: np.ndarray) -> Image.Image:
    """Tiles with truth, answer and probability; a red frame is a wrong answer.

    Args:
        rows: columns label, predicted, probability, wrong.
        pixels: the images, uint8 (N, H, W, C).
    """
    lines = -(-len(rows) // COLUMNS)
    canvas = Image.new("RGB", (COLUMNS * TILE, max(lines, 1) * (TILE + CAPTION)), "white")
    draw = ImageDraw.Draw(canvas)
    font = ImageFont.load_default(size=12)
    for place, (row, image) in enumerate(zip(rows.to_dict("records"), pixels, strict=True)):
        left, top = place % COLUMNS * TILE, place // COLUMNS * (TILE + CAPTION)
        canvas.paste(_tile(image), (left + 4, top + 4))
        colour = "#dc2626" if row["wrong"] else "#9ca3af"
        draw.rectangle(
            (left + 2, top + 2, left + TILE - 3, top + TILE - 3), outline=colour, width=3
        )
        draw.text((left + 6, top + TILE), f"is {row['label']}", "#1f2937", font)
        answer = f"said {row['predicted']} {row['probability']:.2f}"
        draw.text((left + 6, top + TILE + 18), answer, colour if row["wrong"] else "#1f2937", font)
    return canvas


def _tile(pixels: np.ndarray) -> Image.Image:
    side = TILE - 8
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).convert("RGB")
    scale = side / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    tile = Image.new("RGB", (side, side), "#f3f4f6")
    tile.paste(
        image.resize(size, Image.Resampling.BICUBIC), ((side - size[0]) // 2, (side - size[1]) // 2)
    )
    return tile
