// What holds a conversation: the server's store, or nothing but this page (a temporary chat).
import type { Begun, Message } from "../lib/api";
import type { Content } from "../lib/parts";

/** What an answer is asked with. Either `question` is new, or `message_id` names a question, or an answer to go on. */
export interface Asked {
  question?: { content: Content; parent_id: string | null; key: string };
  message_id?: string;
  key: string;
  /** How it is drawn: what is not given is the model's default. */
  sampling: Record<string, unknown>;
  /** The messages that stand before it. */
  path: Message[];
}

/** What comes while it is written. `offset` is the server's count of characters, which is not JavaScript's. */
export type AnswerEvent =
  | { answer: Begun; question?: Message }
  | { place: number }
  | { text: string; offset: number }
  | { message: Message };

export interface Backend {
  /** Whether what is said outlives the page, and may be labelled. */
  readonly stored: boolean;
  ask(conversation: string, asked: Asked, signal: AbortSignal): AsyncGenerator<AnswerEvent>;
  /** Goes on behind `offset`. */
  follow(answer: string, offset: number, signal: AbortSignal): AsyncGenerator<AnswerEvent>;
  stop(answer: string): Promise<void>;
  /** A message beside or behind others, without an answer to it. */
  say(conversation: string, message: { role: Message["role"]; content: Content; parent_id: string | null }): Promise<Message>;
  /** Takes a message away with all that is behind it; takes that back. */
  remove(message: string): Promise<void>;
  takeBack(message: string): Promise<void>;
  /** Which branch is open. */
  turnTo(conversation: string, leaf: string): Promise<void>;
}
