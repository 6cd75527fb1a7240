/** The 95 % interval of a share of few trials (Wilson, 1927). */

const Z = 1.96;

export function wilson(share: number, trials: number): [number, number] {
  const scale = 1 + Z ** 2 / trials;
  const middle = (share + Z ** 2 / (2 * trials)) / scale;
  const reach =
    (Z / scale) * Math.sqrt((share * (1 - share)) / trials + Z ** 2 / (4 * trials ** 2));
  return [Math.max(0, middle - reach), Math.min(1, middle + reach)];
}
