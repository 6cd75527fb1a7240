/** One line per task; choosing one shows its details below. */

import type { Model, Models } from "../api/types";
import { Interval, leastOf } from "../charts/Interval";
import { headline } from "../logic/figures";
import { milliseconds, percent, spoken, whole } from "../logic/format";

interface Props {
  models: Models;
  chosen: string;
  link: (task: string) => string;
}

export function Overview({ models, chosen, link }: Props) {
  const least = leastOf(
    Object.values(models.tasks).flatMap((model) => headline(model.figures)?.figure ?? []),
  );
  return (
    <div className="card overflow-x-auto">
      <table className="w-full text-left text-[13px]">
        <caption className="sr-only">Champion of every task</caption>
        <thead className="eyebrow">
          <tr>
            <th className="px-3 py-2 font-semibold sm:px-4">Task</th>
            <th className="px-3 py-2 font-semibold">Figure</th>
            <th className="hidden w-2/5 px-3 py-2 font-semibold sm:table-cell">
              <span className="flex justify-between font-normal tracking-normal normal-case">
                <span>{percent(least, 0)}</span>
                <span>95 % interval</span>
                <span>{percent(1, 0)}</span>
              </span>
            </th>
            <th className="hidden px-3 py-2 text-right font-semibold md:table-cell">Images</th>
            <th className="hidden px-3 py-2 text-right font-semibold md:table-cell">p50</th>
            <th className="hidden px-3 py-2 text-right font-semibold sm:px-4 md:table-cell">p99</th>
          </tr>
        </thead>
        <tbody>
          {Object.entries(models.tasks).map(([task, model]) => (
            <Line
              key={task}
              task={task}
              model={model}
              on={task === chosen}
              least={least}
              href={link(task)}
            />
          ))}
        </tbody>
      </table>
    </div>
  );
}

interface LineProps {
  task: string;
  model: Model;
  on: boolean;
  /** Where the lines of the intervals begin. */
  least: number;
  href: string;
}

function Line({ task, model, on, least, href }: LineProps) {
  const best = headline(model.figures);
  const { live } = model;
  return (
    <tr className={`relative border-t border-line ${on ? "bg-wash" : "hover:bg-paper"}`}>
      <td className={`px-3 py-2 sm:px-4 ${on ? "shadow-[inset_3px_0_var(--accent)]" : ""}`}>
        <a
          href={href}
          aria-current={on ? "true" : undefined}
          className="font-semibold after:absolute after:inset-0"
        >
          {task}
        </a>
        <span className="block text-xs text-soft sm:inline sm:pl-2">
          v{model.version} · {what(model)}
        </span>
      </td>
      <td className="px-3 py-2 whitespace-nowrap">
        <span className="font-semibold">{percent(best?.figure.value)}</span>
        <span className="block text-xs text-soft">{best?.name.toLowerCase()}</span>
      </td>
      <td className="hidden px-3 py-2 sm:table-cell">
        {best && <Interval figure={best.figure} least={least} />}
      </td>
      <td className="hidden px-3 py-2 text-right md:table-cell">{whole(live.requests)}</td>
      <td className="hidden px-3 py-2 text-right whitespace-nowrap md:table-cell">
        {milliseconds(live.latency?.p50)}
      </td>
      <td className="hidden px-3 py-2 text-right whitespace-nowrap sm:px-4 md:table-cell">
        {milliseconds(live.latency?.p99)}
      </td>
    </tr>
  );
}

const what = (model: Model) =>
  model.labels.length === 2
    ? model.labels.map(spoken).reverse().join(" / ")
    : `${model.labels.length} labels`;
