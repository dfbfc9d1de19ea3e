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

/// From this many documents on, a block need not be set apart in every copy.
const MANY_DOCUMENTS: u32 = 6;

/// The verdict on one template.
#[must_use]
pub fn decide(e: &Evidence, options: &Options) -> Reason {
    let limits = e.tokens < options.min_tokens || e.copies < options.min_copies || e.documents < options.min_documents;
    if limits {
        return Reason::BelowLimits;
    }
    if options.exact {
        return Reason::EveryRepeat;
    }
    if let Some(reason) = protected(e, options) {
        return reason;
    }
    if e.documents >= MANY_DOCUMENTS {
        let apart = e.lines >= 0.35 && (e.paragraphs >= 0.6 || (e.kin < 0.25 && e.copies <= 5 * e.documents));
        if apart { Reason::ManyDocuments } else { Reason::RunningText }
    } else if e.documents >= 2 {
        let set = e.tokens >= 20 && e.paragraphs >= 0.4;
        if set && signs(e) >= 3 { Reason::FewDocuments } else { Reason::RunningText }
    } else if e.paragraphs >= 0.6 && (0.03..0.4).contains(&e.contact) && e.tokens >= 40 && (e.kin < 0.22 || e.lines >= 0.95) {
        Reason::WithinDocument
    } else {
        Reason::Refrain
    }
}

/// Signs that a passage in a few documents is no quotation and no phrase: it begins and ends with lines, with
/// paragraphs; it stands at the edge of documents that have a text of their own; they share little else; it comes
/// often; in several documents.
fn signs(e: &Evidence) -> u32 {
    let little_else = [e.kin <= 0.15, e.kin <= 0.1];
    let signs = [e.lines >= 0.6, e.paragraphs >= 0.6, e.apart >= 0.5, e.copies >= 8, e.documents >= 4];
    signs.iter().chain(&little_else).map(|&sign| u32::from(sign)).sum()
}

fn protected(e: &Evidence, options: &Options) -> Option<Reason> {
    let few = e.documents < MANY_DOCUMENTS;
    let kin = if few { 0.3 } else { 0.4 };
    let shared = if e.copies <= 3 { 0.3 } else { 0.5 };
    let own_text = e.apart >= 0.7;
    let related = e.documents >= 2 && (e.kin >= kin || e.shared >= shared) && !own_text;
    if options.protects(Protect::Quotes) && e.quoted >= 0.3 {
        Some(Reason::Quotation)
    } else if options.protects(Protect::Code) && e.code >= 0.4 {
        Some(Reason::Code)
    } else if e.numbers >= 0.6 {
        Some(Reason::Code)
    } else if e.cited >= 0.5 {
        Some(Reason::Quotation)
    } else if e.of_document >= 0.5 && !own_text {
        Some(Reason::MostOfDocument)
    } else if options.protects(Protect::Relatives) && related {
        Some(Reason::Relatives)
    } else {
        None
    }
}
