/** Heat maps and found cars of one image: fetched when wanted, then kept until the image goes. */

import { useCallback, useEffect, useRef, useState } from "react";
import { explain, inspect, type Source } from "../api/client";
import type { Inspection, Scene } from "../api/types";
import { percent, spoken } from "../logic/format";
import type { Heat } from "./Picture";

export type Layer = { kind: "none" } | { kind: "cars" } | { kind: "heat"; task: string };

export interface Seen {
  layer: Layer;
  busy: Layer;
  heat: Heat | null;
  scene: Scene | null;
  /** What nobody measured of the search, in sentences. */
  unknown: string[];
  error: unknown;
  toggleHeat: (task: string, label: string, probability: number) => void;
  toggleCars: () => void;
}

const NONE: Layer = { kind: "none" };

export function useSeen(source: Source, ask: string[] | null): Seen {
  const [layer, setLayer] = useState<Layer>(NONE);
  const [busy, setBusy] = useState<Layer>(NONE);
  const [found, setFound] = useState<Inspection | null>(null);
  const scene = found?.scenes[0] ?? null;
  const [error, setError] = useState<unknown>(null);
  const [heat, setHeat] = useState<Heat | null>(null);
  const maps = useRef(new Map<string, Heat>());
  const gone = useRef(new AbortController());

  useEffect(() => {
    if (gone.current.signal.aborted) gone.current = new AbortController();
    const kept = maps.current;
    return () => {
      gone.current.abort();
      for (const { url } of kept.values()) URL.revokeObjectURL(url);
      kept.clear();
    };
  }, []);

  const run = useCallback(async (wanted: Layer, work: () => Promise<void>) => {
    setBusy(wanted);
    setError(null);
    try {
      await work();
      setLayer(wanted);
    } catch (failed) {
      if (!gone.current.signal.aborted) setError(failed);
    }
    setBusy(NONE);
  }, []);

  const toggleHeat = (task: string, label: string, probability: number) => {
    if (layer.kind === "heat" && layer.task === task) return setLayer(NONE);
    const key = `${task}/${label}`;
    run({ kind: "heat", task }, async () => {
      let map = maps.current.get(key);
      if (!map) {
        const found = await explain(source, task, label, gone.current.signal);
        const words = `What speaks for ${spoken(found.label)} (${percent(probability)}), by ${found.method}`;
        map = { url: URL.createObjectURL(found.picture), words };
        maps.current.set(key, map);
      }
      setHeat(map);
    });
  };
  const toggleCars = () => {
    if (layer.kind === "cars") return setLayer(NONE);
    run({ kind: "cars" }, async () => {
      if (scene) return;
      setFound(await inspect(source, ask, gone.current.signal));
    });
  };
  return {
    layer,
    busy,
    heat: layer.kind === "heat" ? heat : null,
    unknown: found?.unknown ?? [],
    scene: layer.kind === "cars" ? scene : null,
    error,
    toggleHeat,
    toggleCars,
  };
}
