// The chat page: what a person does, what is asked of the server, what is shown.

import * as server from "./server.js";
import * as store from "./store.js";
import { guess, strings } from "./strings.js";
import { fill, icon, messageView } from "./view.js";

const { messages, settings } = store;
const at = (id) => document.getElementById(id);
const NUMBERS = ["temperature", "top_p", "max_tokens", "seed"];
let words = strings[settings.language] ?? strings[guess()];
let model = "";
let running = null; // the AbortController of the answer that is being written

// ---- words and colours

function speak() {
  const chinese = words === strings.zh;
  document.documentElement.lang = chinese ? "zh-Hans" : "en";
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = words[element.dataset.text];
  for (const element of document.querySelectorAll("[data-label]"))
    element.setAttribute("aria-label", words[element.dataset.label]);
  for (const element of document.querySelectorAll("[data-title]")) {
    element.title = words[element.dataset.title];
    element.setAttribute("aria-label", element.title);
  }
  for (const element of document.querySelectorAll("[data-placeholder]"))
    element.placeholder = words[element.dataset.placeholder];
}

function switchLanguage() {
  settings.language = words === strings.zh ? "en" : "zh";
  words = strings[settings.language];
  speak();
  draw();
  keep();
}

function switchTheme() {
  const root = document.documentElement;
  const now = root.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  root.dataset.theme = now === "dark" ? "light" : "dark";
  store.setTheme(root.dataset.theme);
}

// ---- showing

function draw() {
  const last = messages.at(-1);
  at("messages").replaceChildren(...messages.map((message) => viewOf(message, message === last)));
  at("welcome").hidden = messages.length > 0;
  at("send").hidden = running !== null;
  at("stop").hidden = running === null;
  at("new").disabled = messages.length === 0;
  if (last?.role === "user" && !running && at("notice").hidden) notice(words.interrupted, true);
  toEnd();
}

function viewOf(message, isLast) {
  return messageView(message, words, {
    copy: (button) => copy(message, button),
    again: isLast ? again : null,
    rate: (rating) => rate(message, rating),
  });
}

function redraw(message) {
  const old = at("messages").querySelector(`[data-id="${message.id}"]`);
  old?.replaceWith(viewOf(message, message === messages.at(-1)));
}

function notice(text, canRetry = false) {
  at("notice").hidden = !text;
  at("notice").querySelector("span").textContent = text;
  at("retry").hidden = !canRetry;
  toEnd();
}

function toEnd() {
  at("scroll").scrollTop = at("scroll").scrollHeight;
}

const isAtEnd = () => at("scroll").scrollHeight - at("scroll").scrollTop - at("scroll").clientHeight < 80;

function keep() {
  if (!store.save()) notice(words.tooFull);
}

// ---- asking

// What the model is shown: the system prompt and the messages from number `from` up to, not including, `end`.
function conversation(system, from, end) {
  const first = system.trim() ? [{ role: "system", content: system }] : [];
  return [...first, ...messages.slice(from, end).map(({ role, content }) => ({ role, content }))];
}

function send(text) {
  if (running || !text.trim()) return;
  if (messages.at(-1)?.role === "user") messages.pop();
  messages.push({ id: store.newId(), role: "user", content: text.trim() });
  at("prompt").value = "";
  grow();
  reply();
}

function again() {
  if (running) return;
  if (messages.at(-1)?.role === "assistant") messages.pop();
  reply();
}

async function reply() {
  notice("");
  running = new AbortController();
  const answer = { id: store.newId(), role: "assistant", content: "", from: 0 };
  messages.push(answer);
  draw();
  store.save();
  at("live").textContent = words.writing;
  try {
    if (!model) await loadModel();
    await write(answer);
  } catch (error) {
    await failed(error, answer);
  }
  running = null;
  if (messages.includes(answer)) at("live").textContent = answer.content;
  draw();
  keep();
}

// The server leaves out the oldest turns of a conversation that is too long, and says how many messages.
async function write(answer) {
  const end = messages.indexOf(answer);
  const chosen = Object.fromEntries(NUMBERS.filter((name) => settings[name] !== "").map((name) => [name, +settings[name]]));
  answer.system = settings.system;
  await follow(answer, { model, messages: conversation(answer.system, 0, end), ...chosen });
}

async function follow(answer, body) {
  let first = 0;
  let last = 0;
  let wanted = false;
  const show = () => {
    wanted = false;
    const item = at("messages").querySelector(`[data-id="${answer.id}"]`);
    if (!item) return;
    const follow = isAtEnd();
    fill(item, answer);
    if (follow) toEnd();
  };
  for await (const { dropped, text, finish, usage } of server.chat(store.getKey(), body, running.signal)) {
    answer.from = dropped ?? answer.from;
    if (text) {
      last = performance.now();
      first ||= last;
      answer.content += text;
      if (!wanted) requestAnimationFrame(show);
      wanted = true;
    }
    answer.finish = finish ?? answer.finish;
    if (usage) answer.tokens = usage.completion_tokens;
  }
  if (answer.tokens > 1 && last > first) answer.rate = Math.round(((answer.tokens - 1) * 1000) / (last - first));
}

