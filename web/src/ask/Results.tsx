/** The answers, with one line that sums them up. */

import { Trash2 } from "lucide-react";
import { useState } from "react";
import type { TaskInfo } from "../api/types";
import { decide } from "../logic/decide";
import { plural, spoken } from "../logic/format";
import { Button } from "../ui/parts";
import { Card } from "./Card";
import type { Item } from "./state";
import type { Queue } from "./useQueue";

interface Props {
  queue: Queue;
  tasks: TaskInfo[];
  thresholds: Record<string, number>;
  finds: boolean;
  ask: string[] | null;
  feedback: boolean;
}

export function Results({ queue, tasks, thresholds, finds, ask, feedback }: Props) {
  const [onlyUnsure, setOnlyUnsure] = useState(false);
  const { items } = queue;
  const unsure = items.filter((item) => isUnsure(item, tasks, thresholds));
  const shown = onlyUnsure && unsure.length ? unsure : items;
  return (
    <section aria-label="Answers" className="min-w-0">
      <div className="mb-2 flex min-h-8 flex-wrap items-center gap-x-3 gap-y-1">
        <h2 className="text-[15px] font-semibold">{plural(items.length, "image")}</h2>
        <p className="text-[13px] text-soft" role="status">
          {summary(items, tasks, thresholds)}
        </p>
        <div className="ml-auto flex gap-1">
          {unsure.length > 0 && items.length > 1 && (
            <Button look="quiet" pressed={onlyUnsure} onClick={() => setOnlyUnsure(!onlyUnsure)}>
              {unsure.length} not sure
            </Button>
          )}
          <Button look="quiet" icon={Trash2} onClick={queue.clear}>
            Clear
          </Button>
        </div>
      </div>
      <ul className="grid gap-3">
        {shown.map((item) => (
          <Card
            key={item.id}
            item={item}
            tasks={tasks}
            thresholds={thresholds}
            finds={finds}
            ask={ask}
            feedback={feedback}
            onRemove={queue.remove}
            onRetry={queue.retry}
          />
        ))}
      </ul>
    </section>
  );
}

function decisions(item: Item, tasks: TaskInfo[], thresholds: Record<string, number>) {
  if (item.status !== "done") return [];
  return tasks.flatMap((info) => {
    const answer = item.results.find((one) => one.task === info.task)?.predictions[0];
    if (!answer) return [];
    const threshold = thresholds[info.task] ?? info.threshold;
    return [{ task: info.task, ...decide(answer, info, threshold) }];
  });
}

const isUnsure = (item: Item, tasks: TaskInfo[], thresholds: Record<string, number>) =>
  decisions(item, tasks, thresholds).some((one) => !one.sure);

/** `police: 2 police, 1 other`; of many labels only how many there are. */
function summary(items: Item[], tasks: TaskInfo[], thresholds: Record<string, number>): string {
  const busy = items.filter((item) => !["done", "failed"].includes(item.status)).length;
  if (busy) return `${busy} on the way`;
  const all = items.flatMap((item) => decisions(item, tasks, thresholds));
  return tasks
    .filter((info) => info.labels.length === 2)
    .map((info) => {
      const counts = info.labels
        .map((label) => [
          all.filter((one) => one.task === info.task && one.label === label).length,
          label,
        ])
        .filter(([count]) => count)
        .reverse();
      return counts.length
        ? counts.map(([count, label]) => `${count} ${spoken(String(label))}`).join(", ")
        : "";
    })
    .filter(Boolean)
    .join(" · ");
}
