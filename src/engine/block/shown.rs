//! What blocks look like to people: the text of some copies, put aside until `blocks.jsonl` is written.
//!
//! Of most blocks the copies say the same, so the text of one is put away once, and a block is where the texts and the places
//! of its copies lie. Texts lie as they are where memory has room: packing them one by one took more time than the rest of
//! the pass.

use super::super::corpus::Corpus;
use crate::plan::lines::Example;
use crate::report::Picture;
use crate::shuffle::{Stash, Ticket};
use crate::{Error, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The pictures of all blocks; what is beyond a share of the budget lies on disk.
pub(in crate::engine) struct Shown {
    stash: Stash,
    blocks: Vec<Ticket>,
}

/// What was put away of one copy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Put {
    pub(super) text: Ticket,
    /// Of the copies that serve as examples: the place.
    pub(super) example: Option<Ticket>,
}

/// A block as it is put away: its text, and each example's text and place.
type Block = (Ticket, Vec<(Ticket, Ticket)>);

impl Shown {
    pub(super) fn new(corpus: &Corpus<'_>) -> Self {
        Self::within(Stash::new(&corpus.area, corpus.budget(16)).packing())
    }

    fn within(stash: Stash) -> Self {
        Self { stash, blocks: Vec::new() }
    }

    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        self.stash.bytes() + size_of_val(&*self.blocks)
    }

    /// Puts away a copy of a block of which some other copies were put away before, with these texts.
    pub(super) fn put(&mut self, copy: &Picture, others: impl Iterator<Item = Ticket>) -> Result<Put> {
        let text = self.put_text(&copy.template, others)?;
        let example = copy.examples.first().map(|example| self.put_place(example)).transpose()?;
        Ok(Put { text, example })
    }

    /// The text of a block whose copies differ, the representative one first: with slots where they do.
    pub(super) fn slotted(&self, copies: &[Put]) -> Result<Option<String>> {
        let text = copies.first().map_or(Ticket::default(), |copy| copy.text);
        if copies.iter().all(|copy| copy.text == text) {
            return Ok(None);
        }
        let only_text = |copy: &Put| Ok(Picture { template: self.text(copy.text)?, examples: Vec::new() });
        Ok(Some(Picture::of_block(copies.iter().map(only_text).collect::<Result<_>>()?).template))
    }

    /// Adds the next block by its copies, the representative one first, and what is [`slotted`](Self::slotted) of them.
    pub(super) fn add(&mut self, copies: &[Put], slotted: Option<&str>) -> Result<()> {
        let mut text = copies.first().map_or(Ticket::default(), |copy| copy.text);
        if let Some(slotted) = slotted {
            text = self.put_text(slotted, std::iter::once(text))?;
        }
        let examples = copies.iter().filter_map(|copy| Some((copy.text, copy.example?)));
        self.put_block(&(text, examples.take(Picture::EXAMPLES).collect()))
    }

    /// Adds the next block by its picture.
    pub(super) fn add_picture(&mut self, picture: &Picture) -> Result<()> {
        let text = self.put_text(&picture.template, std::iter::empty())?;
        let mut examples = Vec::new();
        for example in &picture.examples {
            examples.push((self.put_text(&example.text, std::iter::once(text))?, self.put_place(example)?));
        }
        self.put_block(&(text, examples))
    }

    /// The picture of a block.
    pub(in crate::engine) fn get(&self, block: usize) -> Result<Picture> {
        let (ticket, places): Block = self.json(self.blocks[block])?;
        let template = self.text(ticket)?;
        let mut examples = Vec::with_capacity(places.len());
        for (text, place) in places {
            let (id, start, end, before, after) = self.json(place)?;
            let own = if text == ticket { None } else { Some(self.text(text)?) };
            let text = Example::shown(own.as_ref().unwrap_or(&template)).to_owned();
            examples.push(Example { id, start, end, before, text, after });
        }
        Ok(Picture { template, examples })
    }

    /// The text of a copy.
    pub(super) fn text_of(&self, copy: Put) -> Result<String> {
        self.text(copy.text)
    }

    /// Puts a text away, unless one of these is the same.
    fn put_text(&mut self, text: &str, others: impl Iterator<Item = Ticket>) -> Result<Ticket> {
        let mut bytes = Vec::new();
        for other in others.filter(|other| other.len as usize == text.len()) {
            self.stash.get(other, &mut bytes)?;
            if bytes == text.as_bytes() {
                return Ok(other);
            }
        }
        self.stash.put(text.as_bytes())
    }

    fn text(&self, ticket: Ticket) -> Result<String> {
        let mut bytes = Vec::new();
        self.stash.get(ticket, &mut bytes)?;
        String::from_utf8(bytes).map_err(|e| changed(&e))
    }

    /// An example without its text.
    fn put_place(&mut self, example: &Example) -> Result<Ticket> {
        let Example { id, start, end, before, after, .. } = example;
        self.put_json(&(id, start, end, before, after))
    }

    fn put_block(&mut self, block: &Block) -> Result<()> {
        let ticket = self.put_json(block)?;
        self.blocks.push(ticket);
        Ok(())
    }

    fn put_json(&mut self, value: &impl Serialize) -> Result<Ticket> {
        self.stash.put(&serde_json::to_vec(value).map_err(|e| Error::resource(e.to_string()))?)
    }

    fn json<T: DeserializeOwned>(&self, ticket: Ticket) -> Result<T> {
        let mut bytes = Vec::new();
        self.stash.get(ticket, &mut bytes)?;
        serde_json::from_slice(&bytes).map_err(|e| changed(&e))
    }
}

