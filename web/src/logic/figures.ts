/** Names of the figures, in the order people look for them. */

import type { Figure } from "../api/types";

interface Meaning {
  name: string;
  note: string;
  /** Whether it is a share that can be drawn from 0 to 1. */
  share: boolean;
}

const MEANINGS: Record<string, Meaning> = {
  scenes_average_precision: { name: "Average precision", note: "boxes in scenes", share: true },
  scenes_precision: { name: "Precision", note: "boxes in scenes", share: true },
  scenes_recall: { name: "Recall", note: "boxes in scenes", share: true },
  scenes_f1: { name: "F1", note: "boxes in scenes", share: true },
  scenes_equal_error: { name: "Equal error", note: "boxes in scenes", share: true },
  scenes_map50: { name: "mAP 50", note: "boxes in scenes", share: true },
  scenes_map: { name: "mAP 50 to 95", note: "boxes in scenes", share: true },
  scenes_false_alarms: { name: "False alarms", note: "per scene", share: false },
  accuracy: { name: "Accuracy", note: "answers that were right", share: true },
  balanced_accuracy: { name: "Balanced accuracy", note: "mean recall of the labels", share: true },
  top5: { name: "Top 5", note: "the right label among five", share: true },
  precision: { name: "Precision", note: "at the threshold", share: true },
  recall: { name: "Recall", note: "at the threshold", share: true },
  f1: { name: "F1", note: "at the threshold", share: true },
  macro_f1: { name: "Macro F1", note: "mean over labels", share: true },
  roc_auc: { name: "ROC AUC", note: "ranking", share: true },
  pr_auc: { name: "PR AUC", note: "ranking, rare label", share: true },
  mcc: { name: "MCC", note: "−1 to 1", share: false },
  ece: { name: "Calibration error", note: "lower is better", share: true },
  log_loss: { name: "Log loss", note: "lower is better", share: false },
};
const HIDDEN = new Set(["ece_before", "macro_precision"]);

export interface Named extends Meaning {
  key: string;
  figure: Figure;
}

export function namedFigures(figures: Record<string, Figure>): Named[] {
  const order = Object.keys(MEANINGS);
  const rank = (key: string) => (order.includes(key) ? order.indexOf(key) : order.length);
  return Object.entries(figures)
    .map(([key, figure]) => ({ key: key.replace(/^test\//, ""), figure }))
    .filter(({ key, figure }) => !HIDDEN.has(key) && Number.isFinite(figure?.value))
    .sort((a, b) => rank(a.key) - rank(b.key))
    .map(({ key, figure }) => ({ key, figure, ...(MEANINGS[key] ?? unnamed(key, figure)) }));
}

/** The figure that a task is known by. */
export const headline = (figures: Record<string, Figure>): Named | null =>
  namedFigures(figures)[0] ?? null;

function unnamed(key: string, { value }: Figure): Meaning {
  const name = key.replaceAll("_", " ");
  return {
    name: name.charAt(0).toUpperCase() + name.slice(1),
    note: "",
    share: value >= 0 && value <= 1,
  };
}
