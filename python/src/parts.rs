//! The building blocks: tokens, sketches, keys, seeds, similarities of texts.

use crate::columns::Texts;
use crate::errors::usage;
use crate::options;
use crate::tables::{PyTable, lists, table};
use crate::watch::detached;
use arrow_array::{Float64Array, LargeStringArray, UInt32Array, UInt64Array};
use descale::block::winnow;
use descale::near::{Near, verify};
use descale::text::{Tokens, tokenize as read_tokens, tokenize_words};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use pyo3_arrow::input::AnyArray;
use std::sync::Arc;

/// Texts as they may be given: one, a list (`None` for a text that is missing), or an Arrow array of any string type.
fn texts(given: &Bound<'_, PyAny>) -> PyResult<Vec<Texts>> {
    if let Ok(one) = given.cast::<PyString>() {
        return Ok(vec![Texts::Large(LargeStringArray::from(vec![one.to_str()?]))]);
    }
    if given.hasattr("__arrow_c_array__")? || given.hasattr("__arrow_c_stream__")? {
        let (chunks, field) = given.extract::<AnyArray>()?.into_chunked_array()?.into_inner();
        return chunks.iter().map(|chunk| Texts::new(field.name(), chunk)).collect();
    }
    let list =
        given.try_iter().map_err(|_| usage("texts are expected", "give a text, a list of texts or an Arrow array"))?;
    let list = list.map(|text| text?.extract::<Option<String>>()).collect::<PyResult<Vec<_>>>()?;
    Ok(vec![Texts::Large(list.into_iter().collect())])
}

fn each(texts: &[Texts]) -> impl Iterator<Item = Option<&str>> {
    texts.iter().flat_map(Texts::iter)
}

fn near(arguments: Option<&Bound<'_, PyDict>>) -> PyResult<Near> {
    let options = arguments.map(options::near).transpose()?.unwrap_or_default();
    Near::new(&options).map_err(|error| crate::errors::exception(&error))
}

/// tokenize(texts): the tokens of each text.
#[pyfunction]
pub(crate) fn tokenize(py: Python<'_>, texts: &Bound<'_, PyAny>) -> PyResult<PyTable> {
    let given = self::texts(texts)?;
    let (mut lengths, mut hashes, mut starts, mut ends) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    detached(py, || {
        let mut tokens = Tokens::default();
        for text in each(&given) {
            lengths.push(text.map(|text| {
                read_tokens(text, &mut tokens);
                hashes.extend_from_slice(&tokens.hashes);
                starts.extend(tokens.spans.iter().map(|s| s.start));
                ends.extend(tokens.spans.iter().map(|s| s.end));
                tokens.len()
            }));
        }
        Ok(())
    })?;
    let columns = vec![
        ("hashes", lists(&lengths, Arc::new(UInt64Array::from(hashes)))),
        ("starts", lists(&lengths, Arc::new(UInt32Array::from(starts)))),
        ("ends", lists(&lengths, Arc::new(UInt32Array::from(ends)))),
    ];
    table(columns).map(PyTable)
}

/// One list of numbers for each text, made of its tokens as the near-duplicate way reads them.
fn words(
    py: Python<'_>,
    name: &str,
    texts: &Bound<'_, PyAny>,
    mut make: impl FnMut(&str, &Tokens, &mut Vec<u64>) + Send,
) -> PyResult<PyTable> {
    let given = self::texts(texts)?;
    let (mut lengths, mut all) = (Vec::new(), Vec::new());
    detached(py, || {
        let (mut tokens, mut words) = (Tokens::default(), Vec::new());
        for text in each(&given) {
            lengths.push(text.map(|text| {
                tokenize_words(text, &mut tokens);
                make(text, &tokens, &mut words);
                all.extend_from_slice(&words);
                words.len()
            }));
        }
        Ok(())
    })?;
    table(vec![(name, lists(&lengths, Arc::new(UInt64Array::from(all))))]).map(PyTable)
}

/// sketch(texts, **options): the sketch of each text.
#[pyfunction]
#[pyo3(signature = (texts, **options))]
pub(crate) fn sketch(
    py: Python<'_>,
    texts: &Bound<'_, PyAny>,
    options: Option<&Bound<'_, PyDict>>,
) -> PyResult<PyTable> {
    let (near, mut scratch, mut units) = (near(options)?, Vec::new(), Vec::new());
    words(py, "sketch", texts, |text, tokens, out| {
        near.sketch(near.units(text, tokens, None, &mut units), &mut scratch, out);
    })
}