async function failed(error, answer) {
  const stopped = error.name === "AbortError";
  if (answer.content && stopped) answer.finish = "stopped";
  else if (messages.includes(answer)) messages.splice(messages.indexOf(answer), 1);
  if (stopped) return;
  if (error.status === 401) at("settings").showModal();
  notice(explain(error), true);
}

function explain(error) {
  if (error.status === 401) return words.keyNeeded;
  if (error.status === 429) return words.busy;
  if (error.code === "no_writer") return words.noWriter;
  if (error.code === "context_length_exceeded") return words.tooLong;
  return error.status ? words.failed(error.message) : words.unreachable;
}

// ---- what can be done with an answer

async function copy(message, button) {
  if (navigator.clipboard) await navigator.clipboard.writeText(message.content);
  else copyWithoutClipboard(message.content);
  button.replaceChildren(icon("done"));
  at("live").textContent = words.copied;
  setTimeout(() => button.replaceChildren(icon("copy")), 1500);
}

// Browsers hide the clipboard from pages that come over plain HTTP from another machine.
function copyWithoutClipboard(text) {
  const field = document.createElement("textarea");
  field.value = text;
  document.body.append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
}

async function rate(message, rating) {
  const before = message.rating;
  message.rating = rating;
  redraw(message);
  at("messages").querySelector(`[data-id="${message.id}"] [data-act=${rating}]`).focus();
  try {
    const rated = conversation(message.system ?? "", message.from ?? 0, messages.indexOf(message) + 1);
    await server.rate(store.getKey(), { id: message.id, conversation: rated, rating });
    at("live").textContent = words.saved;
  } catch {
    message.rating = before;
    redraw(message);
    notice(words.notSaved);
  }
  keep();
}

function newChat() {
  running?.abort();
  messages.length = 0;
  notice("");
  draw();
  keep();
  at("prompt").focus();
}

function exportJson() {
  const chosen = Object.fromEntries(NUMBERS.map((name) => [name, settings[name]]));
  const kept = { model, settings: chosen, messages: conversation(settings.system, 0, messages.length) };
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([JSON.stringify(kept, null, 1)], { type: "application/json" }));
  link.download = `gptwright-chat-${new Date().toISOString().slice(0, 10)}.json`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

// ---- beginning

function grow() {
  const prompt = at("prompt");
  prompt.style.height = "auto";
  prompt.style.height = `${Math.min(prompt.scrollHeight, 200)}px`;
}

async function loadModel() {
  const served = (await server.models(store.getKey())).find((one) => one.defaults);
  if (!served) throw new server.ServerError("no model here writes", 404, "no_writer");
  model = served.id;
  at("model").textContent = model;
  at("max_tokens").max = served.max_model_len;
  for (const [name, value] of Object.entries(served.defaults)) at(name).placeholder = value;
  const offered = await server.examples(store.getKey());
  at("examples").replaceChildren(...offered.map(chip));
}

function chip(question) {
  const item = document.createElement("li");
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = question;
  button.addEventListener("click", () => send(question));
  item.append(button);
  return item;
}

function listenToSettings() {
  for (const name of ["system", ...NUMBERS]) {
    at(name).value = settings[name];
    at(name).addEventListener("change", () => {
      if (at(name).validity.valid) settings[name] = at(name).value;
      else at(name).value = settings[name];
      keep();
    });
  }
  at("key").value = store.getKey();
  at("key").addEventListener("change", () => {
    store.setKey(at("key").value.trim());
    notice("");
    loadModel().then(draw, (error) => notice(explain(error)));
  });
  at("settings-open").addEventListener("click", () => at("settings").showModal());
  at("export").addEventListener("click", exportJson);
}

function listen() {
  at("composer").addEventListener("submit", (event) => {
    event.preventDefault();
    send(at("prompt").value);
  });
  at("prompt").addEventListener("input", grow);
  at("prompt").addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    send(at("prompt").value);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !event.isComposing && !at("settings").open) running?.abort();
  });
  at("stop").addEventListener("click", () => running?.abort());
  at("retry").addEventListener("click", again);
  at("new").addEventListener("click", newChat);
  at("language").addEventListener("click", switchLanguage);
  at("theme").addEventListener("click", switchTheme);
  listenToSettings();
}

speak();
listen();
draw();
at("prompt").focus();
loadModel().catch((error) => {
  if (error.status === 401) at("settings").showModal();
  notice(explain(error));
});
