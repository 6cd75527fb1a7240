/** Before the first image: who will answer, and how good each of them is. */

import type { Info, Models } from "../api/types";
import { Interval, leastOf } from "../charts/Interval";
import { headline } from "../logic/figures";
import { percent, plural } from "../logic/format";
import { modelsHash } from "../logic/route";
import { Skeleton } from "../ui/parts";
import type { Remote } from "../ui/useRemote";

export function Lineup({ info, models }: { info: Info; models: Remote<Models> }) {
  const tasks = Object.values(info.tasks);
  const known = models.state === "here" ? models.value.tasks : {};
  const figures = tasks.flatMap((one) => headline(known[one.task]?.figures ?? {})?.figure ?? []);
  const least = leastOf(figures);
  return (
    <section aria-label="Who answers">
      <ul className="grid gap-3 sm:grid-cols-2 lg:grid-cols-4">
        {tasks.map((one) => {
          const best = headline(known[one.task]?.figures ?? {});
          return (
            <li key={one.task} className="card relative p-3.5 hover:border-edge">
              <p className="flex items-baseline gap-1.5">
                <a
                  href={modelsHash(one.task)}
                  className="text-[13px] font-semibold after:absolute after:inset-0"
                >
                  {one.task}
                </a>
                <span className="text-xs text-soft">
                  v{one.model_version} ·{" "}
                  {one.searches ? "finds cars" : plural(one.labels.length, "label")}
                </span>
              </p>
              {models.state === "loading" && <Skeleton className="mt-2 h-12 w-full" />}
              {best && (
                <>
                  <p className="mt-1.5 flex items-baseline gap-1.5">
                    <span className="text-xl font-semibold tracking-tight">
                      {percent(best.figure.value)}
                    </span>
                    <span className="truncate text-xs text-soft">{best.name.toLowerCase()}</span>
                  </p>
                  <div className="mt-1">
                    <Interval figure={best.figure} least={least} />
                  </div>
                </>
              )}
            </li>
          );
        })}
      </ul>
      {figures.length > 0 && (
        <p className="mt-2 text-xs text-soft">
          On the test split, with 95 % intervals; lines from {percent(least, 0)} to {percent(1, 0)}.
        </p>
      )}
    </section>
  );
}
