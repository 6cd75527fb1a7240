/** What the gate decided, and why. */

import type { Decision } from "../api/types";
import { day } from "../logic/format";
import { Empty } from "../ui/parts";

export function History({ decisions }: { decisions: readonly Decision[] }) {
  if (!decisions.length) return <Empty title="Nothing was decided yet" />;
  const newest = [...decisions].sort((a, b) => (a.at < b.at ? 1 : -1));
  return (
    <ol className="grid text-[13px]">
      {newest.map((one) => {
        const won = one.decision === "promoted";
        return (
          <li
            key={`${one.at} ${one.version}`}
            className="relative grid grid-cols-[1rem_minmax(0,1fr)] gap-x-2 pb-3 last:pb-0"
          >
            <span aria-hidden className="absolute top-3 bottom-0 left-[5px] w-px bg-line" />
            <span
              aria-hidden
              className={`relative mt-1 size-[11px] rounded-full border-2 ${won ? "border-accent bg-accent" : "border-edge bg-raised"}`}
            />
            <div className="min-w-0">
              <p className="flex flex-wrap items-baseline gap-x-2">
                <b className="font-semibold">{one.decision.replaceAll("_", " ")}</b>
                {one.version !== null && <span>version {one.version}</span>}
                <time dateTime={one.at} className="text-xs text-soft">
                  {day(one.at)}
                </time>
              </p>
              {one.reason && <p className="text-soft">{one.reason}</p>}
            </div>
          </li>
        );
      })}
    </ol>
  );
}
