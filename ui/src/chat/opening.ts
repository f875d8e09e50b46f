// What a conversation is called before anybody gives it a name, and what a request is known by.

const LONGEST_TITLE = 60;

/** The first line of a question, cut between words. */
export function titleOf(question: string): string {
  const line = question.trim().split("\n", 1)[0]!.replace(/\s+/g, " ").slice(0, 400);
  if (line.length <= LONGEST_TITLE) return line;
  const cut = line.slice(0, LONGEST_TITLE).replace(/[\ud800-\udbff]$/, "");
  const space = cut.lastIndexOf(" ");
  return `${space > LONGEST_TITLE / 2 ? cut.slice(0, space) : cut}…`;
}

/** Sent again with its key, a request is done once. Plain HTTP has no `randomUUID`. */
export const newKey = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
