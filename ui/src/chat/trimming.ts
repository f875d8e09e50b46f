// Where the model's view of a conversation begins.
import type { Message } from "../lib/api";

/** The id of the first message that the last answer was written to, where older ones were left out; a system prompt
 * is always read. */
export function beginsContext(shown: Message[]): string | undefined {
  const answer = shown.findLast((one) => one.role === "assistant" && one.generation?.dropped !== undefined);
  const dropped = answer?.generation?.dropped ?? 0;
  if (!dropped) return undefined;
  const system = shown[0]?.role === "system" ? 1 : 0;
  return shown[system + dropped]?.id;
}

/** The messages from there on. */
export function inContext(shown: Message[]): Message[] {
  const first = beginsContext(shown);
  return first ? shown.slice(shown.findIndex((one) => one.id === first)) : shown;
}
