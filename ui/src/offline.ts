// The page that labels without a server: one file, with tasks inside.
import { mount } from "svelte";
import "./app.css";
import { speak } from "./lib/words.svelte";
import Offline from "./offline/Offline.svelte";
import type { Work } from "./offline/queue";

speak(document.documentElement.lang.startsWith("zh") ? "zh" : "en"); // as it was asked for
mount(Offline, { target: document.body, props: { work: JSON.parse(document.getElementById("data")!.textContent!) as Work } });
