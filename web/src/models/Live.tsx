/** How the champion is doing since the service started. */

import { TriangleAlert } from "lucide-react";
import type { Model } from "../api/types";
import { milliseconds, whole } from "../logic/format";
import { Panel } from "./Panel";

/** Population stability index from which images count as other ones than those of the training. */
const DRIFTED = 0.25;

export function Live({ live }: { live: Model["live"] }) {
  const drift = Object.entries(live.drift ?? {}).sort((a, b) => b[1] - a[1]);
  return (
    <Panel title="Live" note="since the service started">
      <dl className="grid grid-cols-3 gap-3">
        <Tile name="Images answered" value={whole(live.requests)} />
        <Tile name="Network p50" value={milliseconds(live.latency?.p50)} />
        <Tile name="Network p99" value={milliseconds(live.latency?.p99)} />
      </dl>
      <div className="mt-4 flex items-baseline gap-2">
        <h4 className="eyebrow">Drift</h4>
        {drift.length > 0 && (
          <p className="text-xs text-soft">stability index; drifted from {DRIFTED}</p>
        )}
      </div>
      {drift.length ? (
        <dl className="mt-1 text-[13px]">
          {drift.map(([name, value]) => (
            <div
              key={name}
              className="grid grid-cols-[minmax(0,9rem)_1fr_3rem] items-center gap-3 border-t border-line py-1.5 first:border-0"
            >
              <dt className="truncate">{name.replaceAll("_", " ")}</dt>
              <dd className="contents">
                <Gauge value={value} />
                <span className={`text-right font-semibold ${value >= DRIFTED ? "text-warn" : ""}`}>
                  {value >= DRIFTED && (
                    <TriangleAlert
                      size={13}
                      aria-label="drifted"
                      className="mr-1 -mt-0.5 inline-block"
                    />
                  )}
                  {value.toFixed(2)}
                </span>
              </dd>
            </div>
          ))}
        </dl>
      ) : (
        <p className="mt-1 text-[13px] text-soft">
          Too few answers to compare with the training images.
        </p>
      )}
    </Panel>
  );
}

/** The limit stands in the middle. */
function Gauge({ value }: { value: number }) {
  const share = Math.min(1, Math.max(0, value / DRIFTED / 2));
  return (
    <span aria-hidden className="relative h-2 rounded-full bg-sunken">
      <span
        className={`absolute inset-y-0 left-0 rounded-full ${value >= DRIFTED ? "bg-warn" : "bg-accent"}`}
        style={{ width: `${share * 100}%` }}
      />
      <span className="absolute -inset-y-0.5 left-1/2 w-0.5 bg-ink" />
    </span>
  );
}

function Tile({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt className="text-xs text-soft">{name}</dt>
      <dd className="text-lg font-semibold tracking-tight whitespace-nowrap">{value}</dd>
    </div>
  );
}
