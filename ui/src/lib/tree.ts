// A conversation as the server keeps it: a tree of messages that only grows. What is shown is the path to one leaf.
import type { Message } from "./api";

export class Tree {
  private readonly byId = new Map<string, Message>();
  private readonly behind = new Map<string | null, string[]>();
  private readonly hidden = new Set<string>();

  constructor(messages: Iterable<Message> = []) {
    for (const message of messages) this.add(message);
  }

  /** A message, or a newer state of one that is here. */
  add(message: Message): void {
    if (!this.byId.has(message.id)) this.behind.set(message.parent_id, [...(this.behind.get(message.parent_id) ?? []), message.id]);
    this.byId.set(message.id, message);
  }

  get = (id: string): Message | undefined => this.byId.get(id);

  all = (): Iterable<Message> => this.byId.values();

  get size(): number {
    return this.byId.size;
  }

  /** Ids of what follows a message, oldest first; of null, what begins a conversation. */
  answers = (id: string | null): string[] => (this.behind.get(id) ?? []).filter((one) => !this.hidden.has(one));

  /** Nothing leads to a message that is hidden, nor to what is behind it. */
  hide(id: string, hidden = true): void {
    if (hidden) this.hidden.add(id);
    else this.hidden.delete(id);
  }

  /** Ids of a message and its alternatives, oldest first. */
  alternatives(id: string): string[] {
    const message = this.byId.get(id);
    return message ? this.answers(message.parent_id) : [];
  }

  /** From the beginning to `leaf`. */
  path(leaf: string): Message[] {
    const found: Message[] = [];
    for (let at = this.byId.get(leaf); at; at = at.parent_id ? this.byId.get(at.parent_id) : undefined) found.push(at);
    return found.reverse();
  }

  /** The end of the branch that goes through `id` and was written last. */
  newestLeaf(id: string | null): string {
    let at = id ?? "";
    for (let next = this.answers(id).at(-1); next; next = this.answers(next).at(-1)) at = next;
    return at;
  }
}
