"""Small changes of a Python function, each with the instruction that asks for it: made on the text, by its syntax tree.

A refactoring finds the places where it can be applied, takes one by the dice, and leaves every other character as it
was. None of them changes what the function does, but for the change of a default.
"""

import ast
import dis
import io
import re
import tokenize
from collections.abc import Callable, Iterator
from itertools import chain, zip_longest
from random import Random
from types import CodeType

NAMES = ("value", "item", "result", "count", "text", "key", "data", "found", "given", "total", "first", "left", "entry",
         "part", "index", "number", "other", "size", "limit", "each")  # fmt: skip
OPPOSITE: dict[type[ast.cmpop], str] = {
    ast.Eq: "!=", ast.NotEq: "==", ast.Lt: ">=", ast.GtE: "<", ast.Gt: "<=", ast.LtE: ">", ast.Is: "is not",
    ast.IsNot: "is", ast.In: "not in", ast.NotIn: "in",
}  # fmt: skip
DYNAMIC = {"locals", "vars", "eval", "exec", "globals"}
BRACES = r"\{\}"
Place = tuple[int, int]
"""characters from, to"""


class Source:
    """The text of one function, its tree, and where a node stands in the text."""

    def __init__(self, text: str) -> None:
        self.text = text
        (function,) = ast.parse(text).body
        assert isinstance(function, ast.FunctionDef)
        self.function = function
        self.starts = [0]
        for line in text.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))

    def place(self, node: ast.stmt | ast.expr | ast.arg) -> Place:
        """Where a node stands; columns are bytes, which are characters here."""
        assert node.end_lineno is not None and node.end_col_offset is not None
        return self.starts[node.lineno - 1] + node.col_offset, self.starts[node.end_lineno - 1] + node.end_col_offset

    def of(self, node: ast.expr) -> str:
        """Its text."""
        first, last = self.place(node)
        return self.text[first:last]

    def with_changes(self, changes: dict[Place, str]) -> str:
        """The text with something else in these places."""
        text = self.text
        for (first, last), new in sorted(changes.items(), reverse=True):
            text = text[:first] + new + text[last:]
        return text


Edit = tuple[str, str]
"""instruction, output"""


def rename(source: Source, dice: Random) -> Edit | None:
    """A parameter or local name becomes another one, everywhere."""
    nodes = list(ast.walk(source.function))
    names = [node for node in nodes if isinstance(node, ast.Name)]
    arguments = [node for node in nodes if isinstance(node, ast.arg)]
    used = {node.id for node in names} | {node.arg for node in arguments}
    if used & DYNAMIC or any(isinstance(node, ast.JoinedStr | ast.Global | ast.Nonlocal) for node in nodes):
        return None
    own = {node.id for node in names if isinstance(node.ctx, ast.Store)} | {node.arg for node in arguments}
    old_names = sorted(own - {"self", "cls", source.function.name})
    new_names = [name for name in NAMES if name not in source.text]
    if not old_names or not new_names:
        return None
    old, new = dice.choice(old_names), dice.choice(new_names)
    found = [source.place(node) for node in names if node.id == old]
    found += [(first, first + len(old)) for node in arguments if node.arg == old for first, _ in [source.place(node)]]
    return f"Rename {old} to {new}.", source.with_changes(dict.fromkeys(found, new))


def _defaults(source: Source) -> list[tuple[ast.arg, ast.Constant]]:
    arguments = source.function.args
    positional = [*arguments.posonlyargs, *arguments.args][-len(arguments.defaults) or len(source.text) :]
    pairs = [*zip(positional, arguments.defaults, strict=True),
             *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)]  # fmt: skip
    return [(name, value) for name, value in pairs if isinstance(value, ast.Constant)]


def change_default(source: Source, dice: Random) -> Edit | None:
    """A number or truth value that a parameter has by default becomes another one."""
    found = [(name, value, value.value) for name, value in _defaults(source) if isinstance(value.value, int)]
    if not found:
        return None
    name, value, old = dice.choice(found)
    new = not old if isinstance(old, bool) else old + dice.randint(1, 9)
    return f"Change the default of {name.arg} to {new}.", source.with_changes({source.place(value): str(new)})


