/** The decision of `Predictor.answer`, repeated here so that a threshold can be tried out live. */

import type { Answer, TaskInfo } from "../api/types";

export interface Decided {
  label: string;
  probability: number;
  sure: boolean;
}

/** The labels of a yes-or-no task, the one that the threshold is about last. */
export function pair(info: TaskInfo): [string, string] | null {
  const [no, yes] = info.labels;
  if (info.threshold === null || info.labels.length !== 2) return null;
  return no !== undefined && yes !== undefined ? [no, yes] : null;
}

/** What is answered with `threshold` in the place of the bundle's own. */
export function decide(answer: Answer, info: TaskInfo, threshold: number | null): Decided {
  const labels = pair(info);
  const yes = labels ? answer.probabilities[labels[1]] : undefined;
  if (!labels || yes === undefined || threshold === null || threshold === info.threshold)
    return answer;
  const label = yes >= threshold ? labels[1] : labels[0];
  const probability = yes >= threshold ? yes : 1 - yes;
  if (label === answer.label) return { label, probability, sure: answer.sure };
  return { label, probability, sure: info.sure !== undefined && probability >= info.sure };
}

/** The probabilities of the second label between which a yes-or-no task is not sure. */
export function unsureBand(threshold: number, sure: number): [number, number] {
  return [Math.min(threshold, 1 - sure), Math.max(threshold, sure)];
}

/** Labels with their probabilities, the largest first. */
export function ranked(answer: Answer, most: number): [string, number][] {
  return Object.entries(answer.probabilities)
    .sort((a, b) => b[1] - a[1])
    .slice(0, most);
}

/** The image tasks, then those that search: these are about a small window, not about a picture. */
export function askable(tasks: Record<string, TaskInfo>): {
  asked: TaskInfo[];
  finders: TaskInfo[];
} {
  const all = Object.values(tasks);
  const asked = all.filter((one) => !one.searches);
  return { asked, finders: all.filter((one) => one.searches) };
}
