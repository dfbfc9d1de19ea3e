//! What becomes of one template: the verdict, and the places it bears on?
//!
//! The copies of one template are folded into evidence and decided upon ([`Template::of`]). Of a template that goes, the
//! representative copy and a few others are then read once more ([`Sight`]), for the letters by which its altered copies
//! are found ([`extended`]): a misread word at the edge ends the common grams, not the block.

use super::decide::{Reason, decide};
use super::letters::{BAND, Letters, agreed, follow};
use super::sites::{Sites, Spread};
use super::template::{self, Copy, Evidence, Place};
use super::{EXTEND_BELOW_EQUAL, MIN_EXTENSION, Options};
use crate::span::{ByteSpan, TokenSpan};
use std::cmp::Reverse;

/// Copies that a template's ends are compared with.
const PARTNERS: usize = 4;
/// Tokens beside a copy that are read to find a template's true ends.
const CONTEXT_TOKENS: u32 = 60;
/// A passage that stays is told of from this length on: a big corpus repeats more short phrases than it has documents.
const MIN_TOLD_TOKENS: u32 = 32;
/// Passages that stay and are told of, the weightiest: of a corpus with many versions of its documents there are as many
/// as documents, and their texts take more room than the corpus.
const MAX_TOLD: usize = 10_000;

/// One template and the verdict on it.
#[derive(Clone, Debug)]
pub struct Template {
    /// What is known about it.
    pub evidence: Evidence,
    /// The verdict.
    pub reason: Reason,
    /// Its first copy, by the grams alone: no other template's begins at the same place, so this orders them.
    pub first: Place,
    /// Its first copies, the representative one first.
    pub places: Vec<Place>,
    /// All copies of one that goes, ascending.
    pub copies: Vec<Place>,
    /// The copies that stay all the same, where the document is about the block.
    pub spared: Vec<Place>,
}

impl Template {
    /// The template of these copies, sorted by document and place, and the verdict on it; none if it is below the
    /// limits.
    #[must_use]
    pub fn of(copies: &[Copy], sites: &Sites, options: &Options) -> Option<Self> {
        let Spread { sites, of_site } = sites.spread(copies);
        let evidence = Evidence { sites, of_site, ..template::evidence(copies) };
        let reason = if options.exact { Reason::EveryRepeat } else { decide(&evidence, options) };
        let told = reason.strips() || evidence.tokens >= MIN_TOLD_TOKENS;
        if reason == Reason::BelowLimits || !told {
            return None;
        }
        // Of what stays only the representative copy is ever shown.
        let partners = if reason.strips() { partners(copies, &evidence) } else { Vec::new() };
        let place = |c: &Copy| Place { doc: c.doc, span: c.span };
        let first = place(&copies[0]);
        let places = std::iter::once(evidence.medoid).chain(partners).collect();
        let goes = |c: &&Copy| if options.exact { c.span.len() >= options.min_tokens } else { evidence.is_whole(c) };
        let (mut going, mut spared) = (Vec::new(), Vec::new());
        if reason.strips() {
            let sprees = if options.exact { Vec::new() } else { template::sprees(copies) };
            let (stay, go): (Vec<&Copy>, Vec<&Copy>) =
                copies.iter().partition(|c| sprees.binary_search(&c.doc).is_ok());
            going.extend(go.iter().copied().filter(goes).map(place));
            spared.extend(stay.into_iter().map(place));
            going.shrink_to_fit();
        }
        Some(Self { evidence, reason, first, places, copies: going, spared })
    }

    /// See [`Wants::new`].
    #[must_use]
    pub fn wants(&self, which: u32) -> Wants {
        Wants::new(self.reason, &self.evidence, which)
    }
}

/// The templates that are told of: all that go, and the weightiest of those that stay. `K` says where a template stands
/// among all, first places first; no two stand at the same. What is kept of each is for the caller to say.
#[derive(Debug)]
pub struct Judged<K, T> {
    goes: Vec<(K, T)>,
    stays: Vec<(Reverse<u64>, K, T)>,
    untold: u64,
}

impl<K, T> Default for Judged<K, T> {
    fn default() -> Self {
        Self { goes: Vec::new(), stays: Vec::new(), untold: 0 }
    }
}

impl<K: Ord + std::marker::Copy, T> Judged<K, T> {
    /// Adds a template; `weight` is that of its evidence.
    pub fn add(&mut self, at: K, reason: Reason, weight: u64, template: T) {
        if reason.strips() {
            self.goes.push((at, template));
        } else {
            self.stay(Reverse(weight), at, template);
        }
    }

    fn stay(&mut self, weight: Reverse<u64>, at: K, template: T) {
        self.stays.push((weight, at, template));
        if self.stays.len() >= 2 * MAX_TOLD {
            self.thin();
        }
    }

    /// Those of all parts of a corpus.
    #[must_use]
    pub fn of_parts(parts: Vec<Self>) -> Self {
        let mut all = Self::default();
        all.goes.reserve_exact(parts.iter().map(|part| part.goes.len()).sum());
        for part in parts {
            all.goes.extend(part.goes);
            all.untold += part.untold;
            part.stays.into_iter().for_each(|(weight, at, template)| all.stay(weight, at, template));
        }
        all
    }

