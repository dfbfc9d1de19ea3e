//! A histogram as inline SVG: drawn here, so that it stands without a script, on paper and for a screen reader.

use super::escape::Escaped;
use crate::engine::summary::Bin;
use std::fmt::{self, Write};

/// What a histogram is about.
pub(super) struct Chart<'a> {
    pub(super) title: &'a str,
    /// What is counted, in the plural.
    pub(super) noun: &'a str,
    /// What the page says where there is nothing.
    pub(super) nothing: &'a str,
    pub(super) bins: &'a [Bin],
    pub(super) axis: Axis,
}

/// How values are spaced and named.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Axis {
    /// Shares, as per cent; all bins are equally wide.
    Share,
    /// Numbers; each bin is twice as wide as the one before.
    Doubling,
}

const WIDTH: f64 = 320.0;
const HEIGHT: f64 = 120.0;
/// Least height of a bar that is not empty.
const LEAST: f64 = 2.0;
/// Least number of places for bars, so that a single one does not fill the chart.
const PLACES: usize = 8;

impl fmt::Display for Chart<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bins = self.axis.complete(self.bins);
        let total: u64 = bins.iter().map(|b| b.count).sum();
        let Some(most) = bins.iter().map(|b| b.count).max().filter(|&most| most > 0) else {
            let Self { title, nothing, .. } = self;
            return writeln!(f, "<figure><figcaption>{title}</figcaption><p class=\"nothing\">{nothing}</p></figure>");
        };
        write!(
            f,
            "<figure><figcaption>{} <span class=\"quiet\">{} {}</span></figcaption>",
            self.title,
            grouped(total),
            self.noun
        )?;
        let label = self.label(&bins, total);
        write!(f, "<svg viewBox=\"0 -14 {WIDTH} {}\" role=\"img\" aria-label=\"{}\">", HEIGHT + 34.0, Escaped(&label))?;
        self.bars(f, &bins, most)?;
        write!(f, "<line class=\"axis\" x1=\"0\" x2=\"{WIDTH}\" y1=\"{HEIGHT}\" y2=\"{HEIGHT}\"/>")?;
        self.ticks(f, &bins)?;
        f.write_str("</svg></figure>\n")
    }
}

impl Chart<'_> {
    fn bars(&self, f: &mut fmt::Formatter<'_>, bins: &[Bin], most: u64) -> fmt::Result {
        let mut named = false;
        let step = WIDTH / number(bins.len() as u64);
        for (i, bin) in (0u64..).zip(bins).filter(|(_, bin)| bin.count > 0) {
            let height = (HEIGHT * number(bin.count) / number(most)).max(LEAST);
            let (x, y) = (number(i) * step, HEIGHT - height);
            write!(
                f,
                "<rect class=\"column\" x=\"{:.2}\" y=\"{y:.2}\" width=\"{:.2}\" height=\"{height:.2}\" rx=\"1\">",
                x + 0.75,
                step - 1.5
            )?;
            write!(f, "<title>{}: {} {}</title></rect>", self.axis.range(bin), grouped(bin.count), self.noun)?;
            if bin.count == most && !std::mem::replace(&mut named, true) {
                let middle = (x + step / 2.0).clamp(16.0, WIDTH - 16.0);
                write!(f, "<text class=\"peak\" x=\"{middle:.2}\" y=\"-4\">{}</text>", grouped(most))?;
            }
        }
        Ok(())
    }

    /// Names for the borders of bins: the first, the last, and some between.
    fn ticks(&self, f: &mut fmt::Formatter<'_>, bins: &[Bin]) -> fmt::Result {
        let step = WIDTH / number(bins.len() as u64);
        let every = bins.len().div_ceil(5).max(1);
        let borders = bins.iter().map(|b| b.from).chain(bins.last().map(|b| b.to));
        let last = bins.len();
        let named = |i: usize| i == last || (i.is_multiple_of(every) && last - i >= every);
        for (i, border) in borders.enumerate().filter(|&(i, _)| named(i)) {
            let anchor = if i == 0 {
                "start"
            } else if i == bins.len() {
                "end"
            } else {
                "middle"
            };
            write!(
                f,
                "<text x=\"{:.2}\" y=\"{}\" text-anchor=\"{anchor}\">{}</text>",
                number(i as u64) * step,
                HEIGHT + 16.0,
                self.axis.name(border)
            )?;
        }
        Ok(())
    }

    /// The chart in words.
    fn label(&self, bins: &[Bin], total: u64) -> String {
        let mut label = format!("{}, {} {}: ", self.title, grouped(total), self.noun);
        for (i, bin) in bins.iter().filter(|b| b.count > 0).enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            let _ = write!(label, "{comma}{} {}", self.axis.range(bin), grouped(bin.count));
        }
        label
    }
}

