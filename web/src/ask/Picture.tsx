/** The picture with what the models saw in it: a heat map, or boxes around the cars. */

import { ImageOff, ServerCog } from "lucide-react";
import { useState } from "react";
import type { Scene } from "../api/types";
import { Boxes } from "./Cars";
import type { Status } from "./state";

const TALL = 320;
const BLANK = 120;

export interface Heat {
  url: string;
  words: string;
}

interface Props {
  name: string;
  preview: string | null;
  heat: Heat | null;
  opacity: number;
  scene: Scene | null;
  marked: number | null;
  onMark: (car: number | null) => void;
  status: Status;
}

export function Picture({ name, preview, heat, opacity, scene, marked, onMark, status }: Props) {
  const [size, setSize] = useState<{ width: number; height: number } | null>(null);
  const [broken, setBroken] = useState(false);
  const shown = preview !== null && !broken;
  const known = size ?? scene ?? { width: 4, height: 3 };
  const ratio = known.width / known.height;
  return (
    <div className="checked-plate grid place-items-center overflow-hidden rounded-md">
      <div
        className="relative w-full"
        style={
          shown || scene
            ? { aspectRatio: ratio, maxWidth: `${Math.round(TALL * ratio)}px` }
            : { height: BLANK }
        }
      >
        {shown ? (
          <img
            src={preview}
            alt={name}
            className={`absolute inset-0 size-full ${status === "failed" ? "opacity-50" : ""}`}
            onError={() => setBroken(true)}
            onLoad={({ currentTarget: image }) =>
              setSize({ width: image.naturalWidth, height: image.naturalHeight })
            }
          />
        ) : (
          <NoPicture fetched={preview === null} />
        )}
        {heat && (
          <img
            src={heat.url}
            alt={heat.words}
            className="absolute inset-0 size-full"
            style={{ opacity }}
          />
        )}
        {scene && <Boxes scene={scene} marked={marked} onMark={onMark} />}
      </div>
    </div>
  );
}

function NoPicture({ fetched }: { fetched: boolean }) {
  const Icon = fetched ? ServerCog : ImageOff;
  return (
    <div className="absolute inset-0 grid place-content-center gap-2 bg-sunken px-6 text-center text-xs text-soft">
      <Icon size={22} strokeWidth={1.5} aria-hidden className="mx-auto" />
      {fetched
        ? "The service fetches this picture; the page itself loads nothing from elsewhere."
        : "This browser cannot show the file."}
    </div>
  );
}
