/** Sends the images, a few at once, each in its own request: one that is refused spoils no other. */

import { useCallback, useEffect, useReducer, useRef } from "react";
import { predict, type Source } from "../api/client";
import { problem } from "../logic/files";
import { ALL, type Item, nextToSend, reduce } from "./state";

const AT_ONCE = 3;

export interface Queue {
  items: Item[];
  add: (sources: Source[]) => void;
  remove: (id: number) => void;
  clear: () => void;
  retry: (id: number) => void;
}

export function useQueue(task: string, limit: number): Queue {
  const [items, dispatch] = useReducer(reduce, []);
  const number = useRef(0);
  const running = useRef(new Map<number, AbortController>());
  const previews = useRef(new Map<number, string>());

  useEffect(() => {
    for (const item of nextToSend(items, task, AT_ONCE)) {
      if (running.current.has(item.id)) continue;
      const stop = new AbortController();
      running.current.set(item.id, stop);
      dispatch({ do: "send", id: item.id, task });
      const progress = (share: number) => dispatch({ do: "progress", id: item.id, share });
      predict(item.source, task, progress, stop.signal)
        .then((results) => ({ do: "answer", id: item.id, task, results }) as const)
        .catch((error: unknown) => ({ do: "fail", id: item.id, error }) as const)
        .then((action) => {
          running.current.delete(item.id);
          if (!stop.signal.aborted) dispatch(action);
        });
    }
  }, [items, task]);

  const add = useCallback(
    (sources: Source[]) => {
      const added = sources.map((source) => {
        number.current += 1;
        const item = made(number.current, source, limit);
        if (item.preview) previews.current.set(item.id, item.preview);
        return item;
      });
      dispatch({ do: "add", items: added.reverse() });
    },
    [limit],
  );
  const drop = useCallback((id: number) => {
    running.current.get(id)?.abort();
    running.current.delete(id);
    const preview = previews.current.get(id);
    if (preview) URL.revokeObjectURL(preview);
    previews.current.delete(id);
  }, []);
  const remove = useCallback(
    (id: number) => {
      drop(id);
      dispatch({ do: "remove", id });
    },
    [drop],
  );
  const clear = useCallback(() => {
    for (const id of new Set([...running.current.keys(), ...previews.current.keys()])) drop(id);
    dispatch({ do: "clear" });
  }, [drop]);
  const retry = useCallback((id: number) => dispatch({ do: "retry", id }), []);
  return { items, add, remove, clear, retry };
}

function made(id: number, source: Source, limit: number): Item {
  const file = source.kind === "file" ? source.file : null;
  const wrong = file && problem(file, limit);
  return {
    id,
    name: source.kind === "file" ? source.file.name : source.url,
    source,
    preview: file && file.size > 0 ? URL.createObjectURL(file) : null,
    status: wrong ? "failed" : "waiting",
    progress: 0,
    results: [],
    asked: wrong ? ALL : null,
    error: wrong || null,
  };
}
