//! Strings to arrays and back.

use std::sync::Arc;

use helios_types::{Array, Datum, Result, io, oid};

use super::arguments::{array_at, text_at};
use super::{Entry, FunctionContext, Implementation};

/// The pieces of a string: between separators, whole when the separator is empty, characters when it is NULL. A piece
/// equal to the NULL string is NULL.
fn pieces(args: &[Datum]) -> Option<Vec<Datum>> {
    let Datum::Text(text) = &args[0] else { return None };
    let null = match args.get(2) {
        Some(Datum::Text(null)) => Some(&**null),
        _ => None,
    };
    let piece = |piece: &str| if null == Some(piece) { Datum::Null } else { Datum::text(piece) };
    if text.is_empty() {
        return Some(Vec::new());
    }
    Some(match &args[1] {
        Datum::Text(separator) if separator.is_empty() => vec![piece(text)],
        Datum::Text(separator) => text.split(&**separator).map(piece).collect(),
        _ => text.chars().map(|char| piece(char.encode_utf8(&mut [0; 4]))).collect(),
    })
}

fn to_array(args: &[Datum]) -> Datum {
    pieces(args).map_or(Datum::Null, |pieces| Datum::Array(Arc::new(Array::vector(oid::TEXT, pieces))))
}

fn to_table(args: &[Datum], emit: &mut dyn FnMut(&[Datum]) -> Result<()>) -> Result<()> {
    pieces(args).unwrap_or_default().into_iter().try_for_each(|piece| emit(&[piece]))
}

/// The elements' text forms with a separator between; NULLs as the NULL string, or left out.
fn to_text(ctx: &FunctionContext<'_>, args: &[Datum], null: Option<&str>) -> Datum {
    let (array, separator) = (array_at(args, 0), text_at(args, 1));
    let mut out = String::new();
    let mut first = true;
    for element in &array.elements {
        if element.is_null() && null.is_none() {
            continue;
        }
        if !std::mem::take(&mut first) {
            out.push_str(separator);
        }
        match null {
            Some(null) if element.is_null() => out.push_str(null),
            _ => io::output(array.element_type, element, &ctx.session.style, &mut out),
        }
    }
    Datum::text(out)
}

/// Functions of this module.
pub(super) const FUNCTIONS: &[&[Entry]] = &[&[
    ("text_to_array", Implementation::Scalar(|_, args| Ok(to_array(args)))),
    ("text_to_array_null", Implementation::Scalar(|_, args| Ok(to_array(args)))),
    ("text_to_table", Implementation::Set(|_, args, emit| to_table(args, emit))),
    ("text_to_table_null", Implementation::Set(|_, args, emit| to_table(args, emit))),
    ("array_to_text", Implementation::Scalar(|ctx, args| Ok(to_text(ctx, args, None)))),
    // Not strict: the NULL string may be NULL.
    (
        "array_to_text_null",
        Implementation::Scalar(|ctx, args| {
            if args[0].is_null() || args[1].is_null() {
                return Ok(Datum::Null);
            }
            let null = match &args[2] {
                Datum::Text(null) => Some(&**null),
                _ => None,
            };
            Ok(to_text(ctx, args, null))
        }),
    ),
]];
