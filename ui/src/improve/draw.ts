// Several answers of the model to one question, as messages of the store: what is ranked then counts.
import * as api from "../lib/api";
import { ask, events } from "../lib/server";
import { newKey } from "../chat/opening";

export interface Drawn {
  question: string;
  /** Id of the question's message. */
  id: string;
  answers: { id: string; content: string }[];
}

const TEMPERATURE = 0.8; // at least: of equal answers none is better
const MORE = 2; // answers that are asked for in place of equal ones

/** Asks `question` in a conversation until there are `count` different answers, or as many as there are: perhaps one. */
export async function draw(conversation: string, question: string, count: number, warmth: number): Promise<Drawn> {
  const { id } = await api.addMessage(conversation, { role: "user", content: question, parent_id: null, key: newKey() });
  const sampling = { temperature: Math.max(TEMPERATURE, warmth) };
  const found = new Map<string, { id: string; content: string }>();
  for (let asked = 0; found.size < count && asked < count + MORE; ) {
    const wanted = Math.min(count - found.size, count + MORE - asked);
    const written = await Promise.all(Array.from({ length: wanted }, () => answer(conversation, id, sampling)));
    for (const one of written) if (!found.has(one.content.trim())) found.set(one.content.trim(), one);
    asked += wanted;
  }
  return { question, id, answers: [...found.values()] };
}

async function answer(conversation: string, message_id: string, sampling: object): Promise<{ id: string; content: string }> {
  const body = { message_id, key: newKey(), ...sampling };
  const { id } = await ask<{ id: string }>("POST", `/api/conversations/${conversation}/answers`, body);
  for await (const event of events("GET", `/api/answers/${id}/events`)) {
    const { message } = event as { message?: api.Message };
    if (message) return { id, content: message.content };
  }
  return { id, content: (await ask<api.Message>("GET", `/api/answers/${id}`)).content };
}
