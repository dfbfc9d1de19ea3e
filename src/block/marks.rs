//! What is said of how a token stands on the page: marks of a token, of a gram, and the edges of a passage.
//!
//! Few bits each, for they travel with every gram. [`layout`](super::layout) reads them off a text.

use serde::Serialize;

/// The marks of one token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks(pub u32);

impl Marks {
    /// Between quotation marks, or on a line that quotes (`>`).
    pub const QUOTED: Self = Self(1);
    /// On a line of program code.
    pub const CODE: Self = Self(1 << 1);
    /// Beside a mark of contact details and legal notices: `@ © ® ™ §`, `://`, `www.`, `+49`.
    pub const CONTACT: Self = Self(1 << 2);
    /// A number, or a word of one letter.
    pub const NUMBER: Self = Self(1 << 3);
    /// In an entry of a list of sources: its first line begins with a key in brackets.
    pub const CITED: Self = Self(1 << 4);
    /// On a line of a table of contents: dots lead from a title to a page.
    pub const LEADER: Self = Self(1 << 5);
    /// A word that the document uses nowhere else: see [`strange`](super::strange).
    pub const STRANGE: Self = Self(1 << 6);

    /// Distances from here on look the same. A distance counts two for a word and one for a character of a script
    /// without spaces.
    pub const FAR: u32 = 15;

    /// How far the nearest border of a kind is.
    #[must_use]
    pub fn distance(self, border: Border) -> u32 {
        self.0 >> border as u32 & Self::FAR
    }

    /// Whether any of `other`'s marks is set.
    #[must_use]
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Sets the marks of `other` too.
    pub fn add(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

/// A border a token may stand at; the value is the place of its distance among the marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Border {
    /// The start of its sentence.
    SentenceStart = 8,
    /// The end of its sentence.
    SentenceEnd = 12,
    /// The start of its line.
    LineStart = 16,
    /// The end of its line.
    LineEnd = 20,
    /// The start of its paragraph.
    ParagraphStart = 24,
    /// The end of its paragraph.
    ParagraphEnd = 28,
}

/// Where a stretch begins or ends on the page, weakest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Edge {
    /// In the middle of a sentence.
    #[default]
    Inside,
    /// At the border of a sentence.
    Sentence,
    /// At the border of a line.
    Line,
    /// At the border of a paragraph.
    Paragraph,
}

/// A border that misses a line's by four words still is meant to be there: beside a name or number that differs from
/// copy to copy, a gram of five words shows nothing of up to four words at the border of a block. A word counts two.
const MAX_MISSED: u32 = 8;

/// A copy that begins with the last word of the paragraph before, or ends with the first of the one after, was meant to
/// begin or end between them: texts of one language often share such a word, and the cut leaves it where it is.
const MAX_OVERSHOT: u32 = 1;

impl Edge {
    fn at_start(marks: Marks) -> Self {
        let overshot = marks.distance(Border::ParagraphEnd) <= MAX_OVERSHOT;
        let own = Self::strongest(marks, [Border::ParagraphStart, Border::LineStart, Border::SentenceStart]);
        if overshot { Self::Paragraph } else { own }
    }

    fn at_end(marks: Marks) -> Self {
        let overshot = marks.distance(Border::ParagraphStart) <= MAX_OVERSHOT;
        let own = Self::strongest(marks, [Border::ParagraphEnd, Border::LineEnd, Border::SentenceEnd]);
        if overshot { Self::Paragraph } else { own }
    }

    fn strongest(marks: Marks, borders: [Border; 3]) -> Self {
        let kinds = [Self::Paragraph, Self::Line, Self::Sentence];
        let near = borders.iter().zip(kinds).find(|(border, _)| marks.distance(**border) <= MAX_MISSED);
        near.map_or(Self::Inside, |(_, kind)| kind)
    }

    /// From its number.
    #[must_use]
    pub fn from_code(code: u8) -> Self {
        [Self::Inside, Self::Sentence, Self::Line, Self::Paragraph][usize::from(code.min(3))]
    }
}

/// What matters of the marks of a gram's first and last token: few bits, for there is a gram at every token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GramMarks(pub u16);

impl GramMarks {
    const START: u32 = 8;
    const END: u32 = 10;

    /// Of a gram with these marks at its ends.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "the marks that are no distance, and two numbers below 4")]
    pub fn of(first: Marks, last: Marks) -> Self {
        let edges = (Edge::at_start(first) as u16) << Self::START | (Edge::at_end(last) as u16) << Self::END;
        Self(first.0 as u8 as u16 | edges)
    }

    /// Whether the first token has any of these marks, none of them a distance.
    #[must_use]
    pub fn has(self, marks: Marks) -> bool {
        u32::from(self.0) & marks.0 & 0xFF != 0
    }

    /// What a passage that begins with the gram begins at.
    #[must_use]
    pub fn start(self) -> Edge {
        Edge::from_code((self.0 >> Self::START & 3) as u8)
    }

    /// What a passage that ends with the gram ends at.
    #[must_use]
    pub fn end(self) -> Edge {
        Edge::from_code((self.0 >> Self::END & 3) as u8)
    }
}