/// band_keys(texts, **options): the keys under which each text meets those it may be a duplicate of.
#[pyfunction]
#[pyo3(signature = (texts, **options))]
pub(crate) fn band_keys(
    py: Python<'_>,
    texts: &Bound<'_, PyAny>,
    options: Option<&Bound<'_, PyDict>>,
) -> PyResult<PyTable> {
    let (near, mut scratch, mut units) = (near(options)?, Vec::new(), Vec::new());
    words(py, "keys", texts, |text, tokens, out| {
        near.keys(near.units(text, tokens, None, &mut units), &mut scratch, out);
    })
}

/// seeds(texts, **options): the winnowed seeds of each text.
#[pyfunction]
#[pyo3(signature = (texts, **options))]
pub(crate) fn seeds(
    py: Python<'_>,
    texts: &Bound<'_, PyAny>,
    options: Option<&Bound<'_, PyDict>>,
) -> PyResult<PyTable> {
    let block = options.map(crate::options::block).transpose()?.unwrap_or_default();
    block.check().map_err(|error| crate::errors::exception(&error))?;
    let given = self::texts(texts)?;
    let (mut lengths, mut hashes, mut positions) = (Vec::new(), Vec::new(), Vec::new());
    detached(py, || {
        let (mut tokens, mut grams) = (Tokens::default(), Vec::new());
        for text in each(&given) {
            let before = hashes.len();
            if let Some(text) = text {
                read_tokens(text, &mut tokens);
                winnow::seeds(&block, &tokens.hashes, &mut grams, |hash, at| {
                    hashes.push(hash);
                    positions.push(u32::try_from(at).expect("a document has fewer than 2^32 tokens"));
                });
            }
            lengths.push(text.map(|_| hashes.len() - before));
        }
        Ok(())
    })?;
    let columns = vec![
        ("hashes", lists(&lengths, Arc::new(UInt64Array::from(hashes)))),
        ("positions", lists(&lengths, Arc::new(UInt32Array::from(positions)))),
    ];
    table(columns).map(PyTable)
}

type Alike = [f64; 3];

/// How alike pairs of texts are: Jaccard, the share of the first in the second, and of the second in the first.
fn compare<'t>(near: &Near, pairs: impl Iterator<Item = (Option<&'t str>, Option<&'t str>)>) -> Vec<Option<Alike>> {
    let (mut tokens, mut units) = (Tokens::default(), Vec::new());
    let mut set = |text: &str| {
        let mut set = Vec::new();
        tokenize_words(text, &mut tokens);
        near.shingle_set(near.units(text, &tokens, None, &mut units), &mut set);
        set
    };
    let alike = |(a, b): (Option<&str>, Option<&str>)| {
        let (a, b) = (set(a?), set(b?));
        let shared = verify::shared_at_least(&a, &b, 0).unwrap_or(0);
        let jaccard = verify::jaccard_of(shared, a.len(), b.len());
        Some([jaccard, verify::ratio(shared, a.len()), verify::ratio(shared, b.len())])
    };
    pairs.map(alike).collect()
}

/// How alike two texts are.
#[pyfunction]
#[pyo3(signature = (a, b, **options))]
pub(crate) fn similarity(py: Python<'_>, a: &str, b: &str, options: Option<&Bound<'_, PyDict>>) -> PyResult<Alike> {
    let near = near(options)?;
    let alike = detached(py, || Ok(compare(&near, std::iter::once((Some(a), Some(b))))))?;
    Ok(alike.into_iter().flatten().next().unwrap_or_default())
}

/// How alike each text of one side is to that of the other.
#[pyfunction]
#[pyo3(signature = (a, b, **options))]
pub(crate) fn similarities(
    py: Python<'_>,
    a: &Bound<'_, PyAny>,
    b: &Bound<'_, PyAny>,
    options: Option<&Bound<'_, PyDict>>,
) -> PyResult<PyTable> {
    let near = near(options)?;
    let (left, right) = (texts(a)?, texts(b)?);
    let count = |texts: &[Texts]| texts.iter().map(Texts::len).sum::<usize>();
    if count(&left) != count(&right) {
        let message = format!("{} texts are to be compared with {}", count(&left), count(&right));
        return Err(usage(message, "give as many on both sides"));
    }
    let rows = detached(py, || Ok(compare(&near, each(&left).zip(each(&right)))))?;
    let column = |i: usize| Arc::new(rows.iter().map(|row| row.map(|r| r[i])).collect::<Float64Array>());
    table(vec![("jaccard", column(0)), ("a_in_b", column(1)), ("b_in_a", column(2))]).map(PyTable)
}
