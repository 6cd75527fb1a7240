/** Where images come in: dropped anywhere, pasted, chosen, photographed, by address, or a sample. */

import { Camera, ImagePlus, Link, Upload } from "lucide-react";
import { type ChangeEvent, useEffect, useRef, useState } from "react";
import type { Source } from "../api/client";
import { addressIn, imagesIn, isAddress, named } from "../logic/files";
import { Button } from "../ui/parts";
import { Samples } from "./Samples";

const PASTE = /Mac|iPad/.test(navigator.userAgent) ? "⌘ V" : "Ctrl V";

interface Props {
  urls: boolean;
  compact: boolean;
  onAdd: (sources: Source[]) => void;
}

export function Intake({ urls, compact, onAdd }: Props) {
  const choose = useRef<HTMLInputElement>(null);
  const photograph = useRef<HTMLInputElement>(null);
  const over = useTransfers(urls, onAdd);
  const chosen = (event: ChangeEvent<HTMLInputElement>) => {
    onAdd(sourcesOf([...(event.target.files ?? [])]));
    event.target.value = ""; // so that the same file can be chosen again
  };
  return (
    <section aria-label="Images to ask about" className="card relative overflow-hidden">
      <div
        className={`flex flex-wrap items-center justify-center gap-x-3 gap-y-3 px-4 ${compact ? "py-3 sm:justify-start" : "flex-col py-9 text-center sm:py-12"}`}
      >
        {!compact && <Welcome />}
        <div className="flex flex-wrap items-center justify-center gap-2">
          <Button look="main" icon={Upload} onClick={() => choose.current?.click()}>
            Choose images
          </Button>
          <span className="hidden pointer-coarse:contents">
            <Button icon={Camera} onClick={() => photograph.current?.click()}>
              Take a photo
            </Button>
          </span>
        </div>
        <p className="text-[13px] text-soft pointer-coarse:hidden">
          or drop them anywhere, or paste with <kbd className="font-mono text-xs">{PASTE}</kbd>
        </p>
        {urls && <Address compact={compact} onAdd={onAdd} />}
        <input
          ref={choose}
          type="file"
          accept="image/*"
          multiple
          hidden
          onChange={chosen}
          data-testid="choose"
        />
        <input
          ref={photograph}
          type="file"
          accept="image/*"
          capture="environment"
          hidden
          onChange={chosen}
        />
      </div>
      <Samples compact={compact} onAdd={onAdd} />
      {over && <Landing />}
    </section>
  );
}

function Welcome() {
  return (
    <div className="max-w-lg">
      <ImagePlus size={30} strokeWidth={1.5} aria-hidden className="mx-auto text-accent" />
      <h2 className="mt-3 text-lg font-semibold tracking-tight">Ask the champions about images</h2>
      <p className="mt-1 text-[13px] text-soft">
        Every model in service answers with a calibrated probability, and says when it is not sure.
        Several images at once are fine.
      </p>
    </div>
  );
}

function Landing() {
  return (
    <div className="pointer-events-none fixed inset-0 z-40 grid place-items-center bg-paper/80 p-6">
      <div className="grid size-full place-items-center rounded-2xl border-2 border-dashed border-accent text-lg font-semibold text-accent">
        Drop the images here
      </div>
    </div>
  );
}

function Address({ compact, onAdd }: { compact: boolean; onAdd: Props["onAdd"] }) {
  const [text, setText] = useState("");
  const [wrong, setWrong] = useState(false);
  const send = () => {
    const url = text.trim();
    if (!isAddress(url)) return setWrong(true);
    onAdd([{ kind: "url", url }]);
    setText("");
  };
  return (
    <form
      action={send}
      className={`flex flex-wrap gap-2 ${compact ? "sm:ml-auto sm:w-80" : "w-full max-w-md"}`}
    >
      <label htmlFor="address" className="sr-only">
        Address of an image
      </label>
      <input
        id="address"
        inputMode="url"
        autoComplete="off"
        placeholder="https://example.com/street.jpg"
        value={text}
        aria-invalid={wrong}
        aria-describedby={wrong ? "address-wrong" : undefined}
        onChange={(event) => {
          setText(event.target.value);
          setWrong(false);
        }}
        className="h-8 min-w-0 flex-1 rounded-md border border-edge bg-paper px-2.5 text-[13px] placeholder:text-soft pointer-coarse:h-10"
      />
      <Button icon={Link} type="submit">
        Fetch
      </Button>
      {wrong && (
        <p id="address-wrong" role="alert" className="w-full text-left text-xs text-bad">
          An address begins with https:// or http://
        </p>
      )}
    </form>
  );
}

/** Listens on the whole page; says whether files hover over it. */
function useTransfers(urls: boolean, onAdd: Props["onAdd"]): boolean {
  const [over, setOver] = useState(false);
  useEffect(() => {
    let depth = 0;
    const take = (transfer: DataTransfer | null): boolean => {
      const files = sourcesOf(imagesIn(transfer));
      const url = urls ? addressIn(transfer) : null;
      const sources: Source[] = files.length || !url ? files : [{ kind: "url", url }];
      if (sources.length) onAdd(sources);
      return sources.length > 0;
    };
    const paste = (event: ClipboardEvent) => {
      if (event.target instanceof HTMLInputElement) return;
      if (take(event.clipboardData)) event.preventDefault();
    };
    const enter = (event: DragEvent) => {
      event.preventDefault();
      depth += 1;
      setOver(true);
    };
    const leave = () => {
      depth = Math.max(0, depth - 1);
      setOver(depth > 0);
    };
    const hover = (event: DragEvent) => event.preventDefault();
    const dropped = (event: DragEvent) => {
      event.preventDefault();
      depth = 0;
      setOver(false);
      take(event.dataTransfer);
    };
    const stop = new AbortController();
    const { signal } = stop;
    document.addEventListener("paste", paste, { signal });
    document.addEventListener("dragenter", enter, { signal });
    document.addEventListener("dragleave", leave, { signal });
    document.addEventListener("dragover", hover, { signal });
    document.addEventListener("drop", dropped, { signal });
    return () => stop.abort();
  }, [urls, onAdd]);
  return over;
}

let pasted = 0;

function sourcesOf(files: File[]): Source[] {
  return files.map((file) => {
    pasted += 1;
    return { kind: "file", file: named(file, pasted) };
  });
}
