#!/usr/bin/env python3
"""Makes a set of source files, each under the licence header of its project.

    headers.py OUT [--sources DIR ...] [--files 150] [--seed 1]

Takes real source files (Rust, C, Python, shell) from the folders given, drops the comment each begins with, and puts a
header there: seven projects, each with its licence notice, holder and comment style; years, authors and file names vary
from file to file. Truth: the headers go, all code and every other comment stays.
"""
import argparse
import random
from pathlib import Path

from common import Document, files, write

ROOTS = [Path.home() / ".cargo/registry/src", Path("/usr/lib/python3"), Path("/usr/lib/python3.11"),
         Path("/usr/lib/python3.12"), Path("/usr/lib/python3.13"), Path("/usr/include")]
STYLES = {".rs": ["//", "/*"], ".c": ["/*", "//"], ".h": ["/*", "/**"], ".py": ["#", '"""', "##"], ".sh": ["#"]}
PROJECTS = [
    ("tidepool", """Copyright (C) {year} The Tidepool Authors

Licensed under the Harbour Licence, version 2 (the "Licence"); you may not use this file
except in compliance with the Licence. You may obtain a copy at

    https://licences.example/harbour-2

Unless required by law or agreed to in writing, software distributed under the Licence is
handed out as it is, without warranties or conditions of any kind, express or implied. See
the Licence for the permissions and limits that apply."""),
    ("granite", """{file} - part of Granite

Copyright (c) {year} {author} and contributors. All rights reserved.

Redistribution and use in source and binary forms, with or without changes, are permitted if
these conditions are met: copies of the source keep this notice and the list of conditions;
copies in binary form show them in the documentation; the names of the contributors are not
used to advertise products made from this software without written leave.

This software comes without any warranty. In no event are the contributors liable for damages
of any kind that arise from its use, even if they were told that such damage may occur."""),
    ("lanternfish", """SPDX-License-Identifier: MIT OR Apache-2.0
Copyright {year} {author}, for the Lanternfish project
Part of Lanternfish. See LICENCE in the root of the repository for the full terms."""),
    ("oxbow", """This file is part of Oxbow.

Oxbow is free software: you can pass it on and change it under the terms of the Common Copyleft
Licence, either version 3 or, at your choice, any later version.

Oxbow is handed out in the hope that it will be useful, but without any warranty; without even
the implied warranty of fitness for a purpose. You should have received a copy of the licence
with this program. If not, see <https://oxbow.example/licence>.

{year}, {author}"""),
    ("quarry", """Permission is granted, free of charge, to anyone who obtains a copy of this file, to deal in it
without restriction, including the rights to use, copy, change, merge, publish and sell copies,
provided that this notice is included in all copies or large parts of it.
Copyright {year} Quarry Systems GmbH <legal@quarry.example>"""),
    ("sundial", """(c) {year} Sundial Instruments, Inc. Confidential and proprietary.
No part of this file may be disclosed, copied or used except as allowed by a written agreement
with Sundial Instruments. Questions: source-control@sundial.example"""),
    ("wherry", """{file}
Created by {author} in {year} for Wherry
This code is in the public domain where that exists; elsewhere anyone may use it for any purpose."""),
]
AUTHORS = ["A. Calloway", "Jana Prentiss", "M. Okonkwo", "Li Wei", "R. Sandoval", "Ines Hartmann", "T. Brandvold"]


def body(text, ending):
    """The file without the comment it begins with (and without a shebang)."""
    lines = text.splitlines(keepends=True)
    at, inside = 0, None
    while at < len(lines):
        line = lines[at].strip()
        if inside:
            inside = None if inside in line else inside
        elif line.startswith("/*") and ending in (".rs", ".c", ".h"):
            inside = None if "*/" in line[2:] else "*/"
        elif line[:3] in ('"""', "'''", 'r""') and ending == ".py":
            inside = None if line.count('"""') + line.count("'''") > 1 else line[-3:] if len(line) == 3 else '"""'
        elif line and not line.startswith(("//", "#!", "# ", "##") if ending != ".py" else ("#",)) and line != "#":
            break
        at += 1
    return "".join(lines[at:])


def dressed(notice, style):
    """The notice as a comment."""
    if style in ("//", "#", "##"):
        lines = [f"{style} {line}".rstrip() for line in notice.splitlines()]
        return "\n".join(([style * (30 // len(style))] if style == "##" else []) + lines) + "\n"
    if style == '"""':
        return f'"""\n{notice}\n"""\n'
    return "\n".join([style, *(f" * {line}".rstrip() for line in notice.splitlines()), " */"]) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out")
    parser.add_argument("--sources", nargs="*", default=ROOTS)
    parser.add_argument("--files", type=int, default=150)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    found = [(p, t) for p, t in files(args.sources, STYLES)]
    chosen = sorted(rng.sample(found, min(len(found), args.files * 2)), key=lambda f: rng.random())
    documents = []
    for path, text in chosen:
        rest = body(text, path.suffix)
        if len(rest) < 1000 or len(documents) == args.files:
            continue
        name, notice = PROJECTS[len(documents) % len(PROJECTS)]
        notice = notice.format(year=rng.randint(1998, 2026), author=rng.choice(AUTHORS), file=path.name)
        document = Document()
        if path.suffix in (".py", ".sh") and rng.random() < 0.3:
            document.add("#!/usr/bin/env python3\n")
        document.add(dressed(notice, STYLES[path.suffix][len(name) % len(STYLES[path.suffix])]), "header", name)
        document.add("\n" + rest)
        documents.append((f"s{len(documents):04}", document, {"source": path.name}))
    write(args.out, documents)


if __name__ == "__main__":
    main()
