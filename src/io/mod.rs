//! Readers and writers of records, a file per format.
