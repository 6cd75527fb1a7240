/** Figures for people. A thin no-break space stands between number and unit. */

export function percent(share: number | null | undefined, digits = 1): string {
  if (share === null || share === undefined || !Number.isFinite(share)) return "–";
  const value = share * 100;
  // 99.96 % is not certainty.
  const limit = 100 - 10 ** -digits;
  if (value < 100 && value > limit) return `> ${limit.toFixed(digits)} %`;
  if (value > 0 && value < 10 ** -digits) return `< ${(10 ** -digits).toFixed(digits)} %`;
  return `${value.toFixed(digits)} %`;
}

export function bytes(count: number): string {
  if (count < 1000) return `${count} B`;
  if (count < 1_000_000) return `${Math.round(count / 1000)} kB`;
  return `${(count / 1_000_000).toFixed(1)} MB`;
}

export function milliseconds(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return "–";
  const value = seconds * 1000;
  return value < 10 ? `${value.toFixed(1)} ms` : `${Math.round(value).toLocaleString("en")} ms`;
}

export const whole = (count: number | null | undefined): string =>
  count === null || count === undefined ? "–" : Math.round(count).toLocaleString("en");

export function day(at: string): string {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return at;
  return date.toISOString().slice(0, 16).replace("T", " ");
}

export const plural = (count: number, one: string, many = `${one}s`): string =>
  `${whole(count)} ${count === 1 ? one : many}`;

/** `not_car` as people write it. */
export const spoken = (label: string): string => label.replaceAll("_", " ");
