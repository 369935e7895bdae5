//! SQL text to PostgreSQL's raw parse trees.
//!
//! The grammar is PostgreSQL 18's own: libpg_query carries its scanner and its bison grammar, and the crate `pg_query`
//! links it. We do not use that crate's functions, which lose the error's position, SQLSTATE and hint and the
//! notices, but call the library through one door of our own ([`door`], C side in `build-shims/bindgen/src/door.c`):
//!
//! ```text
//!  &str ──► C: raw_parser ──► C nodes ──► protobuf bytes ──► prost ──► RawStatement { tree, location, length }
//!              │ ErrorData                (any depth up to MESSAGE_DEPTH_MAX)
//!              ▼
//!           PgError with PostgreSQL's SQLSTATE, message, detail, hint, position
//! ```
//!
//! How the tree crosses is this module's secret; the types of the tree are `pg_query::protobuf`'s.
//!
//! **Depth.** A parse tree is as deep as its text wants it to be. The bison parser's own stack lives on the heap and is
//! bounded at 10,000 entries (beyond: `memory exhausted at or near "("`, 42601, as PostgreSQL says). Serialising in C
//! stops at a stack budget that we choose; decoding and dropping in Rust run on a stack grown for the depth that a
//! text of that length can have. What is nested deeper than 6,000 levels is refused with 54001
//! (PostgreSQL's own limit, a stack of 2 MB, is reached earlier). Whoever walks a
//! tree recursively calls [`on_grown_stack`] at every level.

mod door;
mod split;

use std::mem::ManuallyDrop;
use std::ops::Deref;

use helios_types::{PgError, Result, SqlState};
pub use pg_query::{NodeRef, protobuf};
use prost::Message;

pub use door::{Keyword, Severity, Token};
pub use split::{Incomplete, incomplete, split};

/// Nesting of protobuf messages beyond which a statement is refused: two messages a level of the tree.
const MESSAGE_DEPTH_MAX: u16 = 12_000;
/// Fewest bytes of text that add a level to the tree (`-1`, `[]`).
const TEXT_BYTES_PER_LEVEL_MIN: usize = 2;
/// Stack that one level of the tree may take while it is serialised, decoded or dropped. Measured: decoding takes the
/// most, below 3 KiB with optimisation level 1, below 4 KiB with 3 and below 48 KiB without optimisation. Only the pages
/// that are touched cost memory.
const STACK_BYTES_PER_LEVEL: usize = if cfg!(debug_assertions) { 64 << 10 } else { 8 << 10 };
/// Stack that parsing takes apart from nesting: the C parser's local arrays, error handling.
const STACK_BYTES_FLAT: usize = 256 << 10;

/// One statement of a source text.
///
/// Not `Clone`: trees are deep and are shared behind an `Arc`.
#[derive(Debug)]
pub struct RawStatement {
    tree: Tree,
    /// Byte offset of the statement's first token in the source text.
    pub location: usize,
    /// Length in bytes, up to the semicolon or the end of the text.
    pub length: usize,
}

impl RawStatement {
    /// The statement's node: `SelectStmt`, `CreateStmt`, ...
    pub fn node(&self) -> &protobuf::node::Node {
        self.tree.node.node.as_ref().expect("a raw statement has a node")
    }

    /// The statement's own text within the source text.
    pub fn text<'a>(&self, source: &'a str) -> &'a str {
        source[self.location..self.location + self.length].trim()
    }
}

/// A node that is dropped on a stack large enough for its depth.
#[derive(Debug)]
pub struct Tree {
    node: ManuallyDrop<protobuf::Node>,
    stack_bytes: usize,
}

impl Deref for Tree {
    type Target = protobuf::Node;

    fn deref(&self) -> &protobuf::Node {
        &self.node
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let node = std::mem::take(&mut *self.node);
        on_stack_of(self.stack_bytes, move || drop(node));
    }
}

/// A message below ERROR that the scanner or grammar gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// NOTICE or WARNING.
    pub severity: Severity,
    /// SQLSTATE.
    pub code: SqlState,
    /// Primary message.
    pub message: String,
    /// Detail, if any.
    pub detail: Option<String>,
    /// Hint, if any.
    pub hint: Option<String>,
    /// Byte offset into the source text.
    pub position: Option<usize>,
}

/// A parsed source text.
#[derive(Debug)]
pub struct Parsed {
    /// The statements, in order. Empty ones (`;;`) are not there.
    pub statements: Vec<RawStatement>,
    /// What the parser had to say, in order.
    pub notices: Vec<Notice>,
}

