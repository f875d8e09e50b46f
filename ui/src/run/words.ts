// Words of the page that is a run.
import { language, table } from "../lib/words.svelte";

export const words = table(
  {
    chat: "Chat",
    inside: "Inside",
    training: "Training",
    rooms: "Rooms",
    hello: (name: string) => `This file is ${name}: it runs here, in your browser. Nothing you write leaves it.`,
    you: "You",
    write: "Write to it",
    send: "Send",
    stop: "Stop",
    again: "Answer again",
    fresh: "New conversation",
    settings: "Settings",
    temperature: "Temperature: 0 always takes the likeliest token",
    topP: "Top-p: draws among the likeliest that together are so likely",
    maxTokens: "Longest answer, in tokens",
    system: "What it is told before the conversation",
    probabilities: "Probabilities of tokens",
    probabilitiesHelp: "The darker a token, the less likely it was. Choose one.",
    instead: "Likeliest in its place",
    cutLength: "Its longest length is reached.",
    cutStopped: "Stopped.",
    tooLong: "That is longer than the model can read at once. Shorten it.",
    broken: "The model could not be computed here. Another browser, or a newer one, may do it.",
    loading: "The model is unpacked",
    noAnswer: "Ask something in the chat first: its last answer is looked at here.",
    reading: "The conversation is read",
    cut: (shown: number, all: number) => `The last ${shown} of ${all} tokens are shown.`,
    noReport: "The model came without its run: nothing is known of its training.",
    curves: "How it learned",
    asked: "The same question after every stage",
    beforeAfter: "Before and after, with 95 % intervals",
    english: "",
  },
  {
    chat: "对话",
    inside: "内部",
    training: "训练",
    rooms: "页面",
    hello: (name: string) => `这个文件就是 ${name}：它在你的浏览器里运行，你写的内容不会离开这里。`,
    you: "你",
    write: "写给它",
    send: "发送",
    stop: "停止",
    again: "重新回答",
    fresh: "新对话",
    settings: "设置",
    temperature: "温度：0 总是取最可能的词元",
    topP: "Top-p：只在合起来有这么大概率的最可能词元中抽取",
    maxTokens: "回答最多多少词元",
    system: "对话之前告诉它的话",
    probabilities: "各词元的概率",
    probabilitiesHelp: "颜色越深，该词元越不可能。请选一个。",
    instead: "此处最可能的词元",
    cutLength: "已达到最大长度。",
    cutStopped: "已停止。",
    tooLong: "超过了模型一次能读的长度，请缩短。",
    broken: "模型无法在此计算。换一个或更新的浏览器也许可以。",
    loading: "正在展开模型",
    noAnswer: "请先在对话中提问：这里查看最后一个回答。",
    reading: "正在读取对话",
    cut: (shown: number, all: number) => `显示 ${all} 个词元中的最后 ${shown} 个。`,
    noReport: "该模型没有附带训练记录。",
    curves: "学习过程",
    asked: "每个阶段之后的同一个问题",
    beforeAfter: "前后对比（95 % 区间）",
    english: "表中的名称与报告一致，为英文。",
  },
);

// What a report says in its own words.
const CHINESE: Record<string, string> = {
  Pretraining: "预训练", "Supervised fine-tuning": "监督微调", "Reward model": "奖励模型",
  "bits a byte": "每字节比特", "training loss, nats a token": "训练损失，每词元纳特", "training loss, nats a pair": "训练损失，每对纳特",
  "of the reward model, in its standard deviations": "奖励模型打分，以其标准差计", "KL from sft, nats an answer": "与 sft 的 KL，每回答纳特",
  "tokens an answer": "每回答词元数", score: "得分", distance: "距离", length: "长度", step: "步", update: "更新", training: "训练",
  "held out": "留出", answers: "回答", "pretraining text": "预训练文本", reward: "奖励", "control, shuffled ranks": "对照（打乱排名）",
  time: "时间", parameters: "参数", text: "文本", "held out, bits/byte": "留出，比特/字节", "right answers": "答对", "wins over sft": "胜过 sft",
  "peak memory": "内存峰值", "A chat model tuned by preferences": "按偏好调整的对话模型", "A chat model": "对话模型",
  "A language model": "语言模型", "A code model": "代码模型",
};

/** A name of the report in the language that is spoken, where it is known. */
export function reported(name: string): string {
  if (language() !== "zh") return name;
  const [stage, figure] = name.split(": ");
  return CHINESE[name] ?? (figure && CHINESE[figure] ? `${stage}：${CHINESE[figure]}` : name);
}
