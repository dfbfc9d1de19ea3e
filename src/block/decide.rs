//! Is this template boilerplate, and why?
//!
//! Decided once per template, on the evidence of all its copies, never per copy. The fewer documents carry a passage,
//! the better it has to look like a block: two documents may quote each other, two laws may be sisters; a notice that
//! stands alone between blank lines in two unrelated documents is neither. Each verdict names the first reason that
//! settled it, so the plan can be read and argued with.

use super::options::{Options, Protect};
use super::template::Evidence;
use serde::{Deserialize, Serialize};

/// Why a template goes or stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// Goes: the same block in many documents.
    ManyDocuments,
    /// Goes: the same set-apart block in a few documents.
    FewDocuments,
    /// Goes: one document repeats a set-apart block.
    WithinDocument,
    /// Goes: running head or foot of a paged document.
    RunningLine,
    /// Goes: the option asked for every repeat.
    EveryRepeat,
    /// Goes: a reviewed list says so.
    Listed,
    /// Stays: fewer tokens, copies or documents than the options ask for.
    BelowLimits,
    /// Stays: it is quoted.
    Quotation,
    /// Stays: it is program code.
    Code,
    /// Stays: the documents that share it share much else, as versions and sister texts do.
    Relatives,
    /// Stays: it makes up most of its documents.
    MostOfDocument,
    /// Stays: a document's own refrain.
    Refrain,
    /// Stays: it begins and ends in running text.
    RunningText,
    /// Stays: one site alone has it, in few of its documents and amid their text.
    RareOnSite,
    /// Stays: a reviewed list says so.
    Reprieved,
}

impl Reason {
    /// Whether a template with this reason is stripped.
    #[must_use]
    pub fn strips(self) -> bool {
        use Reason::{EveryRepeat, FewDocuments, Listed, ManyDocuments, RunningLine, WithinDocument};
        matches!(self, ManyDocuments | FewDocuments | WithinDocument | RunningLine | EveryRepeat | Listed)
    }
}

/// From this many documents on, a block need not show signs of being one beyond its borders.
const MANY_DOCUMENTS: u32 = 6;
/// Fewest copies, of all, whose passages begin with a line, and that end with one, for a block of many documents. On
/// the open sets true blocks have .5 or more (noise and slots hide the rest), phrases .15 or less.
const MANY_LINES: f32 = 0.4;
/// Shorter than this, a passage of a few documents is likelier a formula than a block.
const MIN_FEW_TOKENS: u32 = 20;
/// Signs that a passage of a few documents needs to show, of eight.
const MIN_SIGNS: usize = 3;
/// Share of words that the documents use nowhere else, from which on a passage is foreign to them. On the open sets
/// passages that stay have a fifth of them or fewer, nine in ten times.
const FOREIGN: f32 = 0.8;
/// The same of one that begins and ends anywhere. In texts with a tenth of their letters misread, words of their own that
/// are misread alike make up .85 of some passages.
const WHOLLY_FOREIGN: f32 = 0.95;
/// Share of the rest of the documents that other passages cover, up to which a foreign passage is no chapter of theirs.
const MAX_FOREIGN_KIN: f32 = 0.5;
/// Share of text on lines of code, or of numbers and single letters, from which on a passage is code or a table.
const CODE: f32 = 0.4;
const TABLE: f32 = 0.6;

/// Below this share of a site's documents, a passage amid their text is what they say. On pages in invented chrome
/// (`benches/sets`) chrome below it stands at the edge; passages that stay are above it in one case of forty.
const RARE_ON_SITE: f32 = 0.3;
/// Share of the copies at the edge of their documents, below which a passage stands amid their text, and from which on
/// at the edge. There chrome has .2 or more, most of it .6; passages that stay have none.
const AMID: f32 = 0.2;
const AT_EDGE: f32 = 0.6;
/// From this many documents on, their number says more than that there are few among a site's.
const MANY_ON_SITE: u32 = 12;
/// Share beside marks of contact details and notices, from which on a passage is one.
const NOTICE: f32 = 0.03;

