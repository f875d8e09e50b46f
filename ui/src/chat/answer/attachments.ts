// Text files as part of a message: each with its name and in a fence of code that it cannot end.
export const LARGEST = 200; // kB of one file: more than models of this size can read

export class Unreadable extends Error {
  constructor(
    readonly file: string,
    readonly why: "large" | "binary",
  ) {
    super(`${file}: ${why}`);
  }
}

/** Raises `Unreadable` for what is no text in UTF-8, or too large. */
export async function attached(file: File): Promise<string> {
  if (file.size > LARGEST * 1000) throw new Unreadable(file.name, "large");
  const text = await file
    .arrayBuffer()
    .then((bytes) => new TextDecoder("utf-8", { fatal: true }).decode(bytes))
    .catch(() => Promise.reject(new Unreadable(file.name, "binary")));
  if (text.includes("\0")) throw new Unreadable(file.name, "binary");
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([marks]) => marks.length));
  const fence = "`".repeat(longest + 1);
  return `${file.name}\n${fence}\n${text.replace(/\n$/, "")}\n${fence}\n`;
}
