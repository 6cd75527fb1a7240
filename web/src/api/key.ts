/** The API key: asked for once, when the service answers 401, and kept as long as the tab lives. */

const NAME = "roadworthy-key";

type Waiting = (key: string | null) => void;

let waiting: Waiting[] = [];
let wrong = false;
const listeners = new Set<() => void>();

export const storedKey = (): string | null => sessionStorage.getItem(NAME);

export function askForKey(refused: string | null): Promise<string | null> {
  // Another request may have got a new key meanwhile.
  const now = storedKey();
  if (now !== null && now !== refused) return Promise.resolve(now);
  wrong = refused !== null;
  if (wrong) sessionStorage.removeItem(NAME);
  return new Promise((resolve) => {
    waiting.push(resolve);
    notify();
  });
}

export function giveKey(key: string | null): void {
  if (key) sessionStorage.setItem(NAME, key);
  const callers = waiting;
  waiting = [];
  for (const resolve of callers) resolve(key || null);
  notify();
}

export type Wanted = "no" | "first" | "another";

export const keyWanted = (): Wanted => {
  if (!waiting.length) return "no";
  return wrong ? "another" : "first";
};

export function onKeyChange(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function notify(): void {
  for (const listener of listeners) listener();
}
