/** The second view: who is champion, how good it is, and how it is doing. */

import { RotateCw } from "lucide-react";
import { getModels } from "../api/client";
import type { Models } from "../api/types";
import { modelsHash } from "../logic/route";
import { Button, Empty, Failure, Skeleton } from "../ui/parts";
import { useRemote } from "../ui/useRemote";
import { Overview } from "./Overview";
import { TaskDetails } from "./TaskDetails";

export function ModelsView({ task }: { task: string | null }) {
  const [models, again] = useRemote(getModels);
  return (
    <div className="grid gap-4">
      <div className="flex min-h-8 items-center justify-between gap-3">
        <h1 className="text-lg font-semibold tracking-tight">Champions in service</h1>
        <Button look="quiet" icon={RotateCw} disabled={models.state === "loading"} onClick={again}>
          Refresh
        </Button>
      </div>
      {models.state === "loading" && <Loading />}
      {models.state === "failed" && <Failure error={models.error} />}
      {models.state === "here" && <Here models={models.value} task={task} />}
    </div>
  );
}

function Here({ models, task }: { models: Models; task: string | null }) {
  const names = Object.keys(models.tasks);
  const chosen = task !== null && models.tasks[task] ? task : names[0];
  const model = chosen === undefined ? undefined : models.tasks[chosen];
  if (chosen === undefined || !model)
    return <Empty title="No champion yet">Train, evaluate and promote one: make run.</Empty>;
  return (
    <>
      {task !== null && chosen !== task && (
        <p role="status" className="text-[13px] text-soft">
          No task is called {task}; this is {chosen}.
        </p>
      )}
      <Overview models={models} chosen={chosen} link={modelsHash} />
      <TaskDetails key={chosen} task={chosen} model={model} />
    </>
  );
}

function Loading() {
  return (
    <div role="status" aria-label="Loading" className="grid gap-4">
      <Skeleton className="h-40 w-full" />
      <div className="grid gap-4 lg:grid-cols-2">
        <Skeleton className="h-72" />
        <Skeleton className="h-72" />
      </div>
    </div>
  );
}
