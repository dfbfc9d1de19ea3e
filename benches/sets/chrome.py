#!/usr/bin/env python3
"""Makes a set of web pages as text: real pages inside the chrome of invented sites.

    chrome.py OUT [--sources DIR ...] [--seed 1]

Takes the main text of HTML documentation at hand and gives each source folder a site of its own: navigation and cookie
bar above, related links, newsletter and footer below. The chrome varies as it does on real sites: the active item is
left out, the breadcrumb and the date change, a bar is missing on some pages, two sites share a consent tool. Sites have
from 3 to 30 pages. Rows carry `site`. Truth: the chrome goes, what the pages say stays; the breadcrumb,
which names the page, may do either.
"""
import argparse
import random
import re
from html.parser import HTMLParser
from pathlib import Path

from common import Document, files, write

RUST = Path.home() / ".rustup/toolchains"
BOOKS = ["book", "cargo", "nomicon", "reference", "rust-by-example", "edition-guide", "rustc", "style-guide", "embedded-book"]
SITES = [
    ("portside.example", 30, ["Home", "Guides", "Library", "Forum", "Jobs", "Shop", "Contact"], " | "),
    ("fernwald.example", 22, ["Start", "Themen", "Werkstatt", "Termine", "Über uns", "Spenden"], "\n"),
    ("millrace.example", 16, ["News", "Reviews", "Tutorials", "Podcasts", "Newsletters", "Events", "About"], " / "),
    ("kestrel.example", 12, ["Docs", "API", "Changelog", "Status", "Pricing", "Sign in"], "\n"),
    ("saltmarsh.example", 8, ["Accueil", "Articles", "Dossiers", "Agenda", "Boutique"], " · "),
    ("hollowoak.example", 6, ["Overview", "Install", "Learn", "Community", "Blog"], "\n"),
    ("redshank.example", 5, ["Front page", "Sections", "Archive", "Letters", "Crossword"], " | "),
    ("pepperbox.example", 4, ["Index", "Notes", "Tools", "Imprint"], "\n"),
    ("brightwater.example", 3, ["Welcome", "Reading room", "Catalogue", "Opening hours", "Visit"], " · "),
]
COOKIES = ["We use cookies to make {site} work and to count visits. You may accept all of them or only those we cannot do "
           "without; your choice is kept for twelve months.\nAccept all\nOnly necessary\nSettings",
           "{site} und {n} Partner speichern Angaben auf Ihrem Gerät, um Inhalte zu zeigen und Zugriffe zu messen. Sie können Ihre "
           "Wahl jederzeit in den Einstellungen ändern.\nAlle annehmen\nAblehnen"]
NEWSLETTER = "Get the {name} letter\nOne mail on the first Monday of the month, with what is new and what broke. {n} readers so far. " \
             "You can leave with one click.\nYour e-mail address\nSubscribe"
FOOTER = "© {year} {name} Publishing Cooperative. All rights reserved.\nTerms of use{sep}Privacy{sep}Accessibility{sep}Imprint\n" \
         "{name} is run from {n} {name} Street, Millbrook. Telephone +1 555 01{n}. Mistakes in these pages? Write to desk@{site}."


class MainText(HTMLParser):
    """The text of <main> (or <body>), a line for each block element."""

    BLOCKS = {"p", "li", "h1", "h2", "h3", "h4", "tr", "pre", "div", "blockquote", "dt", "dd", "br"}

    def __init__(self, scope):
        super().__init__(convert_charrefs=True)
        self.scope, self.depth, self.skip, self.out = scope, 0, 0, []

    def handle_starttag(self, tag, attrs):
        self.depth += tag == self.scope
        self.skip += tag in ("script", "style", "nav", "button")
        if tag in self.BLOCKS:
            self.out.append("\n\n" if tag in ("p", "pre", "h1", "h2", "h3") else "\n")

    def handle_endtag(self, tag):
        self.depth -= tag == self.scope
        self.skip -= tag in ("script", "style", "nav", "button")

    def handle_data(self, text):
        if self.depth > 0 and self.skip == 0:
            self.out.append(text)


def main_text(html):
    parser = MainText("main" if "<main" in html else "body")
    parser.feed(html)
    lines = [line.rstrip() for line in "".join(parser.out).split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def dressed(rng, site, nav, sep, title, text, number):
    """One page in its chrome."""
    name = site.split(".")[0].capitalize()
    page = Document()
    active = rng.randrange(len(nav))
    bar = sep.join(n for i, n in enumerate(nav) if i != active or rng.random() < 0.5)
    page.add(f"Skip to content\n{name}\n{bar}\nSearch {site}\n", "nav", site)
    page.add_either_way(f"\n{nav[active]} > {title}\n\n")
    if rng.random() < 0.7:
        cookie = COOKIES[len(site) % 2].format(site=site, n=len(site) * 7)
        page.add(cookie + "\n\n", "cookie", site)
    page.add(text + "\n\n")
    if rng.random() < 0.7:
        page.add(NEWSLETTER.format(name=name, n=f"{number + 2},400") + "\n\n", "newsletter", site)
    page.add(FOOTER.format(name=name, site=site, year=rng.choice([2024, 2025]), sep=sep, n=len(site) + 20) + "\n", "footer", site)
    return page


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out")
    parser.add_argument("--sources", nargs="*", help="one folder of HTML pages for each site")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    toolchain = sorted(p for p in RUST.glob("*/share/doc/rust/html") if p.is_dir()) if RUST.is_dir() else []
    sources = args.sources or [toolchain[-1] / book for book in BOOKS if toolchain]
    documents = []
    for (site, pages, nav, sep), source in zip(SITES, sources):
        found, seen = [], set()
        for path, html in files([source], {".html"}, 4000, 400000):
            text = main_text(html)
            if 800 <= len(text) <= 15000 and path.name not in ("print.html", "toc.html") and text not in seen:
                seen.add(text)
                found.append((path, text))
        for path, text in rng.sample(found, min(len(found), pages)):
            page = dressed(rng, site, nav, sep, path.stem, text, pages)
            documents.append((f"w{len(documents):04}", page, {"site": site, "source": f"{path.parent.name}/{path.name}"}))
    rng.shuffle(documents)
    write(args.out, documents)


if __name__ == "__main__":
    main()
