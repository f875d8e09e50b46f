"""What of a page is its furniture and not its text, told by what pages say of their elements: roles, names, hiding.

Elements that HTML itself calls menus, headers and footers are known by their tags (`html.py`). Of the others a role
says it (`role="navigation"`), or a name in `class` or `id`. Names lie: `has-sidebar` may stand on what holds the whole
page, so what a name calls furniture must be small beside the page.
"""

import re
from collections.abc import Mapping
from functools import lru_cache

CONTAINERS = frozenset(("aside", "div", "dl", "form", "li", "ol", "p", "section", "table", "td", "tr", "ul"))
"""The tags that names are looked for on."""
ROLES = frozenset((
    "alert", "alertdialog", "banner", "contentinfo", "dialog", "menu", "menubar", "navigation", "search", "tablist",
    "toolbar", "tooltip",
))  # fmt: skip
LARGEST = 1 / 3
"""Of a page's characters; a larger part is not taken for furniture because of its name."""
_NAMES = re.compile(
    r"(?<![a-z])(?:top|main|sub|side|site|local|mobile)?nav(?:bar|box|header|footer|links?|igation)?(?![a-z])"
    r"|menu(?![a-z])|side-?bar|bread-?crumb|paginat|(?<![a-z])pager(?![a-z])|foot(?:er|bar)(?![a-z])|masthead|toolbar"
    r"|cookie|consent|newsletter|subscri(?:be|ption)|sponsor|pop-?up(?![a-z])|(?<![a-z])modal(?![a-z])"
    r"|(?<![a-z])(?:ads?|advert\w*|social|share|sharing|related|login|sign-?in|copyright)(?![a-z])"
    r"|edit-?section|cat-?links|skip-?(?:link|nav|to)"
)
_NOT_SHOWN = re.compile(r"(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*hidden)\s*(?:;|!|$)", re.IGNORECASE)


def is_hidden(attributes: Mapping[str, str | None]) -> bool:
    """Whether an element with these attributes is not shown."""
    style = attributes.get("style")
    return "hidden" in attributes or bool(style and _NOT_SHOWN.search(style))


def has_role_of_furniture(attributes: Mapping[str, str | None]) -> bool:
    """Whether its role says so, which is meant for readers who do not see the page."""
    role = attributes.get("role")
    return bool(role) and role.strip().lower() in ROLES


def has_name_of_furniture(attributes: Mapping[str, str | None]) -> bool:
    """Whether its names say so."""
    return _is_of_furniture(attributes.get("class")) or _is_of_furniture(attributes.get("id"))


@lru_cache(1024)
def _is_of_furniture(names: str | None) -> bool:
    return bool(names) and bool(_NAMES.search(names.lower()))
