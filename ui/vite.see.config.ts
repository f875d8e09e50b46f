// The page of `gptwright see`, as one script and one style that Python writes into each page.
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

export default defineConfig({
  plugins: [svelte({ compilerOptions: { fragments: "tree" } })],
  publicDir: false,
  build: {
    outDir: "../src/gptwright/interpretability/web",
    emptyOutDir: true,
    target: "es2022",
    cssCodeSplit: false,
    lib: { entry: "src/see/main.ts", formats: ["iife"], name: "see", fileName: () => "see.js", cssFileName: "see" },
  },
});
