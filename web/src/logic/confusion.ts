/** What a confusion matrix says about each label. Rows are the truth, columns the answers. */

import type { Confusion } from "../api/types";

export interface LabelStats {
  label: string;
  images: number;
  right: number;
  recall: number | null;
  precision: number | null;
  takenFor: { label: string; images: number }[];
}

export interface Cell {
  row: number;
  column: number;
  count: number;
  /** Of the row's images, 0 to 1. */
  share: number;
}

export function labelStats({ labels, counts }: Confusion): LabelStats[] {
  return labels.map((label, row) => {
    const line = counts[row] ?? [];
    const images = sum(line);
    const right = line[row] ?? 0;
    const answered = sum(counts.map((other) => other[row] ?? 0));
    const takenFor = line
      .map((count, column) => ({ label: labels[column] ?? "", images: count, column }))
      .filter((one) => one.images > 0 && one.column !== row)
      .sort((a, b) => b.images - a.images)
      .map(({ label: name, images: count }) => ({ label: name, images: count }));
    return {
      label,
      images,
      right,
      recall: images ? right / images : null,
      precision: answered ? right / answered : null,
      takenFor,
    };
  });
}

/** The cells that are not empty. */
export function cells({ counts }: Confusion): Cell[] {
  return counts.flatMap((line, row) => {
    const images = sum(line);
    return line
      .map((count, column) => ({ row, column, count, share: images ? count / images : 0 }))
      .filter((cell) => cell.count > 0);
  });
}

/** One cell in words. */
export function inWords({ labels, counts }: Confusion, row: number, column: number): string {
  const count = counts[row]?.[column] ?? 0;
  const images = sum(counts[row] ?? []);
  const what = row === column ? "answered right" : `answered ${labels[column]}`;
  return `${labels[row]}: ${count} of ${images} ${what}`;
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
