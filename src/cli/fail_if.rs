//! `--fail-if`: a condition on the summary, so that a corpus can be gated in CI.
//!
//! A condition compares figures of the summary with numbers: `dropped>0`, `duplicate_share >= 5%`,
//! `near.clusters > 10 and mb_per_cpu_second < 200`. `and` binds closer than `or`. A figure is any number in
//! `summary.json`, by its path or as much of its end as no other figure shares; `-` and `_` are the same. What a run did
//! not look for is 0.

use crate::engine::Summary;
use crate::engine::summary::{BlockSummary, NearSummary};
use serde_json::Value;
use std::fmt::{self, Write as _};
use std::str::FromStr;

/// Short names that stay what they are, whatever figures a release adds.
const SHORT: [(&str, &str); 7] = [
    ("dropped", "outputs.dropped"),
    ("edited", "outputs.edited"),
    ("blocks", "blocks.stripped"),
    ("clusters", "near.clusters"),
    ("bad_records", "inputs.bad_records"),
    ("duplicate_share", "outputs.duplicate_share"),
    ("removed_share", "outputs.removed_bytes_share"),
];

type Comparison = fn(&f64, &f64) -> bool;

/// The comparisons; a longer one stands before its beginning.
const COMPARISONS: [(&str, Comparison); 6] =
    [(">=", f64::ge), ("<=", f64::le), ("==", f64::eq), ("!=", f64::ne), (">", f64::gt), ("<", f64::lt)];

/// A condition that makes the command exit with 1.
#[derive(Clone, Debug)]
pub(super) struct Condition {
    text: String,
    /// It holds when all of any of these do.
    any: Vec<Vec<Test>>,
}

/// One comparison.
#[derive(Clone, Debug)]
struct Test {
    /// As the user named it.
    name: String,
    path: String,
    comparison: Comparison,
    bound: f64,
}

impl Condition {
    /// Why the run fails, in one line, when the condition holds.
    pub(super) fn verdict(&self, summary: &Summary) -> Option<String> {
        let figures = figures(summary);
        let value = |test: &Test| figures.iter().find(|(path, _)| *path == test.path).map_or(0.0, |(_, value)| *value);
        let holds = |test: &Test| (test.comparison)(&value(test), &test.bound);
        let held = self.any.iter().find(|all| all.iter().all(holds))?;
        let mut reason = format!("{self} holds");
        match held.as_slice() {
            [only] if self.any.len() == 1 => {
                let _ = write!(reason, ", it is {}", value(only));
            }
            several => several.iter().enumerate().for_each(|(i, test)| {
                let _ = write!(reason, "{} {} is {}", if i == 0 { ":" } else { "," }, test.name, value(test));
            }),
        }
        Some(reason)
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
        let all = |all: &str| all.split(" and ").map(str::parse).collect();
        let any = text.split(" or ").map(all).collect::<Result<_, String>>()?;
        Ok(Self { text: text.into(), any })
    }
}

impl FromStr for Test {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, comparison, number) = COMPARISONS
            .iter()
            .find_map(|&(sign, comparison)| text.split_once(sign).map(|(name, number)| (name, comparison, number)))
            .ok_or("write a figure, one of > >= < <= == !=, and a number, as in dropped>0")?;
        let name = name.trim();
        let bound = bound(number.trim()).ok_or_else(|| format!("{:?} is no number", number.trim()))?;
        Ok(Self { name: name.into(), path: path(name)?, comparison, bound })
    }
}

