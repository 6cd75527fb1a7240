/** One image: what it looks like, and what every champion says of it. */

import { RotateCw, Scan, X } from "lucide-react";
import { memo, useId, useState } from "react";
import { ApiError } from "../api/client";
import type { TaskInfo } from "../api/types";
import { decide } from "../logic/decide";
import { bytes } from "../logic/format";
import { Button, Failure, IconButton, Skeleton } from "../ui/parts";
import { AnswerRow } from "./AnswerRow";
import { Cars } from "./Cars";
import { Picture } from "./Picture";
import type { Item } from "./state";
import { useSeen } from "./useSeen";

interface Props {
  item: Item;
  tasks: TaskInfo[];
  thresholds: Record<string, number>;
  finds: boolean;
  /** Asked about each car; null leaves it to the service. */
  ask: string[] | null;
  feedback: boolean;
  onRemove: (id: number) => void;
  onRetry: (id: number) => void;
}

export const Card = memo(function Card(props: Props) {
  const { item, tasks, thresholds, finds, ask, feedback } = props;
  const seen = useSeen(item.source, ask);
  const [marked, setMarked] = useState<number | null>(null);
  const [opacity, setOpacity] = useState(0.8);
  const slider = useId();
  const size = item.source.kind === "file" ? bytes(item.source.file.size) : "by address";
  return (
    <li data-status={item.status} className="card p-3 sm:p-4">
      <div className="flex items-center gap-2">
        <h3 className="min-w-0 truncate text-[13px] font-semibold" title={item.name}>
          {item.name}
        </h3>
        <span className="shrink-0 text-xs text-soft">{size}</span>
        <IconButton
          icon={X}
          label={`Remove ${item.name}`}
          className="-my-1 -mr-1.5 ml-auto"
          onClick={() => props.onRemove(item.id)}
        />
      </div>
      <div className="mt-2 grid gap-4 md:grid-cols-[minmax(0,4fr)_minmax(0,5fr)]">
        <div className="min-w-0">
          <Picture
            name={item.name}
            preview={item.preview}
            heat={seen.heat}
            opacity={opacity}
            scene={seen.scene}
            marked={marked}
            onMark={setMarked}
            status={item.status}
          />
          {finds && item.status === "done" && (
            <div className="mt-2 flex flex-wrap items-center gap-x-3 gap-y-2">
              <Button
                icon={Scan}
                pressed={seen.layer.kind === "cars"}
                disabled={seen.busy.kind === "cars"}
                onClick={seen.toggleCars}
              >
                {seen.busy.kind === "cars" ? "Searching…" : "Find cars"}
              </Button>
            </div>
          )}
          {seen.heat && (
            <div className="mt-2 grid gap-1 text-xs text-soft">
              <p>{seen.heat.words}</p>
              <label htmlFor={slider} className="flex items-center gap-2">
                Strength
                <input
                  id={slider}
                  type="range"
                  min={0}
                  max={1}
                  step={0.05}
                  value={opacity}
                  onChange={(event) => setOpacity(event.target.valueAsNumber)}
                  className="slider max-w-40"
                />
              </label>
            </div>
          )}
          {seen.scene && (
            <Cars scene={seen.scene} unknown={seen.unknown} marked={marked} onMark={setMarked} />
          )}
          {seen.error !== null && (
            <div className="mt-2">
              <Failure error={seen.error} />
            </div>
          )}
        </div>
        <div className="min-w-0 divide-y divide-line">
          <Progress item={item} rows={tasks.length} />
          {item.status === "failed" && (
            <Failure error={item.error}>
              {item.error instanceof ApiError && (
                <Button icon={RotateCw} onClick={() => props.onRetry(item.id)}>
                  Try again
                </Button>
              )}
            </Failure>
          )}
          {item.status === "done" &&
            tasks.map((info) => {
              const result = item.results.find((one) => one.task === info.task);
              const answer = result?.predictions[0];
              if (!result || !answer) return null;
              const threshold = thresholds[info.task] ?? info.threshold;
              const on = (layer: typeof seen.layer) =>
                layer.kind === "heat" && layer.task === info.task;
              return (
                <AnswerRow
                  key={info.task}
                  info={info}
                  answer={answer}
                  version={result.model_version}
                  threshold={threshold}
                  feedback={feedback}
                  heat={on(seen.busy) ? "loading" : on(seen.layer) ? "on" : "off"}
                  onHeat={() => {
                    const { label, probability } = decide(answer, info, threshold);
                    seen.toggleHeat(info.task, label, probability);
                  }}
                />
              );
            })}
        </div>
      </div>
    </li>
  );
});

function Progress({ item, rows }: { item: Item; rows: number }) {
  if (item.status === "done" || item.status === "failed") return null;
  const words = { waiting: "Waiting", sending: "Sending", answering: "Answering" }[item.status];
  return (
    <div role="status" className="grid gap-4">
      <div className="flex items-center gap-3 text-xs text-soft">
        <progress
          aria-label={`${words} ${item.name}`}
          max={1}
          value={item.status === "sending" ? item.progress : undefined}
          className="h-1.5 flex-1 accent-accent"
        />
        {words}
      </div>
      {Array.from({ length: rows }, (_, row) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: they are all the same
        <div key={row} className="grid gap-2">
          <Skeleton className="h-4 w-40" />
          <Skeleton className="h-2.5 w-full" />
        </div>
      ))}
    </div>
  );
}
