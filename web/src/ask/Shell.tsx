/** The same question from a shell. */

import { Check, Copy } from "lucide-react";
import { useState } from "react";
import { IconButton } from "../ui/parts";

export function Shell({ task, threshold }: { task: string; threshold: number | null }) {
  const [copied, setCopied] = useState(false);
  const address = new URL("predict", document.baseURI).href;
  const parts = [`-F file=@IMAGE`, `-F task=${task}`];
  if (threshold !== null) parts.push(`-F threshold=${threshold}`);
  const command = `curl ${parts.join(" ")} ${address}`;
  const copy = async () => {
    await navigator.clipboard.writeText(command);
    setCopied(true);
    setTimeout(() => setCopied(false), 1500);
  };
  return (
    <section aria-label="The same from a shell" className="card p-3">
      <div className="flex h-7 items-center justify-between">
        <h3 className="text-[13px] font-semibold">From a shell</h3>
        {navigator.clipboard && (
          <IconButton
            icon={copied ? Check : Copy}
            label={copied ? "Copied" : "Copy the command"}
            className="-mr-1.5"
            onClick={copy}
          />
        )}
      </div>
      <code className="mt-1 block rounded-md bg-sunken p-2 font-mono text-[11px] leading-relaxed break-all">
        {command}
      </code>
    </section>
  );
}
