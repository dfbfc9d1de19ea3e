//! The one out-of-core primitive.
