//! The report: hostile text stays text, nothing breaks, and large results open.
//!
//! The page is opened in Chromium where there is one (Debian package `chromium`); without it those tests say so and pass,
//! unless `DESCALE_BROWSER` is set.
//! `KEEP_REPORTS=DIR cargo test --test main report` leaves the pages in a folder to look at.

#[expect(clippy::cast_possible_truncation, reason = "the made-up numbers are small")]
mod demo;

use descale::plan::lines::{BlockLine, ClusterLine};
use descale::report;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

#[test]
fn the_page_does_not_depend_on_the_machine() {
    let (mut summary, blocks, clusters) = demo::friendly();
    let first = page(&summary, &blocks, &clusters);
    summary.resources.wall_seconds = 9.0;
    summary.options.threads = 7;
    summary.options.memory_bytes = 1 << 40;
    summary.options.temp_dir = Some("/elsewhere".into());
    assert!(first == page(&summary, &blocks, &clusters));
}

#[test]
fn the_page_holds_the_weightiest_and_says_so() {
    let (summary, mut blocks, clusters) = demo::large(report::MAX_ROWS + 500);
    let page = page(&summary, &blocks, &clusters);
    let rows: serde_json::Value = serde_json::from_str(between(&page, "id=\"rows\">", "</script>")).unwrap();
    assert_eq!(rows["blocks"]["all"], blocks.len());
    let got: Vec<u64> =
        rows["blocks"]["rows"].as_array().unwrap().iter().map(|row| row["id"].as_u64().unwrap()).collect();
    blocks.sort_by_key(BlockLine::rank);
    assert_eq!(got, blocks.iter().take(report::MAX_ROWS).map(|b| b.id).collect::<Vec<_>>());
    assert_eq!(rows["blocks"]["rows"][report::MAX_FULL_ROWS]["light"], true);
    assert!(page.len() < 12 << 20, "{} bytes", page.len());
}

#[test]
fn hostile_text_runs_no_script() {
    let (summary, blocks, clusters) = demo::hostile();
    let text = page(&summary, &blocks, &clusters);
    assert_eq!(text.matches("</script>").count(), 2, "only the page's own scripts end");
    let Some(browser) = Browser::find() else { return };
    let dom = browser.dom(&keep("hostile", &text), 1200);
    assert!(dom.contains("data-ready=\"yes\""), "the page's own script did not run through");
    assert!(!dom.contains("data-pwned=\"") && !dom.contains("<title>pwned"), "a script of the corpus ran");
    assert_eq!(dom.matches("<script").count(), 2, "a script element of the corpus came to life");
    assert!(!dom.contains("<img") && !dom.contains("<iframe") && !dom.contains("<base"), "an element came to life");
    assert!(dom.contains(">U+202E<") && !dom.contains('\u{202e}'), "a mark that reorders text is obeyed");
}

/// Runs in the page itself, which takes the policy away, so only in a copy: opens everything, tries the tools, and
/// tells the frame around it what it saw.
const PROBE: &str = include_str!("report/probe.js");

const FRAME: &str = r#"<!doctype html><title>probe</title><iframe src="PAGE" width="WIDTH" height="900"></iframe>
<script>addEventListener("message", (e) => { document.body.dataset.saw = e.data; });</script>"#;

#[test]
fn no_text_breaks_the_layout() {
    let Some(browser) = Browser::find() else { return };
    for (name, term, (summary, blocks, clusters)) in
        [("friendly", "PRIVACY cookies", demo::friendly()), ("hostile", "WANTED needle", demo::hostile())]
    {
        let page = page(&summary, &blocks, &clusters);
        keep(name, &page);
        let policy = between(&page, "<meta http-equiv", ">").to_string();
        let probed = page
            .replace(&format!("<meta http-equiv{policy}>"), "")
            .replace("</body>", &format!("<script>{}</script></body>", PROBE.replace("WANTED needle", term)));
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("page.html"), probed).unwrap();
        for width in [360, 820, 1280] {
            let frame = folder.path().join("frame.html");
            fs::write(&frame, FRAME.replace("PAGE", "page.html").replace("WIDTH", &width.to_string())).unwrap();
            let dom = browser.dom(&frame, 1400);
            let saw = dom.contains("data-saw=").then(|| between(&dom, "data-saw=\"", "\"").to_string());
            assert_eq!(saw.as_deref(), Some("fine"), "{name} at {width}");
        }
    }
}

#[test]
fn ten_thousand_rows_open() {
    let Some(browser) = Browser::find() else { return };
    let (summary, blocks, clusters) = demo::large(report::MAX_ROWS + 500);
    let dom = browser.dom(&keep("large", &page(&summary, &blocks, &clusters)), 1200);
    assert!(dom.contains("10,000 blocks. This page holds the weightiest 10,000 of 10,500; all are in blocks.jsonl"));
    assert_eq!(dom.matches("id=\"blocks-").count() - 4, 20, "rows drawn at first");
}

fn page(summary: &descale::engine::Summary, blocks: &[BlockLine], clusters: &[demo::Texts]) -> String {
    let group = |texts: &demo::Texts| report::Group {
        cluster: texts.line.id,
        kept: texts.docs[0].0,
        dropped: texts.docs[1..].iter().zip(&texts.line.members[1..]).map(|(d, m)| (d.0, m.similarity)).collect(),
    };
    let mut gallery = report::Gallery::choose(clusters.iter().map(group));
    let wanted = gallery.wanted();
    for (doc, id, text) in clusters.iter().flat_map(|texts| &texts.docs) {
        if wanted.binary_search(doc).is_ok() {
            gallery.put(*doc, report::Excerpt::new(id.clone(), text));
        }
    }
    let mut page = Vec::new();
    let clusters = clusters.iter().map(|texts: &demo::Texts| -> ClusterLine { texts.line.clone() });
    report::html(summary, blocks.iter().cloned().map(Ok), clusters.map(|line| Ok(gallery.show(line))), &mut page)
        .unwrap();
    String::from_utf8(page).unwrap()
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let rest = text.split_once(start).unwrap().1;
    rest.split_once(end).unwrap().0
}

/// Writes a page where it can be opened: for good if someone wants to look at it.
fn keep(name: &str, page: &str) -> PathBuf {
    let folder =
        std::env::var_os("KEEP_REPORTS").map_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).into(), PathBuf::from);
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join(format!("{name}.html"));
    fs::write(&path, page).unwrap();
    path
}

struct Browser(&'static str);

impl Browser {
    #[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
    fn find() -> Option<Self> {
        let works = |name: &&str| Command::new(name).arg("--version").output().is_ok_and(|out| out.status.success());
        let found = ["chromium", "chromium-browser", "google-chrome"].into_iter().find(works);
        if found.is_none() {
            assert!(
                std::env::var_os("DESCALE_BROWSER").is_none(),
                "there is no Chromium here (Debian package chromium)"
            );
            eprintln!("skipped: there is no Chromium here (Debian package chromium)");
        }
        found.map(Self)
    }

    /// The page after its scripts ran, as markup.
    fn dom(&self, page: &Path, width: u32) -> String {
        let profile = tempfile::tempdir().unwrap();
        let out = Command::new(self.0)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"])
            .args(["--allow-file-access-from-files", "--virtual-time-budget=8000", "--dump-dom"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg(format!("--window-size={width},1000"))
            .arg(format!("file://{}", page.canonicalize().unwrap().display()))
            .output()
            .unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8_lossy(&out.stdout).into_owned()
    }
}
