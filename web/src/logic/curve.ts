/** Precision and recall by threshold. */

import type { CurvePoint } from "../api/types";

export interface At {
  precision: number | null;
  recall: number | null;
}

/** The point that holds at `threshold`: the last one not above it, as decisions change in steps. */
export function at(curve: readonly CurvePoint[], threshold: number): At {
  let found: CurvePoint | undefined;
  for (const point of curve) if (point.threshold <= threshold + 1e-9) found = point;
  const point = found ?? curve[0];
  return { precision: point?.precision ?? null, recall: point?.recall ?? null };
}

/** An SVG path through the points that are known; what is not known leaves a gap. */
export function path(
  points: readonly { x: number; y: number | null }[],
  width: number,
  height: number,
): string {
  let pen = "M";
  let drawn = "";
  for (const { x, y } of points) {
    if (y === null || !Number.isFinite(y)) {
      pen = "M";
      continue;
    }
    drawn += `${pen}${(x * width).toFixed(1)} ${((1 - y) * height).toFixed(1)}`;
    pen = "L";
  }
  return drawn;
}
