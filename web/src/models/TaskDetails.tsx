/** All that is known about one champion. */

import { ExternalLink } from "lucide-react";
import { useState } from "react";
import type { Model } from "../api/types";
import { bounds } from "../charts/Interval";
import { Reliability } from "../charts/Reliability";
import { ThresholdSlider } from "../charts/ThresholdSlider";
import { at } from "../logic/curve";
import { namedFigures } from "../logic/figures";
import { percent, spoken } from "../logic/format";
import { BUTTON, Empty } from "../ui/parts";
import { ConfusionPanel } from "./ConfusionPanel";
import { History } from "./History";
import { Live } from "./Live";
import { Panel } from "./Panel";

export function TaskDetails({ task, model }: { task: string; model: Model }) {
  const two = model.labels.length === 2;
  const promotions = (
    <Panel title="Promotions" note="newest first">
      <History decisions={model.history} />
    </Panel>
  );
  return (
    <section aria-label={`Champion of ${task}`} className="grid gap-4">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-2 pt-2">
        <h2 className="text-base font-semibold">
          {task} <span className="font-normal text-soft">version {model.version}</span>
        </h2>
        <span className="rounded-full bg-sunken px-2 py-0.5 text-xs text-soft">{model.engine}</span>
        <div className="ml-auto flex flex-wrap gap-2">
          <Out href={model.links.report}>Report</Out>
          <Out href={model.links.mlflow}>MLflow</Out>
        </div>
      </div>
      <div className="grid items-start gap-4 lg:grid-cols-2">
        <div className="grid gap-4">
          <Panel title="Figures" note="test split, 95 % intervals">
            <Figures model={model} />
          </Panel>
          <Live live={model.live} />
        </div>
        <div className="grid gap-4">
          {two && (
            <Panel title="Precision and recall" note="by threshold">
              <Curve model={model} />
            </Panel>
          )}
          <Panel title="Reliability" note="is 80 % right 80 % of the time?">
            <Reliability points={model.reliability} />
          </Panel>
          {!two && promotions}
        </div>
      </div>
      <div className={`grid items-start gap-4 ${two ? "lg:grid-cols-2" : ""}`}>
        {model.confusion && <ConfusionPanel confusion={model.confusion} />}
        {two && promotions}
      </div>
    </section>
  );
}

function Out({ href, children }: { href: string | null | undefined; children: string }) {
  if (!href) return null;
  return (
    <a
      href={href}
      target="_blank"
      rel="noreferrer"
      className={`${BUTTON} border-line bg-raised hover:border-edge`}
    >
      {children} <ExternalLink size={13} aria-hidden />
    </a>
  );
}

function Figures({ model }: { model: Model }) {
  const rows = namedFigures(model.figures);
  if (!rows.length) return <Empty title="No figures">This bundle was packed without them.</Empty>;
  return (
    <table className="w-full text-left text-[13px]">
      <caption className="sr-only">Figures with their 95 % intervals</caption>
      <thead className="sr-only">
        <tr>
          <th>Figure</th>
          <th>Value</th>
          <th>Interval</th>
        </tr>
      </thead>
      <tbody>
        {rows.map(({ key, name, note, share, figure }) => {
          const words = (value: number) => (share ? percent(value) : value.toFixed(3));
          return (
            <tr key={key} className="border-t border-line align-baseline first:border-0">
              <td className="py-1.5 pr-3">
                {name}
                {note && <span className="hidden pl-2 text-xs text-soft sm:inline">{note}</span>}
              </td>
              <td className="py-1.5 pr-3 text-right font-semibold whitespace-nowrap">
                {words(figure.value)}
              </td>
              <td className="py-1.5 text-right text-xs whitespace-nowrap text-soft">
                {bounds(figure)?.map(words).join(" to ") ?? "–"}
              </td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

function Curve({ model }: { model: Model }) {
  const [value, setValue] = useState(model.threshold ?? 0.5);
  if (!model.curve.length)
    return <Empty title="No curve">This bundle was packed without one.</Empty>;
  const { precision, recall } = at(model.curve, value);
  return (
    <div>
      <ThresholdSlider
        label="Threshold"
        curve={model.curve}
        value={value}
        own={model.threshold}
        width={440}
        height={150}
        onChange={setValue}
      />
      <p className="text-[13px] text-soft">
        {spoken(model.labels[1] ?? "")} from <b className="text-ink">{percent(value)}</b>:{" "}
        <span className="text-accent">precision</span>{" "}
        <b className="text-ink">{percent(precision)}</b>, recall{" "}
        <b className="text-ink">{percent(recall)}</b>
      </p>
    </div>
  );
}
