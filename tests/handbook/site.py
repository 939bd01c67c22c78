"""Builds the documentation as a site: a hook of MkDocs (mkdocs.yml), which `make site` runs.

The pages stay where they are in the repository, and the site has them at the same places: a link that works on GitHub
works there. What only GitHub shows is made here: the contents of a folder, and a notebook.
"""

from __future__ import annotations

import posixpath
import re
from functools import cache
from typing import TYPE_CHECKING, Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.utils import get_relative_url

from handbook.made_pages import decisions, folder, notebook
from handbook.navigation import DECISIONS, INDEX, ROOT, pages, parts, resolved, slug, title_of, tracked

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.pages import Page

FETCHED = "build/site-assets"
"""Where `make site` puts the scripts that the theme would load from another host when a page is shown."""
MERMAID = "mermaid.min.js"
WORKER = "iframe-worker.js"
ASSETS = ("tests/handbook/site.css", "streamverify/gateway/page/static/icon.svg")
_LINK = re.compile(r"\[([^\]]*)\]\(([^)#\s:]+)((?:#[^)\s]*)?)\)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Name headings as GitHub does, and take the menu from docs/README.md."""
    config.mdx_configs.setdefault("toc", {})["slugify"] = slug
    menu: list[Any] = [{"Start": [{"First steps": "README.md"}, {"All pages": INDEX}]}]
    for heading, entries in parts((ROOT / INDEX).read_text("utf-8")).items():
        menu.append({heading: [_menu_entry(title, path) for title, path in entries]})
    config.nav = menu
    return config


def _menu_entry(title: str, path: str) -> dict[str, Any]:
    if path == DECISIONS:
        return {title: [f"{path}/README.md", *sorted(page for page in pages() if page.startswith(f"{path}/"))]}
    return {title: _page_of(path)}


def _page_of(path: str) -> str:
    """The page that shows a path of the repository: a folder's is its README, a notebook's has its name."""
    if path.endswith(".ipynb"):
        return path.removesuffix(".ipynb") + ".md"
    return f"{path}/README.md" if (ROOT / path).is_dir() else path


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Take the files of the repository that the pages are, or lead to, in the place of those of `docs_dir`.

    Raises:
        PluginError: A script that the theme needs is not here.
    """
    ours = Files([file for file in files if file.src_dir != config.docs_dir])
    texts = {page: (ROOT / page).read_text("utf-8") for page in pages()}
    linked = {resolved(page, target) for page, text in texts.items() for _, target, _ in _LINK.findall(text)}
    for shown, path in {_page_of(path): path for path in sorted(linked | texts.keys() | set(ASSETS))}.items():
        if shown in tracked():
            ours.append(File(shown, str(ROOT), config.site_dir, config.use_directory_urls))
        elif path.endswith(".ipynb"):
            ours.append(File.generated(config, shown, content=notebook((ROOT / path).read_text("utf-8"))))
        elif path == DECISIONS:
            ours.append(File.generated(config, shown, content=decisions(texts)))
        elif (ROOT / path).is_dir():
            ours.append(File.generated(config, shown, content=folder(path)))
    for script in (MERMAID, WORKER):
        if not (ROOT / FETCHED / script).is_file():
            raise PluginError(f"{FETCHED}/{script} is missing: build the site with `make site`, which fetches it")
        ours.append(File(script, str(ROOT / FETCHED), config.site_dir, config.use_directory_urls))
    return ours


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Let links to folders and notebooks lead to the pages made of them, and leave out the marks of `make docs`."""

    def led(link: re.Match[str]) -> str:
        text, target, section = link.groups()
        path = resolved(page.file.src_uri, target)
        shown = _page_of(path)
        if shown != path:
            target = posixpath.relpath(shown, posixpath.dirname(page.file.src_uri) or ".")
        # On GitHub the name of a file says what it is; the site has no such files.
        if text.rstrip("/").endswith(path) or text == target or posixpath.basename(text) == posixpath.basename(path):
            text = titles().get(shown, text)
        return f"[{text}]({target}{section})"

    # Directly before a table the comment would make it a paragraph.
    without_marks = re.sub(r"^<!-- (?:made by `make docs`: \w+|end) -->$", "", markdown, flags=re.MULTILINE)
    return _LINK.sub(led, without_marks)


@cache
def titles() -> dict[str, str]:
    """What the menu calls each page; of one that is not in it, its heading."""
    named = {
        _page_of(path): title
        for entries in parts((ROOT / INDEX).read_text("utf-8")).values()
        for title, path in entries
    }
    return {page: title_of((ROOT / page).read_text("utf-8")) for page in pages()} | named


def on_post_page(output: str, page: Page, **_: Any) -> str:
    """Let a page with a diagram draw it by the script of this site, and allow nothing from other hosts.

    Raises:
        PluginError: The page loads something from another host.
    """
    if 'class="mermaid"' in output:
        # Before that of the theme, which would load it from another host.
        script = f'<script src="{get_relative_url(MERMAID, page.url)}"></script>'
        output = output.replace("</head>", f"{script}</head>", 1)
        output = re.sub(r'<pre class="mermaid">.*?</pre>', r'<div class="diagram">\g<0></div>', output, flags=re.DOTALL)
    loaded = re.findall(r"<(?:script|link|img|iframe)\b[^>]*(?:src|href)=\"?((?:https?:)?//[^\"\s>]+)", output)
    if loaded:
        raise PluginError(f"{page.file.src_uri} would load from another host: {', '.join(loaded)}")
    return output