def annotate(source: Source, dice: Random) -> Edit | None:
    """A parameter is annotated with the type of its default."""
    found = [(name, value) for name, value in _defaults(source)
             if name.annotation is None and type(value.value) in (int, bool, str, float, bytes)]  # fmt: skip
    if not found:
        return None
    name, value = dice.choice(found)
    kind, (first, _), (_, last) = type(value.value).__name__, source.place(name), source.place(value)
    return (f"Annotate {name.arg} as {kind}.",
            source.with_changes({(first, last): f"{name.arg}: {kind} = {source.of(value)}"}))  # fmt: skip


def annotate_return(source: Source, dice: Random) -> Edit | None:
    """A function that returns nothing says so."""
    nodes = list(ast.walk(source.function))
    returns = any(isinstance(node, ast.Return) and node.value for node in nodes)
    yields = any(isinstance(node, ast.Yield | ast.YieldFrom | ast.Lambda) for node in nodes)
    head = re.search(r"\):\n", source.text)
    if returns or yields or source.function.returns or not head or source.text.count("def ") > 1:
        return None
    return "Annotate the return type.", source.with_changes({(head.start(), head.end()): ") -> None:\n"})


def _docstring(source: Source) -> tuple[ast.stmt, str] | None:
    first, told = source.function.body[0], ast.get_docstring(source.function)
    return (first, told) if told and len(source.function.body) > 1 and first.lineno > source.function.lineno else None


def remove_docstring(source: Source, dice: Random) -> Edit | None:
    """The lines of the description go."""
    found = _docstring(source)
    if not found:
        return None
    first, end = source.place(found[0])
    line = source.text.rindex("\n", 0, first) + 1
    return "Remove the docstring.", source.with_changes({(line, source.text.index("\n", end) + 1): ""})


def add_docstring(source: Source, dice: Random) -> Edit | None:
    """The opposite: the description is in the instruction, and the text that is edited has none."""
    found, removed = _docstring(source), remove_docstring(source, dice)
    if not found or not removed or "\n" in found[1] or '"' in found[1]:
        return None
    return f'Add the docstring "{found[1]}"', source.text


def f_string(source: Source, dice: Random) -> Edit | None:
    """`"…" % names` and `"…".format(names)` become f-strings, all of them."""
    changes: dict[Place, str] = {}
    for node in ast.walk(source.function):
        template, values, hole = _formatted(node)
        if template is None or not _is_plain(source, template, values):
            continue
        literal = source.of(template)
        pieces, kinds = re.split(hole, literal), re.findall(hole, literal)
        if len(kinds) != len(values) or (hole != BRACES and "%" in "".join(pieces)):
            continue
        filled = [f"{{{source.of(value)}{'!r' * (kind == '%r')}}}" for value, kind in zip(values, kinds, strict=True)]
        text = "".join(chain.from_iterable(zip_longest(pieces, filled, fillvalue="")))
        assert isinstance(node, ast.expr)
        changes[source.place(node)] = f"f{text}"
    return ("Use f-strings." if changes else "", source.with_changes(changes)) if changes else None


