import { describe, expect, it } from "vitest";
import { refusal } from "../src/api/client";
import type { Answer, TaskInfo } from "../src/api/types";
import { nextToSend, reduce } from "../src/ask/state";
import { at, path } from "../src/logic/curve";
import { askable, decide, ranked, unsureBand } from "../src/logic/decide";
import { namedFigures } from "../src/logic/figures";
import { isAddress, largest, named, problem } from "../src/logic/files";
import { bytes, milliseconds, percent } from "../src/logic/format";
import { modelsHash, parse } from "../src/logic/route";
import { tags } from "../src/logic/tags";
import { wilson } from "../src/logic/wilson";
import { item, task } from "./made";

const answer: Answer = {
  filename: "a.jpg",
  label: "police",
  probability: 0.62,
  sure: true,
  probabilities: { other: 0.38, police: 0.62 },
};

describe("decide", () => {
  const info: TaskInfo = task({ labels: ["other", "police"], threshold: 0.45, sure: 0.6 });

  it("says what the service said at the bundle's own threshold", () => {
    expect(decide(answer, info, null)).toBe(answer);
    expect(decide(answer, info, 0.45)).toBe(answer);
  });

  it("decides as Predictor.decide does: at the threshold it is the second label", () => {
    expect(decide(answer, info, 0.62).label).toBe("police");
    expect(decide(answer, info, 0.63)).toEqual({ label: "other", probability: 0.38, sure: false });
  });

  it("is not sure of what it does not know the cut of", () => {
    const { sure: _, ...unknown } = info;
    expect(decide(answer, unknown, 0.9).sure).toBe(false);
  });

  it("marks exactly the stretch in which answers are not sure", () => {
    const [low, high] = unsureBand(0.8, 0.6);
    for (let step = 0; step <= 100; step += 1) {
      const yes = step / 100;
      const one = { ...answer, label: "", probabilities: { other: 1 - yes, police: yes } };
      const inside = yes > low + 1e-9 && yes < high - 1e-9;
      const edge = Math.abs(yes - low) < 1e-9 || Math.abs(yes - high) < 1e-9;
      if (!edge) expect(decide(one, info, 0.8).sure).toBe(!inside);
    }
  });

  it("leaves the tasks that search for the search", () => {
    const { asked, finders } = askable({
      a: task({ task: "a" }),
      b: task({ task: "b", searches: true }),
    });
    expect([asked[0]?.task, finders[0]?.task]).toEqual(["a", "b"]);
  });

  it("ranks labels", () => {
    expect(ranked(answer, 1)).toEqual([["police", 0.62]]);
  });
});

describe("curve", () => {
  const curve = [
    { threshold: 0, precision: 0.5, recall: 1 },
    { threshold: 0.5, precision: 0.8, recall: 0.7 },
    { threshold: 1, precision: null, recall: 0 },
  ];

  it("holds until the next point", () => {
    expect(at(curve, 0.49).precision).toBe(0.5);
    expect(at(curve, 0.5).precision).toBe(0.8);
    expect(at(curve, 1)).toEqual({ precision: null, recall: 0 });
    expect(at([], 0.5)).toEqual({ precision: null, recall: null });
  });

  it("leaves a gap where nothing is known", () => {
    const points = [0.5, null, 1].map((y, x) => ({ x, y }));
    expect(path(points, 10, 10)).toBe("M0.0 5.0M20.0 0.0");
  });
});

describe("queue", () => {
  it("asks the first that came, a few at once", () => {
    const items = [item(3), item(2, { status: "sending" }), item(1)];
    expect(nextToSend(items, "all", 2).map((one) => one.id)).toEqual([1]);
  });

  it("asks nobody twice about the same", () => {
    const done = item(1, { status: "done", asked: "all" });
    expect(nextToSend([done], "police", 3)).toEqual([]);
    const one = item(2, { status: "done", asked: "police" });
    expect(nextToSend([one], "brand", 3)).toEqual([one]);
    expect(nextToSend([item(3, { status: "failed" })], "all", 3)).toEqual([]);
  });

  it("keeps what another task said", () => {
    const before = item(1, { results: [{ task: "a", model_version: 1, predictions: [] }] });
    const results = [{ task: "b", model_version: 2, predictions: [] }];
    const [after] = reduce([before], { do: "answer", id: 1, task: "b", results });
    expect(after?.results.map((one) => one.task)).toEqual(["a", "b"]);
  });

  it("forgets an error when it is tried again", () => {
    const [after] = reduce([item(1, { status: "failed", error: "x" })], { do: "retry", id: 1 });
    expect([after?.status, after?.error]).toEqual(["waiting", null]);
  });
});