    /// Forgets those beyond [`MAX_TOLD`].
    fn thin(&mut self) {
        if self.stays.len() > MAX_TOLD {
            self.stays.select_nth_unstable_by_key(MAX_TOLD, |stays| (stays.0, stays.1));
            self.untold += (self.stays.len() - MAX_TOLD) as u64;
            self.stays.truncate(MAX_TOLD);
        }
    }

    /// Keeps no room for more.
    pub fn shrink(&mut self) {
        self.goes.shrink_to_fit();
        self.stays.shrink_to_fit();
    }

    /// What is told of, in order, and how many more stay.
    #[must_use]
    pub fn finish(mut self) -> (Vec<T>, u64) {
        self.thin();
        self.goes.extend(self.stays.into_iter().map(|(_, at, template)| (at, template)));
        self.goes.sort_unstable_by_key(|told| told.0);
        (self.goes.into_iter().map(|told| told.1).collect(), self.untold)
    }
}

/// Which letters of a place are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wants {
    /// Those in it.
    pub own: bool,
    /// Those on both sides of it.
    pub beside: bool,
}

impl Wants {
    /// Of a template that goes, those in its place number `which` where that is the representative one, and those beside it
    /// where few copies are equal.
    #[must_use]
    pub fn new(reason: Reason, evidence: &Evidence, which: u32) -> Self {
        let goes = reason.strips();
        Self { own: goes && which == 0, beside: goes && evidence.equal <= EXTEND_BELOW_EQUAL }
    }
}

/// How much the letters of a template are worth to the bank: of two templates that say the same it keeps the one in more
/// documents, then the longer one, then the one with the higher number.
#[must_use]
pub fn worth(documents: u32, tokens: u32, number: u32) -> (u32, u32, u32) {
    (documents, tokens, number)
}

/// Some other copies to compare the representative one with, widened as it is: those of other forms first, each the first
/// of its form. What stands beside them is compared from the same border on.
fn partners(copies: &[Copy], evidence: &Evidence) -> Vec<Place> {
    let medoid = evidence.medoid;
    let mut forms: Vec<u64> = Vec::new();
    let (mut new, mut seen) = (Vec::new(), Vec::new());
    for copy in copies.iter().filter(|c| c.doc != medoid.doc || !c.span.overlaps(medoid.span)) {
        let list = if forms.contains(&copy.content) { &mut seen } else { &mut new };
        if list.len() < PARTNERS {
            forms.push(copy.content);
            list.push(evidence.widened(copy));
        }
        if new.len() == PARTNERS {
            break;
        }
    }
    new.into_iter().chain(seen).take(PARTNERS).collect()
}

/// Stands for the beginning or the end of the document behind the letters beside a place; no letter has this code.
const BORDER: u8 = 0;

/// The letters beside and inside one place of a template; empty where they are not wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sight {
    /// Those before it.
    pub left: Vec<u8>,
    /// Its own.
    pub letters: Vec<u8>,
    /// Those after it.
    pub right: Vec<u8>,
}

impl Sight {
    /// What is to be seen at a place, `span` of the tokens of a document's body. `letters` is overwritten.
    pub fn read(text: &str, tokens: &[ByteSpan], span: TokenSpan, wants: Wants, letters: &mut Letters) -> Self {
        let mut read = |wanted: bool, from: u32, to: u32| {
            if !wanted {
                return Vec::new();
            }
            letters.read(text, &tokens[from as usize..(to as usize).min(tokens.len())]);
            letters.codes.clone()
        };
        let mut sight = Self {
            left: read(wants.beside, span.start.saturating_sub(CONTEXT_TOKENS), span.start),
            letters: read(wants.own, span.start, span.end),
            right: read(wants.beside, span.end, span.end + CONTEXT_TOKENS),
        };
        if wants.beside && span.start <= CONTEXT_TOKENS {
            sight.left.insert(0, BORDER);
        }
        if wants.beside && (span.end + CONTEXT_TOKENS) as usize >= tokens.len() {
            sight.right.push(BORDER);
        }
        sight
    }
}

/// The letters of the representative copy, which is the first; where few copies are equal, as far beyond as others agree. What
/// goes on alike for as long as it was read has no end there: two texts that share more than a block.
#[must_use]
pub fn extended(sights: &[Sight]) -> Vec<u8> {
    let Some((medoid, partners)) = sights.split_first() else { return Vec::new() };
    let reach = |side: &dyn Fn(&Sight) -> (Vec<u8>, bool)| {
        let (own, goes_on) = side(medoid);
        let length = agreed(partners.iter().map(|p| follow(&own, &side(p).0).0).collect());
        let is_endless = goes_on && length + BAND >= own.len();
        if length < MIN_EXTENSION || is_endless { 0 } else { length }
    };
    let left = reach(&|s| nearest_first(s.left.iter().rev()));
    let right = reach(&|s| nearest_first(s.right.iter()));
    [&medoid.left[medoid.left.len() - left..], &medoid.letters, &medoid.right[..right]].concat()
}