def _formatted(node: ast.AST) -> tuple[ast.Constant | None, list[ast.expr], str]:
    """A literal, what is put into it, and what its holes look like."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod) and isinstance(node.left, ast.Constant):
        right = node.right
        return node.left, right.elts if isinstance(right, ast.Tuple) else [right], "%[sr]"
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
        template = node.func.value
        if isinstance(template, ast.Constant) and not node.keywords:
            return template, node.args, BRACES
    return None, [], ""


def _is_plain(source: Source, template: ast.Constant, values: list[ast.expr]) -> bool:
    """Whether it is one literal on one line, without braces, and all values are names or their attributes."""
    literal = source.of(template)
    one = isinstance(template.value, str) and re.fullmatch(r"\"[^\"\\\n]*\"|'[^'\\\n]*'", literal)
    braces = "{" in literal.replace("{}", "") or "}" in literal.replace("{}", "")
    return bool(one) and not braces and all(re.fullmatch(r"[A-Za-z_][\w.]*", source.of(value)) for value in values)


def invert_if(source: Source, dice: Random) -> Edit | None:
    """The two branches of the only `if` with an `else` change places, under the opposite condition."""
    found = [node for node in ast.walk(source.function) if isinstance(node, ast.If) and node.orelse]
    if len(found) != 1:
        return None
    (node,) = found
    opposite, lines = _negated(source, node.test), source.text.splitlines(keepends=True)
    first, last = node.body[0].lineno - 1, node.body[-1].end_lineno or 0
    other, end = node.orelse[0].lineno - 1, node.orelse[-1].end_lineno or 0
    if opposite is None or lines[last].strip() != "else:" or other != last + 1 or first != node.test.end_lineno:
        return None
    head = source.with_changes({source.place(node.test): opposite}).splitlines(keepends=True)[:first]
    if not lines[-1].endswith("\n"):
        return None
    return "Invert the if.", "".join([*head, *lines[other:end], lines[last], *lines[first:last], *lines[end:]])


def _negated(source: Source, test: ast.expr) -> str | None:
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return source.of(test.operand)
    if isinstance(test, ast.Compare) and len(test.ops) == 1:
        return f"{source.of(test.left)} {OPPOSITE[type(test.ops[0])]} {source.of(test.comparators[0])}"
    return f"not {source.of(test)}" if isinstance(test, ast.Name | ast.Attribute | ast.Call) else None


def remove_comments(source: Source, dice: Random) -> Edit | None:
    """Comments go, and lines that are nothing else."""
    found = [token for token in _tokens(source.text) if token.type == tokenize.COMMENT]
    if not found:
        return None
    lines = source.text.splitlines(keepends=True)
    for token in found:
        row, column = token.start
        code = lines[row - 1][:column].rstrip()
        lines[row - 1] = code + "\n" if code else ""
    return "Remove the comments.", "".join(lines)


def double_quotes(source: Source, dice: Random) -> Edit | None:
    """'…' becomes "…", wherever nothing else has to change."""
    changes: dict[Place, str] = {}
    for token in _tokens(source.text):
        if token.type == tokenize.STRING and re.fullmatch(r"[rb]?'(?!'')[^'\"\\]*'", token.string):
            (row, first), (_, last) = token.start, token.end
            start = source.starts[row - 1]
            changes[(start + first, start + last)] = token.string.replace("'", '"')
    return ("Use double quotes.", source.with_changes(changes)) if changes else None


def _tokens(text: str) -> Iterator[tokenize.TokenInfo]:
    return tokenize.generate_tokens(io.StringIO(text).readline)


REFACTORINGS: dict[str, Callable[[Source, Random], Edit | None]] = {
    "rename": rename, "default": change_default, "annotate": annotate, "annotate-return": annotate_return,
    "remove-docstring": remove_docstring, "add-docstring": add_docstring, "f-string": f_string,
    "invert-if": invert_if, "remove-comments": remove_comments, "double-quotes": double_quotes,
}  # fmt: skip
SAME_BYTECODE = ("rename", "annotate", "annotate-return", "remove-docstring", "add-docstring", "remove-comments",
                 "double-quotes")  # fmt: skip


def same_bytecode(first: str, second: str) -> bool:
    """Whether two functions do the same by their instructions; lines, local names and descriptions aside."""
    return list(_instructions(first)) == list(_instructions(second))


def _instructions(text: str) -> Iterator[tuple[str, object]]:
    pending = [code for code in compile(text, "function", "exec", optimize=2).co_consts if isinstance(code, CodeType)]
    while pending:
        code = pending.pop()
        pending += [each for each in code.co_consts if isinstance(each, CodeType)]
        for each in dis.get_instructions(code):
            if each.opname == "NOP":  # what is left of a description
                continue
            by_name = each.opname == "LOAD_CONST" or "NAME" in each.opname or "ATTR" in each.opname
            yield each.opname, repr(each.argval).split(" at 0x")[0] if by_name else each.arg
