// The pages, built into the package: plain files with fixed names, which the server reads once; and one script with
// its styles for the page that labels without a server.
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { build, defineConfig, type InlineConfig, type Plugin } from "vite";

const outDir = "../src/gptwright/serving/web";
const elements = () => svelte({ compilerOptions: { fragments: "tree" } }); // made one by one: no innerHTML

const offline: InlineConfig = {
  configFile: false,
  publicDir: false,
  plugins: [elements()],
  build: {
    outDir,
    emptyOutDir: false,
    target: "es2022",
    lib: { entry: "src/offline.ts", name: "offline", formats: ["iife"], fileName: () => "offline.js", cssFileName: "offline" },
  },
};

const alone = (): Plugin => ({ name: "offline", apply: "build", closeBundle: () => build(offline).then(() => {}) });

export default defineConfig({
  plugins: [elements(), alone()],
  build: {
    outDir,
    emptyOutDir: true,
    target: "es2022",
    modulePreload: false,
    assetsInlineLimit: 0,
    rolldownOptions: {
      output: {
        entryFileNames: "app.js",
        chunkFileNames: "[name].js",
        assetFileNames: "[name][extname]",
      },
    },
  },
});
