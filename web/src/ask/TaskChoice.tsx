/** Which task is asked: all of them, or one. */

import type { TaskInfo } from "../api/types";
import { plural } from "../logic/format";
import { ALL } from "./state";

interface Props {
  asked: TaskInfo[];
  finders: TaskInfo[];
  chosen: string;
  onChoose: (task: string) => void;
}

export function TaskChoice({ asked, finders, chosen, onChoose }: Props) {
  const choices = [
    { value: ALL, words: "All tasks", note: "" },
    ...asked.map((one) => ({ value: one.task, words: one.task, note: about(one) })),
    ...finders.map((one) => ({ value: one.task, words: one.task, note: "one window" })),
  ];
  return (
    <fieldset className="min-w-0">
      <legend className="sr-only">Task</legend>
      <div className="flex flex-wrap gap-1.5">
        {choices.map(({ value, words, note }) => (
          <label
            key={value}
            className="flex min-h-8 cursor-pointer items-center gap-1.5 rounded-full border border-line bg-raised px-3 text-[13px] font-medium transition-colors hover:border-edge has-checked:border-accent has-checked:bg-wash has-checked:text-accent has-focus-visible:outline-2 has-focus-visible:outline-offset-2 has-focus-visible:outline-accent pointer-coarse:min-h-10"
          >
            <input
              type="radio"
              name="task"
              value={value}
              checked={chosen === value}
              onChange={() => onChoose(value)}
              className="sr-only"
            />
            {words}
            {note && <span className="text-xs font-normal text-soft">{note}</span>}
          </label>
        ))}
      </div>
    </fieldset>
  );
}

const about = (one: TaskInfo) =>
  one.labels.length === 2 ? "yes or no" : plural(one.labels.length, "label");
