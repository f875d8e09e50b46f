// A run as one file: its model answers in the browser that opens it. What the page can do stands in the console as `run`.
import { mount } from "svelte";
import "../app.css";
import { Conversation } from "./conversation.svelte";
import { Engine } from "./engine/engine";
import { Tokenizer } from "./engine/tokenizer";
import { readPage } from "./page";
import Run from "./Run.svelte";

const page = readPage();
export const tokenizer = new Tokenizer(page.tokenizer);
export const engine = new Engine(page.engine, page.model);
mount(Run, { target: document.body, props: { conversation: new Conversation(page, engine, tokenizer) } });
