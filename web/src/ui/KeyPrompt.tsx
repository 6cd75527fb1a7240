/** Asks for the API key when the service wants one. */

import { KeyRound } from "lucide-react";
import { useEffect, useRef, useSyncExternalStore } from "react";
import { giveKey, keyWanted, onKeyChange } from "../api/key";
import { Button } from "./parts";

export function KeyPrompt() {
  const wanted = useSyncExternalStore(onKeyChange, keyWanted);
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (wanted !== "no" && !dialog.current?.open) dialog.current?.showModal();
    if (wanted === "no") dialog.current?.close();
  }, [wanted]);
  const send = (data: FormData) => giveKey(String(data.get("key") ?? "").trim());
  return (
    <dialog
      ref={dialog}
      aria-labelledby="key-title"
      onCancel={() => giveKey(null)}
      className="m-auto w-[min(24rem,calc(100vw-2rem))] rounded-card border border-line bg-raised p-5 text-ink shadow-xl"
    >
      <form action={send}>
        <h2 id="key-title" className="flex items-center gap-2 text-base font-semibold">
          <KeyRound size={17} aria-hidden className="text-accent" /> API key
        </h2>
        <p className="mt-1.5 text-[13px] text-soft">
          This service answers only those who have a key. It is kept in this tab until you close it.
        </p>
        <label htmlFor="key" className="mt-4 block text-[13px] font-medium">
          Key
        </label>
        <input
          id="key"
          aria-describedby={wanted === "another" ? "key-wrong" : undefined}
          name="key"
          type="password"
          autoComplete="off"
          required
          className="mt-1 h-9 w-full rounded-md border border-edge bg-paper px-2.5 font-mono text-[13px]"
        />
        {wanted === "another" && (
          <p id="key-wrong" role="alert" className="mt-1.5 text-[13px] text-bad">
            The service does not know that key.
          </p>
        )}
        <div className="mt-4 flex justify-end gap-2">
          <Button look="quiet" onClick={() => giveKey(null)}>
            Cancel
          </Button>
          <Button look="main" type="submit">
            Use this key
          </Button>
        </div>
      </form>
    </dialog>
  );
}
