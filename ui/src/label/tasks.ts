// A task, what is half said of it, and the labels that this becomes.
import type { Part } from "../lib/parts";

export type Kind = "ranking" | "preference" | "rating" | "flags" | "thumb" | "edit" | "demonstration";
export const KINDS: Kind[] = ["ranking", "preference", "rating", "flags", "thumb", "edit", "demonstration"];

/** What may be wrong with an answer: the metadata of InstructGPT's labellers. */
export const FLAGS = [
  "fails_instruction", "inappropriate_for_assistant", "hallucination", "violates_constraint", "sexual_content",
  "violent_content", "encourages_harm", "denigrates_protected_class", "harmful_advice", "expresses_opinion",
  "expresses_moral_judgment",
] as const;
export type Flag = (typeof FLAGS)[number];

/** From "A is much better" to "B is much better". */
export const STRENGTHS = [3, 2, 1, 0, -1, -2, -3];

export interface Text {
  id: string;
  content: string;
  parts?: Part[];
}

export interface Task {
  id: string;
  kind: Kind;
  guidelines: string;
  training: boolean;
  message_id: string;
  messages: (Text & { role: "system" | "user" | "assistant" })[];
  answers: Text[];
  seconds_left: number;
}

/** A label as the server takes it. */
export interface Given {
  kind: string;
  message_id: string;
  value?: unknown;
  text?: string;
}

/** `span`: characters as people count them, not UTF-16's units. */
export interface SpanComment {
  message_id: string;
  span: [number, number];
  text: string;
}

export interface Draft {
  ranks?: number[];
  strength?: number;
  rating?: number;
  flags?: Flag[];
  thumb?: "up" | "down";
  text?: string;
  note?: string;
  comments?: SpanComment[];
}

/** The label that is asked for; none while it is not said. */
function asked(task: Task, draft: Draft): Given | undefined {
  const about = { kind: task.kind, message_id: task.message_id };
  const answers = task.answers.map((answer) => answer.id);
  const text = draft.text?.trim() ? draft.text : undefined;
  if (task.kind === "ranking") return draft.ranks && { ...about, value: { answers, ranks: draft.ranks } };
  if (task.kind === "preference")
    return draft.strength === undefined ? undefined : { ...about, value: { answers: answers.slice(0, 2), strength: draft.strength } };
  if (task.kind === "edit" || task.kind === "demonstration") return text === undefined ? undefined : { ...about, text };
  const value = draft[task.kind];
  return value === undefined ? undefined : { ...about, value };
}

/** All labels of a task; none while it is half done. */
export function labelsOf(task: Task, draft: Draft): Given[] {
  const first = asked(task, draft);
  if (!first) return [];
  const found = [first];
  if (task.kind === "rating" && draft.flags?.length) found.push({ kind: "flags", message_id: task.message_id, value: draft.flags });
  if (draft.note?.trim()) found.push({ kind: "comment", message_id: task.message_id, value: draft.note });
  for (const { message_id, span, text } of draft.comments ?? []) found.push({ kind: "comment", message_id, value: { span, text } });
  return found;
}

/** What came of a submission: how it compares with the label that was known, where one was. */
export interface Outcome {
  in_time: boolean;
  known?: { value: unknown; nearness: number };
}

/** Where tasks come from and labels go to: a server, or a page that is one file. */
export interface Queue {
  labeller: string;
  next(kinds: Kind[]): Promise<Task | null>;
  submit(task: Task, labels: Given[]): Promise<Outcome>;
  skip(task: Task, reason: string, unsure: boolean): Promise<void>;
  undo(id: string): Promise<Task | null>;
  /** Whether it is the labeller's for longer. */
  renew(task: Task): Promise<number | null>;
}
