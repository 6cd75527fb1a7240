/** Requests to the service: one error shape, upload progress, and a question for the key on 401. */

import { askForKey, storedKey } from "./key";
import type { FeedbackReceipt, Info, Inspection, Models, TaskAnswer } from "./types";

export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly error: string,
    message: string,
    readonly hint: string,
    readonly requestId = "",
  ) {
    super(message);
  }
}

export type Source = { kind: "file"; file: File } | { kind: "url"; url: string };

interface Call {
  method: "GET" | "POST";
  path: string;
  body?: () => FormData | string;
  blob?: boolean;
  onProgress?: ((share: number) => void) | undefined;
  signal?: AbortSignal | undefined;
}

interface Reply {
  body: unknown;
  headers: (name: string) => string | null;
}

export const getInfo = (signal?: AbortSignal) =>
  json<Info>({ method: "GET", path: "info", signal });
export const getModels = (signal?: AbortSignal) =>
  json<Models>({ method: "GET", path: "models", signal });

export async function predict(
  source: Source,
  task: string,
  onProgress?: (share: number) => void,
  signal?: AbortSignal,
): Promise<TaskAnswer[]> {
  const body = () => form(source, { task });
  const answer = await json<TaskAnswer | { results: TaskAnswer[] }>({
    method: "POST",
    path: "predict",
    body,
    onProgress,
    signal,
  });
  return "results" in answer ? answer.results : [answer];
}

export function inspect(source: Source, ask: string[] | null, signal?: AbortSignal) {
  const body = () => {
    const data = form(source, {});
    for (const task of ask ?? []) data.append("ask", task);
    return data;
  };
  return json<Inspection>({ method: "POST", path: "inspect", body, signal });
}

export interface HeatMap {
  picture: Blob;
  label: string;
  method: string;
}

export async function explain(
  source: Source,
  task: string,
  label: string,
  signal?: AbortSignal,
): Promise<HeatMap> {
  const body = () => form(source, { task, label });
  const reply = await call({ method: "POST", path: "explain", body, blob: true, signal });
  return {
    picture: reply.body as Blob,
    label: decoded(reply.headers("x-label")) || label,
    method: reply.headers("x-method") || "heat map",
  };
}

export const sendFeedback = (id: string, task: string, label: string) =>
  json<FeedbackReceipt>({
    method: "POST",
    path: "feedback",
    body: () => JSON.stringify({ id, task, label }),
  });

function form(source: Source, fields: Record<string, string>): FormData {
  const data = new FormData();
  if (source.kind === "file") data.append("file", source.file, source.file.name);
  else data.append("url", source.url);
  for (const [name, value] of Object.entries(fields)) data.append(name, value);
  return data;
}

async function json<T>(request: Call): Promise<T> {
  return (await call(request)).body as T;
}

async function call(request: Call): Promise<Reply> {
  for (;;) {
    const key = storedKey();
    try {
      return await once(request, key);
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 401) throw error;
      if ((await askForKey(key)) === null) throw error;
    }
  }
}

// fetch() cannot tell how much of an upload has gone out.
function once(request: Call, key: string | null): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const xhr = new XMLHttpRequest();
    xhr.open(request.method, new URL(request.path, document.baseURI));
    xhr.responseType = "blob";
    if (key) xhr.setRequestHeader("authorization", `Bearer ${key}`);
    const body = request.body?.();
    if (typeof body === "string") xhr.setRequestHeader("content-type", "application/json");
    if (request.onProgress)
      xhr.upload.onprogress = (event) => request.onProgress?.(event.loaded / (event.total || 1));
    const unreachable = () =>
      reject(
        new ApiError(0, "unreachable", "The service did not answer.", "Is it running? Try again."),
      );
    xhr.onerror = unreachable;
    xhr.ontimeout = unreachable;
    xhr.onabort = () => reject(new DOMException("aborted", "AbortError"));
    xhr.onload = () => settle(xhr, request, resolve, reject);
    if (request.signal?.aborted) return xhr.onabort(new ProgressEvent("abort"));
    request.signal?.addEventListener("abort", () => xhr.abort(), { once: true });
    xhr.send(body ?? null);
  });
}

async function settle(
  xhr: XMLHttpRequest,
  request: Call,
  resolve: (reply: Reply) => void,
  reject: (error: unknown) => void,
): Promise<void> {
  const blob = xhr.response as Blob;
  const headers = (name: string) => xhr.getResponseHeader(name);
  const good = xhr.status >= 200 && xhr.status < 300;
  if (good && request.blob) return resolve({ body: blob, headers });
  try {
    const body: unknown = JSON.parse(await blob.text());
    if (good) resolve({ body, headers });
    else reject(refusal(xhr.status, body, headers("x-request-id")));
  } catch {
    reject(refusal(xhr.status, {}, headers("x-request-id")));
  }
}

export function refusal(status: number, body: unknown, requestId: string | null): ApiError {
  const said = (body ?? {}) as Partial<Record<string, string>>;
  return new ApiError(
    status,
    said.error ?? "unknown",
    said.message ?? `The service answered ${status} without an explanation.`,
    said.hint ?? "Try again; if it stays, report the request id.",
    said.request_id ?? requestId ?? "",
  );
}

function decoded(value: string | null): string {
  try {
    return decodeURIComponent(value ?? "");
  } catch {
    return value ?? "";
  }
}
