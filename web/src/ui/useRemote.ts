/** Something fetched when a view opens. */

import { useCallback, useEffect, useState } from "react";

export type Remote<T> =
  | { state: "loading" }
  | { state: "failed"; error: unknown }
  | { state: "here"; value: T };

export function useRemote<T>(get: (signal: AbortSignal) => Promise<T>): [Remote<T>, () => void] {
  const [remote, setRemote] = useState<Remote<T>>({ state: "loading" });
  const [turn, setTurn] = useState(0);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new turn is a new request
  useEffect(() => {
    const stop = new AbortController();
    get(stop.signal)
      .then((value) => setRemote({ state: "here", value }))
      .catch((error: unknown) => {
        if (!stop.signal.aborted) setRemote({ state: "failed", error });
      });
    return () => stop.abort();
  }, [get, turn]);
  const again = useCallback(() => {
    setRemote({ state: "loading" });
    setTurn((before) => before + 1);
  }, []);
  return [remote, again];
}
