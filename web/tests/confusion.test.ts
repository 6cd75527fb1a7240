import { expect, it } from "vitest";
import { cells, inWords, labelStats } from "../src/logic/confusion";

const matrix = {
  labels: ["a", "b", "c"],
  counts: [
    [8, 2, 0],
    [0, 5, 0],
    [0, 0, 0],
  ],
};

it("counts recall along the row and precision along the column", () => {
  const [a, b, c] = labelStats(matrix);
  expect(a).toMatchObject({ images: 10, recall: 0.8, precision: 1 });
  expect(a?.takenFor).toEqual([{ label: "b", images: 2 }]);
  expect(b?.precision).toBeCloseTo(5 / 7);
  expect(c).toMatchObject({ images: 0, recall: null, precision: null });
});

it("draws only what is not empty", () => {
  expect(cells(matrix).map(({ row, column, share }) => [row, column, share])).toEqual([
    [0, 0, 0.8],
    [0, 1, 0.2],
    [1, 1, 1],
  ]);
});

it("reads one cell", () => {
  expect(inWords(matrix, 0, 1)).toBe("a: 2 of 10 answered b");
  expect(inWords(matrix, 1, 1)).toBe("b: 5 of 5 answered right");
});
