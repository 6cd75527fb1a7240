/** Beside the answers: thresholds to try, and the same question from a shell. */

import type { Models, TaskInfo } from "../api/types";
import { decide, pair } from "../logic/decide";
import type { Remote } from "../ui/useRemote";
import { Shell } from "./Shell";
import type { Item } from "./state";
import { ThresholdPanel } from "./ThresholdPanel";

interface Props {
  task: string;
  tasks: TaskInfo[];
  items: Item[];
  models: Remote<Models>;
  thresholds: Record<string, number>;
  onChange: (task: string, value: number | null) => void;
}

export function Side({ task, tasks, items, models, thresholds, onChange }: Props) {
  const known = models.state === "here" ? models.value.tasks : {};
  const only = tasks.length === 1 ? tasks[0] : undefined;
  return (
    <>
      {tasks
        .filter((one) => pair(one) !== null)
        .map((one) => (
          <ThresholdPanel
            key={one.task}
            info={one}
            curve={known[one.task]?.curve ?? []}
            loading={models.state === "loading"}
            value={thresholds[one.task] ?? one.threshold ?? 0.5}
            {...counts(items, one, thresholds[one.task] ?? null)}
            onChange={(value) => onChange(one.task, value)}
          />
        ))}
      <Shell task={task} threshold={only ? (thresholds[only.task] ?? null) : null} />
    </>
  );
}

function counts(items: Item[], info: TaskInfo, threshold: number | null) {
  const answers = items.flatMap(
    (item) => item.results.find((one) => one.task === info.task)?.predictions[0] ?? [],
  );
  const flipped = answers.filter((one) => decide(one, info, threshold).label !== one.label);
  return { flipped: flipped.length, answered: answers.length };
}
