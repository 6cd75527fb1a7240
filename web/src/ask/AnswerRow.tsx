/** One champion's answer to one image. */

import { Flame } from "lucide-react";
import type { Answer, TaskInfo } from "../api/types";
import { decide, pair, ranked, unsureBand } from "../logic/decide";
import { percent, spoken } from "../logic/format";
import { Button, NotSure } from "../ui/parts";
import { Feedback } from "./Feedback";
import { Bar, Scale } from "./Scale";

const SHOWN = 3;

interface Props {
  info: TaskInfo;
  answer: Answer;
  version: number;
  threshold: number | null;
  feedback: boolean;
  heat: "off" | "loading" | "on";
  onHeat: () => void;
}

export function AnswerRow({ info, answer, version, threshold, feedback, heat, onHeat }: Props) {
  const decided = decide(answer, info, threshold);
  const labels = pair(info);
  const yes = labels ? answer.probabilities[labels[1]] : undefined;
  const moved = decided.label !== answer.label;
  return (
    <section
      aria-label={`${info.task} answer`}
      className="flex flex-wrap items-center gap-x-2 gap-y-0.5 py-2.5 first:pt-0 last:pb-0"
    >
      <h4 className="text-xs text-soft">
        {info.task} <span title={`Version ${version} in the registry`}>v{version}</span>
      </h4>
      {/* Read before the buttons, seen below them. */}
      <div className="order-1 flex w-full flex-wrap items-center gap-x-2 gap-y-1">
        <p className="text-[15px] font-semibold" data-testid={`answer-${info.task}`}>
          {spoken(decided.label)}
        </p>
        <p className="text-[15px] text-soft">{percent(decided.probability)}</p>
        {!decided.sure && <NotSure />}
        {moved && (
          <span className="rounded-full bg-wash px-2 py-px text-xs whitespace-nowrap text-accent">
            by your threshold
          </span>
        )}
      </div>
      <Feedback
        key={answer.id}
        id={feedback ? (answer.id ?? null) : null}
        info={info}
        shown={decided.label}
        answered={answer.label}
      >
        <Button
          look="quiet"
          icon={Flame}
          pressed={heat === "on"}
          disabled={heat === "loading"}
          onClick={onHeat}
        >
          {heat === "loading" ? "Looking…" : "Why?"}
          <span className="sr-only"> heat map for {info.task}</span>
        </Button>
      </Feedback>
      <div className="order-1 w-full">
        {labels && yes !== undefined && threshold !== null ? (
          <Scale
            labels={labels}
            probability={yes}
            threshold={threshold}
            band={info.sure === undefined ? null : unsureBand(threshold, info.sure)}
          />
        ) : (
          <Top answer={answer} />
        )}
      </div>
    </section>
  );
}

function Top({ answer }: { answer: Answer }) {
  return (
    <ol className="grid gap-1 py-0.5">
      {ranked(answer, SHOWN).map(([label, probability], place) => (
        <li
          key={label}
          className="grid grid-cols-[minmax(5rem,8rem)_1fr_4rem] items-center gap-2 text-xs"
        >
          <span className={`truncate ${place ? "text-soft" : ""}`} title={label}>
            {spoken(label)}
          </span>
          <Bar value={probability} dim={place > 0} />
          <span className="text-right text-soft">{percent(probability)}</span>
        </li>
      ))}
    </ol>
  );
}
