/** `#/`, `#/models`, `#/models/TASK`. */

export type Route = { view: "ask" } | { view: "models"; task: string | null };

export function parse(hash: string): Route {
  const [view, task] = hash.replace(/^#\/?/, "").split("/");
  if (view !== "models") return { view: "ask" };
  try {
    return { view: "models", task: task ? decodeURIComponent(task) : null };
  } catch {
    return { view: "models", task: null };
  }
}

export const modelsHash = (task: string | null): string =>
  task === null ? "#/models" : `#/models/${encodeURIComponent(task)}`;
