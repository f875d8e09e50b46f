// The page of `gptwright see`: one file, which needs no server.
import { mount } from "svelte";
import "../app.css";
import See from "./See.svelte";
import { Attention, readView } from "./view";

const view = readView();
void Attention.unpack(view).then((attention) => mount(See, { target: document.body, props: { view, attention } }));
