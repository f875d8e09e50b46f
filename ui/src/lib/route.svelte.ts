// Which room is open: it stands behind the # of the address, so that a reload and the back button find it again.

const read = (): string[] => location.hash.replace(/^#\/?/, "").split("/").filter(Boolean).map(decodeURIComponent);
const state = $state({ parts: read() });
addEventListener("hashchange", () => (state.parts = read()));

/** `#/chat/ID` is ["chat", "ID"]. */
export const route = (): string[] => state.parts;

export const href = (...parts: string[]): string => `#/${parts.map(encodeURIComponent).join("/")}`;

export function go(...parts: string[]): void {
  location.hash = href(...parts);
}

/** The same without a step for the back button. */
export function replaceRoute(...parts: string[]): void {
  history.replaceState(null, "", href(...parts));
  state.parts = read();
}
