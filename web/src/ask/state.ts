/** The images of this visit and what was said of them. Pure: effects are in `useQueue`. */

import type { Source } from "../api/client";
import type { TaskAnswer } from "../api/types";

export const ALL = "all";

export type Status = "waiting" | "sending" | "answering" | "done" | "failed";

export interface Item {
  id: number;
  name: string;
  source: Source;
  /** An object URL, null where there is nothing to show. */
  preview: string | null;
  status: Status;
  /** Share of the upload that has gone out. */
  progress: number;
  results: TaskAnswer[];
  /** The task that was asked for last. */
  asked: string | null;
  error: unknown;
}

export type Action =
  | { do: "add"; items: Item[] }
  | { do: "remove"; id: number }
  | { do: "clear" }
  | { do: "send"; id: number; task: string }
  | { do: "progress"; id: number; share: number }
  | { do: "answer"; id: number; task: string; results: TaskAnswer[] }
  | { do: "fail"; id: number; error: unknown }
  | { do: "retry"; id: number };

export function reduce(items: Item[], action: Action): Item[] {
  switch (action.do) {
    case "add":
      return [...action.items, ...items];
    case "remove":
      return items.filter((item) => item.id !== action.id);
    case "clear":
      return [];
    default:
      return items.map((item) => (item.id === action.id ? changed(item, action) : item));
  }
}

function changed(item: Item, action: Extract<Action, { id: number }>): Item {
  switch (action.do) {
    case "send":
      return { ...item, status: "sending", progress: 0, asked: action.task, error: null };
    case "progress":
      return {
        ...item,
        progress: action.share,
        status: action.share < 1 ? "sending" : "answering",
      };
    case "answer":
      return { ...item, status: "done", results: merged(item.results, action.results) };
    case "fail":
      return { ...item, status: "failed", error: action.error };
    case "retry":
      return { ...item, status: "waiting", error: null };
    default:
      return item;
  }
}

function merged(before: TaskAnswer[], now: TaskAnswer[]): TaskAnswer[] {
  const kept = before.filter((old) => !now.some((one) => one.task === old.task));
  return [...kept, ...now];
}

/** What has to be sent next for `task`: nobody is asked twice about the same. */
export function nextToSend(items: Item[], task: string, atOnce: number): Item[] {
  const busy = items.filter((item) => item.status === "sending" || item.status === "answering");
  const due = items.filter(
    (item) => item.status === "waiting" || (item.status === "done" && !answers(item, task)),
  );
  // The list shows the newest first; those that came first are asked first.
  return due.reverse().slice(0, Math.max(0, atOnce - busy.length));
}

function answers(item: Item, task: string): boolean {
  return item.asked === ALL || item.asked === task || item.results.some((one) => one.task === task);
}