impl Axis {
    /// All bins from the first to the last, the empty ones too, and at least [`PLACES`].
    fn complete(self, bins: &[Bin]) -> Vec<Bin> {
        let (Some(first), Some(last)) = (bins.first(), bins.last()) else { return Vec::new() };
        let mut all = vec![*first];
        let mut rest = bins[1..].iter().peekable();
        while let Some(&Bin { from, to, .. }) = all.last() {
            let near = |a: f64, b: f64| (a - b).abs() < (to - from) / 4.0;
            if near(from, last.from) || all.len() > 1000 {
                break;
            }
            let next = Bin { from: to, to: if self == Self::Share { to + (to - from) } else { to * 2.0 }, count: 0 };
            all.push(rest.next_if(|bin| near(bin.from, to)).copied().unwrap_or(next));
        }
        while all.len() < PLACES {
            let Bin { from, to, .. } = all[all.len() - 1];
            let lowest = all[0];
            match self {
                Self::Doubling => all.push(Bin { from: to, to: to * 2.0, count: 0 }),
                Self::Share if to < 0.999 => all.push(Bin { from: to, to: to + (to - from), count: 0 }),
                Self::Share => all.insert(0, Bin { from: lowest.from - (to - from), to: lowest.from, count: 0 }),
            }
        }
        all
    }

    fn name(self, value: f64) -> String {
        match self {
            Self::Share => format!("{:.0} %", value * 100.0),
            Self::Doubling => format!("{value:.0}"),
        }
    }

    fn range(self, bin: &Bin) -> String {
        match self {
            Self::Share => format!("{:.0}–{:.0} %", bin.from * 100.0, bin.to * 100.0),
            Self::Doubling => format!("{:.0}–{:.0}", bin.from, bin.to - 1.0),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a place on the page")]
fn number(count: u64) -> f64 {
    count as f64
}

/// A number with commas between thousands.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bin(from: f64, to: f64, count: u64) -> Bin {
        Bin { from, to, count }
    }

    #[test]
    fn gaps_are_drawn_as_gaps() {
        let shares = Axis::Share.complete(&[bin(0.8, 0.82, 3), bin(0.86, 0.88, 1), bin(0.98, 1.0, 2)]);
        assert_eq!(shares.iter().map(|b| b.count).collect::<Vec<_>>(), [3, 0, 0, 1, 0, 0, 0, 0, 0, 2]);
        let tokens = Axis::Doubling.complete(&[bin(8.0, 16.0, 1), bin(64.0, 128.0, 1)]);
        assert_eq!(tokens.iter().map(|b| b.count).collect::<Vec<_>>(), [1, 0, 0, 1, 0, 0, 0, 0]);
        let last = Axis::Share.complete(&[bin(0.98, 1.0, 5)]);
        assert_eq!((last.len(), last[7].count), (8, 5));
    }

    #[test]
    fn a_chart_can_be_read_aloud() {
        let bins = [bin(0.8, 0.82, 1200)];
        let chart = Chart { title: "Similarity", noun: "documents", nothing: "None.", bins: &bins, axis: Axis::Share };
        assert!(chart.to_string().contains("aria-label=\"Similarity, 1,200 documents: 80–82 % 1,200\""));
        assert!(Chart { bins: &[], ..chart }.to_string().contains("None."));
    }
}
