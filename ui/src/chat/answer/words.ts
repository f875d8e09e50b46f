// Words of what can be done with an answer.
import { table } from "../../lib/words.svelte";

export const words = table(
  {
    code: "Code",
    wrap: "Break long lines",
    copyCode: "Copy code",
    thought: "Reasoning",
    thinking: "Thinking …",
  },
  {
    code: "代码",
    wrap: "自动换行",
    copyCode: "复制代码",
    thought: "思考过程",
    thinking: "思考中……",
  },
);
