// TeX to MathML, which browsers lay out themselves: no fonts, no inline styles. Loaded when the first formula is shown.
import temml from "temml";

/** MathML of `tex`, without the inline styles that our pages do not allow; raises for what is no TeX. */
export const typeset = (tex: string, displayMode: boolean): string =>
  temml
    .renderToString(tex, { displayMode, throwOnError: true, trust: false, maxExpand: 200, maxSize: [20, 100] })
    .replace(/ style=\S[^"]*"/g, "");
