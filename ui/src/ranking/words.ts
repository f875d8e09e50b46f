import { table } from "../lib/words.svelte";

export const words = table(
  {
    order: "Answers, best first",
    name: (letter: string) => `Answer ${letter}`,
    grip: (letter: string, rank: number, of: number) => `Answer ${letter}, rank ${rank} of ${of}: move`,
    keys: "On a grip: ↑ ↓ move, a number puts it there, = ties it with the one above. Or drag.",
    tie: (letter: string, above: string) => `${letter} is as good as ${above}`,
    at: (letter: string, rank: number, ties: string) => `Answer ${letter} has rank ${rank}${ties && `, as ${ties} has`}`,
  },
  {
    order: "回答，最好的在前",
    name: (letter: string) => `回答 ${letter}`,
    grip: (letter: string, rank: number, of: number) => `回答 ${letter}，第 ${rank} 名，共 ${of} 个：移动`,
    keys: "在手柄上：↑ ↓ 移动，数字键放到该位置，= 与上一个并列。也可以拖动。",
    tie: (letter: string, above: string) => `${letter} 与 ${above} 一样好`,
    at: (letter: string, rank: number, ties: string) => `回答 ${letter} 排第 ${rank} 名${ties && `，与 ${ties} 并列`}`,
  },
);