/// What a source text is parsed as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Statements.
    Statements,
    /// A type name alone: the argument of `'...'::regtype`.
    TypeName,
    /// An expression of PL/pgSQL: what may follow SELECT.
    PlpgsqlExpression,
}

/// Settings that change how text is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParseOptions {
    /// What the text is.
    pub mode: Mode,
    /// `standard_conforming_strings`.
    pub standard_conforming_strings: bool,
    /// `escape_string_warning`.
    pub escape_string_warning: bool,
}

impl Default for ParseOptions {
    fn default() -> Self {
        ParseOptions { mode: Mode::Statements, standard_conforming_strings: true, escape_string_warning: true }
    }
}

/// The statements of `sql`, read with PostgreSQL's default settings.
///
/// # Errors
///
/// 42601 with PostgreSQL's message and the byte position, and the other codes of its scanner and grammar;
/// 54001 when it is nested too deeply; 22021 when it contains a zero byte.
pub fn parse(sql: &str) -> Result<Vec<RawStatement>> {
    Ok(parse_with(sql, ParseOptions::default())?.statements)
}

/// The statements of `sql` and the parser's notices.
///
/// # Errors
///
/// As [`parse`].
pub fn parse_with(sql: &str, options: ParseOptions) -> Result<Parsed> {
    let stack_bytes = stack_bytes_for(sql.len());
    on_stack_of(stack_bytes, || {
        let mut answer = door::parse(sql, options, stack_bytes - STACK_BYTES_FLAT / 2, MESSAGE_DEPTH_MAX)?;
        let result = protobuf::ParseResult::decode(answer.bytes()).map_err(PgError::internal)?;
        let statements = result.stmts.into_iter().filter_map(|raw| {
            let node = ManuallyDrop::new(*raw.stmt?);
            node.node.as_ref()?;
            let location = usize::try_from(raw.stmt_location).unwrap_or(0);
            let length = match usize::try_from(raw.stmt_len) {
                Ok(length) if length > 0 => length,
                _ => sql.len() - location,
            };
            Some(RawStatement { tree: Tree { node, stack_bytes }, location, length })
        });
        Ok(Parsed { statements: statements.collect(), notices: std::mem::take(&mut answer.notices) })
    })
}

/// The node of a type name alone (`TypeName`), as in `'numeric(10, 2)'::regtype`.
///
/// # Errors
///
/// As [`parse`]; 42601 when a modifier is more than a constant or a name.
pub fn parse_type_name(name: &str) -> Result<protobuf::TypeName> {
    use protobuf::node::Node;

    let options = ParseOptions { mode: Mode::TypeName, ..ParseOptions::default() };
    let statement = parse_with(name, options)?.statements.into_iter().next();
    let Some(Node::TypeName(type_name)) = statement.as_ref().map(RawStatement::node) else {
        return Err(PgError::new(SqlState::SYNTAX_ERROR, format!("invalid type name \"{name}\"")));
    };
    // What is left is flat, so that it can be cloned and dropped on any stack.
    let simple = |modifier: &protobuf::Node| matches!(modifier.node, Some(Node::AConst(_) | Node::ColumnRef(_)));
    if !type_name.typmods.iter().all(simple) {
        let message = "type modifiers must be simple constants or identifiers";
        return Err(PgError::new(SqlState::SYNTAX_ERROR, message));
    }
    Ok(type_name.clone())
}

/// The tokens of `sql` without comments and white space.
///
/// # Errors
///
/// Those of the scanner: unterminated literals, malformed numbers.
pub fn scan(sql: &str) -> Result<Vec<Token>> {
    on_stack_of(STACK_BYTES_FLAT, || door::scan(sql))
}

/// Runs one level of a recursive walk, on a new stack segment when little is left of this one. Call it at each level.
#[inline]
pub fn on_grown_stack<R>(walk: impl FnOnce() -> R) -> R {
    stacker::maybe_grow(256 << 10, 4 << 20, walk)
}

fn stack_bytes_for(text_bytes: usize) -> usize {
    let levels = (text_bytes / TEXT_BYTES_PER_LEVEL_MIN + 32).min(usize::from(MESSAGE_DEPTH_MAX) / 2);
    STACK_BYTES_FLAT + levels * STACK_BYTES_PER_LEVEL
}

fn on_stack_of<R>(bytes: usize, work: impl FnOnce() -> R) -> R {
    stacker::maybe_grow(bytes, bytes + (64 << 10), work)
}

#[cfg(test)]
mod tests;
