//! Results as a run leaves them, made up: friendly to look at, hostile to break the page, large to slow it down.

use descale::engine::summary::{BlockSummary, Inputs, NearSummary, Outputs, share};
use descale::engine::{Mode, Options, Summary};
use descale::plan::lines::{BlockDecision, BlockEvidence, BlockLine, ClusterLine, Example, Member};
use descale::span::ByteSpan;

/// A cluster with the number, id and text of each of its documents, the kept one first.
pub(super) struct Texts {
    pub(super) line: ClusterLine,
    pub(super) docs: Vec<(u32, String, String)>,
}

type Results = (Summary, Vec<BlockLine>, Vec<Texts>);

const ARTICLE: &str = "The harbour office said on Tuesday that the dredging of the inner basin will begin in March, two \
months later than planned. Contractors had asked for more time after divers found the remains of a wooden pier that is \
older than any chart of the bay. Archaeologists from the university have since mapped forty-one posts and a stone \
foundation.\n\nFor the fishermen the delay is a mixed blessing. “We keep our berths over the winter, which is more than we \
hoped for,” said the chair of their cooperative. The ferry line, on the other hand, has to run its larger ship from the \
outer quay until the work is done, and passengers will walk an extra six hundred metres.\n\nThe council will hear a report \
on the costs in its April session. Until now it has spent 3.2 million of the 11 million that were set aside for the basin, \
the quay walls and the new slipway.";

/// A corpus as it might be: boilerplate in several scripts, duplicates near and exact.
pub(super) fn friendly() -> Results {
    let imprint = "Redaktioneller Programmdienst: European News Agency\n\nAnnette-Kolb-Str. 16\nD-85055 Ingolstadt\nTelefon: \
                   ⟨…⟩\nE-Mail: redaktion@⟨…⟩\n\nAlle Angaben ohne Gewähr. Nachdruck nur mit Genehmigung.";
    let cookie = "We use cookies and similar technologies to offer you a better experience, to measure how our pages are used \
                  and to show advertising. By clicking “Accept all” you agree. You can change your choice at any time under \
                  Privacy settings.";
    let nav = "Home · News · Politics · Economy · Culture · Sport · Weather · Archive · Subscribe · Log in";
    let arabic =
        "جميع الحقوق محفوظة © ⟨…⟩ الوكالة المتحدة للأنباء. لا يجوز نسخ أو نشر أي جزء من هذه المادة دون إذن خطي مسبق.";
    let chinese = "本网站所有内容均受版权保护。未经书面许可，不得转载或用于商业用途。联系电话：⟨…⟩";
    let quote = "“Ask not what your country can do for you – ask what you can do for your country.”";
    let rows = [
        (cookie, "strip", "many-documents", 41, 4120, 4117, 38, 1),
        (nav, "strip", "many-documents", 18, 9133, 3044, 12, 1),
        (imprint, "strip", "few-documents", 27, 318, 104, 3, 7),
        (arabic, "strip", "many-documents", 22, 211, 211, 2, 9),
        (chinese, "strip", "many-documents", 34, 96, 96, 1, 4),
        ("Read next: ⟨…⟩", "strip", "running-line", 8, 64, 16, 1, 60),
        (&ARTICLE[..310], "keep-first", "every-repeat", 52, 4, 4, 4, 1),
        (quote, "keep", "quotation", 17, 23, 23, 9, 1),
        ("fn main() {\n    println!(\"hello, world\");\n}", "keep", "code", 8, 12, 12, 3, 2),
        (
            "Und so singen wir am Feuer, und so ziehn wir durch das Land, / Hand in Hand und Land um Land.",
            "keep",
            "refrain",
            18,
            5,
            1,
            1,
            1,
        ),
    ];
    let blocks: Vec<BlockLine> = (1..).zip(rows).map(|(id, row)| block(id, row)).collect();
    let changed = ARTICLE.replace("two months", "three months").replace("forty-one posts and", "41 posts as well as");
    let shorter = ARTICLE.replace(" The ferry line, on the other hand, has to run its larger ship from the outer quay until the work is done, and passengers will walk an extra six hundred metres.", "");
    let clusters = vec![
        cluster(
            1,
            &[
                ("harbour/2024-11-05", ARTICLE, 1.0),
                ("wire/778120", &changed, 0.91),
                ("mirror/harbour-dredging", ARTICLE, 1.0),
            ],
        ),
        cluster(2, &[("blog/quay", ARTICLE, 1.0), ("blog/quay-amp", &shorter, 0.823)]),
        cluster(3, &[("صفحة/خبر-١", arabic, 1.0), ("صفحة/خبر-٢", &arabic.replace("المتحدة", "العربية"), 0.88)]),
        cluster(4, &[("注意/1", chinese, 1.0), ("注意/2", &chinese.replace("商业", "任何"), 0.86)]),
    ];
    (summary(&blocks, &clusters, 16_340), blocks, clusters)
}

