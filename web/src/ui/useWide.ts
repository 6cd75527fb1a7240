/** Whether there is room beside the answers. */

import { useSyncExternalStore } from "react";

const query = () => matchMedia("(min-width: 64rem)");

export const useWide = (): boolean => useSyncExternalStore(subscribe, () => query().matches);

function subscribe(listener: () => void): () => void {
  const watched = query();
  watched.addEventListener("change", listener);
  return () => watched.removeEventListener("change", listener);
}
