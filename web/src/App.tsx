/** The frame: header, the two views, and the question for the key. */

import { Braces, Moon, Sun } from "lucide-react";
import { useEffect, useSyncExternalStore } from "react";
import { getInfo } from "./api/client";
import { AskView } from "./ask/AskView";
import icon from "./icon.svg";
import { parse } from "./logic/route";
import { ModelsView } from "./models/ModelsView";
import { KeyPrompt } from "./ui/KeyPrompt";
import { Button, Failure, IconButton, Skeleton } from "./ui/parts";
import { toggleTheme, useTheme } from "./ui/theme";
import { useRemote } from "./ui/useRemote";

export function App() {
  const route = parse(useSyncExternalStore(onHash, () => location.hash));
  const [info, again] = useRemote(getInfo);
  useEffect(() => {
    document.title = route.view === "models" ? "Models · Roadworthy" : "Roadworthy";
  }, [route.view]);
  return (
    <>
      <button
        type="button"
        onClick={() => document.getElementById("main")?.focus()}
        className="fixed top-2 left-2 z-50 -translate-y-16 rounded-md bg-accent px-3 py-2 text-on-accent focus:translate-y-0"
      >
        Skip to the content
      </button>
      <Header view={route.view} version={info.state === "here" ? info.value.version : null} />
      <main id="main" tabIndex={-1} className="mx-auto w-full max-w-[82rem] px-4 py-5 outline-none">
        {/* Both views stay: looking at a model must not lose the answers. */}
        <div hidden={route.view !== "ask"}>
          {info.state === "loading" && <Loading />}
          {info.state === "failed" && (
            <Failure error={info.error}>
              <Button onClick={again}>Try again</Button>
            </Failure>
          )}
          {info.state === "here" && <AskView info={info.value} />}
        </div>
        {route.view === "models" && <ModelsView task={route.task} />}
      </main>
      <KeyPrompt />
    </>
  );
}

function Header({ view, version }: { view: "ask" | "models"; version: string | null }) {
  const theme = useTheme();
  return (
    <header className="sticky top-0 z-30 border-b border-line bg-raised">
      <div className="mx-auto flex h-12 max-w-[82rem] items-center gap-4 px-4">
        <a
          href="#/"
          className="flex h-full items-center gap-2 text-[15px] font-semibold tracking-tight"
        >
          <img src={icon} alt="" className="size-6" />
          Roadworthy
        </a>
        <nav aria-label="Views" className="flex h-full gap-1">
          <Tab href="#/" on={view === "ask"}>
            Ask
          </Tab>
          <Tab href="#/models" on={view === "models"}>
            Models
          </Tab>
        </nav>
        <div className="ml-auto flex items-center gap-1">
          {version && <span className="hidden text-xs text-soft sm:inline">{version}</span>}
          <a
            href="openapi.json"
            title="OpenAPI description"
            aria-label="OpenAPI description"
            className="hidden size-8 place-items-center rounded-md text-soft hover:bg-sunken hover:text-ink sm:grid"
          >
            <Braces size={16} aria-hidden />
          </a>
          <IconButton
            icon={theme === "dark" ? Sun : Moon}
            label={theme === "dark" ? "Light colours" : "Dark colours"}
            onClick={toggleTheme}
          />
        </div>
      </div>
    </header>
  );
}

function Tab({ href, on, children }: { href: string; on: boolean; children: string }) {
  return (
    <a
      href={href}
      aria-current={on ? "page" : undefined}
      className={`flex items-center border-b-2 px-2.5 text-[13px] font-medium ${on ? "border-accent text-ink" : "border-transparent text-soft hover:text-ink"}`}
    >
      {children}
    </a>
  );
}

function Loading() {
  return (
    <div role="status" aria-label="Loading" className="grid gap-4">
      <Skeleton className="h-64 w-full" />
      <Skeleton className="h-8 w-72" />
    </div>
  );
}

function onHash(listener: () => void): () => void {
  addEventListener("hashchange", listener);
  return () => removeEventListener("hashchange", listener);
}
