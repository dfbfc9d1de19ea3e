"""The table of the comparison: Markdown for reading, SVG for looking at."""
import datetime
import html
import os
import pathlib
import platform

BAR_WIDTH = 420
ROW_HEIGHT = 26
LABEL_WIDTH = 250


def machine():
    """Processor, cores, system, in one line."""
    lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
    return f"{model}, {os.cpu_count()} cores, {platform.system()} {platform.release()}, Python {platform.python_version()}"


def speed(row, facts):
    """Megabytes of text per CPU second."""
    return facts["text_bytes"] / 1e6 / max(row["user_s"] + row["sys_s"], 0.01)


def share(part, whole):
    """`part (x.x %)`."""
    return f"{part:,} ({100 * part / whole:.1f} %)" if whole else "0"


def named(row):
    """The label with the version after the tool's name."""
    tool, comma, way = row["label"].partition(", ")
    return f"{tool} {row['version']}".strip() + comma + way


def cost_cells(row, facts):
    """CPU, wall, speed, peak, load."""
    return [f"{row['user_s'] + row['sys_s']:.2f}", f"{row['wall_s']:.1f}", f"**{speed(row, facts):.1f}**",
            f"{row['peak_bytes'] / 1e6:,.0f}", f"{row['load']:.1f}"]


def verdict_cells(row):
    """Removed, wrong removals, orphans, misses."""
    return [f"{row['removed']:,}", share(row["no_twin"], row["removed"]), share(row["no_kept_twin"], row["removed"]),
            f"{row['orphans']:,}", f"{row['kept_with_kept_twin']:,}"]


def lines_of(head, rows):
    """A Markdown table; the first column to the left, the others to the right."""
    yield "| " + " | ".join(head) + " |"
    yield "|---|" + "---:|" * (len(head) - 1)
    for row in rows:
        yield "| " + " | ".join(row) + " |"


def by_speed(rows, facts, jobs):
    """The rows of some jobs, fastest first."""
    return sorted((row for row in rows.values() if row["job"] in jobs), key=lambda row: -speed(row, facts))


def markdown(facts, truth, rows):
    """The whole page."""
    sources = ", ".join(f"{name} {number:,} documents, {size / 1e6:.0f} MB" for name, (number, size) in facts["sources"].items())
    yield f"Measured {datetime.date.today().isoformat()} on {machine()}."
    yield (f"Corpus: {facts['documents']:,} documents, {facts['text_bytes'] / 1e6:.1f} MB of text"
           f"{' (' + sources + ')' if sources else ''}; sha256 `{facts['sha256'][:16]}`.")
    yield f"{truth['with_twin']:,} documents have a twin at J >= .8."
    yield ""
    yield "Near-duplicate documents, cost (one run each; MB/CPU-s = megabytes of text per CPU second of the whole process tree):"
    yield ""
    head = ["tool", "CPU s", "wall s", "MB/CPU-s", "peak MB", "load", "day"]
    near = by_speed(rows, facts, ("dedup", "yardstick"))
    yield from lines_of(head, ([named(row), *cost_cells(row, facts), row["date"]] for row in near))
    yield ""
    yield "What was removed, against exact truth:"
    yield ""
    head = ["tool", "removed", "no twin at all", "no kept twin", "orphans", "kept, with a kept twin"]
    ideal = [["*greedy, each has a kept twin (exact)*", *verdict_cells(truth["verdicts"]["greedy"])],
             ["*components, first stays (exact)*", *verdict_cells(truth["verdicts"]["components"])]]
    judged = sorted((row for row in near if "removed" in row), key=lambda row: (row["orphans"], row["no_kept_twin"]))
    yield from lines_of(head, ideal + [[named(row), *verdict_cells(row)] for row in judged])
    yield ""
    yield "Repeated blocks, cost:"
    yield ""
    head = ["tool", "CPU s", "wall s", "MB/CPU-s", "peak MB", "load", "day", "text removed"]
    strip = by_speed(rows, facts, ("strip",))
    yield from lines_of(head, ([named(row), *cost_cells(row, facts), row["date"],
                                f"{100 * (1 - row['kept_text_bytes'] / facts['text_bytes']):.1f} %"] for row in strip))


def svg(facts, rows):
    """Two groups of bars: megabytes per CPU second, and orphans."""
    near = by_speed(rows, facts, ("dedup", "yardstick"))
    lost = [row for row in near if "removed" in row]
    groups = [("Megabytes of text per CPU second (longer is better)", [(named(row), speed(row, facts), "%.1f") for row in near]),
              ("Documents lost: removed, and nothing similar (J >= .5) is kept (shorter is better)",
               [(named(row), row["orphans"], "%d") for row in lost])]
    height = sum(len(bars) + 2 for _, bars in groups) * ROW_HEIGHT
    width = LABEL_WIDTH + BAR_WIDTH + 90
    yield (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
           'font-family="sans-serif" font-size="13">')
    yield f'<rect width="{width}" height="{height}" fill="#fff"/>'
    top = ROW_HEIGHT
    for title, bars in groups:
        yield f'<text x="8" y="{top}" font-weight="bold">{html.escape(title)}</text>'
        longest = max((value for _, value, _ in bars), default=0) or 1
        for label, value, form in bars:
            top += ROW_HEIGHT
            colour = "#1f6f4a" if label.startswith("descale") else "#9aa5ad"
            length = BAR_WIDTH * value / longest
            yield f'<text x="{LABEL_WIDTH - 6}" y="{top}" text-anchor="end">{html.escape(label)}</text>'
            yield f'<rect x="{LABEL_WIDTH}" y="{top - 13}" width="{max(length, 1):.1f}" height="17" fill="{colour}"/>'
            yield f'<text x="{LABEL_WIDTH + length + 6:.1f}" y="{top}">{form % value}</text>'
        top += 2 * ROW_HEIGHT
    yield "</svg>"


def write(folder, facts, truth, rows):
    """Both files."""
    (folder / "results.md").write_text("\n".join(markdown(facts, truth, rows)) + "\n", encoding="utf-8")
    (folder / "results.svg").write_text("\n".join(svg(facts, rows)) + "\n", encoding="utf-8")
