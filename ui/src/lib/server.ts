// Everything that is asked of the server: one function a kind of request, errors as one class.

/** What the server refused, or "unreachable" (status 0). */
export class ServerError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly code = "",
    readonly param = "",
    readonly retryAfter = 0,
  ) {
    super(message);
  }
}

const KEY = "gptwright.key";
let key = remembered();

function remembered(): string {
  try {
    return sessionStorage.getItem(KEY) ?? "";
  } catch {
    return ""; // storage is denied: the key lives as long as the page
  }
}

/** The API key with which everything is asked from now on; kept until the tab closes. */
export function useKey(given: string): void {
  key = given.trim();
  try {
    sessionStorage.setItem(KEY, key);
  } catch {} // storage is denied
}

export const hasKey = (): boolean => key !== "";

/** A request's answer. Raises `ServerError`; an aborted one raises the browser's AbortError. */
export async function ask<T>(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  return (await send(method, path, body, signal)).json() as Promise<T>;
}

/** The text of an answer. Raises as `ask` does. */
export const text = async (method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<string> =>
  (await send(method, path, body, signal)).text();

/** The data of an answer's events, as they come. Raises as `ask` does. */
export async function* events(
  method: string,
  path: string,
  body?: unknown,
  signal?: AbortSignal,
): AsyncGenerator<unknown> {
  const response = await send(method, path, body, signal);
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await reader.read().catch((error) => Promise.reject(unreachable(error)));
      if (done) return;
      const lines = (rest + value).split("\n");
      rest = lines.pop()!;
      for (const line of lines)
        if (line.startsWith("data: ") && line !== "data: [DONE]") yield checked(JSON.parse(line.slice(6)));
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

async function send(method: string, path: string, body: unknown, signal?: AbortSignal): Promise<Response> {
  const headers: Record<string, string> = {};
  if (key) headers.authorization = `Bearer ${encodeURIComponent(key) === key ? key : encodeURIComponent(key)}`;
  if (body !== undefined) headers["content-type"] = "application/json";
  const response = await fetch(path, {
    method,
    headers,
    body: body === undefined ? null : JSON.stringify(body),
    signal: signal ?? null,
    cache: "no-store",
  }).catch((error) => Promise.reject(unreachable(error)));
  if (!response.ok) throw await refusal(response);
  return response;
}

function unreachable(error: unknown): unknown {
  const aborted = error instanceof DOMException && error.name === "AbortError";
  return aborted ? error : new ServerError(0, String(error), "unreachable");
}

interface Refused {
  error?: { message?: string; code?: string | null; param?: string | null };
}

async function refusal(response: Response): Promise<ServerError> {
  const { error } = (await response.json().catch(() => ({}))) as Refused;
  const wait = Number(response.headers.get("retry-after") ?? 0);
  return new ServerError(response.status, error?.message ?? response.statusText, error?.code ?? "", error?.param ?? "", wait);
}

function checked(data: unknown): unknown {
  const { error } = data as Refused;
  if (error) throw new ServerError(500, error.message ?? "", error.code ?? "", error.param ?? "");
  return data;
}
