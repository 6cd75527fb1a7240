/** Precision (solid) and recall (dashed) by threshold. */

import type { CurvePoint } from "../api/types";
import { at, path } from "../logic/curve";
import { percent } from "../logic/format";

interface Props {
  curve: readonly CurvePoint[];
  value: number;
  /** The bundle's own threshold. */
  own: number | null;
  width: number;
  height: number;
}

/** Room left of the curves for the scale, and right of them. */
export const AXIS = 30;
export const END = 8;

export function ThresholdChart({ curve, value, own, width, height }: Props) {
  const now = at(curve, value);
  const least = lowest(curve);
  const scaled = (y: number) => (y - least) / (1 - least);
  const line = (key: "precision" | "recall") =>
    path(
      curve.map((point) => ({ x: point.threshold, y: shift(point[key], scaled) })),
      width,
      height,
    );
  const x = value * width;
  return (
    <svg
      viewBox={`${-AXIS} -8 ${width + AXIS + END} ${height + 16}`}
      className="mt-1 block w-full"
      role="img"
      aria-label={`By threshold: precision ${percent(now.precision)} and recall ${percent(now.recall)} at ${percent(value)}`}
    >
      {[1, (1 + least) / 2, least].map((share) => (
        <g key={share}>
          <path d={`M0 ${height * (1 - scaled(share))}H${width}`} className="stroke-line" />
          <text
            x={-6}
            y={height * (1 - scaled(share)) + 3.5}
            textAnchor="end"
            className="fill-soft text-[11px]"
          >
            {Math.round(share * 100)}
          </text>
        </g>
      ))}
      {own !== null && (
        <path d={`M${own * width} 0V${height}`} className="stroke-edge" strokeDasharray="2 3" />
      )}
      <path
        d={line("recall")}
        fill="none"
        strokeWidth="1.5"
        strokeDasharray="5 3"
        className="stroke-ink"
      />
      <path d={line("precision")} fill="none" strokeWidth="2" className="stroke-accent" />
      <path d={`M${x} -6V${height + 6}`} className="stroke-ink" />
      {now.recall !== null && (
        <circle
          cx={x}
          cy={(1 - scaled(now.recall)) * height}
          r="3.5"
          strokeWidth="1.5"
          className="fill-raised stroke-ink"
        />
      )}
      {now.precision !== null && (
        <circle
          cx={x}
          cy={(1 - scaled(now.precision)) * height}
          r="3.5"
          strokeWidth="2"
          className="fill-raised stroke-accent"
        />
      )}
    </svg>
  );
}

const shift = (y: number | null, scaled: (y: number) => number) => (y === null ? null : scaled(y));

/** Where the scale begins: the whole tenth below the precision, and never above one half. */
function lowest(curve: readonly CurvePoint[]): number {
  const precisions = curve.flatMap(({ precision }) => precision ?? []);
  return Math.max(0, Math.min(0.5, Math.floor(Math.min(1, ...precisions) * 10) / 10));
}
