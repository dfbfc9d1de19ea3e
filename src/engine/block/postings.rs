//! What the block way shuffles: small records of fixed size, most of them one place of one thing.

use crate::block::template::Copy;
use crate::shuffle::Posting;
use crate::span::Span;

macro_rules! posting {
    ($(#[$doc:meta])* $name:ident { $key:ident: $key_type:ty $(, $field:ident: $type:ty)* }) => {
        $(#[$doc])*
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
    /// A gram in a region, at its place, with its [`GramMarks`].
    Gram { hash: u64, doc: u32, position: u32, marks: u16 }
}
posting! {
    /// A gram that repeats, by document: its partition and its number there.
    Repeat { doc: u32, position: u32, part: u16, gram: u32, marks: u16 }
}
posting! {
    /// Two grams that stand side by side somewhere.
    Link { grams: u64 }
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
