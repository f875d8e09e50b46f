// Colours of code, as class names. Loaded when the first block of code has ended.
import core from "highlight.js/lib/core";
import bash from "highlight.js/lib/languages/bash";
import c from "highlight.js/lib/languages/c";
import css from "highlight.js/lib/languages/css";
import javascript from "highlight.js/lib/languages/javascript";
import json from "highlight.js/lib/languages/json";
import python from "highlight.js/lib/languages/python";
import xml from "highlight.js/lib/languages/xml";

const LONGEST = 50_000; // characters
for (const [name, language] of Object.entries({ bash, c, css, javascript, json, python, xml })) core.registerLanguage(name, language);
core.registerAliases(["ts", "typescript"], { languageName: "javascript" });
core.registerAliases(["cpp", "c++"], { languageName: "c" });

/** HTML of `code` with its parts marked; null for a language that is not known, and for very long code. */
export const highlighted = (code: string, language: string): string | null =>
  core.getLanguage(language) && code.length <= LONGEST
    ? core.highlight(code, { language, ignoreIllegals: true }).value
    : null;
