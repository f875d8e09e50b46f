// One's own conversations, the pinned and the latest first; read in parts, searched by the server.
import { SvelteMap } from "svelte/reactivity";
import * as api from "../lib/api";
import type { Conversation, Found } from "../lib/api";
import { note } from "../lib/live.svelte";
import { explain } from "../lib/errors";
import { words } from "./words";

const PART = 50;

export interface Section {
  name: string;
  kind: "pinned" | "folder" | "time";
  items: Conversation[];
}

export class History {
  #known = new SvelteMap<string, Conversation>();
  loading = $state(false);
  complete = $state(false);
  error = $state.raw<unknown>(null);
  found = $state.raw<Found[] | null>(null);
  #searched = "";
  #read = 0;

  readonly items: Conversation[] = $derived(
    [...this.#known.values()].sort((a, b) => Number(b.pinned) - Number(a.pinned) || b.changed - a.changed),
  );
  readonly folders: string[] = $derived([...new Set(this.items.map((one) => one.folder).filter(Boolean))].sort());
  readonly sections: Section[] = $derived(sectionsOf(this.items, this.folders));

  get = (id: string): Conversation | undefined => this.#known.get(id);

  /** The first part again, in which what other tabs did shows. */
  async refresh(): Promise<void> {
    this.#read = 0;
    this.complete = false;
    await this.more();
  }

  /** The next part. */
  async more(): Promise<void> {
    if (this.loading || this.complete) return;
    this.loading = true;
    try {
      const part = await api.listConversations({ offset: this.#read, limit: PART });
      if (!this.#read) this.#known.clear();
      for (const one of part) this.#known.set(one.id, one);
      this.#read += part.length;
      this.complete = part.length < PART;
      this.error = null;
    } catch (error) {
      this.error = error;
      this.complete = true; // a person asks again, not a scroll
    }
    this.loading = false;
  }

  /** Where the words are said, in any of one's conversations. */
  async search(text: string): Promise<void> {
    this.#searched = text;
    const found = text.trim() ? await api.searchConversations(text.trim()).catch((error: unknown) => this.#failed(error)) : null;
    if (this.#searched === text) this.found = found;
  }

  /** It is new, or something happened in it. */
  touch(one: Conversation): void {
    const known = this.#known.get(one.id);
    if (!known) this.#read += 1;
    this.#known.set(one.id, known ? { ...known, changed: one.changed, leaf: one.leaf } : one);
  }

  async change(id: string, fields: Partial<Conversation>): Promise<void> {
    const before = this.#known.get(id);
    if (before) this.#known.set(id, { ...before, ...fields });
    try {
      this.#known.set(id, await api.changeConversation(id, fields));
    } catch (error) {
      if (before) this.#known.set(id, before);
      this.#failed(error);
    }
  }

  /** Deletes it, with a way back; `after` is told whether it is there. */
  async remove(one: Conversation, after: (there: boolean) => void): Promise<void> {
    try {
      await api.deleteConversation(one.id);
    } catch (error) {
      this.#failed(error);
      return;
    }
    this.#known.delete(one.id);
    this.#read -= 1;
    this.found = this.found?.filter((hit) => hit.id !== one.id) ?? null;
    after(false);
    note(words().deleted(one.title || words().untitled), () => void this.#takeBack(one.id, after));
  }

  async #takeBack(id: string, after: (there: boolean) => void): Promise<void> {
    try {
      const one = await api.changeConversation(id, { deleted: false });
      this.#read += 1;
      this.#known.set(id, one);
      after(true);
    } catch (error) {
      this.#failed(error);
    }
  }

  #failed(error: unknown): null {
    note(explain(error));
    return null;
  }
}

function sectionsOf(items: Conversation[], folders: string[]): Section[] {
  const say = words();
  const midnight = new Date().setHours(0, 0, 0, 0) / 1000;
  const loose = items.filter((one) => !one.pinned && !one.folder);
  const sections: Section[] = [
    { name: say.pinned, kind: "pinned", items: items.filter((one) => one.pinned) },
    ...folders.map((name): Section => ({ name, kind: "folder", items: items.filter((one) => one.folder === name && !one.pinned) })),
    { name: say.today, kind: "time", items: loose.filter((one) => one.changed >= midnight) },
    { name: say.yesterday, kind: "time", items: loose.filter((one) => one.changed < midnight && one.changed >= midnight - 86400) },
    { name: say.earlier, kind: "time", items: loose.filter((one) => one.changed < midnight - 86400) },
  ];
  return sections.filter((section) => section.items.length > 0);
}
