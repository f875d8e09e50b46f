// One open conversation: its tree, the branch that is shown, answers that are being written, and what one can do.
import { SvelteMap } from "svelte/reactivity";
import * as api from "../lib/api";
import type { Begun, Conversation as Stored, Message } from "../lib/api";
import { isAborted, isGone } from "../lib/errors";
import { textOf, type Content } from "../lib/parts";
import { Tree } from "../lib/tree";
import type { AnswerEvent, Asked, Backend } from "./backend";
import { newKey, titleOf } from "./opening";
import { forgetUnfinished, keepUnfinished, readUnfinished } from "./unfinished";
import { Writing } from "./writing.svelte";

/** A question on its way, or one that was refused and waits for "Try again". */
export interface Sending {
  content: Content;
  parent: string | null;
  asked: Asked;
  error: unknown;
}

/** What the page around wants to know. */
export interface Surroundings {
  /** How answers are drawn, and by which model. */
  sampling: () => Record<string, unknown>;
  /** What a new conversation begins with. */
  system: () => string;
  /** It was stored, or something happened in it. */
  onchange: (conversation: Stored) => void;
  /** An answer has ended. */
  onanswer: (message: Message) => void;
}

export class Conversation {
  stored = $state.raw<Stored | null>(null);
  leaf = $state("");
  loading = $state(false);
  /** Why it cannot be shown. */
  error = $state.raw<unknown>(null);
  sending = $state.raw<Sending | null>(null);
  /** Answers that are being written, by the ids of their messages. */
  readonly writing = new SvelteMap<string, Writing>();
  /** Why an answer ended before its time, or none came to a question, by the id of the message. */
  readonly failures = new SvelteMap<string, unknown>();
  #tree = new Tree();
  #version = $state(0);
  #local = new Set<string>();
  #removed = new Map<string, Message>();
  #branchChanges = 0;
  #ends = new Map<string, Promise<void>>();
  #stopping = false;
  /** The messages of the open branch, oldest first. */
  readonly shown: Message[] = $derived.by(() => (this.#version, this.#tree.path(this.leaf)));

  constructor(
    readonly backend: Backend,
    private readonly around: Surroundings,
    readonly id0 = "",
  ) {}

  get id(): string {
    return this.stored?.id ?? this.id0;
  }

  /** The answer that is being written on the open branch. */
  get current(): Writing | undefined {
    return this.shown.map((message) => this.writing.get(message.id)).find(Boolean);
  }

  get busy(): boolean {
    return Boolean(this.current) || (this.sending !== null && this.sending.error === null);
  }

  get size(): number {
    return this.#version && this.#tree.size;
  }

  message = (id: string): Message | undefined => (this.#version, this.#tree.get(id));

  /** Ids of a message and what stands beside it. */
  alternatives = (id: string): string[] => (this.#version, this.#tree.alternatives(id));

  /** Whether nobody but this browser has it. */
  isLocal = (id: string): boolean => (this.#version, this.#local.has(id));

  /** Reads it from the server, or again: what another tab has written appears, and what it has deleted goes away. */
  async load(): Promise<void> {
    if (!this.id || !this.backend.stored) return;
    this.loading = this.#tree.size === 0;
    const known = new Set([...this.#tree.all()].map((one) => one.id));
    const since = this.#branchChanges;
    try {
      const { messages, writing = [], ...stored } = await api.openConversation(this.id);
      if (since !== this.#branchChanges) return await this.load(); // read before a branch went or came back
      const tree = new Tree(messages); // in the order in which they were written, whoever wrote them
      for (const one of this.#tree.all()) {
        const isMine = !known.has(one.id) || this.#local.has(one.id) || this.writing.has(one.id);
        if (!tree.get(one.id) && isMine) tree.add(one);
      }
      const open = this.shown.findLast((one) => tree.get(one.id))?.id ?? null;
      this.#tree = tree;
      this.#bringUnfinished(new Set(writing.map((one) => one.id)));
      const first = this.leaf === "";
      for (const begun of writing) this.#begin(begun);
      this.stored = stored;
      this.#version += 1;
      const last = writing.at(-1)?.id ?? this.#tree.newestLeaf(stored.leaf || null);
      this.leaf = first ? last : this.#tree.newestLeaf(open);
      this.error = null;
    } catch (error) {
      this.error = error;
    }
    this.loading = false;
  }

  /** Asks `content` behind the open branch, or behind `parent`. False: something is on its way already. */
  async send(content: Content, parent: string | null | undefined = undefined): Promise<boolean> {
    if (this.busy) return false;
    const behind = parent === undefined ? this.leaf || null : parent;
    const asked = { question: { content, parent_id: behind, key: newKey() }, ...this.#asked(behind) };
    await this.#send({ content, parent: behind, asked, error: null });
    return true;
  }

  /** The refused question again, as it was; the server knows its key. */
  async retry(): Promise<void> {
    const { sending } = this;
    if (!sending?.error) return;
    const { question, path, key } = sending.asked;
    await this.#send({ ...sending, error: null, asked: { ...(question && { question }), key, path, sampling: this.around.sampling() } });
  }

  /** Takes the refused question away, and gives it back. */
  takeBack(): Content {
    const content = this.sending?.content ?? "";
    this.sending = null;
    return content;
  }

  /** A question in other words, beside the first. */
  edit = (message: Message, content: Content): Promise<boolean> => this.send(content, message.parent_id);

  /** Another answer to a question, beside those that are there. */
  answer = (question: string): Promise<void> => this.#answer({ message_id: question, ...this.#asked(question) }, question);

  /** An answer that goes on where this one ends, beside it. */
  async continueAnswer(id: string): Promise<void> {
    const message = this.#tree.get(id);
    if (!message) return;
    const from = this.#local.has(id) ? await this.#store(message) : message;
    if (from) await this.#answer({ message_id: from.id, ...this.#asked(from.id) }, id);
  }

  /** Ends the answer that is being written on the open branch; what there is of it is kept. */
  async stop(): Promise<void> {
    const writing = this.current;
    this.#stopping = !writing && this.sending !== null;
    if (!writing) return;
    if (writing.lost) {
      writing.leave();
      return this.#ends.get(writing.begun.id);
    }
    await this.backend.stop(writing.begun.id).catch((error: unknown) => this.failures.set(writing.begun.id, error));
  }

  /** Shows the branch that goes through this message, and remembers that. */
  select(id: string): void {
    this.leaf = this.#tree.newestLeaf(id);
    if (!this.#local.has(this.leaf) && !this.writing.has(this.leaf)) this.backend.turnTo(this.id, this.leaf).catch(() => {});
  }

  /** Takes the branch that goes through this message away; one beside it is open then. Raises what refused it. */
  async remove(id: string): Promise<void> {
    if (this.#local.delete(id)) {
      this.#removed.set(id, this.#tree.get(id)!);
      forgetUnfinished(this.id, id);
    } else await this.backend.remove(id);
    this.#branchChanges += 1;
    const all = this.#tree.alternatives(id);
    const at = all.indexOf(id);
    this.#tree.hide(id);
    this.#version += 1;
    this.select(all[at + 1] ?? all[at - 1] ?? this.#tree.get(id)?.parent_id ?? "");
  }

  /** The branch is there again, with its end `leaf` open. Raises what refused it. */
  async bringBack(id: string, leaf: string): Promise<void> {
    const mine = this.#removed.get(id);
    if (mine) {
      this.#local.add(id);
      this.#keep(mine);
      this.#put(mine);
    } else await this.backend.takeBack(id);
    this.#branchChanges += 1;
    this.#tree.hide(id, false);
    this.#version += 1;
    if (!this.#tree.get(id)) await this.load();
    this.select(leaf);
  }

  /** A message that was stored elsewhere, such as an edited answer; `open` shows its branch. */
  add(message: Message, open = false): void {
    this.#put(message);
    if (open) this.select(message.id);
  }

  /** Follows its answers no more; the server writes on. */
  leave(): void {
    for (const writing of this.writing.values()) writing.leave();
  }

  #asked(behind: string | null): { key: string; sampling: Record<string, unknown>; path: Message[] } {
    return { key: newKey(), sampling: this.around.sampling(), path: behind ? this.#tree.path(behind) : [] };
  }

  async #send(sending: Sending): Promise<void> {
    this.sending = sending;
    this.#stopping = false;
    try {
      const asked = await this.#opened(sending);
      await this.#run(asked);
    } catch (error) {
      if (this.sending) this.sending = { ...this.sending, error };
    }
  }

  /** The conversation is stored with its system prompt before the first question is. */
  async #opened(sending: Sending): Promise<Asked> {
    const { asked } = sending;
    if (this.backend.stored && !this.stored) {
      this.stored = await api.newConversation({ title: titleOf(textOf(sending.content)) });
      this.around.onchange(this.stored);
    }
    const system = this.around.system().trim();
    if (!asked.question || this.#tree.size || !system) return asked;
    const first = await this.backend.say(this.id, { role: "system", content: system, parent_id: null });
    this.#put(first);
    this.leaf = first.id;
    return { ...asked, path: [first], question: { ...asked.question, parent_id: first.id } };
  }

  async #answer(asked: Asked, at: string): Promise<void> {
    if (this.busy) return;
    this.failures.delete(at);
    try {
      await this.#run(asked);
    } catch (error) {
      this.failures.set(at, error);
    }
  }

  /** Asks, and follows to the end. Raises what refused it before it began. */
  async #run(asked: Asked): Promise<void> {
    const aborted = new AbortController();
    const events = this.backend.ask(this.id, asked, aborted.signal);
    const { value } = await events.next();
    if (!value || !("answer" in value)) throw new Error("No answer was begun.");
    if (value.question) this.#put(value.question);
    this.#begin(value.answer, events, aborted);
    this.leaf = value.answer.id;
    this.sending = null;
    if (this.stored) {
      this.stored = { ...this.stored, changed: Date.now() / 1000, leaf: this.leaf };
      this.around.onchange(this.stored);
    }
    if (this.#stopping) await this.stop();
  }

  #begin(begun: Begun, events?: AsyncGenerator<AnswerEvent>, aborted?: AbortController): void {
    if (this.writing.has(begun.id) || this.#tree.get(begun.id)) return;
    const keep = (text: string) => this.#keep({ ...begun, content: text });
    const writing = new Writing(begun, this.backend, aborted, this.backend.stored ? keep : undefined);
    this.writing.set(begun.id, writing);
    this.#put({
      id: begun.id, conversation_id: this.id, parent_id: begun.parent_id, role: "assistant", author: "",
      model: begun.model, created: Date.now() / 1000, content: "", generation: null,
    });
    this.#ends.set(begun.id, this.#follow(writing, events));
  }

  async #follow(writing: Writing, events?: AsyncGenerator<AnswerEvent>): Promise<void> {
    const { id } = writing.begun;
    try {
      const message = await writing.follow(events);
      this.#put(message);
      writing.forget();
      this.around.onanswer(message);
    } catch (error) {
      const message = this.#tree.get(id)!;
      this.#local.add(id);
      this.#put({ ...message, content: writing.whole, generation: { finish: "interrupted" } });
      if (this.backend.stored) this.#keep(this.#tree.get(id)!);
      if (!isAborted(error) && !isGone(error)) this.failures.set(id, error);
    }
    this.writing.delete(id);
    this.#ends.delete(id);
  }

  /** What only this page has of an interrupted answer, as a message that the server can go on from. */
  async #store(message: Message): Promise<Message | undefined> {
    try {
      const kept = await this.backend.say(this.id, { role: "assistant", content: message.content, parent_id: message.parent_id });
      this.#put(kept);
      forgetUnfinished(this.id, message.id);
      return kept;
    } catch (error) {
      this.failures.set(message.id, error);
      return undefined;
    }
  }

  #keep({ id, parent_id, model, content }: Pick<Message, "id" | "parent_id" | "model" | "content">): void {
    keepUnfinished(this.id, { id, parent_id: parent_id ?? "", model, text: content });
  }

  /** What this browser kept of answers that the server knows nothing of. `live`: those that it writes. */
  #bringUnfinished(live: Set<string>): void {
    for (const { id, parent_id, model, text } of readUnfinished(this.id)) {
      if (this.#local.has(id) || this.writing.has(id) || live.has(id)) continue;
      if (this.#tree.get(id) || !this.#tree.get(parent_id)) forgetUnfinished(this.id, id);
      else {
        this.#local.add(id);
        this.#tree.add({
          id, conversation_id: this.id, parent_id, role: "assistant", author: "", model, created: Date.now() / 1000,
          content: text, generation: { finish: "interrupted" },
        });
      }
    }
  }

  #put(message: Message): void {
    this.#tree.add(message);
    this.#version += 1;
  }
}
