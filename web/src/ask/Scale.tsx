/** A probability on a line: for a yes-or-no task with its threshold and the stretch of doubt. */

import { percent, spoken } from "../logic/format";

export function Bar({ value, dim }: { value: number; dim?: boolean }) {
  return (
    <span className="relative block h-2 overflow-hidden rounded-full bg-sunken">
      <span
        className={`absolute inset-y-0 left-0 rounded-full ${dim ? "bg-edge" : "bg-accent"}`}
        style={{ width: `${value * 100}%` }}
      />
    </span>
  );
}

interface Props {
  labels: [string, string];
  /** Of the second label. */
  probability: number;
  threshold: number;
  band: [number, number] | null;
}

export function Scale({ labels, probability, threshold, band }: Props) {
  const right = probability >= threshold;
  const side = (on: boolean) => (on ? "font-medium text-ink" : "text-soft");
  return (
    <div>
      <div className="relative h-4" aria-hidden>
        <span className="absolute inset-x-0 top-1 h-2 overflow-hidden rounded-full bg-sunken">
          {band && (
            <span
              className="hatched absolute inset-y-0"
              style={{ left: `${band[0] * 100}%`, width: `${(band[1] - band[0]) * 100}%` }}
            />
          )}
        </span>
        <span
          className="absolute top-0 h-4 w-0.5 -translate-x-1/2 bg-ink"
          style={{ left: `${threshold * 100}%` }}
        />
        <span
          className="absolute top-0.5 size-3 -translate-x-1/2 rounded-full border-2 border-raised bg-accent shadow-[0_0_0_1.5px_var(--accent)] transition-[left] duration-300"
          style={{ left: `clamp(6px, ${probability * 100}%, calc(100% - 6px))` }}
        />
      </div>
      <div className="mt-0.5 flex justify-between text-xs">
        <span className={side(!right)}>
          {spoken(labels[0])} {percent(1 - probability)}
        </span>
        <span className={side(right)}>
          {spoken(labels[1])} {percent(probability)}
        </span>
      </div>
    </div>
  );
}
