// The page of `gptwright export --to html`: its script and style, and the script of the thread that computes, which
// Python writes into each page.
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { build, defineConfig, type InlineConfig, type Plugin } from "vite";

const outDir = "../src/gptwright/pipelines/web";

const engine: InlineConfig = {
  configFile: false,
  publicDir: false,
  build: {
    outDir,
    emptyOutDir: false,
    target: "es2022",
    lib: { entry: "src/run/engine/worker.ts", name: "engine", formats: ["iife"], fileName: () => "engine.js" },
  },
};

const thread = (): Plugin => ({ name: "engine", apply: "build", closeBundle: () => build(engine).then(() => {}) });

export default defineConfig({
  plugins: [svelte({ compilerOptions: { fragments: "tree" } }), thread()],
  publicDir: false,
  build: {
    outDir,
    emptyOutDir: true,
    target: "es2022",
    cssCodeSplit: false,
    lib: { entry: "src/run/main.ts", formats: ["iife"], name: "run", fileName: () => "run.js", cssFileName: "run" },
  },
});
