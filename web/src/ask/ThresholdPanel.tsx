/** The threshold of a yes-or-no task, and what moving it does to precision and recall. */

import { RotateCcw } from "lucide-react";
import { useId } from "react";
import type { CurvePoint, TaskInfo } from "../api/types";
import { ThresholdSlider } from "../charts/ThresholdSlider";
import { at } from "../logic/curve";
import { pair } from "../logic/decide";
import { percent, plural, spoken } from "../logic/format";
import { IconButton, Skeleton } from "../ui/parts";

interface Props {
  info: TaskInfo;
  curve: readonly CurvePoint[];
  loading: boolean;
  value: number;
  /** How many answers on the page are other ones than by the bundle's threshold. */
  flipped: number;
  answered: number;
  onChange: (value: number | null) => void;
}

export function ThresholdPanel({
  info,
  curve,
  loading,
  value,
  flipped,
  answered,
  onChange,
}: Props) {
  const id = useId();
  const labels = pair(info);
  if (!labels || info.threshold === null) return null;
  const { precision, recall } = at(curve, value);
  const moved = value !== info.threshold;
  return (
    <section aria-label={`Threshold of ${info.task}`} className="card p-3">
      <div className="flex h-7 items-center gap-2">
        <label htmlFor={id} className="text-[13px] font-semibold">
          {info.task}
        </label>
        <span className="text-xs text-soft">{spoken(labels[1])} from</span>
        <output htmlFor={id} className="ml-auto text-[13px] font-semibold">
          {percent(value)}
        </output>
        {moved && (
          <IconButton
            icon={RotateCcw}
            label={`Back to the bundle's ${percent(info.threshold)}`}
            className="-mr-1.5"
            onClick={() => onChange(null)}
          />
        )}
      </div>
      {loading && <Skeleton className="mt-1 h-20 w-full" />}
      <ThresholdSlider
        id={id}
        curve={curve}
        value={value}
        own={info.threshold}
        onChange={onChange}
      />
      {curve.length > 0 ? (
        <dl className="mt-1 grid grid-cols-2 gap-2 text-xs text-soft">
          <Part name="Precision" value={precision} look="solid" />
          <Part name="Recall" value={recall} look="dashed" />
        </dl>
      ) : loading ? null : (
        <p className="text-xs text-soft">
          This model has no curve: precision and recall are unknown.
        </p>
      )}
      <p className="mt-1.5 text-xs text-soft">
        {moved && answered > 0
          ? `Turns ${whichOf(flipped, answered)} here.`
          : `Bundle's own: ${percent(info.threshold)}. Measured on the test split.`}
      </p>
    </section>
  );
}

const whichOf = (flipped: number, all: number) =>
  flipped === 0 ? "none of the answers" : `${flipped} of ${plural(all, "answer")}`;

function Part({ name, value, look }: { name: string; value: number | null; look: string }) {
  return (
    <div>
      <dt className="flex items-center gap-1.5">
        <svg width="14" height="4" aria-hidden="true">
          <path
            d="M0 2H14"
            strokeWidth="2"
            strokeDasharray={look === "dashed" ? "3.5 2" : undefined}
            className={look === "dashed" ? "stroke-ink" : "stroke-accent"}
          />
        </svg>
        {name}
      </dt>
      <dd className="text-[15px] font-semibold text-ink" data-testid={name.toLowerCase()}>
        {percent(value)}
      </dd>
    </div>
  );
}
