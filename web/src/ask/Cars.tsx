/** The cars of a picture: boxes on it, and a line each below it. */

import type { Scene } from "../api/types";
import { percent, spoken } from "../logic/format";
import { inWords, tags } from "../logic/tags";

interface Props {
  scene: Scene;
  /** The car under the pointer. */
  marked: number | null;
  onMark: (car: number | null) => void;
}

export function Boxes({ scene, marked, onMark }: Props) {
  const across = (x: number) => `${(x / scene.width) * 100}%`;
  const down = (y: number) => `${(y / scene.height) * 100}%`;
  const placed = tags(scene);
  return scene.cars.map((car, number) => {
    const { box } = car;
    const on = marked === number;
    return (
      <div
        // biome-ignore lint/suspicious/noArrayIndexKey: cars have no other name, and never move
        key={number}
        data-testid="box"
        onPointerEnter={() => onMark(number)}
        onPointerLeave={() => onMark(null)}
        className={`absolute rounded-[3px] border-2 ${on ? "z-10 border-white outline-2 outline-accent" : "border-accent outline-1 outline-white/70"}`}
        style={{
          left: across(box.left),
          top: down(box.top),
          width: across(box.right - box.left),
          height: down(box.bottom - box.top),
        }}
      >
        <span
          aria-hidden
          className={`absolute ${placed[number]?.edge === "right" ? "-right-0.5" : "-left-0.5"} rounded-[3px] bg-accent px-1 text-[11px] leading-4 font-medium whitespace-nowrap text-on-accent ${placed[number]?.side === "below" ? "top-full mt-0.5" : "bottom-full mb-0.5"}`}
        >
          {on ? inWords(car, number) : placed[number]?.words}
        </span>
      </div>
    );
  });
}

export function Cars({ scene, unknown, marked, onMark }: Props & { unknown: string[] }) {
  const tasks = [...new Set(scene.cars.flatMap((car) => Object.keys(car.answers)))];
  if (!scene.cars.length) return <p className="mt-2 text-[13px] text-soft">No car was found.</p>;
  return (
    <>
      <table className="mt-2 w-full text-left text-xs">
        <caption className="sr-only">Cars that were found</caption>
        <thead className="text-soft">
          <tr>
            <th className="py-1 pr-2 font-medium">#</th>
            <th className="py-1 pr-2 font-medium">a car</th>
            {tasks.map((task) => (
              <th key={task} className="py-1 pr-2 font-medium">
                {task}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {scene.cars.map((car, number) => (
            <tr
              // biome-ignore lint/suspicious/noArrayIndexKey: cars have no other name, and never move
              key={number}
              onPointerEnter={() => onMark(number)}
              onPointerLeave={() => onMark(null)}
              className={`border-t border-line align-baseline ${marked === number ? "bg-wash" : ""}`}
            >
              <td className="py-1 pr-2">{number + 1}</td>
              <td className="py-1 pr-2 whitespace-nowrap">{percent(car.score, 0)}</td>
              {tasks.map((task) => (
                <td key={task} className="py-1 pr-2">
                  <Said answer={car.answers[task]} />
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {unknown.length > 0 && (
        <details className="mt-1 text-xs text-soft">
          <summary className="w-fit py-1.5 hover:text-ink">What nobody measured</summary>
          <ul className="mt-1 list-disc pl-4">
            {unknown.map((sentence) => (
              <li key={sentence}>{sentence}</li>
            ))}
          </ul>
        </details>
      )}
    </>
  );
}

function Said({ answer }: { answer: Scene["cars"][number]["answers"][string] | undefined }) {
  if (!answer) return "–";
  return (
    <>
      {spoken(answer.label)}{" "}
      <span className={`whitespace-nowrap ${answer.sure ? "text-soft" : "text-warn"}`}>
        {percent(answer.probability, 0)}
        {!answer.sure && " not sure"}
      </span>
    </>
  );
}
