/** Buttons, notices, pills: the small parts of every view. */

import { CircleAlert, type LucideIcon, TriangleAlert } from "lucide-react";
import type { ComponentProps, ReactNode } from "react";
import { ApiError } from "../api/client";

type Look = "plain" | "main" | "quiet";

const LOOKS: Record<Look, string> = {
  plain: "border-line bg-raised hover:border-edge",
  main: "border-accent bg-accent text-on-accent hover:brightness-110",
  quiet: "border-transparent text-soft hover:bg-sunken hover:text-ink",
};
export const BUTTON =
  "inline-flex min-h-8 items-center justify-center gap-1.5 rounded-md border px-2.5 text-[13px] font-medium transition-colors disabled:opacity-50 pointer-coarse:min-h-11";

interface ButtonProps extends ComponentProps<"button"> {
  look?: Look;
  icon?: LucideIcon;
  pressed?: boolean;
}

export function Button({ look = "plain", icon: Icon, pressed, children, ...rest }: ButtonProps) {
  const on = pressed ? "border-accent bg-wash text-accent" : LOOKS[look];
  return (
    <button
      type="button"
      {...rest}
      aria-pressed={pressed}
      className={`${BUTTON} ${on} ${rest.className ?? ""}`}
    >
      {Icon && <Icon size={15} aria-hidden strokeWidth={2} />}
      {children}
    </button>
  );
}

export function IconButton({
  icon: Icon,
  label,
  ...rest
}: ButtonProps & { icon: LucideIcon; label: string }) {
  return (
    <button
      type="button"
      {...rest}
      title={label}
      aria-label={label}
      className={`grid size-8 shrink-0 place-items-center rounded-md text-soft transition-colors hover:bg-sunken hover:text-ink pointer-coarse:size-10 ${rest.className ?? ""}`}
    >
      <Icon size={16} aria-hidden />
    </button>
  );
}

export function Failure({ error, children }: { error: unknown; children?: ReactNode }) {
  const { message, hint, requestId } = words(error);
  return (
    <div role="alert" className="rounded-md bg-bad-wash px-3 py-2.5 text-[13px]">
      <p className="flex gap-2 font-medium text-bad">
        <CircleAlert size={16} className="mt-0.5 shrink-0" aria-hidden />
        <span className="min-w-0">{message}</span>
      </p>
      <p className="mt-1 pl-6">{hint}</p>
      {requestId && (
        <p className="mt-1 pl-6 font-mono text-[11px] break-all text-soft">request {requestId}</p>
      )}
      {children && <div className="mt-2 flex flex-wrap gap-2 pl-6">{children}</div>}
    </div>
  );
}

function words(error: unknown): { message: string; hint: string; requestId: string } {
  if (error instanceof ApiError) return error;
  if (error && typeof error === "object" && "message" in error && "hint" in error)
    return { message: String(error.message), hint: String(error.hint), requestId: "" };
  return { message: "Something went wrong on this page.", hint: String(error), requestId: "" };
}

export function NotSure() {
  return (
    <span
      title="Below the cut for sure answers: let a person look"
      className="inline-flex items-center gap-1 rounded-full bg-warn-wash px-2 py-px text-xs font-medium whitespace-nowrap text-warn"
    >
      <TriangleAlert size={12} aria-hidden />
      not sure
    </span>
  );
}

export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="rounded-md border border-dashed border-line px-4 py-5 text-center text-[13px] text-soft">
      <p className="font-medium text-ink">{title}</p>
      {children && <p className="mt-1">{children}</p>}
    </div>
  );
}

export function Skeleton({ className }: { className: string }) {
  return <div aria-hidden className={`skeleton ${className}`} />;
}
