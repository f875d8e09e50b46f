// Files as part of a message: pictures for a model that sees, and text, each with its name and in a fence of code that
// it cannot end.
import { drawnSmaller, isPicture, uriOf } from "./pictures";

export const LARGEST = 200; // kB of a text: more than models of this size can read
export const LARGEST_PICTURE = 20; // MB of a file, as the server has it
const ROOM = 1_000_000; // characters of a message: the server reads 1 MiB at once

export type Why = "large" | "largePicture" | "noText" | "noPicture" | "blind" | "many" | "noRoom";

export class Unreadable extends Error {
  constructor(
    readonly file: string,
    readonly why: Why,
  ) {
    super(`${file}: ${why}`);
  }
}

/** What is about to be said: a text, and pictures as data: URIs. */
export interface Draft {
  text: string;
  images: string[];
}

/** What a file adds to a draft. `sees`: whether the model sees pictures. Raises `Unreadable`. */
export async function readFile(file: File, sees: boolean): Promise<Draft> {
  if (!isPicture(file)) return { text: await text(file), images: [] };
  if (!sees) throw new Unreadable(file.name, "blind");
  return { text: "", images: [await picture(file)] };
}

/** The draft with what the file `name` adds, of at most so many pictures. Raises `Unreadable`. */
export function attached(draft: Draft, added: Draft, name: string, most: number): Draft {
  const images = [...draft.images, ...added.images];
  if (added.images.length && images.length > most) throw new Unreadable(name, "many");
  const text = added.text ? [draft.text.trimEnd(), added.text].filter(Boolean).join("\n\n") : draft.text;
  if (images.reduce((sum, one) => sum + one.length, text.length) > ROOM) throw new Unreadable(name, "noRoom");
  return { text, images };
}

async function picture(file: File): Promise<string> {
  if (file.size > LARGEST_PICTURE * 1e6) throw new Unreadable(file.name, "largePicture");
  const bitmap = await createImageBitmap(file).catch(() => Promise.reject(new Unreadable(file.name, "noPicture")));
  try {
    return drawnSmaller(file, bitmap) ?? (await uriOf(file));
  } finally {
    bitmap.close();
  }
}

async function text(file: File): Promise<string> {
  if (file.size > LARGEST * 1000) throw new Unreadable(file.name, "large");
  const text = await file
    .arrayBuffer()
    .then((bytes) => new TextDecoder("utf-8", { fatal: true }).decode(bytes))
    .catch(() => Promise.reject(new Unreadable(file.name, "noText")));
  if (text.includes("\0")) throw new Unreadable(file.name, "noText");
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([marks]) => marks.length));
  const fence = "`".repeat(longest + 1);
  return `${file.name}\n${fence}\n${text.replace(/\n$/, "")}\n${fence}\n`;
}