/// Texts that attack the page.
pub(super) fn hostile() -> Results {
    let run = "document.documentElement.setAttribute('data-pwned','1');document.title='pwned'";
    let texts = [
        format!("<script>{run}</script>"),
        format!("</script><script>{run}</script>"),
        format!("<!--<script>{run}</script>"),
        format!("</style></title></textarea><svg onload=\"{run}\"><img src=x onerror=\"{run}\">"),
        format!("]]>{{{{constructor.constructor(\"{run}\")()}}}}\"'`${{{run}}}"),
        format!("\" onmouseover=\"{run}\" autofocus onfocus=\"{run}"),
        "<base href=\"http://attacker.invalid/\"><iframe src=\"javascript:0\"></iframe>".into(),
        "\u{202e}drow siht sesrever\u{202c} and \u{2067}isolated\u{2066}\u{200f}never closed".into(),
        "x".repeat(100_000),
        "汉".repeat(40_000),
        "\0\u{1}\u{1b}[31m\u{7f}\u{85}\u{2028}\u{2029}\u{feff}\u{200b}\u{ad}".into(),
        format!("\u{301}\u{20dd}{}", "\u{489}\u{334}\u{352}\u{369}".repeat(200)),
        "\t\n\r\n ".repeat(300),
        "wanted NEEDLE ⟨…⟩ \u{1f469}\u{200d}\u{1f692} \u{fdfd}\u{fdfd}\u{12031}\u{12031}".into(),
        "W".repeat(300) + "\u{a0}" + &"\u{2003}".repeat(500) + "|",
    ];
    let decisions = ["strip", "keep-first", "keep"];
    let blocks: Vec<BlockLine> = (1..)
        .zip(&texts)
        .map(|(id, text)| {
            let mut line = block(id, (text, decisions[id as usize % 3], "x", 9, 30 - id, 5, 1, 2));
            line.why.clone_from(text);
            line.examples = vec![Example::new(
                text.clone(),
                &format!("{text}{text}{text}"),
                ByteSpan::new(text.len() as u32, 2 * text.len() as u32),
            )];
            line
        })
        .collect();
    let clusters: Vec<Texts> = (1..)
        .zip(&texts)
        .map(|(id, text)| {
            cluster(
                id,
                &[(text, text, 1.0), (&format!("{text}2"), &format!("{text} {text}\n{text}"), 0.8), ("c", "", 0.8)],
            )
        })
        .collect();
    let mut summary = summary(&blocks, &clusters, u64::MAX / 2);
    summary.options.inputs = texts.to_vec();
    summary.options.text_field = texts[0].clone();
    summary.options.id_field = texts[8].clone();
    summary.options.site_field = Some(texts[7].clone());
    summary.version = texts[3].clone();
    (summary, blocks, clusters)
}

/// More rows than the page holds.
pub(super) fn large(rows: usize) -> Results {
    let text = |i: u64| {
        format!(
            "Notice {i}: {}",
            ARTICLE.split(' ').cycle().skip(i as usize % 90).take(30).collect::<Vec<_>>().join(" ")
        )
    };
    let blocks: Vec<BlockLine> = (1..=rows as u64)
        .map(|id| block(id, (&text(id), "strip", "many-documents", 30, 2 + id * 7919 % 5003, 2, 0, 1)))
        .collect();
    let clusters: Vec<Texts> = (1..=rows as u64)
        .map(|id| cluster(id, &[(&format!("d{id}"), &text(id), 1.0), (&format!("e{id}"), &text(id + 1), 0.85)]))
        .collect();
    (summary(&blocks, &clusters, 4_000_000), blocks, clusters)
}

