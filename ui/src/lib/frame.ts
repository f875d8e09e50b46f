// Words of the frame around every room, and those that more than one room says.
import { table } from "./words.svelte";

export const frame = table(
  {
    otherLanguage: "中文",
    pages: "Pages",
    chat: "Chat",
    label: "Label",
    improve: "Teach",
    theme: "Light or dark",
    close: "Close",
    cancel: "Cancel",
    save: "Save",
    undo: "Undo",
    retry: "Try again",
    loading: "Loading",
    key: "API key",
    keyPlaceholder: "only if the server asks for one",
    logIn: "Log in",
  },
  {
    otherLanguage: "English",
    pages: "页面",
    chat: "对话",
    label: "标注",
    improve: "教它",
    theme: "浅色或深色",
    close: "关闭",
    cancel: "取消",
    save: "保存",
    undo: "撤销",
    retry: "重试",
    loading: "加载中",
    key: "API 密钥",
    keyPlaceholder: "仅在服务器要求时填写",
    logIn: "登录",
  },
);
