/** A titled card. */

import type { ReactNode } from "react";

export function Panel({
  title,
  note,
  children,
}: {
  title: string;
  note?: string;
  children: ReactNode;
}) {
  return (
    <section aria-label={title} className="card min-w-0 p-4">
      <div className="mb-3 flex flex-wrap items-baseline gap-x-2">
        <h3 className="text-[13px] font-semibold">{title}</h3>
        {note && <p className="text-xs text-soft">{note}</p>}
      </div>
      {children}
    </section>
  );
}
