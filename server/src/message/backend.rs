//! What the server sends, written straight into the outbox.

use bytes::{BufMut, BytesMut};
use helios_types::{Oid, PgError};
use heliosdb::{ColumnDescription, CopySpec, Format, Notice, Severity, TransactionStatus};

/// Appends a message: its kind, its length, and what `body` writes.
pub(crate) fn message(outbox: &mut BytesMut, kind: u8, body: impl FnOnce(&mut BytesMut)) {
    outbox.put_u8(kind);
    let start = outbox.len();
    outbox.put_u32(0);
    body(outbox);
    let length = u32::try_from(outbox.len() - start).expect("a message is shorter than 4 GiB");
    outbox[start..start + 4].copy_from_slice(&length.to_be_bytes());
}

fn text(outbox: &mut BytesMut, text: &str) {
    // A zero byte would end the string early.
    outbox.put_slice(text.split('\0').next().unwrap_or_default().as_bytes());
    outbox.put_u8(0);
}

pub(crate) fn authentication_ok(outbox: &mut BytesMut) {
    message(outbox, b'R', |out| out.put_u32(0));
}

/// AuthenticationSASL: the mechanisms on offer.
pub(crate) fn authentication_sasl(outbox: &mut BytesMut, mechanism: &str) {
    message(outbox, b'R', |out| {
        out.put_u32(10);
        text(out, mechanism);
        out.put_u8(0);
    });
}

pub(crate) fn authentication_sasl_continue(outbox: &mut BytesMut, data: &str) {
    message(outbox, b'R', |out| {
        out.put_u32(11);
        out.put_slice(data.as_bytes());
    });
}

pub(crate) fn authentication_sasl_final(outbox: &mut BytesMut, data: &str) {
    message(outbox, b'R', |out| {
        out.put_u32(12);
        out.put_slice(data.as_bytes());
    });
}

pub(crate) fn negotiate_version(outbox: &mut BytesMut, newest_minor: u16, unknown: &[&str]) {
    message(outbox, b'v', |out| {
        out.put_u32(3 << 16 | u32::from(newest_minor));
        out.put_u32(u32::try_from(unknown.len()).expect("a start-up packet is small"));
        unknown.iter().for_each(|name| text(out, name));
    });
}

pub(crate) fn parameter_status(outbox: &mut BytesMut, name: &str, value: &str) {
    message(outbox, b'S', |out| {
        text(out, name);
        text(out, value);
    });
}

pub(crate) fn backend_key_data(outbox: &mut BytesMut, pid: i32, secret: i32) {
    message(outbox, b'K', |out| {
        out.put_i32(pid);
        out.put_i32(secret);
    });
}

pub(crate) fn ready_for_query(outbox: &mut BytesMut, status: TransactionStatus) {
    message(outbox, b'Z', |out| {
        out.put_u8(match status {
            TransactionStatus::Idle => b'I',
            TransactionStatus::InTransaction => b'T',
            TransactionStatus::Failed => b'E',
        });
    });
}

/// A message without a body: ParseComplete, BindComplete, CloseComplete, NoData, EmptyQueryResponse, ...
pub(crate) fn bare(outbox: &mut BytesMut, kind: u8) {
    message(outbox, kind, |_| {});
}

pub(crate) fn row_description(outbox: &mut BytesMut, columns: &[ColumnDescription], formats: &[Format]) {
    message(outbox, b'T', |out| {
        out.put_u16(u16::try_from(columns.len()).expect("at most 1664 columns"));
        for (index, column) in columns.iter().enumerate() {
            text(out, &column.name);
            out.put_u32(column.table.0);
            out.put_i16(column.attnum);
            out.put_u32(column.type_oid.0);
            out.put_i16(column.type_size);
            out.put_i32(column.typmod);
            out.put_i16(i16::from(formats.get(index) == Some(&Format::Binary)));
        }
    });
}

pub(crate) fn parameter_description(outbox: &mut BytesMut, types: &[Oid]) {
    message(outbox, b't', |out| {
        out.put_u16(u16::try_from(types.len()).expect("at most 65535 parameters"));
        types.iter().for_each(|found| out.put_u32(found.0));
    });
}

pub(crate) fn command_complete(outbox: &mut BytesMut, tag: &str) {
    message(outbox, b'C', |out| text(out, tag));
}

/// CopyInResponse (`G`) or CopyOutResponse (`H`).
pub(crate) fn copy_response(outbox: &mut BytesMut, kind: u8, spec: &CopySpec) {
    message(outbox, kind, |out| {
        out.put_u8(0);
        out.put_u16(u16::try_from(spec.columns).expect("at most 1664 columns"));
        (0..spec.columns).for_each(|_| out.put_u16(0));
    });
}

pub(crate) fn copy_data(outbox: &mut BytesMut, data: &[u8]) {
    message(outbox, b'd', |out| out.put_slice(data));
}

/// How bad an ErrorResponse is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gravity {
    Error,
    Fatal,
}

/// ErrorResponse. `source` is the text that the error's position counts bytes in; clients count characters from 1.
pub(crate) fn error_response(outbox: &mut BytesMut, error: &PgError, gravity: Gravity, source: &str) {
    message(outbox, b'E', |out| {
        let severity = match gravity {
            Gravity::Error => "ERROR",
            Gravity::Fatal => "FATAL",
        };
        field(out, b'S', Some(severity));
        field(out, b'V', Some(severity));
        field(out, b'C', Some(error.code().as_str()));
        field(out, b'M', Some(error.message()));
        field(out, b'D', error.detail());
        field(out, b'H', error.hint());
        let position = error.position().map(|at| character_position(source, at).to_string());
        field(out, b'P', position.as_deref());
        field(out, b'W', error.context());
        field(out, b's', error.schema());
        field(out, b't', error.table());
        field(out, b'c', error.column());
        field(out, b'd', error.data_type());
        field(out, b'n', error.constraint());
        out.put_u8(0);
    });
}

pub(crate) fn notice_response(outbox: &mut BytesMut, notice: &Notice, source: &str) {
    message(outbox, b'N', |out| {
        let severity = match notice.severity {
            Severity::Notice => "NOTICE",
            Severity::Warning => "WARNING",
        };
        field(out, b'S', Some(severity));
        field(out, b'V', Some(severity));
        field(out, b'C', Some(notice.code.as_str()));
        field(out, b'M', Some(&notice.message));
        field(out, b'D', notice.detail.as_deref());
        field(out, b'H', notice.hint.as_deref());
        let position = notice.position.map(|at| character_position(source, at).to_string());
        field(out, b'P', position.as_deref());
        out.put_u8(0);
    });
}

fn field(outbox: &mut BytesMut, kind: u8, value: Option<&str>) {
    if let Some(value) = value {
        outbox.put_u8(kind);
        text(outbox, value);
    }
}

/// Characters up to a byte offset, counted from 1.
fn character_position(source: &str, at: usize) -> usize {
    let mut end = at.min(source.len());
    while !source.is_char_boundary(end) {
        end -= 1;
    }
    source[..end].chars().count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_characters() {
        assert_eq!(character_position("select ä, b", 11), 11);
        assert_eq!(character_position("select", 0), 1);
        assert_eq!(character_position("", 5), 1);
    }

    #[test]
    fn a_message_says_how_long_it_is() {
        let mut outbox = BytesMut::new();
        command_complete(&mut outbox, "SELECT 1");
        assert_eq!(&outbox[..], b"C\0\0\0\x0dSELECT 1\0");
    }
}
