//! `--fail-if`: a condition on the summary, so that a corpus can be gated in CI.
//!
//! A condition is a figure of the summary, a comparison and a number: `dropped>0`, `removed-share>=10%`.

use crate::engine::Summary;
use std::fmt;
use std::str::FromStr;

type Figure = fn(&Summary) -> f64;
type Comparison = fn(&f64, &f64) -> bool;

/// The figures that can be asked about, and how to read them off a summary.
const FIGURES: [(&str, Figure); 7] = [
    ("dropped", |s| count(s.outputs.dropped)),
    ("edited", |s| count(s.outputs.edited)),
    ("blocks", |s| s.blocks.as_ref().map_or(0.0, |b| count(b.stripped))),
    ("clusters", |s| s.near.as_ref().map_or(0.0, |n| count(n.clusters))),
    ("bad-records", |s| count(s.inputs.bad_records)),
    ("duplicate-share", |s| s.outputs.duplicate_share),
    ("removed-share", |s| s.outputs.removed_bytes_share),
];

/// The comparisons; a longer one stands before its beginning.
const COMPARISONS: [(&str, Comparison); 4] = [(">=", f64::ge), ("<=", f64::le), (">", f64::gt), ("<", f64::lt)];

/// A condition that makes the command exit with 1.
#[derive(Clone, Debug)]
pub(super) struct Condition {
    text: String,
    figure: Figure,
    comparison: Comparison,
    bound: f64,
}

impl Condition {
    /// The figure when the condition holds.
    pub(super) fn holds(&self, summary: &Summary) -> Option<f64> {
        let figure = (self.figure)(summary);
        (self.comparison)(&figure, &self.bound).then_some(figure)
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Condition {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, comparison, number) = COMPARISONS
            .iter()
            .find_map(|&(sign, comparison)| text.split_once(sign).map(|(name, number)| (name, comparison, number)))
            .ok_or("write a figure, one of > >= < <=, and a number, as in dropped>0")?;
        let &(_, figure) = FIGURES.iter().find(|(known, _)| *known == name.trim()).ok_or_else(|| {
            format!("there is no figure {:?}; known: {}", name.trim(), FIGURES.map(|(known, _)| known).join(", "))
        })?;
        let bound = bound(number.trim()).ok_or_else(|| format!("{:?} is no number", number.trim()))?;
        Ok(Self { text: text.into(), figure, comparison, bound })
    }
}

fn bound(number: &str) -> Option<f64> {
    let value = match number.strip_suffix('%') {
        Some(percent) => percent.trim().parse::<f64>().ok()? / 100.0,
        None => number.parse().ok()?,
    };
    value.is_finite().then_some(value)
}

#[expect(clippy::cast_precision_loss, reason = "2^53 records are more than there are")]
fn count(n: u64) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_read_and_hold() {
        let mut summary = Summary::default();
        summary.outputs.dropped = 3;
        summary.outputs.removed_bytes_share = 0.1;
        let holds = |text: &str| text.parse::<Condition>().unwrap().holds(&summary).is_some();
        assert!(holds("dropped>0") && holds("dropped >= 3") && holds("removed-share>=10%") && holds("edited<1"));
        assert!(!holds("dropped>3") && !holds("removed-share>0.1") && !holds("blocks>0"));
    }

    #[test]
    fn nonsense_is_refused() {
        for wrong in ["", "dropped", "dropped>", "dropped>x", "lost>0", "dropped>nan", ">0", "dropped>5%%"] {
            assert!(wrong.parse::<Condition>().is_err(), "{wrong}");
        }
    }
}
