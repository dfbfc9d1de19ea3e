"use strict";
// Lists blocks and clusters. Foreign text goes into the page as text nodes only; there is no innerHTML here, and the
// page's policy (trusted types) would refuse it.
(() => {
  const data = JSON.parse(document.getElementById("rows").textContent);
  const FIRST = 20;
  const STEP = 100;

  /** An element with attributes and children; a string child is text. */
  function el(tag, attributes, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes ?? {})) node.setAttribute(name, value);
    node.append(...children.filter((child) => child !== null));
    return node;
  }

  const count = (number) => number.toLocaleString("en");
  const many = (number, one, several) => `${count(number)} ${number === 1 ? one : several ?? one + "s"}`;
  const digits = (share) => (share === 0 ? 0 : share > 0.995 && share < 1 ? 2 : share < 0.1 ? 1 : 0);
  const percent = (share) => `${(share * 100).toFixed(digits(share))} %`;

  // Characters that command rather than show: controls, marks that reorder, invisible operators, tags.
  // Joiners and variation selectors shape letters and stay.
  const SPECIAL = /⟨…⟩|[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]/gu;

  /** Text as nodes: slots marked (if it is a template), control characters named. */
  function shown(text, template = false) {
    const out = document.createDocumentFragment();
    let at = 0;
    if (/^\p{M}/u.test(text)) out.append("◌");
    for (const match of text.matchAll(SPECIAL)) {
      const slot = match[0] === "⟨…⟩";
      if (slot && !template) continue;
      out.append(text.slice(at, match.index));
      const code = "U+" + match[0].codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
      out.append(slot ? el("span", { class: "slot", title: "copies differ here" }, "⟨…⟩")
        : el("span", { class: "control", title: "control character" }, code));
      at = match.index + match[0].length;
    }
    out.append(text.slice(at));
    return out;
  }

  /** What a row holds of a text: the string, or a pair of its beginning and the bytes left out. */
  const textOf = (cut) => (typeof cut === "string" ? cut : cut[0]);
  const leftOut = (bytes, what = "more bytes") => el("span", { class: "left-out" }, ` … ${count(bytes)} ${what}`);
  function cutText(cut, template) {
    const out = shown(textOf(cut), template);
    if (typeof cut !== "string") out.append(leftOut(cut[1]));
    return out;
  }
  const name = (cut) => el("bdi", null, cutText(cut));
  const words = (reason) => (/^[a-z]+(-[a-z]+)*$/.test(reason) ? reason.replaceAll("-", " ") : reason);
  const bytes = (text) => new TextEncoder().encode(text).length;

  // Blocks.

  // What the reasons of blocks.jsonl mean; one that is not here is shown as it stands.
  const REASONS = {
    "many-documents": "many documents carry the same block",
    "few-documents": "unrelated documents carry the same block, set apart from their text",
    "within-document": "one document repeats a block that is set apart",
    "running-line": "it is a running head or foot of a paged document",
    "every-repeat": "every repeat was asked for",
    listed: "a reviewed list says so",
    "below-limits": "it has fewer tokens, copies or documents than the options ask for",
    quotation: "it is quoted",
    code: "it is program code",
    relatives: "the documents that share it share much else, as versions do",
    "most-of-document": "it makes up most of its documents",
    refrain: "it is a refrain of one document",
    "running-text": "it begins and ends in running text",
    "rare-on-site": "one site alone has it, in few of its documents and amid their text",
    reprieved: "a reviewed list says so",
  };
  const reasonOf = (why) => REASONS[why] ?? words(why);

  const DECISIONS = {
    strip: ["goes", "Every copy goes"],
    "keep-first": ["first stays", "Every copy but the first goes"],
    keep: ["stays", "Every copy stays"],
  };

  function blockSummary(row) {
    const places = [el("b", null, count(row.copies)), row.copies === 1 ? " copy in " : " copies in ", el("b", null, count(row.documents)),
      row.documents === 1 ? " document" : " documents"];
    const size = `${many(row.tokens, "token")}${row.sites ? `, ${many(row.sites, "site")}` : ""}`;
    const text = textOf(row.template).replace(/\s+/gu, " ").trim().slice(0, 300);
    return [
      el("span", { class: "clip", dir: "auto" }, text ? shown(text, true) : el("span", { class: "left-out" }, "nothing but white space")),
      el("span", { class: "facts" }, ...places, el("br"), size),
      el("span", { class: `badge ${row.decision}` }, DECISIONS[row.decision][0]),
    ];
  }

  function blockBody(row) {
    const why = el("p", { class: "why" }, el("strong", null, DECISIONS[row.decision][1]), ": ", el("bdi", null, shown(reasonOf(textOf(row.why)))), ".");
    const template = el("div", null, el("h3", null, "Template"), el("div", { class: "text", dir: "auto", tabindex: "0", role: "group", "aria-label": "Template" }, cutText(row.template, true)));
    if (row.light) return [why, template, el("p", { class: "quiet" }, `Examples: see id ${row.id} in blocks.jsonl.`)];
    const examples = row.examples.map((example, at) => exampleOf(example, row.decision, at));
    return [why, template, evidenceOf(row), examples.length ? el("div", null, el("h3", null, "In context"), ...examples) : null];
  }

  function evidenceOf(row) {
    const facts = [["block", `#${row.id}`], ["tokens out", count(row.removed)]];
    const known = row.evidence;
    if (known) {
      facts.push(["most in one document", count(known.most_in_document)], ["forms", count(known.variants)],
        ["on whole lines", percent(known.lines)], ["on whole paragraphs", percent(known.paragraphs)],
        ["in quotation marks", percent(known.quoted)], ["code", percent(known.code)]);
      if (known.of_site !== undefined) facts.push(["of a site’s documents, at most", percent(known.of_site)]);
    }
    return el("dl", { class: "evidence" }, ...facts.map(([key, value]) => el("div", null, el("dt", null, key), el("dd", null, value))));
  }

  function exampleOf(example, decision, at) {
    const goes = decision === "strip" || (decision === "keep-first" && at > 0);
    const place = el("p", { class: "place" }, name(example.id), ` bytes ${count(example.start)}–${count(example.end)}`);
    if (!example.text) return el("div", { class: "example" }, place);
    const hidden = example.end - example.start - bytes(example.text);
    const passage = el(goes ? "del" : "span", goes ? null : { class: "stays" }, shown(example.text));
    return el("div", { class: "example" }, place, el("div", { class: "text", dir: "auto", tabindex: "0", role: "group", "aria-label": "Example in context" },
      el("span", { class: "around" }, example.start > bytes(example.before) ? "…" : "", shown(example.before)), passage,
      hidden > 0 ? leftOut(hidden, "more bytes … ") : null, el("span", { class: "around" }, shown(example.after), "…")));
  }

  // Clusters.

  function clusterSummary(row) {
    return [
      el("span", { class: "clip" }, name(row.kept), el("span", { class: "quiet" }, " stays")),
      el("span", { class: "facts" }, el("b", null, count(row.size)), " documents", el("br"), row.least === 1 ? "all alike" : `at least ${percent(row.least)} alike`),
      el("span", { class: "badge strip" }, `${count(row.size - 1)} ${row.size === 2 ? "goes" : "go"}`),
    ];
  }

  function clusterBody(row) {
    if (row.light) return [el("p", { class: "quiet" }, `Members: see id ${row.id} in clusters.jsonl.`)];
    const body = (row.pairs ?? []).map((pair) => sidesOf(row, pair));
    const table = el("table", { class: "members" }, el("thead", null, el("tr", null, el("th", { scope: "col" }, "Dropped"), el("th", { scope: "col" }, "Similarity"))),
      el("tbody", null, ...row.members.map((member) => el("tr", null, el("td", null, name(member.id)), el("td", null, percent(member.similarity))))));
    body.push(table);
    const rest = row.size - 1 - row.members.length;
    if (rest > 0) body.push(el("p", { class: "quiet" }, `${many(rest, "more member")}: see id ${row.id} in clusters.jsonl.`));
    return body;
  }

  function sidesOf(row, pair) {
    const alike = (number) => (number ? el("p", { class: "alike" }, `${many(number, "word")} alike`) : null);
    const hunks = pair.hunks.flatMap((hunk) => [alike(hunk.skipped), el("div", { class: "hunk" }, sideOf(hunk, "first"), sideOf(hunk, "second"))]);
    const alone = pair.hunks.length === 0 ? el("p", { class: "alike" }, pair.equal ? "The same text, byte for byte" : "The same words; only white space differs") : alike(pair.alike);
    const more = pair.cut ? el("p", { class: "alike" }, "The texts go on; only their beginnings are compared here") : null;
    return el("div", { class: "sides" }, el("div", { class: "side-heads" }, el("p", null, name(row.kept), " stays"),
      el("p", null, name(pair.id), ` goes, ${percent(pair.similarity)} alike`)), ...hunks, alone, more);
  }

  function sideOf(hunk, side) {
    const parts = hunk.parts.filter((part) => part.op === "same" || part.op === side);
    const tag = side === "first" ? "ins" : "del";
    const marked = (text) => [el(tag, null, shown(text.trimEnd())), text.slice(text.trimEnd().length)];
    return el("div", { dir: "auto" }, ...parts.flatMap((part) => (part.op === "same" ? shown(part.text) : marked(part.text))));
  }

  // Lists.

  function list(kind, { summary, body, haystack, shows, note }) {
    const section = document.getElementById(kind);
    if (section.hidden) return;
    const [find, show, order] = ["find", "show", "order"].map((part) => document.getElementById(`${kind}-${part}`));
    const rows = section.querySelector(".rows");
    const more = section.querySelector(".more");
    const status = section.querySelector(".status");
    const all = data[kind].rows;
    const texts = new Map();
    let wanted = [];
    let drawn = 0;

    const textFor = (row) => {
      if (!texts.has(row)) texts.set(row, haystack(row).join("\n").toLowerCase());
      return texts.get(row);
    };

    function draw(row, open) {
      const details = el("details", null, el("summary", null, ...summary(row)));
      const fill = () => details.childElementCount > 1 || details.append(el("div", { class: "body" }, ...body(row).filter((part) => part)));
      details.addEventListener("toggle", fill);
      if (open) {
        fill();
        details.open = true;
      }
      return el("li", { id: `${kind}-${row.id}` }, details);
    }

    function extend(by) {
      rows.append(...wanted.slice(drawn, drawn + by).map((row) => draw(row, false)));
      drawn = Math.min(drawn + by, wanted.length);
      more.hidden = drawn >= wanted.length;
    }

    function refresh() {
      const terms = find.value.toLowerCase().split(/\s+/u).filter(Boolean);
      wanted = all.filter((row) => shows(row, show.value) && terms.every((term) => textFor(row).includes(term)));
      const key = order.value;
      const sign = key === "least" || key === "id" ? 1 : -1;
      wanted.sort((a, b) => sign * (a[key] - b[key]) || a.id - b.id);
      const open = wanted.length > 0 && terms.length === 0;
      rows.replaceChildren(...wanted.slice(0, 1).map((row) => draw(row, open)));
      drawn = Math.min(1, wanted.length);
      extend(FIRST - 1);
      const what = wanted.length === all.length ? many(all.length, note.one) : `${count(wanted.length)} of ${many(all.length, note.one)}`;
      const rest = data[kind].all > all.length ? `. This page holds the ${note.first} ${count(all.length)} of ${count(data[kind].all)}; all are in ${kind}.jsonl` : "";
      status.textContent = all.length ? what + rest : note.nothing;
    }

    let timer = 0;
    find.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(refresh, 120);
    });
    show.addEventListener("change", refresh);
    order.addEventListener("change", refresh);
    more.addEventListener("click", () => {
      const next = drawn;
      extend(STEP);
      rows.children[next]?.querySelector("summary").focus();
    });
    section.querySelector(".tools").hidden = all.length === 0;
    refresh();
  }

  list("blocks", {
    summary: blockSummary,
    body: blockBody,
    haystack: (row) => [`#${row.id}`, textOf(row.template), reasonOf(textOf(row.why)), textOf(row.why), ...row.examples.map((example) => textOf(example.id))],
    shows: (row, value) => !value || row.decision === value,
    note: { one: "block", first: "weightiest", nothing: "No passage repeats." },
  });
  list("clusters", {
    summary: clusterSummary,
    body: clusterBody,
    haystack: (row) => [`#${row.id}`, textOf(row.kept), ...row.members.map((member) => textOf(member.id))],
    shows: (row, value) => !value || Boolean(row.pairs),
    note: { one: "cluster", first: "largest", nothing: "No two documents are duplicates." },
  });
  document.documentElement.dataset.ready = "yes";
})();
