/** A share as a point with its 95 % interval, on a line from `least` to 1. */

import type { Figure } from "../api/types";
import { percent } from "../logic/format";

export const bounds = ({ low, high }: Figure): [number, number] | null =>
  low === null || low === undefined || high === null || high === undefined ? null : [low, high];

/** Where a line for these figures begins: a whole tenth that none of them is below. */
export function leastOf(figures: Figure[]): number {
  const lows = figures.map((figure) => bounds(figure)?.[0] ?? figure.value);
  return Math.max(0, Math.min(0.9, Math.floor(Math.min(1, ...lows) * 10) / 10));
}

export function Interval({ figure, least = 0 }: { figure: Figure; least?: number }) {
  const place = (value: number) =>
    `${Math.max(0, Math.min(1, (value - least) / (1 - least))) * 100}%`;
  const ends = bounds(figure);
  const words = ends ? `95 % interval ${percent(ends[0])} to ${percent(ends[1])}` : "no interval";
  return (
    <span role="img" aria-label={words} title={words} className="relative block h-4">
      <span className="absolute inset-x-0 top-[7px] h-0.5 rounded bg-line" />
      {ends && (
        <span
          className="absolute top-[5px] h-1.5 rounded-sm bg-accent/40"
          style={{ left: place(ends[0]), width: `calc(${place(ends[1])} - ${place(ends[0])})` }}
        />
      )}
      <span
        className="absolute top-0.5 h-3 w-[3px] -translate-x-1/2 rounded-sm bg-accent"
        style={{ left: place(figure.value) }}
      />
    </span>
  );
}
