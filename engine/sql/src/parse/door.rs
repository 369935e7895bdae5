//! The one place that calls C.
//!
//! # Safety
//!
//! * The functions are those of `build-shims/bindgen/src/door.c`; the structs below mirror its structs field by field.
//! * `sql` is passed as a zero-terminated copy that outlives the call; the C side keeps no pointer into it.
//! * The library's state is thread-local and a call runs from start to end on one thread without calling back into
//!   Rust, so calls neither interleave on a thread nor share anything between threads. Errors are C `longjmp`s that start
//!   and land inside the call: they cross no Rust frame.
//! * The result's memory is `malloc`'d, owned by [`Answer`], read while it lives and freed once by its `Drop`.
//! * The caller has checked that the thread's stack has room for `stack_bytes`; C code checks its depth against it.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_char, c_int};

use helios_types::{PgError, Result, SqlState};

use super::{Mode, Notice, ParseOptions};

/// The hint of 54001, with PostgreSQL's default limit.
const STACK_DEPTH_HINT: &str = "Increase the configuration parameter \"max_stack_depth\" (currently 2048kB), after ensuring the platform's stack depth limit is adequate.";
/// PostgreSQL's `WARNING` elevel; NOTICE and INFO are below.
const ELEVEL_WARNING: c_int = 19;
/// `backslash_quote = safe_encoding`.
const BACKSLASH_QUOTE_SAFE_ENCODING: c_int = 2;

#[repr(C)]
struct Request {
    sql: *const c_char,
    mode: c_int,
    standard_conforming_strings: c_int,
    escape_string_warning: c_int,
    backslash_quote: c_int,
    stack_kilobytes: c_int,
    message_depth_max: c_int,
}

#[repr(C)]
struct Report {
    next: *const Report,
    is_error: c_int,
    elevel: c_int,
    sqlstate: [u8; 8],
    cursorpos: c_int,
    message: *const c_char,
    detail: *const c_char,
    hint: *const c_char,
}

#[repr(C)]
struct RawAnswer {
    data: *const u8,
    length: usize,
    reports: *const Report,
}

#[repr(C)]
struct RawToken {
    start: c_int,
    end: c_int,
    token: u32,
    keyword_kind: u32,
}

unsafe extern "C" {
    fn helios_parse(request: *const Request, answer: *mut RawAnswer);
    fn helios_free(answer: *mut RawAnswer);
}

/// How loud a [`Notice`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Severity {
    Notice,
    Warning,
}

/// How reserved a keyword is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keyword {
    /// Usable everywhere.
    Unreserved,
    /// Usable as a column name, not as a function or type name.
    ColumnName,
    /// Usable as a function or type name.
    TypeOrFunctionName,
    /// Usable as a label only.
    Reserved,
}

/// A token of the scanner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    /// Byte offset of its first byte.
    pub start: usize,
    /// Byte offset past its last byte.
    pub end: usize,
    /// What it is: an ASCII character or a token of the grammar (`pg_query::protobuf::Token` as a number).
    pub kind: u32,
    /// Set for keywords.
    pub keyword: Option<Keyword>,
}

/// What came back through the door: freed when dropped.
pub(super) struct Answer {
    raw: RawAnswer,
    pub(super) notices: Vec<Notice>,
}

impl Answer {
    /// The serialised tree.
    pub(super) fn bytes(&self) -> &[u8] {
        if self.raw.data.is_null() {
            return &[];
        }
        // SAFETY: `data` points to `length` bytes that live as long as the answer.
        unsafe { std::slice::from_raw_parts(self.raw.data, self.raw.length) }
    }

    fn tokens(&self) -> &[RawToken] {
        if self.raw.data.is_null() {
            return &[];
        }
        // SAFETY: a scan's `data` is a malloc'd array of `length` tokens, aligned for any type.
        unsafe { std::slice::from_raw_parts(self.raw.data.cast(), self.raw.length) }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        // SAFETY: filled by helios_parse and not freed before.
        unsafe { helios_free(&mut self.raw) }
    }
}

