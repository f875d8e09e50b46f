// A branch that nobody wants any more: it goes at once, and comes back by Undo.
import { explain } from "../lib/errors";
import { note } from "../lib/live.svelte";
import type { Conversation } from "./conversation.svelte";
import { words } from "./words";

/** Deletes the branch that goes through this message, and opens one beside it. */
export async function deleteBranch(conversation: Conversation, id: string): Promise<void> {
  const open = conversation.leaf;
  const told = (error: unknown) => note(explain(error));
  const undo = () => void conversation.bringBack(id, open).catch(told);
  await conversation.remove(id).then(() => note(words().branchDeleted, undo), told);
}
