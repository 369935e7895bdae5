//! COPY's data: options, lines, fields, and how rows are written.
//!
//! ```text
//!   FROM STDIN   bytes, cut anywhere ──lines──▶ lines ──fields──▶ raw fields ──▶ values ──▶ INSERT, by batches
//!   TO STDOUT    rows ──write──▶ a line each
//! ```
//!
//! The rules are those of PostgreSQL's `copyfromparse.c` and `copyto.c`, so that a file that one of them reads or refuses
//! the other does too. Nothing here knows tables, sessions or protocols.

mod fields;
mod lines;
mod options;
mod write;

pub(crate) use fields::{FieldReader, Fields, RawField};
pub(crate) use lines::LineReader;
pub(crate) use options::{Columns, CopyOptions, Header, OnError};
pub(crate) use write::RowWriter;

use helios_types::{PgError, SqlState};

/// 22P04.
fn bad_format(message: impl Into<std::borrow::Cow<'static, str>>) -> PgError {
    PgError::new(SqlState::BAD_COPY_FILE_FORMAT, message)
}

/// As much of a line or a value as an error's context shows.
pub(crate) fn shown(bytes: &[u8]) -> String {
    const BYTES_MAX: usize = 100;
    let text = String::from_utf8_lossy(bytes);
    if text.len() <= BYTES_MAX {
        return text.into_owned();
    }
    let end = (0..=BYTES_MAX).rev().find(|at| text.is_char_boundary(*at)).expect("0 is a boundary");
    format!("{}...", &text[..end])
}
