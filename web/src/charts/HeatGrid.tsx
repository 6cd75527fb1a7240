/** A confusion matrix of 2 to some hundred labels. Pointer and arrow keys read single cells. */

import { type KeyboardEvent, type PointerEvent, useMemo, useState } from "react";
import type { Confusion } from "../api/types";
import { cells, inWords } from "../logic/confusion";
import { spoken } from "../logic/format";

const SIDE = 480;
/** With more labels than this their names would overlap; the cell under the pointer is named. */
const NAMED = 40;
const MARGIN = 96;
/** For the last slanted name. */
const RIGHT = 46;

export function HeatGrid({ confusion }: { confusion: Confusion }) {
  const { labels, counts } = confusion;
  const [at, setAt] = useState<{ row: number; column: number } | null>(null);
  const filled = useMemo(() => cells(confusion), [confusion]);
  const step = SIDE / labels.length;
  const margin = labels.length > NAMED ? 0 : MARGIN;
  const right = margin && RIGHT;
  const numbers = labels.length <= 16;
  // Few labels are drawn smaller, as a whole.
  const size = labels.length < 6 ? 18 : Math.min(12, Math.max(7, step * 0.62));
  const bound = (place: number) => Math.max(0, Math.min(labels.length - 1, place));

  const point = (event: PointerEvent<SVGSVGElement>) => {
    const frame = event.currentTarget.getBoundingClientRect();
    const scale = (SIDE + margin + right) / frame.width;
    const column = Math.floor(((event.clientX - frame.left) * scale - margin) / step);
    const row = Math.floor(((event.clientY - frame.top) * scale - margin) / step);
    const inside = row >= 0 && column >= 0 && row < labels.length && column < labels.length;
    setAt(inside ? { row, column } : null);
  };
  const press = (event: KeyboardEvent) => {
    const move = MOVES[event.key];
    if (!move) return;
    event.preventDefault();
    setAt((now) => ({
      row: bound((now?.row ?? 0) + (now ? move[0] : 0)),
      column: bound((now?.column ?? 0) + (now ? move[1] : 0)),
    }));
  };
  return (
    <div
      className="w-full min-w-0"
      style={{ maxWidth: `${Math.min(42, 18 + 2 * labels.length)}rem` }}
    >
      <div
        role="application"
        aria-roledescription="heat map"
        aria-label={`Confusion of ${labels.length} labels; arrow keys read the cells, the table has all of them`}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: the arrow keys work here
        tabIndex={0}
        onKeyDown={press}
        onFocus={() => setAt((now) => now ?? { row: 0, column: 0 })}
        onBlur={() => setAt(null)}
        className="rounded-sm"
      >
        <svg
          viewBox={`0 0 ${SIDE + margin + right} ${SIDE + margin}`}
          className="block w-full touch-pan-y"
          aria-hidden="true"
          onPointerMove={point}
          onPointerDown={point}
          onPointerLeave={() => setAt(null)}
        >
          <g transform={`translate(${margin} ${margin})`}>
            <rect width={SIDE} height={SIDE} className="fill-sunken" />
            {filled.map(({ row, column, count, share }) => (
              <g key={`${row} ${column}`}>
                <rect
                  x={column * step}
                  y={row * step}
                  width={step}
                  height={step}
                  className={row === column ? "fill-accent" : "fill-bad"}
                  // The root keeps one mistake among many visible.
                  opacity={row === column ? 0.12 + 0.78 * share : 0.2 + 0.8 * Math.sqrt(share)}
                />
                {numbers && (
                  <text
                    x={(column + 0.5) * step}
                    y={(row + 0.5) * step}
                    dy="0.35em"
                    textAnchor="middle"
                    fontSize={size + 1}
                    className={share > 0.45 ? "fill-on-accent" : "fill-ink"}
                  >
                    {count}
                  </text>
                )}
              </g>
            ))}
            <Lines count={labels.length} step={step} />
            {margin > 0 &&
              labels.map((label, place) => (
                <g key={label} fontSize={size} className="fill-soft">
                  <text
                    x={-6}
                    y={(place + 0.5) * step}
                    dy="0.35em"
                    textAnchor="end"
                    className={at?.row === place ? "fill-ink font-semibold" : ""}
                  >
                    {short(label)}
                  </text>
                  <text
                    transform={`translate(${(place + 0.5) * step} -6) rotate(-50)`}
                    dy="0.35em"
                    className={at?.column === place ? "fill-ink font-semibold" : ""}
                  >
                    {short(label)}
                  </text>
                </g>
              ))}
            {at && (
              <g className="pointer-events-none fill-none stroke-ink">
                <path
                  d={`M0 ${(at.row + 0.5) * step}H${SIDE}M${(at.column + 0.5) * step} 0V${SIDE}`}
                  opacity="0.25"
                />
                <rect
                  x={at.column * step}
                  y={at.row * step}
                  width={step}
                  height={step}
                  strokeWidth="2"
                />
              </g>
            )}
          </g>
        </svg>
      </div>
      <p aria-live="polite" className="mt-2 min-h-5 text-[13px]">
        {at ? (
          spoken(inWords({ labels, counts }, at.row, at.column))
        ) : (
          <span className="text-soft">Point at a cell, or use the arrow keys.</span>
        )}
      </p>
    </div>
  );
}

const MOVES: Record<string, [number, number]> = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
};

const short = (label: string) => {
  const words = spoken(label);
  return words.length > 15 ? `${words.slice(0, 14)}…` : words;
};

function Lines({ count, step }: { count: number; step: number }) {
  if (count > NAMED) return null;
  const inner = Array.from({ length: count - 1 }, (_, place) => (place + 1) * step);
  const drawn = inner.map((at) => `M${at} 0V${SIDE}M0 ${at}H${SIDE}`).join("");
  return <path d={drawn} className="stroke-raised" strokeWidth="1" />;
}
