// Several answers to one question, written side by side.
import type { Message } from "../../lib/api";
import type { Conversation } from "../conversation.svelte";
import { newKey } from "../opening";

export interface Draft {
  text: string;
  message: Message | null;
  error: unknown;
}

export class Several {
  drafts = $state<Draft[]>([]);

  /** Whether all have come to their end. */
  get done(): boolean {
    return this.drafts.length > 0 && this.drafts.every((one) => one.message ?? one.error);
  }

  get messages(): Message[] {
    return this.drafts.flatMap((one) => one.message ?? []);
  }

  /** Asks for one answer with each of these settings. They become branches of the conversation. */
  async ask(conversation: Conversation, question: string, samplings: Record<string, unknown>[]): Promise<void> {
    this.drafts = samplings.map(() => ({ text: "", message: null, error: null }));
    await Promise.all(this.drafts.map((draft, at) => write(draft, conversation, question, samplings[at]!)));
  }
}

async function write(draft: Draft, conversation: Conversation, question: string, sampling: Record<string, unknown>): Promise<void> {
  try {
    const asked = { message_id: question, key: newKey(), sampling, path: [] };
    for await (const event of conversation.backend.ask(conversation.id, asked, new AbortController().signal)) {
      if ("text" in event) draft.text += event.text;
      if ("message" in event) {
        draft.text = event.message.content;
        draft.message = event.message;
        conversation.add(event.message);
      }
    }
    if (!draft.message) throw new Error("The answer did not end.");
  } catch (error) {
    draft.error = error;
  }
}
