"""The words of explained.html in each language; keys and what is filled in are the same."""

from collections.abc import Mapping

from markupsafe import Markup

ENGLISH: Mapping[str, str] = {
    "title": "{name} – prepared",
    "run": "What prepare did with {name}",
    "headline": "{kept} of {all} documents stay, {share}",
    "switch": "中文",
    "in_and_out": "In and out",
    "documents": "documents",
    "documents_in": "documents in",
    "documents_out": "documents out",
    "of_all": "of all",
    "bytes": "bytes",
    "bytes_in": "bytes in",
    "bytes_out": "bytes out",
    "characters": "characters",
    "came_in": "came in",
    "of_what_stays": "of what stays",
    "share_of_what_stays": "of what stays",
    "train": "to train on",
    "heldout": "held out",
    "bytes_note": "Bytes are those of UTF-8; each step has what the one before leaves. In characters: "
    "{before} came in, {after} stay.",
    "left_out": "Left out while files were read: {count} characters, {reason}.",
    "lines": "Lines taken out of what stays, {reason}: {count}.",
    "sources": "Sources",
    "dropped": "dropped",
    "more": "{count} more",
    "lengths": "Lengths",
    "lengths_note": "of what stays, in characters",
    "range": "{least} to {most}",
    "languages": "Languages",
    "languages_note": "of what stays; scripts where languages were not asked for",
    "tokens": "tokens",
    "per_token": "characters a token",
    "half": "half are below",
    "bars": "lengths",
    "bars_note": "Half of a language's documents have fewer characters than that number. The last bars count documents "
    "by their length, from {least} to {most} characters, each bar for twice the length of the one before.",
    "tokens_note": "Tokens are those of {tokenizer}.",
    "near": "Near-duplicates",
    "near_note": "{alike} texts that are almost the same as {originals} that stay",
    "near_of_one": "near-duplicates of one text",
    "such_texts": "such texts",
    "or_more": "{least} or more",
    "largest": "the largest clusters",
    "cluster_of_one": "{count} near-duplicate of",
    "cluster": "{count} near-duplicates of",
    "examples": "Examples",
    "examples_note": "the first {most} of each reason; all that went are in dropped.jsonl",
    "size": "{source}, {count} characters",
    "almost": "almost the same as",
}

CHINESE: Mapping[str, str] = {
    "title": "{name} – 已准备",
    "run": "prepare 对 {name} 做了什么",
    "headline": "{all} 篇文档留下 {kept} 篇，{share}",
    "switch": "English",
    "in_and_out": "进与出",
    "documents": "文档",
    "documents_in": "进入文档",
    "documents_out": "留下文档",
    "of_all": "占全部",
    "bytes": "字节",
    "bytes_in": "进入字节",
    "bytes_out": "留下字节",
    "characters": "字符",
    "came_in": "读入",
    "of_what_stays": "从留下的文本中",
    "share_of_what_stays": "占留下的",
    "train": "用于训练",
    "heldout": "留出",
    "bytes_note": "字节按 UTF-8 计；每一步进入的是上一步留下的。按字符计：读入 {before}，留下 {after}。",
    "left_out": "读取文件时略去：{count} 个字符，{reason}。",
    "lines": "从留下的文本中去掉的行，{reason}：{count}。",
    "sources": "来源",
    "dropped": "丢弃",
    "more": "另外 {count} 个",
    "lengths": "长度",
    "lengths_note": "留下的文本，按字符计",
    "range": "{least} 到 {most}",
    "languages": "语言",
    "languages_note": "留下的文本；没有要求识别语言时按文字计",
    "tokens": "token",
    "per_token": "每个 token 的字符",
    "half": "一半短于",
    "bars": "长度",
    "bars_note": "一种语言有一半的文档少于这个字符数。最后的条形按长度计文档，从 {least} 到 {most} 个字符，"
    "每一条的长度是前一条的两倍。",
    "tokens_note": "token 按 {tokenizer} 计。",
    "near": "近似重复",
    "near_note": "{alike} 篇文本与留下的 {originals} 篇几乎相同",
    "near_of_one": "一篇文本的近似重复",
    "such_texts": "这样的文本",
    "or_more": "{least} 以上",
    "largest": "最大的几组",
    "cluster_of_one": "有 {count} 篇与它近似重复：",
    "cluster": "有 {count} 篇与它近似重复：",
    "examples": "例子",
    "examples_note": "每种原因的前 {most} 个；所有去掉的都在 dropped.jsonl 里",
    "size": "{source}，{count} 个字符",
    "almost": "几乎等同于",
}

REASONS: Mapping[str, str] = {
    "empty": "空",
    "too short": "太短",
    "duplicate": "重复",
    "near-duplicate": "近似重复",
    "in an earlier run": "先前的运行里已有",
    "near-duplicate of an earlier run": "与先前运行里的近似重复",
    "shared with a test": "与测试题相同",
    "beyond max_characters": "超出 max_characters",
    "layout": "排版",
    "licences and page furniture": "许可声明和页面杂项",
    "signs between texts": "文本之间的分隔符",
    "lines that a filter takes out": "过滤器去掉的行",
    "letters read in a wrong encoding": "按错误编码读的字母",
    "masked": "遮盖",
    "repeated in many documents": "在许多文档里重复",
    "cannot be read, or not to its end": "无法读取，或读不到结尾",
    "a record that cannot be read": "无法读取的记录",
    "over 256 MiB in one line": "一行超过 256 MiB",
    "no page": "不是网页",
    "no answer of a server with a page": "不是带网页的服务器应答",
    "over 16 MiB": "超过 16 MiB",
    "linked to by none of the links": "没有被任何链接指向",
    "packed so that it cannot be unpacked": "无法解压",
    "the end of a page, which was never fetched": "没有取到的网页结尾",
    "broken off": "中断",
    "damaged, and what follows in its archive": "损坏，连同存档里其后的部分",
    "not text": "不是文本",
    "generated": "生成的",
    "lines of a program that nobody writes": "没有人会写的程序行",
    "front matter": "文件头信息",
    "menus and the like of web pages": "网页的菜单之类",
    "language": "语言",
    "licence": "许可",
}
"""in Chinese; what stands before a colon is looked up alone"""


def said(key: str, **given: object) -> Markup:
    """A phrase in each language, one of which is shown; what is filled in is escaped."""
    return in_both(Markup(ENGLISH[key]).format(**given), Markup(CHINESE[key]).format(**given))


def reason_said(reason: str) -> Markup:
    """A reason in each language; in Chinese with its name in the files, and that alone where there is no other."""
    kind, colon, rest = reason.partition(": ")
    chinese = REASONS.get(reason) or (REASONS[kind] + "：" + rest if colon and kind in REASONS else "")
    return in_both(reason, f"{chinese}（{reason}）") if chinese else Markup.escape(reason)


def in_both(english: str, chinese: str) -> Markup:
    """Two texts for one place."""
    return Markup('<span lang="en">{}</span><span lang="zh-Hans">{}</span>').format(english, chinese)
