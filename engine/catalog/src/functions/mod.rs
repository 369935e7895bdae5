//! PostgreSQL's functions over the catalog: `pg_get_indexdef`, `pg_table_is_visible`, `to_regclass`, ...
//!
//! They read a snapshot and nothing else, so they are plain functions, named by their `prosrc`. What reads or changes
//! the running system (sizes of tables, settings, sequences) is not here.

mod definitions;
mod identity;
mod privileges;
mod qualified_name;

use helios_types::{Datum, Oid, PgError, Result};

use crate::resolve::Lookup;
use crate::system::SystemContext;

pub use definitions::relation_named;
pub use identity::type_named;
pub use qualified_name::parse_qualified_name;

/// A call in progress.
struct Call<'a> {
    source: &'a str,
    args: &'a [Datum],
    lookup: &'a Lookup<'a>,
    context: &'a dyn SystemContext,
}

impl Call<'_> {
    fn oid(&self, index: usize) -> Result<Oid> {
        match self.args.get(index) {
            Some(Datum::U32(oid)) => Ok(Oid(*oid)),
            other => Err(self.wrong(index, other)),
        }
    }

    fn text(&self, index: usize) -> Result<&str> {
        match self.args.get(index) {
            Some(Datum::Text(text)) => Ok(text),
            other => Err(self.wrong(index, other)),
        }
    }

    fn bool(&self, index: usize) -> Result<bool> {
        match self.args.get(index) {
            Some(Datum::Bool(value)) => Ok(*value),
            other => Err(self.wrong(index, other)),
        }
    }

    fn integer(&self, index: usize) -> Result<i32> {
        match self.args.get(index) {
            Some(Datum::I32(value)) => Ok(*value),
            Some(Datum::I16(value)) => Ok(i32::from(*value)),
            other => Err(self.wrong(index, other)),
        }
    }

    fn wrong(&self, index: usize, found: Option<&Datum>) -> PgError {
        PgError::internal(format!("argument {index} of {} is {found:?}", self.source))
    }
}

/// A text, or NULL.
fn text_or_null(text: Option<String>) -> Datum {
    text.map_or(Datum::Null, Datum::text)
}

/// Calls the function with this `prosrc`. Strict ones must not be called with NULLs. `None`: it is none of these.
pub fn call(source: &str, args: &[Datum], lookup: &Lookup<'_>, context: &dyn SystemContext) -> Option<Result<Datum>> {
    let call = Call { source, args, lookup, context };
    definitions::call(&call).or_else(|| identity::call(&call)).or_else(|| privileges::call(&call))
}

/// Whether [`call`] knows a function, by its `prosrc`.
pub fn knows(source: &str) -> bool {
    definitions::SOURCES.contains(&source) || identity::SOURCES.contains(&source) || privileges::knows(source)
}

#[cfg(test)]
mod tests;