/// Parses; the answer's bytes are a `ParseResult`.
pub(super) fn parse(sql: &str, options: ParseOptions, stack_bytes: usize, message_depth_max: u16) -> Result<Answer> {
    let mode = match options.mode {
        Mode::Statements => 0,
        Mode::TypeName => 1,
        Mode::PlpgsqlExpression => 2,
    };
    call(sql, mode, options, stack_bytes, message_depth_max)
}

/// Scans.
pub(super) fn scan(sql: &str) -> Result<Vec<Token>> {
    let answer = call(sql, -1, ParseOptions::default(), super::STACK_BYTES_FLAT, 0)?;
    let offset = |offset: c_int| usize::try_from(offset).expect("the scanner's offsets lie within the text");
    let token = |raw: &RawToken| Token {
        start: offset(raw.start),
        end: offset(raw.end),
        kind: raw.token,
        keyword: match raw.keyword_kind {
            1 => Some(Keyword::Unreserved),
            2 => Some(Keyword::ColumnName),
            3 => Some(Keyword::TypeOrFunctionName),
            4 => Some(Keyword::Reserved),
            _ => None,
        },
    };
    Ok(answer.tokens().iter().map(token).collect())
}

fn call(sql: &str, mode: c_int, options: ParseOptions, stack_bytes: usize, message_depth_max: u16) -> Result<Answer> {
    let text = CString::new(sql).map_err(|_| {
        PgError::new(SqlState::CHARACTER_NOT_IN_REPERTOIRE, "invalid byte sequence for encoding \"UTF8\": 0x00")
    })?;
    if c_int::try_from(sql.len()).is_err() {
        return Err(PgError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, "statement text is longer than 2 GB"));
    }
    let request = Request {
        sql: text.as_ptr(),
        mode,
        standard_conforming_strings: c_int::from(options.standard_conforming_strings),
        escape_string_warning: c_int::from(options.escape_string_warning),
        backslash_quote: BACKSLASH_QUOTE_SAFE_ENCODING,
        stack_kilobytes: c_int::try_from(stack_bytes / 1024).unwrap_or(c_int::MAX),
        message_depth_max: c_int::from(message_depth_max),
    };
    let mut raw = RawAnswer { data: std::ptr::null(), length: 0, reports: std::ptr::null() };
    // SAFETY: see the module.
    unsafe { helios_parse(&request, &mut raw) };
    let mut answer = Answer { raw, notices: Vec::new() };
    let mut next = answer.raw.reports;
    // SAFETY: a null-terminated list that lives as long as the answer.
    while let Some(report) = unsafe { next.as_ref() } {
        next = report.next;
        let notice = as_notice(report, sql);
        if report.is_error != 0 {
            return Err(as_error(notice));
        }
        answer.notices.push(notice);
    }
    Ok(answer)
}

fn as_notice(report: &Report, sql: &str) -> Notice {
    let copy = |text: *const c_char| {
        // SAFETY: null or a zero-terminated string that lives as long as the report.
        (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
    };
    Notice {
        severity: if report.elevel >= ELEVEL_WARNING { Severity::Warning } else { Severity::Notice },
        code: SqlState(*report.sqlstate.first_chunk().expect("eight bytes have a first five")),
        message: copy(report.message).unwrap_or_default(),
        detail: copy(report.detail),
        hint: copy(report.hint),
        position: byte_position(report.cursorpos, sql),
    }
}

fn as_error(notice: Notice) -> PgError {
    if notice.code == SqlState::STATEMENT_TOO_COMPLEX || notice.message.starts_with("parse tree is nested too deeply") {
        return PgError::new(SqlState::STATEMENT_TOO_COMPLEX, "stack depth limit exceeded").with_hint(STACK_DEPTH_HINT);
    }
    let mut error = PgError::new(notice.code, notice.message).at(notice.position);
    if let Some(detail) = notice.detail {
        error = error.with_detail(detail);
    }
    if let Some(hint) = notice.hint {
        error = error.with_hint(hint);
    }
    error
}

/// From PostgreSQL's character position (from 1, 0 for none) to a byte offset.
fn byte_position(cursorpos: c_int, sql: &str) -> Option<usize> {
    let characters = usize::try_from(cursorpos).ok()?.checked_sub(1)?;
    Some(sql.char_indices().nth(characters).map_or(sql.len(), |(offset, _)| offset))
}