/// The verdict on one template.
#[must_use]
pub fn decide(e: &Evidence, options: &Options) -> Reason {
    let limits =
        e.length() < options.min_tokens || e.copies < options.min_copies || e.documents < options.min_documents;
    if limits {
        return Reason::BelowLimits;
    }
    if options.exact {
        return Reason::EveryRepeat;
    }
    if let Some(reason) = protected(e, options) {
        return reason;
    }
    match e.documents {
        2.. if is_rare_on_site(e) => Reason::RareOnSite,
        MANY_DOCUMENTS.. if is_set_in_many(e) => Reason::ManyDocuments,
        2..MANY_DOCUMENTS if is_set_in_few(e) => Reason::FewDocuments,
        2.. => Reason::RunningText,
        _ if is_notice(e) || !options.protects(Protect::Refrains) => Reason::WithinDocument,
        _ => Reason::Refrain,
    }
}

/// A site's chrome is on a good part of its pages, or at their edges. What one site alone has, on few of its pages and amid
/// their text, is what they say, unless it looks like a notice. What several sites carry is not told by this: on text
/// with planted blocks and sites at random, a share of every site took 5 points of recall.
fn is_rare_on_site(e: &Evidence) -> bool {
    let rare = e.sites == 1 && e.of_site.is_some_and(|share| share < RARE_ON_SITE);
    rare && e.documents < MANY_ON_SITE && e.apart < AMID && e.contact < NOTICE
}

/// A bar of links at the edge of pages of one site is chrome though it is short.
fn is_edge_of_site(e: &Evidence) -> bool {
    e.of_site.is_some() && e.sites == 1 && e.apart >= AT_EDGE
}

/// Begins and ends with lines; with paragraphs, or else it is of some length or in a dozen documents, comes a few times
/// in each at most, and its documents share little else.
fn is_set_in_many(e: &Evidence) -> bool {
    let plain = e.kin < 0.25 && e.copies <= 5 * e.documents && (e.length() >= MIN_FEW_TOKENS || e.documents >= 12);
    e.lines >= MANY_LINES && (e.paragraphs >= 0.6 || plain)
}

/// Signs that a passage of a few documents is no quotation and no phrase: it begins and ends with lines, with
/// paragraphs; it stands at the edge of documents that have a text of their own; it comes often; often word for
/// word; in several documents; they share little else, or next to nothing. Where its copies end differently, all on lines
/// of their own, it needs a sign more. One whose words the documents do not use is foreign to them even within a line.
fn is_set_in_few(e: &Evidence) -> bool {
    let set = [e.lines >= 0.6, e.paragraphs >= 0.6, e.apart >= 0.5];
    let company = [e.copies >= 8, e.equal >= 5, e.documents >= 4, e.kin <= 0.15, e.kin <= 0.1];
    let signs = set.iter().chain(&company).filter(|&&sign| sign).count();
    let foreign = e.strange >= FOREIGN && e.kin <= 0.25 && e.sentences >= 0.2;
    let long = e.length() >= MIN_FEW_TOKENS || is_edge_of_site(e);
    let apart = (e.paragraphs >= 0.4 && signs >= MIN_SIGNS) || (e.lines >= 0.95 && signs > MIN_SIGNS);
    (long && (apart || foreign)) || is_foreign(e)
}

/// A passage of some length, without what repeats beside it, whose words its few documents use nowhere else is foreign to
/// them wherever it stands and whatever else they share: a notice in another language within a law that has sisters. Not
/// where the documents are little but chrome: then it is what they have to say, such as an article that two sites carry.
fn is_foreign(e: &Evidence) -> bool {
    let few = (2..MANY_DOCUMENTS).contains(&e.documents);
    let foreign = e.strange >= WHOLLY_FOREIGN || (e.strange >= FOREIGN && e.sentences >= 0.2);
    few && foreign && e.own >= MIN_FEW_TOKENS && e.kin <= MAX_FOREIGN_KIN && e.crowded < 0.5
}

