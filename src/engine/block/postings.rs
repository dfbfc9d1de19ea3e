//! What the block way shuffles: small records of fixed size, most of them one place of one thing.

use crate::block::bank::Match;
use crate::block::template::Copy;
use crate::engine::near::narrow;
use crate::shuffle::Posting;
use crate::span::Span;

macro_rules! posting {
    ($(#[$meta:meta])* $name:ident { $key:ident: $key_type:ty $(, $field:ident: $type:ty)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub(super) struct $name { pub(super) $key: $key_type $(, pub(super) $field: $type)* }

        impl Posting for $name {
            const FIELDS: usize = [stringify!($key) $(, stringify!($field))*].len();
            fn key(&self) -> u64 {
                self.$key.into()
            }
            fn split(&self, fields: &mut [u64]) {
                fields.copy_from_slice(&[self.$key.into() $(, self.$field.into())*]);
            }
            #[allow(clippy::cast_possible_truncation, reason = "as they were split")]
            fn join(fields: &[u64]) -> Self {
                let mut at = fields.iter().copied();
                let mut take = || at.next().expect("as many as were split");
                Self { $key: take() as $key_type $(, $field: take() as $type)* }
            }
        }
    };
}

posting! {
    /// A winnowed gram at its place.
    Seed { hash: u64, doc: u32, position: u32 }
}
posting! {
    /// A seed that repeats, by document.
    Repeated { doc: u32, position: u32 }
}
posting! {
    /// A gram in a region, at its place, with its [`GramMarks`]. There is nothing that memory is filled with as often, so it
    /// has no holes.
    #[repr(Rust, packed(2))]
    Gram { hash: u64, doc: u32, position: u32, marks: u16 }
}
posting! {
    /// A gram that repeats, by document: how far back it occurs first ([`Firsts`](super::firsts)), which is the same along a copy
    /// and nothing for the first one, and its copies.
    Repeat { doc: u32, position: u32, back: u64, copies: u32, marks: u16 }
}

impl Said {
    pub(super) fn of(doc: u32, said: &Match) -> Self {
        let Match { span: Span { start, end }, template, letters, of_template, anchored } = *said;
        Self { doc, start, end, template, letters, of_template, anchored }
    }

    pub(super) fn what(&self) -> Match {
        let Self { start, end, template, letters, of_template, anchored, .. } = *self;
        Match { span: Span::new(start, end), template, letters, of_template, anchored }
    }
}

/// Two grams that stand side by side somewhere, and the copies of the more frequent one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Link {
    pub(super) gram: u32,
    pub(super) next: u32,
    pub(super) copies: u32,
}

/// The next gram mostly has the next number: the difference stays.
impl Posting for Link {
    const FIELDS: usize = 3;
    fn key(&self) -> u64 {
        u64::from(self.gram) << 32 | u64::from(self.next)
    }
    fn split(&self, fields: &mut [u64]) {
        let [gram, next, copies] = [self.gram, self.next, self.copies].map(u64::from);
        fields.copy_from_slice(&[gram, next.wrapping_sub(gram), copies]);
    }
    fn join(fields: &[u64]) -> Self {
        let gram = narrow(fields[0]);
        Self { gram, next: narrow(fields[1].wrapping_add(fields[0])), copies: narrow(fields[2]) }
    }
}
posting! {
    /// A stretch of a document that is looked at gram by gram.
    Region { doc: u32, start: u32, end: u32 }
}
posting! {
    /// A place of a template, which is called by the order in which it was judged; what becomes of the place, as a number.
    Placed { doc: u32, judged: u32, role: u8, which: u32, start: u32, end: u32 }
}
posting! {
    /// A place of a template that is read again; which of its places it is.
    Reread { doc: u32, template: u32, which: u32, start: u32, end: u32 }
}
posting! {
    /// A copy of a template that goes.
    Going { doc: u32, start: u32, end: u32, template: u32 }
}
posting! {
    /// A template that stands in a document where its words did not lead to.
    New { doc: u32, template: u32 }
}
posting! {
    /// What the letters of a document say: a [`Match`].
    Said { doc: u32, start: u32, end: u32, template: u32, letters: u32, of_template: u8, anchored: u8 }
}
posting! {
    /// A copy of a template; `shape` and `shares` are the small fields of [`Copy`].
    TemplateCopy {
        template: u32, doc: u32, start: u32, end: u32, passage_start: u32, passage_end: u32, tokens: u32, content: u64,
        shape: u32, shares: u32, company: u32
    }
}

impl TemplateCopy {
    pub(super) fn pack(c: &Copy) -> Self {
        let [shape, shares, company] = c.packed();
        Self {
            template: c.template,
            doc: c.doc,
            start: c.span.start,
            end: c.span.end,
            passage_start: c.passage.start,
            passage_end: c.passage.end,
            tokens: c.tokens,
            content: c.content,
            shape,
            shares,
            company,
        }
    }

    pub(super) fn unpack(&self) -> Copy {
        Copy {
            template: self.template,
            doc: self.doc,
            span: Span::new(self.start, self.end),
            passage: Span::new(self.passage_start, self.passage_end),
            tokens: self.tokens,
            content: self.content,
            ..Copy::default()
        }
        .with_packed([self.shape, self.shares, self.company])
    }
}
