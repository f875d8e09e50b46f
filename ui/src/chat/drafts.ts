// What was not sent, by conversation: it outlives a reload and a closed tab.
import { keep, readKept } from "../lib/kept";
import type { Draft } from "./answer/attachments";

const NEW = "new";
const name = (conversation: string): string => `draft.${conversation || NEW}`;
const imagesName = (conversation: string): string => `pictures.${conversation || NEW}`;

export function readDraft(conversation: string): Draft {
  try {
    const images = JSON.parse(readKept(imagesName(conversation)) || "[]") as string[];
    return { text: readKept(name(conversation)), images };
  } catch {
    return { text: readKept(name(conversation)), images: [] }; // another version of the page wrote this
  }
}

/** False: the browser keeps nothing, or not all of it. */
export function keepDraft(conversation: string, { text, images }: Draft): boolean {
  const kept = keep(name(conversation), text);
  return keep(imagesName(conversation), images.length ? JSON.stringify(images) : "") && kept;
}