describe("files", () => {
  it("knows the limit of the strictest task", () => {
    const tasks = { a: task({ limits: { max_bytes: 5 } }), b: task({ limits: {} }) };
    const info = { service: "", version: "", limits: { max_bytes: 9 }, tasks };
    expect(largest(info)).toBe(5);
    expect(problem({ size: 5 }, 5)).toBeNull();
    expect(problem({ size: 6 }, 5)?.message).toContain("over the limit");
    expect(problem({ size: 0 }, 5)?.message).toContain("empty");
  });

  it("takes addresses of the web only", () => {
    expect(["https://a/b.jpg", "http://a"].every(isAddress)).toBe(true);
    expect(["", "a.jpg", "file:///etc/passwd", "javascript:1", "data:,x"].some(isAddress)).toBe(
      false,
    );
  });

  it("tells pasted pictures apart", () => {
    const file = new File(["x"], "image.png", { type: "image/jpeg" });
    expect(named(file, 7).name).toBe("pasted-7.jpg");
    expect(named(new File(["x"], "a.png"), 8).name).toBe("a.png");
  });
});

describe("words", () => {
  it("never rounds up to certainty", () => {
    expect([percent(0.9996), percent(1), percent(0.0004), percent(0), percent(0.5)]).toEqual([
      "> 99.9 %",
      "100.0 %",
      "< 0.1 %",
      "0.0 %",
      "50.0 %",
    ]);
    expect([percent(null), percent(Number.NaN)]).toEqual(["–", "–"]);
  });

  it("gives sizes and times", () => {
    expect([bytes(999), bytes(20_000), bytes(20_065_536)]).toEqual(["999 B", "20 kB", "20.1 MB"]);
    expect([milliseconds(0.0042), milliseconds(1.234), milliseconds(null)]).toEqual([
      "4.2 ms",
      "1,234 ms",
      "–",
    ]);
  });

  it("keeps what a refusal says, and finds words where it says nothing", () => {
    const said = { error: "busy", message: "m", hint: "h", request_id: "1" };
    expect(refusal(429, said, null)).toMatchObject({
      ...{ message: "m", hint: "h", requestId: "1" },
    });
    expect(refusal(502, null, "2")).toMatchObject({ status: 502, requestId: "2" });
  });

  it("puts the figure people ask for first and hides the technical ones", () => {
    const figures = {
      log_loss: { value: 1 },
      "test/accuracy": { value: 0.9 },
      ece_before: { value: 0 },
    };
    expect(namedFigures(figures).map((one) => one.name)).toEqual(["Accuracy", "Log loss"]);
  });

  it("finds its way back from an address", () => {
    expect(parse(modelsHash("a b/c"))).toEqual({ view: "models", task: "a b/c" });
    expect(parse("")).toEqual({ view: "ask" });
    expect(parse("#/models")).toEqual({ view: "models", task: null });
    expect(parse("#/models/%E0")).toEqual({ view: "models", task: null });
  });
});

describe("tags", () => {
  const car = (left: number, top: number) => ({
    box: { left, top, right: left + 80, bottom: top + 40 },
    score: 1,
    answers: { brand: { label: "Mercedes-Benz", probability: 0.5, sure: false } },
  });

  it("says all where there is room, and numbers where there is none", () => {
    const alone = { filename: "", width: 400, height: 300, cars: [car(20, 100)] };
    expect(tags(alone)).toEqual([{ words: "1 · Mercedes-Benz?", side: "above", edge: "left" }]);
    const crowd = { ...alone, cars: [car(20, 100), car(102, 100), car(184, 100), car(266, 100)] };
    expect(tags(crowd).some((one) => one.words.length === 1)).toBe(true);
  });
});

it("knows how little few images tell", () => {
  const [low, high] = wilson(1, 1);
  expect(low).toBeCloseTo(0.207, 3);
  expect(high).toBe(1);
  expect(wilson(0.5, 1e6)[0]).toBeCloseTo(0.499, 3);
});
