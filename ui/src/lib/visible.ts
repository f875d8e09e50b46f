// Tokens as they are shown where blanks and control characters would not be seen.

/** `text` with a sign for each of them; what says nothing at all is an empty set. */
export const visible = (text: string): string =>
  text.replaceAll("\n", "↵").replaceAll("\t", "⇥").replaceAll(" ", "␣").replace(/\p{Cc}/gu, escaped) || "∅";

const escaped = (character: string): string => `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
