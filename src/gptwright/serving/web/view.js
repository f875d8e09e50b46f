// One message on the page: its text, and under an answer what can be done with it.

import { render } from "./markdown.js";

const SVG = "http://www.w3.org/2000/svg";

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#icon-${name}`);
  svg.append(use);
  return svg;
}

function button(name, label, act) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "quiet";
  made.dataset.act = name;
  made.title = label;
  made.setAttribute("aria-label", label);
  made.append(icon(name));
  made.addEventListener("click", () => act(made));
  return made;
}

// `acts` = { copy, again, up, down }; `again` only where the answer is the last one.
export function messageView(message, words, acts) {
  const item = document.createElement("li");
  item.className = message.role;
  item.dataset.id = message.id;
  const who = document.createElement("span");
  who.className = "unseen";
  who.textContent = message.role === "user" ? words.you : words.assistant;
  const text = document.createElement("div");
  text.className = "text";
  item.append(who, text);
  fill(item, message);
  if (message.role === "assistant" && message.finish) item.append(tools(message, words, acts));
  return item;
}

export function fill(item, message) {
  const text = item.querySelector(".text");
  if (message.role === "user") text.textContent = message.content;
  else text.replaceChildren(render(message.content));
  item.classList.toggle("waiting", message.role === "assistant" && !message.finish);
}

function tools(message, words, acts) {
  const row = document.createElement("div");
  row.className = "tools";
  row.append(button("copy", words.copy, acts.copy));
  if (acts.again) row.append(button("again", words.again, acts.again));
  for (const rating of ["up", "down"]) {
    const made = button(rating, words[rating], () => acts.rate(rating));
    made.setAttribute("aria-pressed", String(message.rating === rating));
    row.append(made);
  }
  const facts = document.createElement("span");
  facts.className = "facts";
  facts.textContent = factsOf(message, words).join(" · ");
  row.append(facts);
  return row;
}

function factsOf(message, words) {
  const said = [];
  if (message.tokens) said.push(words.tokens(message.tokens));
  if (message.rate) said.push(words.rate(message.rate));
  if (message.finish === "stopped") said.push(words.stopped);
  if (message.finish === "length") said.push(words.cut);
  if (message.from) said.push(words.trimmed);
  return said;
}
