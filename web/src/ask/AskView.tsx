/** The first view: images in, answers out. */

import { useCallback, useMemo, useState } from "react";
import { getModels } from "../api/client";
import type { Info } from "../api/types";
import { askable } from "../logic/decide";
import { largest } from "../logic/files";
import { useRemote } from "../ui/useRemote";
import { useWide } from "../ui/useWide";
import { Intake } from "./Intake";
import { Lineup } from "./Lineup";
import { Results } from "./Results";
import { Side } from "./Side";
import { ALL } from "./state";
import { TaskChoice } from "./TaskChoice";
import { useQueue } from "./useQueue";

export function AskView({ info }: { info: Info }) {
  const [task, setTask] = useState(ALL);
  const [thresholds, setThresholds] = useState<Record<string, number>>({});
  const [models] = useRemote(getModels);
  const wide = useWide();
  const { asked, finders } = useMemo(() => askable(info.tasks), [info]);
  const tasks = useMemo(() => {
    const chosen = info.tasks[task];
    return chosen ? [chosen] : asked.length ? asked : finders;
  }, [info, task, asked, finders]);
  const ask = useMemo(() => (info.tasks[task]?.searches === false ? [task] : null), [info, task]);
  const queue = useQueue(task, largest(info));
  const setThreshold = useCallback(
    (name: string, value: number | null) =>
      setThresholds(({ [name]: _, ...others }) =>
        value === null ? others : { ...others, [name]: value },
      ),
    [],
  );
  const side = (
    <Side
      task={task}
      tasks={tasks}
      items={queue.items}
      models={models}
      thresholds={thresholds}
      onChange={setThreshold}
    />
  );
  const some = queue.items.length > 0;
  return (
    <div className="grid gap-4">
      <h1 className="sr-only">Ask</h1>
      <Intake urls={info.limits.urls === true} compact={some} onAdd={queue.add} />
      <TaskChoice asked={asked} finders={finders} chosen={task} onChoose={setTask} />
      {!some && <Lineup info={info} models={models} />}
      {some && (
        <div className="grid items-start gap-4 lg:grid-cols-[minmax(0,1fr)_18rem]">
          {!wide && (
            <details className="card group min-w-0">
              <summary className="px-3 py-2.5 text-[13px] font-semibold">
                Thresholds and shell
              </summary>
              <div className="grid gap-3 px-3 pb-3">{side}</div>
            </details>
          )}
          <Results
            queue={queue}
            tasks={tasks}
            thresholds={thresholds}
            finds={finders.length > 0}
            ask={ask}
            feedback={info.limits.feedback === true}
          />
          {wide && (
            <aside aria-label="Thresholds" className="sticky top-16 grid gap-3 pt-10">
              {side}
            </aside>
          )}
        </div>
      )}
    </div>
  );
}
