// What one said of answers: read once a conversation, shown as it was clicked, and told to the server in that order.
import { SvelteMap } from "svelte/reactivity";
import { labelsOfConversation, putLabel, withdrawLabel } from "../../lib/api";

export type Kind = "thumb" | "reason" | "comment" | "edit" | "demonstration";

const shown = new SvelteMap<string, unknown>();
const failed = new SvelteMap<string, unknown>();
const told = new Map<string, unknown>(); // what the server knows
const telling = new Map<string, Promise<void>>();
const read = new Set<string>();
const place = (message: string, kind: Kind): string => `${kind} ${message}`;

/** What stands on the page; undefined for nothing. */
export const said = (message: string, kind: Kind): string => (shown.get(place(message, kind)) as string | undefined) ?? "";

/** Why the last word on a message was not taken. */
export const refusalOf = (message: string): unknown => failed.get(message);

export async function readLabels(conversation: string): Promise<void> {
  if (!conversation || read.has(conversation)) return;
  read.add(conversation);
  try {
    for (const { message_id, kind, value } of await labelsOfConversation(conversation)) {
      const at = place(message_id, kind as Kind);
      told.set(at, value);
      if (!telling.has(at)) shown.set(at, value);
    }
  } catch {
    read.delete(conversation); // asked again with the next answer
  }
}

/** Says it, or takes it back ("" or undefined). Of clicks in a row the last one counts, here and on the server. */
export function say(message: string, kind: Kind, value: unknown): Promise<void> {
  const at = place(message, kind);
  shown.set(at, value || undefined);
  failed.delete(message);
  const running = telling.get(at) ?? tell(message, kind, at).finally(() => telling.delete(at));
  telling.set(at, running);
  return running;
}

async function tell(message: string, kind: Kind, at: string): Promise<void> {
  while (told.get(at) !== shown.get(at)) {
    const value = shown.get(at);
    try {
      await (value === undefined ? withdrawLabel(message, kind) : putLabel(message, kind, value));
      told.set(at, value);
    } catch (error) {
      shown.set(at, told.get(at));
      failed.set(message, error);
    }
  }
}
