/** A searchable list of labels: the combobox of the ARIA authoring practices. */

import { type KeyboardEvent, useId, useState } from "react";
import { spoken } from "../logic/format";

interface Props {
  name: string;
  labels: string[];
  onPick: (label: string) => void;
  onClose: () => void;
}

export function LabelPicker({ name, labels, onPick, onClose }: Props) {
  const id = useId();
  const [text, setText] = useState("");
  const [active, setActive] = useState(0);
  const wanted = text.trim().toLowerCase();
  const found = labels.filter((label) => spoken(label).toLowerCase().includes(wanted));
  const move = (to: number) => {
    const next = Math.max(0, Math.min(found.length - 1, to));
    setActive(next);
    document.getElementById(`${id}-${next}`)?.scrollIntoView({ block: "nearest" });
  };
  const press = (event: KeyboardEvent) => {
    const chosen = found[active];
    if (event.key === "ArrowDown") move(active + 1);
    else if (event.key === "ArrowUp") move(active - 1);
    else if (event.key === "Escape") onClose();
    else if (event.key === "Enter" && chosen !== undefined) onPick(chosen);
    else return;
    event.preventDefault();
  };
  return (
    <div className="mt-1 max-w-64">
      <input
        role="combobox"
        aria-label={name}
        aria-expanded
        aria-controls={id}
        aria-autocomplete="list"
        aria-activedescendant={found.length ? `${id}-${active}` : undefined}
        placeholder="Type the right label"
        // biome-ignore lint/a11y/noAutofocus: it opens because a person pressed the button for it
        autoFocus
        value={text}
        onChange={(event) => {
          setText(event.target.value);
          setActive(0);
        }}
        onKeyDown={press}
        className="h-8 w-full rounded-t-md border border-edge bg-paper px-2.5 text-[13px] placeholder:text-soft"
      />
      <div
        id={id}
        role="listbox"
        aria-label={name}
        className="max-h-44 overflow-y-auto rounded-b-md border border-t-0 border-edge bg-raised py-1 text-[13px]"
      >
        {found.map((label, place) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents lint/a11y/useFocusableInteractive: the input has the keys
          <div
            key={label}
            id={`${id}-${place}`}
            role="option"
            aria-selected={place === active}
            onClick={() => onPick(label)}
            onPointerMove={() => setActive(place)}
            className={`cursor-pointer px-2.5 py-1 pointer-coarse:py-2 ${place === active ? "bg-wash text-accent" : ""}`}
          >
            {spoken(label)}
          </div>
        ))}
        {!found.length && <p className="px-2.5 py-1 text-soft">No label with “{text}”</p>}
      </div>
    </div>
  );
}
