//! The Python package's extension module: `descale._descale`.
//!
//! A face without logic of its own: it turns Python's values into the library's, lets go of the interpreter's lock,
//! calls the library, and turns results and errors back. What users see, with its documentation, is `descale/*.py`.

mod blocks;
mod columns;
mod errors;
mod options;
mod packets;
mod parts;
mod run;
mod shuffled;
mod tables;
mod watch;

use pyo3::prelude::*;

#[pymodule]
fn _descale(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<tables::PyTable>()?;
    module.add_function(wrap_pyfunction!(run::run_files, module)?)?;
    module.add_function(wrap_pyfunction!(run::run_table, module)?)?;
    module.add_function(wrap_pyfunction!(run::read_lines, module)?)?;
    module.add_function(wrap_pyfunction!(run::apply_plan, module)?)?;
    module.add_function(wrap_pyfunction!(run::explain, module)?)?;
    module.add_function(wrap_pyfunction!(run::restore, module)?)?;
    module.add_function(wrap_pyfunction!(run::command, module)?)?;
    module.add_function(wrap_pyfunction!(run::check_options, module)?)?;
    module.add_function(wrap_pyfunction!(parts::tokenize, module)?)?;
    module.add_function(wrap_pyfunction!(parts::sketch, module)?)?;
    module.add_function(wrap_pyfunction!(parts::band_keys, module)?)?;
    module.add_function(wrap_pyfunction!(parts::seeds, module)?)?;
    module.add_function(wrap_pyfunction!(parts::similarity, module)?)?;
    module.add_function(wrap_pyfunction!(parts::similarities, module)?)?;
    module.add_class::<packets::Packer>()?;
    module.add_class::<packets::Shelf>()?;
    module.add_function(wrap_pyfunction!(packets::unpack, module)?)?;
    module.add_class::<shuffled::Bands>()?;
    module.add_class::<shuffled::Edges>()?;
    module.add_class::<shuffled::Union>()?;
    module.add_class::<shuffled::Candidates>()?;
    module.add_class::<shuffled::Verdicts>()?;
    module.add_class::<blocks::find::Seeds>()?;
    module.add_class::<blocks::find::Places>()?;
    module.add_class::<blocks::find::Regions>()?;
    module.add_class::<blocks::find::Grams>()?;
    module.add_class::<blocks::find::Repeats>()?;
    module.add_class::<blocks::find::Sites>()?;
    module.add_class::<blocks::runs::Hits>()?;
    module.add_class::<blocks::runs::Links>()?;
    module.add_class::<blocks::runs::Joined>()?;
    module.add_class::<blocks::runs::Linked>()?;
    module.add_class::<blocks::runs::Runs>()?;
    module.add_class::<blocks::runs::Templates>()?;
    module.add_class::<blocks::judge::Copies>()?;
    module.add_class::<blocks::judge::Judged>()?;
    module.add_class::<blocks::judge::Ranked>()?;
    module.add_class::<blocks::judge::Packed>()?;
    module.add_class::<blocks::apply::Sights>()?;
    module.add_class::<blocks::apply::Pictured>()?;
    module.add_class::<blocks::apply::Bank>()?;
    module.add_class::<blocks::apply::Matches>()?;
    module.add_class::<blocks::apply::Counts>()?;
    module.add_class::<blocks::apply::Floods>()?;
    module.add_class::<blocks::apply::Spoilt>()?;
    module.add_class::<blocks::apply::Spans>()?;
    module.add_function(wrap_pyfunction!(blocks::apply::apply_cuts, module)?)?;
    module.add_function(wrap_pyfunction!(options::ways, module)?)?;
    Ok(())
}
