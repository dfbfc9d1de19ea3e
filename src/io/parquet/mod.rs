//! Parquet files, read and written as JSON lines.
//!
//! To the rest of the house Parquet is what gzip is: another way to store lines. [`Lines`] reads a file as one JSON
//! object a row, a key per column; [`Table`] takes such lines and writes the file again. So chunks, plans, the
//! sidecar and the way back know nothing of columns, and what was removed can be read by people. The lines lose
//! nothing: they carry the values as they are stored, below the level of Arrow types, with the repetition and
//! definition levels of nested ones (Dremel, Melnik et al. 2010), so lists, structs, INT96 times, decimals and NaN
//! come back as they were ([`cell`] has the forms).
//!
//! Kept in the output: schema and logical types, key-value metadata, codec, dictionary use and bloom filters of each
//! column, rows a row group (the largest of the input). Not kept: page borders, statistics (made anew), the level of
//! a codec, the declared sorting, unknown indexes. A file that did not change is better copied.
//!
//! The text may be any string column: plain, large, view or dictionary are the same below Arrow. A row whose text is
//! null holds no document: it passes as a blank row does.
//!
//! Memory: a page and a dictionary per column, and a MiB of lines; the output spills pages of an open row group.
//! Encrypted files and the codec LZO are refused.

mod cell;
mod read;
mod write;

pub(super) use read::Lines;
pub(super) use write::Table;

use crate::error::{Error, Result};
use ::parquet::basic::{ConvertedType, LogicalType, Type};
use ::parquet::errors::ParquetError;
use ::parquet::schema::types::{ColumnDescPtr, SchemaDescriptor};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// One stored column: a leaf of the schema.
struct Leaf {
    column: ColumnDescPtr,
    /// Its path as a JSON key with the colon, as in `"meta.url":`.
    key: Vec<u8>,
    /// Whether its bytes are declared to be UTF-8.
    text: bool,
    /// Whether its integers are unsigned.
    unsigned: bool,
}

impl Leaf {
    fn new(column: &ColumnDescPtr) -> Self {
        let mut key = Vec::new();
        cell::quote(column.path().parts().join(".").as_bytes(), &mut key);
        key.push(b':');
        let logical = column.logical_type_ref();
        let text = matches!(logical, Some(LogicalType::String | LogicalType::Json | LogicalType::Enum))
            || matches!(column.converted_type(), ConvertedType::UTF8 | ConvertedType::JSON | ConvertedType::ENUM);
        let unsigned = matches!(column.converted_type(), ConvertedType::UINT_32 | ConvertedType::UINT_64);
        let text = text && column.physical_type() == Type::BYTE_ARRAY;
        Self { column: column.clone(), key, text, unsigned }
    }

    /// Definition level of a value that is there.
    fn defined(&self) -> i16 {
        self.column.max_def_level()
    }

    /// Whether a row may hold several values or none.
    fn repeated(&self) -> bool {
        self.column.max_rep_level() > 0
    }

    fn all(schema: &SchemaDescriptor) -> Vec<Self> {
        schema.columns().iter().map(Self::new).collect()
    }
}

/// Runs code of the Parquet crate. It has been seen to panic on broken files; here that is an error like others.
fn guarded<T>(work: impl FnOnce() -> Result<T, ParquetError>) -> Result<T> {
    let broken = |what: &str| {
        Error::input(format!("the Parquet file is broken or uses what is not supported: {what}"))
            .cure("test it with another reader, and fetch or write it again")
    };
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(ParquetError::External(source))) => Err(match source.downcast::<std::io::Error>() {
            Ok(source) if source.raw_os_error().is_some() => Error::resource(format!("cannot read: {source}")),
            Ok(source) => broken(&source.to_string()),
            Err(source) => broken(&source.to_string()),
        }),
        Ok(Err(error)) => Err(broken(&error.to_string())),
        Err(_) => Err(broken("its parts contradict each other")),
    }
}

/// Does the same for whatever the physical type of a column is: `$type` is its [`DataType`](::parquet::data_type).
macro_rules! by_type {
    ($physical:expr, $type:ident => $work:expr) => {{
        use ::parquet::basic::Type;
        use ::parquet::data_type as types;
        match $physical {
            Type::BOOLEAN => {
                type $type = types::BoolType;
                $work
            }
            Type::INT32 => {
                type $type = types::Int32Type;
                $work
            }
            Type::INT64 => {
                type $type = types::Int64Type;
                $work
            }
            Type::INT96 => {
                type $type = types::Int96Type;
                $work
            }
            Type::FLOAT => {
                type $type = types::FloatType;
                $work
            }
            Type::DOUBLE => {
                type $type = types::DoubleType;
                $work
            }
            Type::BYTE_ARRAY => {
                type $type = types::ByteArrayType;
                $work
            }
            Type::FIXED_LEN_BYTE_ARRAY => {
                type $type = types::FixedLenByteArrayType;
                $work
            }
        }
    }};
}
use by_type;
