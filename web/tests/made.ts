/** Tasks and items that only differ in what a test is about. */

import type { TaskInfo } from "../src/api/types";
import type { Item } from "../src/ask/state";

export function task(changes: Partial<TaskInfo>): TaskInfo {
  return {
    task: "police",
    model_version: 1,
    kind: "binary",
    labels: ["other", "police"],
    searches: false,
    engine: "onnx",
    threshold: 0.5,
    limits: {},
    ...changes,
  };
}

export function item(id: number, changes: Partial<Item> = {}): Item {
  return {
    id,
    name: `${id}.jpg`,
    source: { kind: "url", url: "https://example.com/" },
    preview: null,
    status: "waiting",
    progress: 0,
    results: [],
    asked: null,
    error: null,
    ...changes,
  };
}
