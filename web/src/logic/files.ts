/** Which files are taken, and what is wrong with them before they are sent. */

import type { Info } from "../api/types";
import { bytes } from "./format";

/** Images among what was dropped or pasted; a file without a type may be one. */
export function imagesIn(transfer: DataTransfer | null): File[] {
  return [...(transfer?.files ?? [])].filter(
    (file) => file.type === "" || file.type.startsWith("image/"),
  );
}

/** An address among what was pasted or dropped. */
export function addressIn(transfer: DataTransfer | null): string | null {
  const text = transfer?.getData("text/uri-list") || transfer?.getData("text/plain") || "";
  const line = text.trim().split(/\s/)[0] ?? "";
  return isAddress(line) ? line : null;
}

export function isAddress(text: string): boolean {
  try {
    return ["http:", "https:"].includes(new URL(text).protocol);
  } catch {
    return false;
  }
}

/** The largest file that every task accepts, in bytes. */
export function largest(info: Info): number {
  const limits = Object.values(info.tasks).map((task) => task.limits.max_bytes);
  const known = [info.limits.max_bytes, ...limits].filter((limit) => limit !== undefined);
  return Math.min(...known, Number.POSITIVE_INFINITY);
}

/** Why a file is not sent; null when it can be. */
export function problem(
  file: { size: number },
  limit: number,
): { message: string; hint: string } | null {
  if (file.size === 0) return { message: "The file is empty.", hint: "Choose another one." };
  if (file.size <= limit) return null;
  return {
    message: `${bytes(file.size)} is over the limit of ${bytes(limit)}.`,
    hint: "It was not sent. Save the picture smaller, or as JPEG.",
  };
}

/** Clipboards call every picture image.png. */
export function named(file: File, number: number): File {
  if (file.name && file.name !== "image.png") return file;
  const extension = file.type.split("/")[1]?.replace("jpeg", "jpg") ?? "png";
  return new File([file], `pasted-${number}.${extension}`, { type: file.type });
}
