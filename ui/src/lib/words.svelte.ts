// Every word a person reads stands in each language, beside the room that says it.

export type Language = "en" | "zh";
const KEY = "gptwright.language";

function chosen(): Language {
  try {
    const kept = localStorage.getItem(KEY);
    if (kept === "en" || kept === "zh") return kept;
  } catch {} // storage is denied: the browser's language
  return navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
}

const state = $state({ language: chosen() });

export const language = (): Language => state.language;

/** Speaks another language from now on. */
export function speak(wanted: Language): void {
  state.language = wanted;
  try {
    localStorage.setItem(KEY, wanted);
  } catch {} // storage is denied
}

type Words = Record<string, string | ((...given: never[]) => string)>;
type Same<T> = { [K in keyof T]: T[K] extends (...given: infer G) => string ? (...given: G) => string : string };

/** A table of words: `words().send` is the word in the language that is spoken. The Chinese table has every key. */
export const table =
  <T extends Words>(en: T & Same<T>, zh: Same<T>) =>
  (): Same<T> =>
    state.language === "zh" ? zh : en;
