// The server's own routes (docs/21-conversations-and-labels.md) and those of OpenAI's that the pages use, with types.
import type { Content, Part } from "./parts";
import { ask, text } from "./server";

export type Role = "system" | "user" | "assistant";

export interface Conversation {
  id: string;
  title: string;
  folder: string;
  pinned: boolean;
  leaf: string;
  created: number;
  changed: number;
  deleted: number | null;
}

/** A conversation in which words were found, and where: in no message where they stand in its title. */
export interface Found extends Conversation {
  found: { message_id: string | null; excerpt: string };
}

/** How an answer came about; what is not known is missing. */
export interface Generation {
  weights?: string;
  sampling?: Record<string, unknown>;
  seed?: number;
  seconds?: { waited?: number; first?: number; all?: number };
  finish?: string;
  dropped?: number;
  tokens?: number;
  prompt_tokens?: number;
  continues?: string;
  prompt_ids?: number[];
}

/** `content` is the text of it; `parts` are all of a message that has images. */
export interface Message {
  id: string;
  conversation_id: string;
  parent_id: string | null;
  role: Role;
  author: string;
  model: string;
  created: number;
  content: string;
  parts?: Part[];
  generation: Generation | null;
}

/** An answer that is being written; `continues` names the one whose text it begins with. */
export interface Begun {
  id: string;
  parent_id: string;
  model: string;
  continues?: string;
}

export interface Label {
  id: string;
  kind: string;
  message_id: string;
  value: unknown;
  author: string;
  task_id: string | null;
  created: number;
}

/** A token and how likely it was; one that is part of a character is known by its bytes alone. */
export interface TokenChance {
  token: string;
  logprob: number;
  bytes: number[] | null;
}

/** A token of an answer, and what else could have stood there. */
export interface ScoredToken extends TokenChance {
  top_logprobs: TokenChance[];
}

/** Those of an answer from the character `start` on. */
export interface AnswerTokens {
  model: string;
  start: number;
  content: ScoredToken[];
}

/** What was read before an answer. */
export interface AnswerPrompt {
  model: string;
  tokens: number;
  pieces: { text: string; special: boolean }[];
}

export interface Model {
  id: string;
  created: number;
  max_model_len: number;
  defaults?: { temperature: number; top_p: number; max_tokens: number };
  labels?: string[];
  /** Of those that write: how many images it sees at once, and whether it fills in the middle and edits. */
  max_images?: number;
  inserts?: boolean;
  edits?: boolean;
}

export interface Person {
  name: string;
  role: "chatter" | "labeller" | "owner";
}

export interface Job {
  id: string;
  kind: "improve" | "undo";
  state: "waiting" | "running" | "done" | "failed" | "cancelled";
  asked: Record<string, unknown>;
  progress: Record<string, unknown>;
  result: Record<string, unknown> | null;
  created: number;
  changed: number;
}

const query = (fields: Record<string, string | number | boolean>): string =>
  new URLSearchParams(Object.entries(fields).map(([name, value]) => [name, String(value)])).toString();

export const me = () => ask<Person>("GET", "/api/me");
export const examples = () => ask<string[]>("GET", "/examples");
export const models = async (): Promise<Model[]> => (await ask<{ data: Model[] }>("GET", "/v1/models")).data;

export const listConversations = async (fields: Record<string, string | number | boolean> = {}) =>
  (await ask<{ conversations: Conversation[] }>("GET", `/api/conversations?${query(fields)}`)).conversations;
export const searchConversations = async (search: string) =>
  (await ask<{ conversations: Found[] }>("GET", `/api/conversations?${query({ search })}`)).conversations;
export const newConversation = (fields: Partial<Conversation> = {}) =>
  ask<Conversation>("POST", "/api/conversations", fields);
export const openConversation = (id: string) =>
  ask<Conversation & { messages: Message[]; writing?: Begun[] }>("GET", `/api/conversations/${id}`);
export const changeConversation = (id: string, fields: Record<string, unknown>) =>
  ask<Conversation>("PATCH", `/api/conversations/${id}`, fields);
export const deleteConversation = (id: string) => ask<Conversation>("DELETE", `/api/conversations/${id}`);
export const addMessage = (
  id: string,
  fields: { role: Role; content: Content; parent_id?: string | null; key?: string },
) => ask<Message>("POST", `/api/conversations/${id}/messages`, fields);

export const labelsOf = async (id: string) =>
  (await ask<{ labels: Label[] }>("GET", `/api/messages/${id}/labels`)).labels;
export const labelsOfConversation = async (id: string) =>
  (await ask<{ labels: Label[] }>("GET", `/api/conversations/${id}/labels`)).labels;
export const putLabel = (id: string, kind: string, value: unknown) =>
  ask<Label>("PUT", `/api/messages/${id}/labels/${kind}`, { value });
export const withdrawLabel = (id: string, kind: string, label?: string) =>
  ask<Label>("DELETE", `/api/messages/${id}/labels/${kind}${label ? `?${query({ id: label })}` : ""}`);

export const jobs = async () => (await ask<{ jobs: Job[] }>("GET", "/api/jobs")).jobs;
export const job = (id: string) => ask<Job>("GET", `/api/jobs/${id}`);
export const startJob = (fields: Record<string, unknown>) => ask<Job>("POST", "/api/jobs", fields);
export const cancelJob = (id: string) => ask<Job>("POST", `/api/jobs/${id}/cancel`);

export const answerTokens = (id: string) => ask<AnswerTokens>("GET", `/api/answers/${id}/tokens`);
/** Where the page of a look inside is; it is made in some seconds, and the last one is kept. */
export const insideAddress = (id: string): string => `/api/answers/${id}/inside`;
export const answerInside = (id: string, signal: AbortSignal) => text("GET", insideAddress(id), undefined, signal);
export const answerPrompt = (id: string) => ask<AnswerPrompt>("GET", `/api/answers/${id}/prompt`);