/// The letters on one side of a place, and whether the text goes on behind them.
fn nearest_first<'a>(letters: impl Iterator<Item = &'a u8>) -> (Vec<u8>, bool) {
    let mut letters: Vec<u8> = letters.copied().collect();
    let goes_on = letters.pop_if(|last| *last == BORDER).is_none();
    (letters, goes_on)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::span::Span;
    use crate::text::{Tokens, tokenize};
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(8))]
        #[test]
        fn whatever_the_parts_all_that_goes_and_the_weightiest_of_the_rest_are_told_of(
            weights in proptest::collection::vec(2u64..50, 3 * MAX_TOLD),
            cut in 0..3 * MAX_TOLD,
        ) {
            let all = |range: std::ops::Range<usize>| {
                let mut part = Judged::default();
                for i in range {
                    let reason = if weights[i] == 7 { Reason::EveryRepeat } else { Reason::Relatives };
                    part.add(i, reason, weights[i], i);
                }
                part
            };
            let parts = vec![all(cut..weights.len()), all(0..cut)];
            let (told, untold) = Judged::of_parts(parts).finish();
            let (goes, mut stays): (Vec<usize>, Vec<usize>) = (0..weights.len()).partition(|&i| weights[i] == 7);
            stays.sort_by_key(|&i| Reverse(weights[i]));
            let mut expected = [&goes, &stays[..MAX_TOLD]].concat();
            expected.sort_unstable();
            prop_assert_eq!(untold, (stays.len() - MAX_TOLD) as u64);
            prop_assert_eq!(told, expected);
        }
    }

    fn copy(doc: u32, start: u32, content: u64) -> Copy {
        let span = Span::new(start, start + 40);
        Copy { doc, span, passage: span, tokens: 400, content, edges: [3, 3], ..Copy::default() }
    }

    #[test]
    fn other_forms_are_compared_first() {
        let copies = [copy(0, 10, 7), copy(1, 60, 7), copy(2, 70, 8), copy(3, 80, 7), copy(4, 80, 9), copy(5, 80, 7)];
        let template = Template::of(&copies, &Sites::default(), &Options::default()).unwrap();
        let docs = |places: &[Place]| places.iter().map(|p| p.doc).collect::<Vec<_>>();
        assert_eq!((docs(&template.places), template.reason), (vec![0, 1, 2, 4, 3], Reason::ManyDocuments));
        assert_eq!((docs(&template.copies), template.spared), (vec![0, 1, 2, 3, 4, 5], vec![]));
        assert!(Template::of(&copies[..1], &Sites::default(), &Options::default()).is_none());
    }

    #[test]
    fn a_template_reaches_as_far_as_its_copies_agree() {
        let texts = ["x one two three four five six seven", "y one two thrce four five six seven", "z 1 2 one"];
        let wants = |own| Wants { own, beside: true };
        let sights: Vec<Sight> = (0..2)
            .map(|i| {
                let (mut tokens, mut letters) = (Tokens::default(), Letters::default());
                tokenize(texts[i], &mut tokens);
                Sight::read(texts[i], &tokens.spans, Span::new(1, 3), wants(i == 0), &mut letters)
            })
            .collect();
        assert_eq!(String::from_utf8(extended(&sights)).unwrap(), "onetwothreefourfivesixseven");
        assert_eq!(extended(&sights[..1]), b"onetwo");
        assert!(extended(&[]).is_empty());
    }

    #[test]
    fn what_goes_on_alike_without_an_end_is_not_of_the_template() {
        let seen = |shared: usize, own: &str| {
            let words = (0..shared).map(|i| format!("word{i}")).collect::<Vec<_>>().join(" ");
            let text = format!("x one two {words} {own}");
            let (mut tokens, mut letters) = (Tokens::default(), Letters::default());
            tokenize(&text, &mut tokens);
            Sight::read(&text, &tokens.spans, Span::new(1, 3), Wants { own: true, beside: true }, &mut letters)
        };
        let length = |shared| extended(&[seen(shared, "and then some other text"), seen(shared, "which ends")]).len();
        assert!(length(57) > 57 * 5);
        assert_eq!(length(60), "onetwo".len());
        // The documents end there.
        assert!(extended(&[seen(60, ""), seen(60, "")]).len() > 60 * 5);
    }

    #[test]
    fn a_template_reaches_over_a_number_that_differs_in_every_copy() {
        let head = |number: &str| format!("x agency of torfbrand street phone {number} mail of the agency: one two");
        let sights: Vec<Sight> = [head("841 9519966"), head("841 7721044"), head("841 7731044")]
            .iter()
            .zip([true, false, false])
            .map(|(text, own)| {
                let (mut tokens, mut letters) = (Tokens::default(), Letters::default());
                tokenize(text, &mut tokens);
                let end = u32::try_from(tokens.len()).expect("few");
                Sight::read(text, &tokens.spans, Span::new(end - 2, end), Wants { own, beside: true }, &mut letters)
            })
            .collect();
        let all = "xagencyoftorfbrandstreetphone8419519966mailoftheagencyonetwo";
        assert_eq!(String::from_utf8(extended(&sights)).unwrap(), all);
    }
}
