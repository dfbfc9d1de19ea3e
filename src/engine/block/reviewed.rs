//! What a person decided about blocks goes before every rule.
//!
//! The list has the form of `blocks.jsonl`: `strip` and `keep` are taken from it, `keep-first` leaves a block to the
//! rules. A block of the corpus is one of the list when it says nearly the same, whatever its dress (letters are
//! compared, as everywhere where altered copies are found). What shall go and repeats nowhere goes all the same: a
//! single copy of it is found by its letters.

use super::shown::Shown;
use super::told::Templates;
use crate::block::bank::{Bank, Entry, Match, Search};
use crate::block::decide::Reason;
use crate::block::letters::Letters;
use crate::error::json_complaint;
use crate::plan::lines::{BlockDecision, SLOT};
use crate::report::Picture;
use crate::text::{Tokens, tokenize};
use crate::{Error, Result};
use serde::Deserialize;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

/// Share of a block, in 255ths, that an entry of the list has to cover to speak of it.
const MIN_COVERED: u64 = 204;
/// Fewest letters of an entry: less is found by chance.
const MIN_LETTERS: usize = 24;

/// A line of the list; what else it holds is for people.
#[derive(Deserialize)]
struct Line {
    template: String,
    decision: BlockDecision,
}

/// The list, ready to be asked.
#[derive(Default)]
pub(super) struct Reviewed {
    /// Texts that go.
    strip: Vec<String>,
    banks: [Bank; 2],
    /// Which of the texts that go the corpus repeats.
    met: Vec<bool>,
}

impl Reviewed {
    /// Reads a list.
    ///
    /// # Errors
    /// `Usage` where the file cannot be read or a line is no block, with the line.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let failed = |e: &dyn std::fmt::Display| Error::usage(format!("cannot read the reviewed blocks: {e}")).at(path);
        let file = File::open(path).map_err(|e| failed(&e))?;
        let (mut strip, mut keep) = (Vec::new(), Vec::new());
        for (number, line) in (1u64..).zip(BufReader::new(file).lines()) {
            let line = line.map_err(|e| failed(&e))?;
            if line.trim().is_empty() {
                continue;
            }
            let line: Line = serde_json::from_str(&line).map_err(|e| {
                let error = Error::usage(format!("this is no block: {}", json_complaint(&e))).at(path).line(number);
                error.cure("give each line a template and a decision, as blocks.jsonl has them")
            })?;
            match line.decision {
                BlockDecision::Strip => strip.push(line.template),
                BlockDecision::Keep => keep.push(line.template),
                BlockDecision::KeepFirst => {}
            }
        }
        let banks = [&strip, &keep].map(|texts| Bank::new(entries(texts)));
        Ok(Self { met: vec![false; strip.len()], strip, banks })
    }

    /// What the list says of a block with this text; a text that stands in both parts stays.
    pub(super) fn verdict(&mut self, text: &str) -> Option<Reason> {
        let document = letters(text);
        let (mut search, mut matches): (Search, Vec<Match>) = Default::default();
        let mut covered = |bank: &Bank| {
            bank.find(&document, &mut search, &mut matches);
            let best = matches.iter().max_by_key(|m| (m.letters, std::cmp::Reverse(m.template)));
            best.map_or((0, 0), |m| (u64::from(m.letters), m.template))
        };
        let [strip, keep] = [covered(&self.banks[0]), covered(&self.banks[1])];
        let is_enough = |letters: u64| letters > 0 && letters * 255 >= MIN_COVERED * document.len() as u64;
        if is_enough(keep.0) && keep.0 >= strip.0 {
            return Some(Reason::Reprieved);
        }
        is_enough(strip.0).then(|| {
            self.met[strip.1 as usize] = true;
            Reason::Listed
        })
    }

    /// The texts that shall go and that no block of the corpus was told to be.
    fn unmet(&self) -> impl Iterator<Item = &String> {
        self.strip.iter().zip(&self.met).filter(|(_, met)| !**met).map(|(text, _)| text)
    }

    /// Adds what shall go and repeats nowhere to the templates; the letters by which its copies are found.
    pub(super) fn add_unmet(&self, templates: &mut Templates, shown: &mut Shown) -> Result<Vec<Entry>> {
        let mut found = Vec::new();
        for text in self.unmet() {
            let mut tokens = Tokens::default();
            tokenize(text, &mut tokens);
            let template = templates.add_listed(u32::try_from(tokens.len()).unwrap_or(u32::MAX));
            found.extend(pieces(text).map(|letters| Entry { template, letters }));
            shown.add_picture(&Picture { template: text.clone(), examples: Vec::new() })?;
        }
        Ok(found)
    }
}

fn letters(text: &str) -> Letters {
    let (mut tokens, mut letters) = (Tokens::default(), Letters::default());
    tokenize(text, &mut tokens);
    letters.read(text, &tokens.spans);
    letters
}

/// The letters of a template between its slots.
fn pieces(template: &str) -> impl Iterator<Item = Vec<u8>> + '_ {
    template.split(SLOT).map(|piece| letters(piece).codes).filter(|codes| codes.len() >= MIN_LETTERS)
}

/// A text of the list as one entry: what stands in its slots is foreign text that a match may enclose.
fn entries(texts: &[String]) -> Vec<Entry> {
    let entry = |(i, text): (u32, &String)| Entry { template: i, letters: letters(&text.replace(SLOT, " ")).codes };
    let long = |entry: &Entry| entry.letters.len() >= MIN_LETTERS;
    (0u32..).zip(texts).map(entry).filter(long).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn list(lines: &str) -> Result<Reviewed> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(lines.as_bytes()).unwrap();
        Reviewed::read(file.path())
    }

    #[test]
    fn a_block_is_known_in_other_dress() {
        let mut list = list(
            "{\"template\":\"Published by ⟨…⟩, all rights reserved, no reprint\",\"decision\":\"strip\"}\n\n\
             {\"template\":\"The quick brown fox jumps over the lazy dog\",\"decision\":\"keep\",\"id\":7}\n\
             {\"template\":\"And here is what is left to the rules alone\",\"decision\":\"keep-first\"}\n",
        )
        .unwrap();
        let strip = Some(Reason::Listed);
        assert_eq!(list.unmet().count(), 1);
        assert_eq!(list.verdict("**Published by** Example, all rights reserved. No reprint!"), strip);
        assert_eq!(list.unmet().count(), 0);
        assert_eq!(list.verdict("THE QUICK BROWN FOX jumps over the lazy dog."), Some(Reason::Reprieved));
        assert_eq!(list.verdict("And here is what is left to the rules alone"), None);
        assert_eq!(
            list.verdict("all rights reserved by somebody who says much more about it than the list does"),
            None
        );
        assert_eq!(list.verdict(""), None);
    }

    #[test]
    fn a_line_that_is_no_block_is_named() {
        let error = list("{\"template\":\"a\",\"decision\":\"strip\"}\n{\"template\":3}\n").err().unwrap().to_string();
        assert!(error.contains(":2: this is no block: invalid type: integer `3`, expected a string\n"), "{error}");
        let error = list("{\"template\":\"a\"}\n").err().unwrap().to_string();
        assert!(error.contains(":1: this is no block: missing field `decision`\n"), "{error}");
        assert!(Reviewed::read(Path::new("/nowhere/list.jsonl")).is_err());
    }
}
