// Text to ids and back (gptwright/tokenizers/formats/page_tokenizer.py). Text never becomes a special token.

export interface TokenizerData {
  /** what each id says, in GPT-2's characters for bytes; nothing for special tokens */
  tokens: string[];
  special: Record<string, string>;
  /** the id of each of the 256 bytes */
  bytes: number[];
  pattern: string;
  /** pairs of ids that merge, the first before the others */
  merges: number[];
  /** a word that is a token stays one */
  wholeWords: boolean;
  roles: Record<string, { before: number[]; behind: number[] }>;
  stops: number[];
}

export interface Message {
  role: "system" | "user" | "assistant";
  content: string;
}

const KEPT = 20_000; // words whose ids are remembered
const PAIR = 2 ** 26; // more than there are ids

export class Tokenizer {
  private readonly words: RegExp;
  private readonly ranks = new Map<number, number>();
  private readonly merged: number[] = [];
  private readonly idOf = new Map<string, number>();
  private readonly bytesOf: Uint8Array[];
  private readonly known = new Map<string, number[]>();
  readonly stops: Set<number>;

  constructor(readonly data: TokenizerData) {
    this.words = new RegExp(data.pattern, "gu");
    data.tokens.forEach((token, id) => token && this.idOf.set(token, id));
    const byteOf = new Map(data.bytes.map((id, byte) => [data.tokens[id]!, byte]));
    this.bytesOf = data.tokens.map((token) => Uint8Array.from(token, (character) => byteOf.get(character)!));
    for (let at = 0; at < data.merges.length; at += 2) {
      const [left, right] = [data.merges[at]!, data.merges[at + 1]!];
      this.ranks.set(left * PAIR + right, this.merged.length);
      this.merged.push(this.idOf.get(data.tokens[left]! + data.tokens[right]!)!);
    }
    this.stops = new Set(data.stops);
  }

  encode(text: string): number[] {
    const ids: number[] = [];
    let at = 0;
    for (const found of text.matchAll(this.words)) {
      if (found.index > at) this.append(ids, text.slice(at, found.index));
      this.append(ids, found[0]);
      at = found.index + found[0].length;
    }
    if (at < text.length) this.append(ids, text.slice(at));
    return ids;
  }

  /** The text of ids; what is not UTF-8 becomes U+FFFD. `more`: others follow, so half a character waits for its rest. */
  decode(ids: readonly number[], more = false): string {
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    return ids.map((id) => decoder.decode(this.bytesOf[id] ?? new Uint8Array(), { stream: true })).join("") + (more ? "" : decoder.decode());
  }

  /** One id as it is shown: a special token by its name. */
  shown(id: number): string {
    return this.data.special[id] ?? this.decode([id]);
  }

  /** What is read of a conversation that is to be answered. */
  prompt(messages: readonly Message[]): number[] {
    const { roles } = this.data;
    const said = messages.flatMap(({ role, content }) => [...roles[role]!.before, ...this.encode(content), ...roles[role]!.behind]);
    return [...said, ...roles.assistant!.before];
  }

  private append(ids: number[], word: string): void {
    let found = this.known.get(word);
    if (!found) {
      found = this.merge(Array.from(new TextEncoder().encode(word), (byte) => this.data.bytes[byte]!));
      if (this.known.size < KEPT) this.known.set(word, found);
    }
    for (const id of found) ids.push(id);
  }

  private merge(ids: number[]): number[] {
    const whole = this.data.wholeWords ? this.idOf.get(ids.map((id) => this.data.tokens[id]).join("")) : undefined;
    if (whole !== undefined) return [whole];
    for (;;) {
      const best = this.best(ids);
      if (best === Infinity) return ids;
      const next: number[] = [];
      for (let i = 0; i < ids.length; i++) {
        const pairs = i + 1 < ids.length && this.ranks.get(ids[i]! * PAIR + ids[i + 1]!) === best;
        next.push(pairs ? this.merged[best]! : ids[i]!);
        if (pairs) i++;
      }
      ids = next;
    }
  }

  /** The place in the list of merges of the first that is possible. */
  private best(ids: number[]): number {
    let best = Infinity;
    for (let i = 0; i + 1 < ids.length; i++) best = Math.min(best, this.ranks.get(ids[i]! * PAIR + ids[i + 1]!) ?? Infinity);
    return best;
  }
}
