/** Pictures to try, drawn by this project and never seen in training. */

import { useState } from "react";
import type { Source } from "../api/client";
import { Failure } from "../ui/parts";

const SAMPLES = [
  ["street", "Street with cars"],
  ["crossing", "Another street with cars"],
  ["police", "Police car"],
  ["ambulance", "Ambulance"],
  ["jeep", "Front of a car"],
  ["tractor", "Tractor"],
] as const;

export function Samples({
  compact,
  onAdd,
}: {
  compact: boolean;
  onAdd: (sources: Source[]) => void;
}) {
  const [error, setError] = useState<unknown>(null);
  const take = async (name: string) => {
    try {
      const reply = await fetch(`samples/${name}.jpg`);
      if (!reply.ok) throw new Error(`samples/${name}.jpg: ${reply.status}`);
      const file = new File([await reply.blob()], `${name}.jpg`, { type: "image/jpeg" });
      onAdd([{ kind: "file", file }]);
      setError(null);
    } catch (failed) {
      setError(failed);
    }
  };
  return (
    <div className={`border-t border-line bg-paper px-4 ${compact ? "py-2" : "py-4"}`}>
      <div className="flex flex-wrap items-center justify-center gap-x-3 gap-y-2 sm:justify-start">
        <p className="eyebrow">Or try</p>
        <ul className="flex flex-wrap justify-center gap-2">
          {SAMPLES.map(([name, words]) => (
            <li key={name}>
              <button
                type="button"
                title={words}
                onClick={() => take(name)}
                className="block overflow-hidden rounded-md border border-line hover:border-accent"
              >
                <img
                  src={`samples/${name}.jpg`}
                  alt={`Ask about the sample: ${words}`}
                  className={`object-cover ${compact ? "h-8 w-12 pointer-coarse:h-10 pointer-coarse:w-12" : "h-16 w-24"}`}
                />
              </button>
            </li>
          ))}
        </ul>
      </div>
      {error !== null && <Failure error={error} />}
    </div>
  );
}