/// The path of the figure that a name means.
fn path(name: &str) -> Result<String, String> {
    let wanted = name.replace('-', "_");
    if let Some((_, path)) = SHORT.iter().find(|(short, _)| *short == wanted) {
        return Ok((*path).into());
    }
    let everything =
        Summary { near: Some(NearSummary::default()), blocks: Some(BlockSummary::default()), ..Summary::default() };
    let paths: Vec<String> = figures(&everything).into_iter().map(|(path, _)| path).collect();
    let ends = |path: &&String| path.strip_suffix(&wanted).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    let meant: Vec<&String> = paths.iter().filter(|path| **path == wanted).collect();
    let meant = if meant.is_empty() { paths.iter().filter(ends).collect() } else { meant };
    match meant.as_slice() {
        [] => Err(format!("there is no figure {name:?}; known: {}", paths.join(", "))),
        [only] => Ok((*only).clone()),
        several => Err(format!(
            "{name:?} may be {}",
            several.iter().map(|path| path.as_str()).collect::<Vec<_>>().join(" or ")
        )),
    }
}

/// The numbers in a summary with their paths; the options are none of them.
fn figures(summary: &Summary) -> Vec<(String, f64)> {
    fn walk(path: &str, value: &Value, figures: &mut Vec<(String, f64)>) {
        match value {
            Value::Number(number) => figures.extend(number.as_f64().map(|number| (path.to_owned(), number))),
            Value::Object(fields) => {
                fields.iter().for_each(|(name, value)| walk(&format!("{path}.{name}"), value, figures))
            }
            _ => {}
        }
    }
    let mut figures = Vec::new();
    if let Ok(Value::Object(parts)) = serde_json::to_value(summary) {
        let parts = parts.iter().filter(|(name, part)| part.is_object() && *name != "options");
        parts.for_each(|(name, part)| walk(name, part, &mut figures));
    }
    figures
}

fn bound(number: &str) -> Option<f64> {
    let value = match number.strip_suffix('%') {
        Some(percent) => percent.trim().parse::<f64>().ok()? / 100.0,
        None => number.parse().ok()?,
    };
    value.is_finite().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_read_and_hold() {
        let mut summary = Summary::default();
        summary.outputs.dropped = 3;
        summary.outputs.removed_bytes_share = 0.1;
        summary.resources.mb_per_cpu_second = 150.0;
        summary.near = Some(NearSummary { clusters: 12, ..NearSummary::default() });
        let holds = |text: &str| text.parse::<Condition>().unwrap().verdict(&summary).is_some();
        assert!(holds("dropped>0") && holds("dropped >= 3") && holds("removed-share>=10%") && holds("edited<1"));
        assert!(!holds("dropped>3") && !holds("removed-share>0.1") && !holds("blocks>0"));
        assert!(holds("mb_per_cpu_second < 200") && holds("near.clusters >= 10") && holds("removed_bytes_share>.05"));
        assert!(holds("outputs.dropped==3 and clusters!=11") && holds("dropped>9 or edited==0"));
        assert!(!holds("dropped>9 and edited==0 or blocks.found>0"));
    }

    #[test]
    fn the_reason_is_one_line() {
        let mut summary = Summary::default();
        summary.outputs.dropped = 3;
        let reason = |text: &str| text.parse::<Condition>().unwrap().verdict(&summary).unwrap();
        assert_eq!(reason("dropped>0"), "dropped>0 holds, it is 3");
        assert_eq!(reason("edited>0 or dropped>0"), "edited>0 or dropped>0 holds: dropped is 3");
        assert_eq!(reason("dropped>0 and blocks<1"), "dropped>0 and blocks<1 holds: dropped is 3, blocks is 0");
    }

    #[test]
    fn nonsense_is_refused() {
        for wrong in [
            "",
            "dropped",
            "dropped>",
            "dropped>x",
            "lost>0",
            "dropped>nan",
            ">0",
            "dropped>5%%",
            "options.threads>1",
            "dropped>0 and",
        ] {
            assert!(wrong.parse::<Condition>().is_err(), "{wrong}");
        }
        let complaint = |text: &str| text.parse::<Condition>().unwrap_err();
        assert!(complaint("records>1").contains("inputs.records or outputs.records"));
        assert!(complaint("lost>0").contains("resources.mb_per_cpu_second"));
    }
}
