"""Texts on which two tokenizers would differ first: cuts between words, spaces, accents, scripts, special tokens.

An encoder that is to stand in for another is tried on these; the tests try every kind on them.
"""

TEXTS = (
    # nothing, and spaces of all sorts
    "",
    " ",
    "  ",
    "a",
    " a",
    "a ",
    "  a  b   c ",
    "\n",
    "\r\n",
    "a\r\n\r\nb\rc\n\n\nd",
    "\t\t x\ty",
    " \n \n",
    "\xa0\u2003\u3000a\u2028\u2029\x85\x0b\x0c\x1c",
    # what is no letter: control characters, marks of order and of bytes, characters without meaning
    "\0",
    "a\0b\x01\x7f\x9f",
    "\ufeffa\u200b\u200e\u202eb\u202c\u00ad\ufffd\uffff\U0010ffff\ue000",
    # words and signs
    "don't DON'T we'll I'm they've 'tis O'Neill's can''t x'ſ",
    "…—–«»„“”’‘·•※!?",
    "a-b_c/d\\e f@g.h https://example.com/?q=a+b&c=%20#x",
    "camelCase snake_case SCREAMING",
    "def f(x):\n    return x ** 2  # square\n",
    "a1b22c333 3.14159 1,000,000 0x1F ½ Ⅻ ² ٣ 一二三",
    # one character in several forms
    "e\u0301 n\u0303o\u0308\u0323 \u0301 a\u0301\u0302\u0303\u0304",
    "ﬁ ǆ İ ı ß ẞ ſ K Å Ω",
    "𝒳𝔘𝟙 𐍈 \U0001e6c0 \U00010d40 \U0002ebf0 \U00011f50",
    # scripts
    "猫がいる。日本語 漢字かな交じり文",
    "他说：“你好，世界！”",
    "שלום עולם مرحبا بالعالم",
    "हिन्दी ไทย ខ្មែរ 한국어 \u1112\u1161\u11ab",
    "Привет мир Ελληνικά ñandú Łódź",
    "👩\u200d🚀 👨\u200d👩\u200d👧\u200d👦 🇩🇪 ☝🏽 ❤\ufe0f 👍👎",
    # special tokens written out, whole, broken and nested
    "<|endoftext|><|user|>hi<|end|><|assistant|>",
    "<|us er|> <|<|user|>user|> <|en<|end|>d|>",
    "<s></s><unk><pad>[CLS][SEP][MASK][UNK][PAD]<|im_start|>user\nhi<|im_end|>",
    "<0x0A><0x00> ▁ a▁b ▁▁ </w> ##ing Ġa Ċ",
    # longer than any token
    "a" * 1000,
    "pneumonoultramicroscopicsilicovolcanoconiosis" * 30,
    "." * 700,
    "=-" * 300,
    "猫" * 300,
    "ab" * 500 + " " * 500 + "\n" * 500 + "x",
)
