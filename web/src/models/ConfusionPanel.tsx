/** What is taken for what: a heat map to look at, a table to read. */

import { useMemo, useState } from "react";
import type { Confusion } from "../api/types";
import { HeatGrid } from "../charts/HeatGrid";
import { labelStats } from "../logic/confusion";
import { percent, spoken } from "../logic/format";
import { Button } from "../ui/parts";
import { Panel } from "./Panel";

const WORST = 6;

export function ConfusionPanel({ confusion }: { confusion: Confusion }) {
  const [table, setTable] = useState(false);
  const stats = useMemo(() => labelStats(confusion), [confusion]);
  const worst = useMemo(
    () =>
      stats
        .flatMap(({ label, takenFor }) =>
          takenFor.map((as) => ({ of: label, as: as.label, images: as.images })),
        )
        .sort((a, b) => b.images - a.images)
        .slice(0, WORST),
    [stats],
  );
  return (
    <Panel title="Confusion matrix" note="rows: the truth · columns: the answer">
      <div className="mb-3 flex gap-1.5">
        <Button pressed={!table} onClick={() => setTable(false)}>
          Heat map
        </Button>
        <Button pressed={table} onClick={() => setTable(true)}>
          Table
        </Button>
      </div>
      {table ? (
        <Table stats={stats} />
      ) : (
        <div className="flex flex-wrap gap-x-10 gap-y-4">
          <HeatGrid confusion={confusion} />
          <div className="min-w-52 flex-1">
            <h4 className="eyebrow">Most often confused</h4>
            {worst.length ? (
              <ol className="mt-1.5 text-[13px]">
                {worst.map((one) => (
                  <li
                    key={`${one.of} ${one.as}`}
                    className="flex justify-between gap-3 border-t border-line py-1 first:border-0"
                  >
                    <span>
                      {spoken(one.of)} <span className="text-soft">taken for</span> {spoken(one.as)}
                    </span>
                    <b className="font-semibold">{one.images}</b>
                  </li>
                ))}
              </ol>
            ) : (
              <p className="mt-1.5 text-[13px] text-soft">
                Nothing: every test image was answered right.
              </p>
            )}
          </div>
        </div>
      )}
    </Panel>
  );
}

function Table({ stats }: { stats: ReturnType<typeof labelStats> }) {
  const lowest = [...stats].sort((a, b) => (a.recall ?? 2) - (b.recall ?? 2));
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard
    <section aria-label="Every label" tabIndex={0} className="max-h-[28rem] overflow-auto">
      <table className="w-full text-left text-[13px]">
        <caption className="sr-only">Every label, the lowest recall first</caption>
        <thead className="sticky top-0 bg-raised text-xs text-soft">
          <tr>
            <th className="py-1.5 pr-3 font-medium">Label</th>
            <th className="py-1.5 pr-3 text-right font-medium">Images</th>
            <th className="py-1.5 pr-3 text-right font-medium">Recall</th>
            <th className="py-1.5 pr-3 text-right font-medium">Precision</th>
            <th className="py-1.5 font-medium">Taken for</th>
          </tr>
        </thead>
        <tbody>
          {lowest.map((one) => (
            <tr key={one.label} className="border-t border-line align-top">
              <td className="py-1.5 pr-3 font-medium">{spoken(one.label)}</td>
              <td className="py-1.5 pr-3 text-right">{one.images}</td>
              <td className="py-1.5 pr-3 text-right whitespace-nowrap">{percent(one.recall, 0)}</td>
              <td className="py-1.5 pr-3 text-right whitespace-nowrap">
                {percent(one.precision, 0)}
              </td>
              <td className="py-1.5 text-soft">
                {one.takenFor.map((other) => `${spoken(other.label)} ${other.images}`).join(", ") ||
                  "–"}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
