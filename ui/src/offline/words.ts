import { table } from "../lib/words.svelte";

export const words = table(
  {
    done: (count: number, of: number) => `${count} of ${of} done`,
    download: "Download what you said",
    hint: "Bring the file back to the labelling page: Take along, Bring back.",
    unsafe: "This browser keeps nothing: download before you close the page.",
  },
  {
    done: (count: number, of: number) => `已完成 ${count} / ${of}`,
    download: "下载您的标注",
    hint: "把文件带回标注页：带走 → 带回。",
    unsafe: "此浏览器不保存任何内容：关闭页面前请先下载。",
  },
);
