// What a model thought before it answered: <think>…</think>. Some templates write the opening mark into the prompt, so
// that only the closing one is in the answer.
const OPEN = "<think>";
const CLOSE = "</think>";

export interface Thought {
  reasoning: string;
  answer: string;
  /** whether the reasoning has come to its end */
  ended: boolean;
}

export function thought(text: string): Thought {
  const opened = text.trimStart().startsWith(OPEN);
  const end = text.indexOf(CLOSE);
  if (!opened && end < 0) return { reasoning: "", answer: text, ended: true };
  const begin = opened ? text.indexOf(OPEN) + OPEN.length : 0;
  const reasoning = text.slice(begin, end < 0 ? undefined : end).trim();
  const answer = end < 0 ? "" : text.slice(end + CLOSE.length).trimStart();
  return { reasoning, answer, ended: end >= 0 };
}
