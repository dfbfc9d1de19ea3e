//! What the block way shuffles: small records of fixed size, most of them one place of one thing.

use crate::block::chain::Hit;
use crate::block::layout::Marks;
use crate::block::template::Copy;
use crate::engine::near::u32_at;
use crate::shuffle::Posting;
use crate::span::Span;

macro_rules! posting {
    ($(#[$doc:meta])* $name:ident { $key:ident: $key_type:ty $(, $field:ident: $type:ty)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub(super) struct $name { pub(super) $key: $key_type $(, pub(super) $field: $type)* }

        impl Posting for $name {
            const BYTES: usize = size_of::<$key_type>() $(+ size_of::<$type>())*;
            fn key(&self) -> u64 {
                self.$key.into()
            }
            #[allow(unused_assignments, reason = "the last field leaves the offset unused")]
            fn encode(&self, out: &mut [u8]) {
                let mut at = 0;
                let bytes = self.$key.to_le_bytes();
                out[at..at + bytes.len()].copy_from_slice(&bytes);
                at += bytes.len();
                $(let bytes = self.$field.to_le_bytes();
                out[at..at + bytes.len()].copy_from_slice(&bytes);
                at += bytes.len();)*
            }
            fn decode(bytes: &[u8]) -> Self {
                let mut at = 0;
                let mut take = |n: usize| { at += n; &bytes[at - n..at] };
                let $key = <$key_type>::from_le_bytes(take(size_of::<$key_type>()).try_into().expect("its size"));
                $(let $field = <$type>::from_le_bytes(take(size_of::<$type>()).try_into().expect("its size"));)*
                Self { $key $(, $field)* }
            }
        }
    };
}

posting! {
    /// A gram at its place: a winnowed seed, or a dense gram with the marks of its first and last token.
    Gram { hash: u64, doc: u32, position: u32, first: u32, last: u32 }
}
posting! {
    /// A seed that repeats, by document.
    Seed { doc: u32, position: u32 }
}
posting! {
    /// A dense gram that repeats, by document. `gram` is the partition and the number in it.
    Repeat { doc: u32, position: u32, gram: u64, copies: u32, first: u32, last: u32 }
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
        Self {
            template: c.template,
            doc: c.doc,
            start: c.span.start,
            end: c.span.end,
            passage_start: c.passage.start,
            passage_end: c.passage.end,
            tokens: c.tokens,
            content: c.content,
            shape: u32::from_le_bytes([c.edges[0], c.edges[1], c.quoted, c.code]),
            shares: u32::from_le_bytes([c.contact, c.numbers, c.cited, c.shared]),
            company: u32::from_le_bytes([c.kin, c.apart.into(), c.strange, 0]),
        }
    }

    pub(super) fn unpack(&self) -> Copy {
        let [first, last, quoted, code] = self.shape.to_le_bytes();
        let [contact, numbers, cited, shared] = self.shares.to_le_bytes();
        let [kin, apart, strange, _] = self.company.to_le_bytes();
        Copy {
            template: self.template,
            doc: self.doc,
            span: Span::new(self.start, self.end),
            passage: Span::new(self.passage_start, self.passage_end),
            tokens: self.tokens,
            content: self.content,
            edges: [first, last],
            quoted,
            code,
            contact,
            numbers,
            cited,
            strange,
            shared,
            kin,
            apart: apart != 0,
        }
    }
}
pub(super) fn hit(r: &Repeat, gram: u32) -> Hit {
    let (first, last) = (Marks(r.first), Marks(r.last));
    Hit { position: r.position, gram: gram.into(), copies: r.copies, first, last }
}

pub(super) const HIT_BYTES: usize = 20;

#[expect(clippy::cast_possible_truncation, reason = "gram numbers are u32")]
pub(super) fn write_hit(hit: &Hit, out: &mut Vec<u8>) {
    out.extend_from_slice(&hit.position.to_le_bytes());
    out.extend_from_slice(&(hit.gram as u32).to_le_bytes());
    out.extend_from_slice(&hit.copies.to_le_bytes());
    out.extend_from_slice(&hit.first.0.to_le_bytes());
    out.extend_from_slice(&hit.last.0.to_le_bytes());
}

pub(super) fn read_hit(bytes: &[u8]) -> Hit {
    let marks = |at| Marks(u32_at(bytes, at));
    let gram = u32_at(bytes, 4).into();
    Hit { position: u32_at(bytes, 0), gram, copies: u32_at(bytes, 8), first: marks(12), last: marks(16) }
}
