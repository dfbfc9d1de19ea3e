//! Keyword arguments as the library's options. Names and defaults have their one home there.
//!
//! An argument that would change nothing is refused like one that does not exist: nobody should believe that it counted.

use crate::errors::usage;
use descale::engine::Options;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyString};
use serde::Serialize;
use serde_json::{Map, Value};

/// What is said by the function that is called and by its parameters. A run without `out` is a dry one.
const OWN: [&str; 4] = ["mode", "inputs", "out", "dry-run"];

/// The options that keyword arguments ask for: `shingle_tokens=4` is the command's `--shingle-tokens 4`.
/// `None` stands for the default.
pub(crate) fn options(arguments: &Bound<'_, PyDict>) -> PyResult<Options> {
    let mut all = object(&Options::default());
    for (name, value) in arguments {
        let name: String = name.extract()?;
        if !value.is_none() {
            set(&mut all, &name, json(&name, &value)?)?;
        }
    }
    serde_json::from_value(Value::Object(all)).map_err(|error| usage(error.to_string(), "see help(descale)"))
}

/// The options for finding near-duplicates, where these alone count.
pub(crate) fn near(arguments: &Bound<'_, PyDict>) -> PyResult<descale::near::Options> {
    check_names(arguments, &descale::near::Options::default())?;
    Ok(options(arguments)?.near)
}

/// The options for finding blocks, where these alone count.
pub(crate) fn block(arguments: &Bound<'_, PyDict>) -> PyResult<descale::block::Options> {
    check_names(arguments, &descale::block::Options::default())?;
    Ok(options(arguments)?.block)
}

/// ways(arguments): those that bear on near-duplicates, and those that bear on blocks; others are refused.
#[pyfunction]
pub(crate) fn ways<'py>(arguments: &Bound<'py, PyDict>) -> PyResult<(Bound<'py, PyDict>, Bound<'py, PyDict>)> {
    let near = object(&descale::near::Options::default());
    let mut known = object(&descale::block::Options::default());
    let (of_near, of_block) = (PyDict::new(arguments.py()), PyDict::new(arguments.py()));
    for (name, value) in arguments {
        let flag = name.extract::<String>()?.replace('_', "-");
        if near.contains_key(&flag) {
            of_near.set_item(name, value)?;
        } else if known.contains_key(&flag) {
            of_block.set_item(name, value)?;
        } else {
            known.extend(near);
            return Err(unknown(&known, &name.extract::<String>()?));
        }
    }
    Ok((of_near, of_block))
}

fn check_names(arguments: &Bound<'_, PyDict>, known: &impl Serialize) -> PyResult<()> {
    let known = object(known);
    for name in arguments.keys() {
        let name: String = name.extract()?;
        if !known.contains_key(&name.replace('_', "-")) {
            return Err(unknown(&known, &name));
        }
    }
    Ok(())
}

fn object(options: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(options) {
        Ok(Value::Object(all)) => all,
        _ => Map::new(),
    }
}

/// Puts a value where its name belongs: at the top, or with the near-duplicates or the blocks.
fn set(all: &mut Map<String, Value>, name: &str, value: Value) -> PyResult<()> {
    let flag = name.replace('_', "-");
    if all.get(&flag).is_some_and(|value| !value.is_object()) && !OWN.contains(&flag.as_str()) {
        all.insert(flag, value);
        return Ok(());
    }
    for way in ["near", "block"] {
        if let Some(Value::Object(inner)) = all.get_mut(way)
            && inner.contains_key(&flag)
        {
            inner.insert(flag, value);
            return Ok(());
        }
    }
    Err(unknown(all, name))
}

fn unknown(all: &Map<String, Value>, name: &str) -> PyErr {
    let inner = all.values().filter_map(Value::as_object).flat_map(Map::keys);
    let names = all.iter().filter(|(_, value)| !value.is_object()).map(|(name, _)| name).chain(inner);
    let names: Vec<String> = names.filter(|n| !OWN.contains(&n.as_str())).map(|n| n.replace('-', "_")).collect();
    usage(format!("there is no option {name:?}"), format!("known are {}", names.join(", ")))
}

fn json(name: &str, value: &Bound<'_, PyAny>) -> PyResult<Value> {
    if value.is_instance_of::<PyBool>() {
        return Ok(Value::Bool(value.extract()?));
    }
    if value.is_instance_of::<PyInt>() {
        return value.extract::<u64>().map(Value::from).or_else(|_| Ok(Value::from(value.extract::<f64>()?)));
    }
    if value.is_instance_of::<PyFloat>() {
        return Ok(Value::from(value.extract::<f64>()?));
    }
    if value.is_instance_of::<PyString>() || value.hasattr("__fspath__")? {
        return Ok(Value::String(value.extract::<std::path::PathBuf>()?.to_string_lossy().into_owned()));
    }
    match value.try_iter() {
        Ok(items) => items.map(|item| json(name, &item?)).collect::<PyResult<Vec<_>>>().map(Value::Array),
        Err(_) => {
            Err(usage(format!("{name} is a {}", value.get_type().name()?), "give a number, a text or a list of these"))
        }
    }
}
