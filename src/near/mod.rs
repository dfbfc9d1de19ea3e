//! Near-duplicate documents.
