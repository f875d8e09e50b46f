// What is open in the chat: one conversation at a time, beside the list of all.
import type { Conversation as Stored, Message } from "../lib/api";
import { announce, note } from "../lib/live.svelte";
import { go, route } from "../lib/route.svelte";
import { Conversation, type Surroundings } from "./conversation.svelte";
import { keepDraft, readDraft } from "./drafts";
import { History } from "./history.svelte";
import { sampling, settings } from "./settings.svelte";
import { stored } from "./stored";
import { Temporary } from "./temporary";
import { words } from "./words";

export class Room implements Surroundings {
  readonly history = new History();
  current: Conversation = $state.raw(new Conversation(stored, this));

  sampling = sampling;
  system = (): string => settings().system;
  onanswer = (message: Message): void => announce(message.content);

  onchange = (one: Stored): void => {
    const isNew = !this.history.get(one.id);
    this.history.touch(one);
    if (isNew && this.current.id === one.id) {
      keepDraft(one.id, readDraft(""));
      keepDraft("", { text: "", images: [] });
      go("chat", one.id);
    }
  };

  /** Opens what the address names. */
  follow(): void {
    const id = route()[1] ?? "";
    if (route()[0] && route()[0] !== "chat") return;
    if (id === this.current.id) return;
    if (!id && !this.current.backend.stored) return;
    this.#show(new Conversation(stored, this, id));
    void this.current.load();
  }

  /** An empty chat; what was open stays in the list. */
  newChat(temporary = false): void {
    this.#show(new Conversation(temporary ? new Temporary() : stored, this));
    go("chat");
  }

  /** What other tabs did appears. */
  async refresh(): Promise<void> {
    await Promise.all([this.history.refresh(), this.current.load()]);
  }

  remove(one: Stored): void {
    void this.history.remove(one, (there) => {
      if (there) go("chat", one.id);
      else if (this.current.id === one.id) this.newChat();
    });
  }

  #show(next: Conversation): void {
    const before = this.current;
    if (!before.backend.stored && before.size) note(words().temporaryLeft, () => this.#putBack(before));
    else before.leave();
    this.current = next;
  }

  #putBack(one: Conversation): void {
    this.current.leave();
    this.current = one;
    go("chat");
  }
}
