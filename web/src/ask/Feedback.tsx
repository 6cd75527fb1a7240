/** Wrong? One click (or a few letters of a long list) tells the right label. */

import { Check, ThumbsDown, Undo2 } from "lucide-react";
import { type ReactNode, useState } from "react";
import { sendFeedback } from "../api/client";
import type { TaskInfo } from "../api/types";
import { spoken } from "../logic/format";
import { Button, Failure } from "../ui/parts";
import { LabelPicker } from "./LabelPicker";

const FEW = 5;

interface Props {
  /** Of the answer; null where nothing was kept that could be wrong. */
  id: string | null;
  info: TaskInfo;
  /** What the page shows, by its threshold. */
  shown: string;
  /** What the service said. */
  answered: string;
  /** What else can be done with the answer. */
  children: ReactNode;
}

/** Parts of the answer's row: the button beside it, what it opens below. */
export function Feedback({ id, info, shown, answered, children }: Props) {
  const [open, setOpen] = useState(false);
  const [told, setTold] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const others = info.labels.filter((label) => label !== shown);
  const other = others.length === 1 ? others[0] : undefined;
  const send = async (label: string, thanks: boolean) => {
    if (id === null) return;
    setBusy(true);
    try {
      await sendFeedback(id, info.task, label);
      setTold(thanks ? label : null);
      setOpen(false);
      setError(null);
    } catch (failed) {
      setError(failed);
    }
    setBusy(false);
  };
  const press = () => (other === undefined ? setOpen(!open) : send(other, true));
  return (
    <>
      <div className="-mr-2 ml-auto -my-1 flex items-center">
        {children}
        {id !== null && told === null && (
          <Button
            look="quiet"
            icon={ThumbsDown}
            disabled={busy}
            title={other === undefined ? undefined : `Tell that it is ${spoken(other)}`}
            aria-expanded={other === undefined ? open : undefined}
            onClick={press}
          >
            Wrong?
            <span className="sr-only">
              {other === undefined ? ` tell the right ${info.task}` : ` it is ${spoken(other)}`}
            </span>
          </Button>
        )}
      </div>
      <div role="status" className={told === null ? "" : "order-2 flex w-full items-center gap-1"}>
        {told !== null && (
          <>
            <p className="flex items-center gap-1.5 text-[13px] text-accent">
              <Check size={15} aria-hidden /> Thank you, noted:
              <b className="font-semibold">{spoken(told)}</b>
            </p>
            <Button look="quiet" icon={Undo2} disabled={busy} onClick={() => send(answered, false)}>
              Undo
            </Button>
          </>
        )}
      </div>
      {open && told === null && other === undefined && (
        <div className="order-2 w-full pt-1">
          {others.length <= FEW ? (
            <div className="flex flex-wrap gap-1.5">
              {others.map((label) => (
                <Button key={label} disabled={busy} onClick={() => send(label, true)}>
                  {spoken(label)}
                </Button>
              ))}
            </div>
          ) : (
            <LabelPicker
              name={`Right ${info.task}`}
              labels={others}
              onPick={(label) => send(label, true)}
              onClose={() => setOpen(false)}
            />
          )}
        </div>
      )}
      {error !== null && (
        <div className="order-2 w-full">
          <Failure error={error} />
        </div>
      )}
    </>
  );
}
