// Text that was not sent, by conversation: it outlives a reload and a closed tab.
import { keep, readKept } from "../lib/kept";

const NEW = "new";
const name = (conversation: string): string => `draft.${conversation || NEW}`;

export const readDraft = (conversation: string): string => readKept(name(conversation));

/** False: the browser keeps nothing. */
export const keepDraft = (conversation: string, text: string): boolean => keep(name(conversation), text);