fn changed(error: &dyn std::fmt::Display) -> Error {
    Error::resource(format!("what was spilled has changed: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shuffle::SpillArea;
    use crate::span::ByteSpan;
    use proptest::prelude::*;
    use std::sync::Arc;

    fn shown(budget: usize) -> (Arc<SpillArea>, Shown) {
        let area = Arc::new(SpillArea::new(None).unwrap());
        let shown = Shown::within(Stash::new(&area, budget).packing());
        (area, shown)
    }

    fn picture(text: &str, from: usize) -> Picture {
        let document = format!("{}{text} and so on", "…".repeat(from));
        let start = u32::try_from(3 * from).unwrap();
        let span = ByteSpan::new(start, start + u32::try_from(text.len()).unwrap());
        Picture::of_copy(format!("d{from}"), &document, span)
    }

    proptest! {
        #[test]
        fn blocks_look_as_if_their_pictures_had_been_kept(
            blocks in proptest::collection::vec(proptest::collection::vec(("(one |two |é){1,400}", 0usize..90), 1..6), 1..6),
            budget in 0usize..5000,
        ) {
            let (_area, mut shown) = shown(budget);
            let mut expected = Vec::new();
            for copies in &blocks {
                let pictures: Vec<Picture> = copies.iter().map(|(text, from)| picture(text, *from)).collect();
                let mut put: Vec<Put> = Vec::new();
                for picture in &pictures {
                    let one = shown.put(picture, put.iter().map(|put| put.text)).unwrap();
                    put.push(one);
                }
                prop_assert_eq!(&shown.text_of(put[0]).unwrap(), &pictures[0].template);
                let slotted = shown.slotted(&put).unwrap();
                shown.add(&put, slotted.as_deref()).unwrap();
                expected.push(Picture::of_block(pictures));
            }
            for (i, block) in expected.iter().enumerate() {
                prop_assert_eq!(&shown.get(i).unwrap(), block);
                shown.add_picture(block).unwrap();
                prop_assert_eq!(&shown.get(expected.len() + i).unwrap(), block);
            }
        }
    }

    #[test]
    fn a_text_is_put_away_once() {
        let (area, mut shown) = shown(0);
        let text = "what many pages say ".repeat(30);
        let copies: Vec<Put> = (0..5).fold(Vec::new(), |mut put, from| {
            let one = shown.put(&picture(&text, from), put.iter().map(|put| put.text)).unwrap();
            put.push(one);
            put
        });
        assert!(copies.iter().all(|copy| copy.text == copies[0].text));
        assert_eq!(shown.slotted(&copies).unwrap(), None);
        shown.add(&copies, None).unwrap();
        let (_, examples): Block = shown.json(shown.blocks[0]).unwrap();
        assert_eq!(examples.len(), Picture::EXAMPLES);
        drop(area);
    }
}
