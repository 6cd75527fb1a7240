/** Where the words of each box stand, so that they cover neither each other nor another car. */

import type { Box, FoundCar, Scene } from "../api/types";
import { spoken } from "./format";

export interface Tag {
  words: string;
  side: "above" | "below";
  /** The edge of the box that the words begin or end at. */
  edge: "left" | "right";
}

/** In CSS pixels: how wide the picture is drawn about, a letter, a line. */
const DRAWN = 340;
const LETTER = 6.3;
const LINE = 18;

/** One tag per car: all its answers where there is room, or only its number. */
export function tags(scene: Scene): Tag[] {
  const scale = DRAWN / scene.width;
  const boxes = scene.cars.map(({ box }) => scaled(box, scale));
  const taken: Box[] = [];
  return scene.cars.map((car, number) => {
    const box = boxes[number] ?? scaled(car.box, scale);
    const others = boxes.filter((other) => other !== box);
    const fits = (area: Box) =>
      area.left >= 0 &&
      area.right <= DRAWN &&
      area.top >= 0 &&
      area.bottom <= scene.height * scale &&
      ![...taken, ...others].some((other) => overlap(area, other));
    for (const words of [inWords(car, number), `${number + 1}`]) {
      for (const place of PLACES) {
        const area = areaOf(box, words, place);
        if (!fits(area)) continue;
        taken.push(area);
        return { words, ...place };
      }
    }
    return { words: `${number + 1}`, side: box.top < LINE ? "below" : "above", edge: "left" };
  });
}

const PLACES = [
  { side: "above", edge: "left" },
  { side: "above", edge: "right" },
  { side: "below", edge: "left" },
  { side: "below", edge: "right" },
] as const;

function areaOf(box: Box, words: string, { side, edge }: Pick<Tag, "side" | "edge">): Box {
  const width = words.length * LETTER + 8;
  const left = edge === "left" ? box.left : box.right - width;
  const top = side === "above" ? box.top - LINE : box.bottom;
  return { left, right: left + width, top, bottom: top + LINE };
}

export function inWords(car: FoundCar, number: number): string {
  const answers = Object.values(car.answers);
  return [number + 1, ...answers.map((one) => spoken(one.label) + (one.sure ? "" : "?"))].join(
    " · ",
  );
}

const scaled = (box: Box, scale: number): Box => ({
  left: box.left * scale,
  right: box.right * scale,
  top: box.top * scale,
  bottom: box.bottom * scale,
});

const overlap = (a: Box, b: Box) =>
  a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
