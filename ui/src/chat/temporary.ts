// A temporary chat: the server writes, and keeps nothing; it ends with the page.
import type { Message } from "../lib/api";
import { imagesOf, textOf, type Content } from "../lib/parts";
import { events } from "../lib/server";
import { writers } from "../lib/session.svelte";
import type { AnswerEvent, Asked, Backend } from "./backend";

interface Chunk {
  id: string;
  model: string;
  choices: { delta: { content?: string }; finish_reason: string | null }[];
}

export class Temporary implements Backend {
  readonly stored = false;
  private stopping = new Map<string, AbortController>();

  async *ask(conversation: string, { question, message_id, sampling, path }: Asked): AsyncGenerator<AnswerEvent> {
    const asked = question ? made(conversation, "user", question.content, question.parent_id) : undefined;
    const before = asked ? [...path, asked] : path;
    const abort = new AbortController();
    const parent = asked?.id ?? message_id ?? "";
    const answer = made(conversation, "assistant", "", parent);
    const body = { messages: before.map(({ role, content, parts }) => ({ role, content: parts ?? content })), model: writers()[0]?.id, ...sampling, stream: true, truncation: "auto" };
    this.stopping.set(answer.id, abort);
    const begun = { answer: { id: answer.id, parent_id: parent, model: String(sampling.model ?? "") }, ...(asked && { question: asked }) };
    let finish = "cancelled";
    try {
      let told = false;
      for await (const chunk of events("POST", "/v1/chat/completions", body, abort.signal) as AsyncGenerator<Chunk>) {
        if (!told) yield begun;
        told = true;
        const [choice] = chunk.choices;
        finish = choice?.finish_reason ?? finish;
        answer.content += choice?.delta.content ?? "";
        answer.model = chunk.model;
        if (choice?.delta.content) yield { text: choice.delta.content, offset: answer.content.length };
      }
    } catch (error) {
      if (!abort.signal.aborted) throw error;
    }
    yield { message: { ...answer, generation: { finish } } };
  }

  // eslint-disable-next-line require-yield
  async *follow(): AsyncGenerator<AnswerEvent> {
    throw new Error("A temporary answer cannot be read again.");
  }

  async stop(answer: string): Promise<void> {
    this.stopping.get(answer)?.abort(new DOMException("Stopped.", "AbortError"));
  }

  async say(conversation: string, { role, content, parent_id }: Parameters<Backend["say"]>[1]): Promise<Message> {
    return made(conversation, role, content, parent_id);
  }

  async remove(): Promise<void> {}

  async takeBack(): Promise<void> {}

  async turnTo(): Promise<void> {}
}

const made = (conversation_id: string, role: Message["role"], content: Content, parent_id: string | null): Message => ({
  id: crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`,
  conversation_id, parent_id, role, content: textOf(content), author: "", model: "", created: Date.now() / 1000, generation: null,
  ...(typeof content !== "string" && imagesOf(content).length && { parts: content }),
});
