// What this browser remembers: the conversation, the settings, the language. The API key lasts as long as the tab.

const CHAT = "gptwright.chat";
const SETTINGS = "gptwright.settings";
const KEY = "gptwright.key";

// An empty setting leaves the choice to the server.
const defaults = { system: "", temperature: "", top_p: "", max_tokens: "", seed: "", language: "" };

function load(name, otherwise) {
  try {
    return JSON.parse(localStorage.getItem(name)) ?? otherwise;
  } catch {
    return otherwise;
  }
}

const readable = (message) =>
  (message?.role === "user" || message?.role === "assistant") && typeof message.content === "string";

// A message: { id, role, content }; an answer also has { tokens, rate, finish, from, rating }, where `from` is the
// number of the first message that the model was shown.
export const messages = [load(CHAT, [])].flat().filter(readable);
export const settings = { ...defaults, ...load(SETTINGS, {}) };

// Returns false when the browser has no room.
export function save() {
  try {
    localStorage.setItem(CHAT, JSON.stringify(messages));
    localStorage.setItem(SETTINGS, JSON.stringify(settings));
    return true;
  } catch {
    return false;
  }
}

export const getKey = () => sessionStorage.getItem(KEY) ?? "";
export const setKey = (key) => sessionStorage.setItem(KEY, key);
export const setTheme = (theme) => localStorage.setItem("gptwright.theme", theme);

export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
