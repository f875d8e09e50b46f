// What this browser has of answers that were not told to their end: where the server dies, nobody else has it.
import { keep, readKept } from "../lib/kept";

export interface Unfinished {
  id: string;
  parent_id: string;
  model: string;
  text: string;
}

const name = (conversation: string): string => `unfinished.${conversation}`;

export function readUnfinished(conversation: string): Unfinished[] {
  try {
    return JSON.parse(readKept(name(conversation)) || "[]") as Unfinished[];
  } catch {
    return []; // another version of the page wrote this
  }
}

export const keepUnfinished = (conversation: string, one: Unfinished): void =>
  write(conversation, [...without(conversation, one.id), ...(one.text ? [one] : [])]);

export const forgetUnfinished = (conversation: string, id: string): void => write(conversation, without(conversation, id));

const without = (conversation: string, id: string): Unfinished[] => readUnfinished(conversation).filter((one) => one.id !== id);

function write(conversation: string, all: Unfinished[]): void {
  keep(name(conversation), all.length ? JSON.stringify(all) : "");
}
