// A conversation in the server's store: one request sends a question and brings its answer.
import * as api from "../lib/api";
import { ask, events } from "../lib/server";
import type { AnswerEvent, Asked, Backend } from "./backend";

export const stored: Backend = {
  stored: true,

  async *ask(conversation, { question, message_id, key, sampling }: Asked, signal) {
    const body = { ...sampling, key, stream: true, ...(question ? { message: question } : { message_id }) };
    yield* events("POST", `/api/conversations/${conversation}/answers`, body, signal) as AsyncGenerator<AnswerEvent>;
  },

  async *follow(answer, offset, signal) {
    const path = `/api/answers/${answer}/events?offset=${offset}`;
    yield* events("GET", path, undefined, signal) as AsyncGenerator<AnswerEvent>;
  },

  async stop(answer) {
    await ask("POST", `/api/answers/${answer}/stop`);
  },

  say: (conversation, message) => api.addMessage(conversation, message),

  async remove(message) {
    await ask("DELETE", `/api/messages/${message}`);
  },

  async takeBack(message) {
    await ask("PATCH", `/api/messages/${message}`, { deleted: false });
  },

  async turnTo(conversation, leaf) {
    await api.changeConversation(conversation, { leaf });
  },
};