/// Template, decision, reason, tokens, copies, documents, sites, forms.
type Row<'a> = (&'a str, &'a str, &'a str, u64, u64, u64, u64, u64);

fn block(id: u64, (template, decision, why, tokens, copies, documents, sites, variants): Row<'_>) -> BlockLine {
    let evidence = BlockEvidence {
        most_in_document: copies.div_ceil(documents),
        variants,
        lines: 0.97,
        paragraphs: 0.81,
        quoted: 0.0,
        code: 0.0,
        of_site: (sites > 1).then_some(0.84),
    };
    let example = |i: u64| {
        let (before, copy) = (format!("{}\n\n", &ARTICLE[..300]), template.replace("⟨…⟩", &format!("{}", 4711 * i)));
        let span = ByteSpan::new(before.len() as u32, (before.len() + copy.len()) as u32);
        Example::new(format!("site-{i}/page-{id:03}"), &format!("{before}{copy}\n\n{}", &ARTICLE[314..]), span)
    };
    BlockLine {
        id,
        template: template.into(),
        tokens,
        copies,
        documents,
        sites,
        decision: decision_of(decision),
        why: why.into(),
        evidence: Some(evidence),
        examples: (1..=3).map(example).collect(),
    }
}

fn decision_of(name: &str) -> BlockDecision {
    serde_json::from_value(name.into()).unwrap()
}

fn cluster(id: u64, docs: &[(&str, &str, f64)]) -> Texts {
    let members = docs.iter().map(|(id, _, similarity)| Member { id: (*id).into(), similarity: *similarity }).collect();
    let number = |i: usize| (id * 4) as u32 + i as u32;
    let docs = docs
        .iter()
        .enumerate()
        .map(|(i, (id, text, _))| (number(i), (*id).into(), (*text).into()))
        .collect::<Vec<(u32, String, String)>>();
    Texts { line: ClusterLine { id, kept: docs[0].1.clone(), members }, docs }
}

fn summary(blocks: &[BlockLine], clusters: &[Texts], records: u64) -> Summary {
    let mut summary = Summary {
        version: "0.1.0".into(),
        mode: Mode::Clean,
        options: Options {
            inputs: vec!["news/*.jsonl.zst".into()],
            out: Some("cleaned".into()),
            site_field: Some("host".into()),
            ..Options::default()
        },
        inputs: Inputs { files: 12, records, text_bytes: 64_200_000, tokens: 10_000_000, ..Inputs::default() },
        near: Some(NearSummary {
            exact_duplicates: 804,
            near_duplicates: 400,
            clusters: clusters.len() as u64,
            bands: 24,
            rows: 5,
            expected_recall: 0.994,
            ..NearSummary::default()
        }),
        blocks: Some(BlockSummary {
            found: blocks.len() as u64,
            stripped: 7,
            occurrences: 13_942,
            removed_bytes: 5_900_000,
            edited_documents: 7_077,
        }),
        outputs: Outputs {
            records: records - 1204,
            dropped: 1204,
            edited: 7077,
            removed_text_bytes: 11_800_000,
            ..Outputs::default()
        },
        ..Summary::default()
    };
    summary.outputs.removed_bytes_share = share(summary.outputs.removed_text_bytes, summary.inputs.text_bytes);
    for texts in clusters {
        texts.line.members.iter().skip(1).for_each(|m| summary.distributions.add_similarity(m.similarity));
        summary.highlights.see_cluster(&texts.line);
    }
    for block in blocks {
        summary.distributions.add_block(block.tokens);
        summary.highlights.see_block(block);
    }
    (0..900u64).for_each(|i| summary.distributions.add_document((i * i) % 400, 1000));
    summary
}