/// What one document repeats goes only if it shows a notice's marks (an address at least every 30 words), without being
/// a list of links, and two of three: it is set apart by paragraphs, by lines, and the document repeats little else.
/// Where copies differ in a line near their edge, what they share begins or ends with that line, within a paragraph.
fn is_notice(e: &Evidence) -> bool {
    let marked = (NOTICE..0.4).contains(&e.contact);
    let signs = [e.paragraphs >= 0.6, e.lines >= 0.95, e.kin < 0.22];
    marked && e.length() >= 40 && e.paragraphs >= 0.3 && signs.iter().filter(|&&sign| sign).count() >= 2
}

fn protected(e: &Evidence, options: &Options) -> Option<Reason> {
    let kin = if e.documents < MANY_DOCUMENTS { 0.3 } else { 0.4 };
    // Two or three copies of an article that was copied look like this; so do sister texts, cast lists, manuals.
    // What one document repeats may be most of it: three imprints in a short article.
    let shared = match e.documents {
        ..2 => 0.8,
        _ if e.copies <= 3 => 0.3,
        _ => 0.4,
    };
    // A licence at the end of several books; two documents may be versions of one.
    let own_text = e.apart >= 0.55 && e.documents >= 3;
    let related = ((e.documents >= 2 && e.kin >= kin) || e.shared >= shared) && !own_text && !is_foreign(e);
    // A source lies beside its quotations: a third of the copies in quotation marks is enough.
    if options.protects(Protect::Quotes) && (e.quoted >= 0.3 || e.cited >= 0.5) {
        Some(Reason::Quotation)
    } else if options.protects(Protect::Code) && (e.code >= CODE || e.numbers >= TABLE) {
        Some(Reason::Code)
    } else if e.of_document >= 0.5 && !own_text {
        Some(Reason::MostOfDocument)
    } else if options.protects(Protect::Relatives) && related {
        Some(Reason::Relatives)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::template::Place;

    /// A notice between blank lines in many unrelated documents.
    fn notice() -> Evidence {
        Evidence {
            copies: 20,
            documents: 20,
            within: 1,
            sites: 0,
            of_site: None,
            tokens: 30,
            own: 30,
            variants: 3,
            equal: 15,
            lines: 0.9,
            paragraphs: 0.8,
            sentences: 0.9,
            quoted: 0.0,
            code: 0.0,
            contact: 0.1,
            numbers: 0.0,
            cited: 0.0,
            strange: 0.0,
            of_document: 0.05,
            shared: 0.1,
            kin: 0.05,
            apart: 0.5,
            alone: 0.0,
            crowded: 0.0,
            around: [0, 0],
            medoid: Place::default(),
        }
    }

    fn reason(change: impl FnOnce(&mut Evidence)) -> Reason {
        let mut e = notice();
        change(&mut e);
        decide(&e, &Options::default())
    }

    #[test]
    fn notices_go_and_phrases_stay() {
        assert_eq!(reason(|_| ()), Reason::ManyDocuments);
        assert_eq!(reason(|e| e.lines = 0.1), Reason::RunningText);
        assert_eq!(reason(|e| (e.documents, e.copies) = (2, 2)), Reason::FewDocuments);
        assert_eq!(reason(|e| (e.documents, e.copies, e.paragraphs) = (2, 2, 0.0)), Reason::RunningText);
        assert_eq!(reason(|e| (e.documents, e.copies, e.tokens) = (1, 3, 60)), Reason::WithinDocument);
        assert_eq!(reason(|e| (e.documents, e.copies, e.contact) = (1, 3, 0.0)), Reason::Refrain);
        let differing =
            |e: &mut Evidence| (e.documents, e.copies, e.tokens, e.paragraphs, e.lines) = (1, 3, 60, 0.34, 1.0);
        assert_eq!(reason(differing), Reason::WithinDocument);
        assert_eq!(reason(|e| (differing(e), e.kin = 0.3).0), Reason::Refrain);
        assert_eq!(reason(|e| e.copies = 1), Reason::BelowLimits);
    }

    #[test]
    fn a_foreign_passage_goes_wherever_it_stands() {
        let foreign = |e: &mut Evidence| {
            (e.documents, e.copies, e.lines, e.paragraphs, e.sentences) = (2, 2, 0.0, 0.0, 0.0);
            (e.strange, e.kin, e.shared) = (1.0, 0.4, 0.5);
        };
        assert_eq!(reason(foreign), Reason::FewDocuments);
        assert_eq!(reason(|e| (foreign(e), e.own = 12).0), Reason::Relatives);
        assert_eq!(reason(|e| (foreign(e), e.strange = 0.9).0), Reason::Relatives);
        assert_eq!(reason(|e| (foreign(e), (e.strange, e.sentences) = (0.9, 0.5)).0), Reason::FewDocuments);
        assert_eq!(reason(|e| (foreign(e), e.kin = 0.6).0), Reason::Relatives);
        assert_eq!(reason(|e| (foreign(e), e.quoted = 0.5).0), Reason::Quotation);
        assert_eq!(reason(|e| (foreign(e), e.crowded = 0.5).0), Reason::Relatives);
    }

    #[test]
    fn a_phrase_that_stands_alone_in_some_places_is_as_long_as_it_is_in_most() {
        let phrase = |e: &mut Evidence| (e.documents, e.copies, e.own, e.alone) = (4, 4, 6, 0.5);
        assert_eq!(reason(phrase), Reason::BelowLimits);
        assert_eq!(reason(|e| (phrase(e), e.own = 12).0), Reason::RunningText);
        assert_eq!(reason(|e| (phrase(e), e.alone = 0.4).0), Reason::FewDocuments);
    }

    #[test]
    fn where_sites_are_known_a_block_is_chrome_or_what_pages_say() {
        let rare = |e: &mut Evidence| {
            (e.documents, e.copies, e.sites, e.of_site, e.apart, e.contact) = (7, 7, 1, Some(0.2), 0.0, 0.0)
        };
        let but = |change: fn(&mut Evidence)| {
            reason(|e| {
                rare(e);
                change(e);
            })
        };
        assert_eq!(but(|_| ()), Reason::RareOnSite);
        assert_eq!(but(|e| e.documents = 3), Reason::RareOnSite);
        assert_eq!(but(|e| e.of_site = None), Reason::ManyDocuments);
        assert_eq!(but(|e| e.of_site = Some(0.5)), Reason::ManyDocuments);
        assert_eq!(but(|e| e.apart = 0.5), Reason::ManyDocuments);
        assert_eq!(but(|e| e.contact = 0.1), Reason::ManyDocuments);
        assert_eq!(but(|e| e.documents = 20), Reason::ManyDocuments);
        assert_eq!(but(|e| e.sites = 2), Reason::ManyDocuments);
        // A short bar of links.
        let bar = |e: &mut Evidence| {
            (e.documents, e.copies, e.tokens, e.sites, e.of_site, e.apart) = (3, 3, 12, 1, Some(0.1), 0.8)
        };
        assert_eq!(reason(bar), Reason::FewDocuments);
        assert_eq!(
            reason(|e| {
                bar(e);
                e.of_site = None;
            }),
            Reason::RunningText
        );
        assert_eq!(
            reason(|e| {
                bar(e);
                e.sites = 2;
            }),
            Reason::RunningText
        );
    }

    #[test]
    fn what_is_protected_stays_unless_asked_for() {
        assert_eq!(reason(|e| e.quoted = 0.5), Reason::Quotation);
        assert_eq!(reason(|e| e.code = 0.5), Reason::Code);
        assert_eq!(reason(|e| e.kin = 0.5), Reason::Relatives);
        assert_eq!(reason(|e| e.of_document = 0.6), Reason::MostOfDocument);
        // A long licence at the end of books that share nothing else.
        assert_eq!(reason(|e| (e.of_document, e.shared, e.apart) = (0.8, 0.8, 1.0)), Reason::ManyDocuments);
        let mut e = notice();
        e.quoted = 0.5;
        let all = Options { protect: Vec::new(), ..Options::default() };
        assert_eq!(decide(&e, &all), Reason::ManyDocuments);
    }
}
