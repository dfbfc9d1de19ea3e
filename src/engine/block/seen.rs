//! What was seen at the places of templates: put aside place by place, taken back template by template.
//!
//! Memory: 32 bytes a place. The letters in it and beside it, some hundreds, lie in a stash.

use super::shown::Put;
use crate::block::judge::Sight;
use crate::shuffle::{Stash, Ticket};
use crate::{Error, Result};

/// What is known of the places of all templates.
pub(super) struct Seen {
    stash: Stash,
    /// The number of each template's first place; one more than there are templates.
    firsts: Vec<usize>,
    /// Of each place the text, as it was put away to be shown.
    texts: Vec<Ticket>,
    /// Of each place the letters, and where the place is described; nothing where it was not seen.
    letters: Vec<Ticket>,
}

/// What stands before the letters: the ticket of the place, and the letters before and in it.
const HEAD_BYTES: usize = 20;

impl Seen {
    /// Of templates with so many places each.
    pub(super) fn new(stash: Stash, places: impl Iterator<Item = usize>) -> Self {
        let mut firsts = vec![0];
        let mut count = 0;
        firsts.extend(places.map(|places| {
            count += places;
            count
        }));
        Self { stash, firsts, texts: vec![Ticket::default(); count], letters: vec![Ticket::default(); count] }
    }

    /// The texts of those places of a template that were seen.
    pub(super) fn texts(&self, template: usize) -> impl Iterator<Item = Ticket> {
        self.places(template).filter(|&place| self.letters[place].len > 0).map(|place| self.texts[place])
    }

    fn places(&self, template: usize) -> std::ops::Range<usize> {
        self.firsts[template]..self.firsts[template + 1]
    }

    /// Puts aside what was seen at a place of a template; `which` of them it is.
    pub(super) fn put(&mut self, template: usize, which: usize, sight: &Sight, shown: Put) -> Result<()> {
        let place = self.firsts[template] + which;
        let Put { text, example } = shown;
        // No place is described by nothing.
        let example = example.unwrap_or_default();
        let mut bytes = Vec::with_capacity(HEAD_BYTES + sight.left.len() + sight.letters.len() + sight.right.len());
        bytes.extend(example.at.to_le_bytes());
        bytes.extend(example.len.to_le_bytes());
        for letters in [&sight.left, &sight.letters] {
            let count = u32::try_from(letters.len()).expect("a document has fewer than 2^32 letters");
            bytes.extend(count.to_le_bytes());
        }
        [&sight.left, &sight.letters, &sight.right].into_iter().for_each(|letters| bytes.extend(letters));
        self.texts[place] = text;
        self.letters[place] = self.stash.put(&bytes)?;
        Ok(())
    }

    /// What was seen of a template, in the order of its places.
    pub(super) fn of(&self, template: usize) -> Result<Vec<(Sight, Put)>> {
        let seen = self.places(template).filter(|&place| self.letters[place].len > 0);
        let mut bytes = Vec::new();
        seen.map(|place| {
            self.stash.get(self.letters[place], &mut bytes)?;
            let (sight, example) = read(&bytes).ok_or_else(|| Error::resource("what was spilled has changed"))?;
            Ok((sight, Put { text: self.texts[place], example }))
        })
        .collect()
    }
}

fn read(bytes: &[u8]) -> Option<(Sight, Option<Ticket>)> {
    let (at, rest) = bytes.split_first_chunk()?;
    let (len, rest) = rest.split_first_chunk()?;
    let (left, rest) = rest.split_first_chunk()?;
    let (own, rest) = rest.split_first_chunk()?;
    let [len, left, own] = [len, left, own].map(|number| u32::from_le_bytes(*number));
    let (left, rest) = rest.split_at_checked(left as usize)?;
    let (letters, right) = rest.split_at_checked(own as usize)?;
    let example = (len > 0).then_some(Ticket { at: u64::from_le_bytes(*at), len });
    Some((Sight { left: left.to_vec(), letters: letters.to_vec(), right: right.to_vec() }, example))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shuffle::SpillArea;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use std::sync::Arc;

    fn ticket() -> impl Strategy<Value = Ticket> {
        (any::<u64>(), 1u32..).prop_map(|(at, len)| Ticket { at, len })
    }

    proptest! {
        #[test]
        fn what_was_seen_comes_back(
            templates in vec(vec((vec(any::<u8>(), 0..40), vec(any::<u8>(), 0..9), vec(any::<u8>(), 0..40), ticket(), proptest::option::of(ticket()), any::<bool>()), 0..6), 0..9),
            budget in 0usize..900,
        ) {
            let area = Arc::new(SpillArea::new(None).unwrap());
            let mut seen = Seen::new(Stash::new(&area, budget), templates.iter().map(Vec::len));
            let mut expected = vec![Vec::new(); templates.len()];
            // Places are read in the order of documents, not of templates.
            for which in 0..6 {
                for (t, places) in templates.iter().enumerate() {
                    if let Some((left, letters, right, text, example, true)) = places.get(which).cloned() {
                        let (sight, put) = (Sight { left, letters, right }, Put { text, example });
                        seen.put(t, which, &sight, put).unwrap();
                        expected[t].push((sight, put));
                    }
                }
            }
            for (t, expected) in expected.iter().enumerate() {
                prop_assert_eq!(&seen.of(t).unwrap(), expected);
                prop_assert!(seen.texts(t).eq(expected.iter().map(|(_, put)| put.text)));
            }
        }
    }
}
