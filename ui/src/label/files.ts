// Files of lines: read here, sent in parts that the server takes at once, and written.
import { ask, text } from "../lib/server";

type Line = Record<string, unknown>;
const MOST = 400_000; // characters a request
const MOST_LINES = 1000;

/** The objects of a JSON Lines file. Raises `SyntaxError` naming the line that is none. */
export async function linesOf(files: FileList | null): Promise<Line[]> {
  const found: Line[] = [];
  for (const file of files ?? [])
    for (const [at, line] of (await file.text()).replace(/^\uFEFF/, "").split("\n").entries()) {
      if (!line.trim()) continue;
      try {
        found.push(JSON.parse(line) as Line);
      } catch (error) {
        throw new SyntaxError(`${file.name}, ${at + 1}: ${String(error)}`);
      }
    }
  return found;
}

/** Lines in parts that one request holds. */
export function parts(lines: readonly Line[]): Line[][] {
  const found: Line[][] = [];
  let size = MOST;
  for (const line of lines) {
    const length = JSON.stringify(line).length;
    if (size + length > MOST || found.at(-1)!.length === MOST_LINES) {
      found.push([]);
      size = 0;
    }
    found.at(-1)!.push(line);
    size += length;
  }
  return found;
}

/** Sends the lines; how many the server had not had. */
export async function bring(path: string, lines: readonly Line[]): Promise<number> {
  let taken = 0;
  for (const part of parts(lines)) taken += (await ask<{ taken: number }>("POST", path, { lines: part })).taken;
  return taken;
}

/** Saves what the server answers as a file. */
export async function download(method: string, path: string, name: string, body?: unknown): Promise<void> {
  save(await text(method, path, body), name);
}

export function save(content: string, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content]));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
