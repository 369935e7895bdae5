//! Strings made of values of any type: `concat`, `format`, `||` with anything, and quoting.

use std::borrow::Cow;

use helios_catalog::facts::quote_identifier;
use helios_types::{Datum, Oid, PgError, Result, SqlState, io, oid};

use super::arguments::text_at;
use super::errors::invalid_parameter;
use super::strings::string;
use super::{Entry, FunctionContext, Implementation};

/// The values of a VARIADIC "any" call from a position on, with their types: the arguments, or the elements of the array
/// behind the word VARIADIC. `None` when that array is NULL.
pub(super) fn spread<'a>(
    ctx: &FunctionContext<'_>,
    args: &'a [Datum],
    from: usize,
) -> Option<Vec<(Oid, Cow<'a, Datum>)>> {
    if !ctx.variadic {
        return Some(
            args[from..].iter().zip(&ctx.arg_types[from..]).map(|(arg, ty)| (*ty, Cow::Borrowed(arg))).collect(),
        );
    }
    match args.last() {
        Some(Datum::Array(array)) => {
            Some(array.elements.iter().map(|element| (array.element_type, Cow::Borrowed(element))).collect())
        }
        _ => None,
    }
}

fn concat(ctx: &FunctionContext<'_>, args: &[Datum], from: usize, separator: &str) -> Datum {
    let Some(values) = spread(ctx, args, from) else { return Datum::Null };
    let mut out = String::new();
    let mut first = true;
    for (ty, value) in values.iter().filter(|(_, value)| !value.is_null()) {
        if !std::mem::take(&mut first) {
            out.push_str(separator);
        }
        io::output(*ty, value, &ctx.session.style, &mut out);
    }
    Datum::text(out)
}

/// A string literal; with a backslash in it, in the form that says so.
pub(super) fn push_literal(text: &str, out: &mut String) {
    if text.contains('\\') {
        out.push('E');
    }
    out.push('\'');
    for char in text.chars() {
        if matches!(char, '\'' | '\\') {
            out.push(char);
        }
        out.push(char);
    }
    out.push('\'');
}

/// A conversion of a format string: `%[position$][-][width]type`.
struct Conversion {
    position: Option<usize>,
    left: bool,
    width: Width,
    kind: char,
}

enum Width {
    None,
    Fixed(i32),
    Argument(Option<usize>),
}

fn unterminated() -> PgError {
    invalid_parameter("unterminated format() type specifier").with_hint("For a single \"%\" use \"%%\".")
}

/// Digits at the beginning: their number and what follows; `None` without any.
fn number(text: &str) -> Result<(Option<i32>, &str)> {
    let end = text.find(|char: char| !char.is_ascii_digit()).unwrap_or(text.len());
    if end == 0 {
        return Ok((None, text));
    }
    let number = text[..end]
        .parse()
        .map_err(|_| PgError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "number is out of range"))?;
    if end == text.len() {
        return Err(unterminated());
    }
    Ok((Some(number), &text[end..]))
}

/// Parses what follows a percent sign.
fn conversion(text: &str) -> Result<(Conversion, &str)> {
    let mut conversion = Conversion { position: None, left: false, width: Width::None, kind: 's' };
    let numbered = |position: i32| {
        if position == 0 {
            return Err(invalid_parameter("format specifies argument 0, but arguments are numbered from 1"));
        }
        Ok(position as usize)
    };
    let (first, mut rest) = number(text)?;
    let mut width_given = false;
    if let Some(first) = first {
        match rest.strip_prefix('$') {
            Some(behind) => {
                conversion.position = Some(numbered(first)?);
                rest = behind;
                if rest.is_empty() {
                    return Err(unterminated());
                }
            }
            None => {
                conversion.width = Width::Fixed(first);
                width_given = true;
            }
        }
    }
    if !width_given {
        while let Some(behind) = rest.strip_prefix('-') {
            conversion.left = true;
            rest = behind;
        }
        if rest.is_empty() {
            return Err(unterminated());
        }
        if let Some(behind) = rest.strip_prefix('*') {
            if behind.is_empty() {
                return Err(unterminated());
            }
            let (position, behind) = number(behind)?;
            rest = behind;
            conversion.width = Width::Argument(None);
            if let Some(position) = position {
                let position = numbered(position)?;
                rest = rest
                    .strip_prefix('$')
                    .ok_or_else(|| invalid_parameter("width argument position must be ended by \"$\""))?;
                if rest.is_empty() {
                    return Err(unterminated());
                }
                conversion.width = Width::Argument(Some(position));
            }
        } else {
            let (width, behind) = number(rest)?;
            rest = behind;
            if let Some(width) = width {
                conversion.width = Width::Fixed(width);
            }
        }
    }
    conversion.kind = rest.chars().next().ok_or_else(unterminated)?;
    Ok((conversion, rest))
}

fn format(ctx: &FunctionContext<'_>, args: &[Datum]) -> Result<Datum> {
    if args[0].is_null() {
        return Ok(Datum::Null);
    }
    let values = spread(ctx, args, 1).unwrap_or_default();
    let mut out = String::new();
    let mut rest: &str = text_at(args, 0);
    // The last argument used, counted from 1.
    let mut last = 0;
    while let Some(percent) = rest.find('%') {
        out.push_str(&rest[..percent]);
        rest = &rest[percent + 1..];
        if rest.is_empty() {
            return Err(unterminated());
        }
        if let Some(behind) = rest.strip_prefix('%') {
            out.push('%');
            rest = behind;
            continue;
        }
        let (conversion, behind) = conversion(rest)?;
        if !matches!(conversion.kind, 's' | 'I' | 'L') {
            return Err(invalid_parameter(format!("unrecognized format() type specifier \"{}\"", conversion.kind))
                .with_hint("For a single \"%\" use \"%%\"."));
        }
        rest = &behind[1..];
        let argument = |position: usize| {
            values.get(position - 1).ok_or_else(|| invalid_parameter("too few arguments for format()"))
        };
        let (mut left, mut width) = (conversion.left, 0i64);
        match conversion.width {
            Width::None => {}
            Width::Fixed(fixed) => width = i64::from(fixed),
            Width::Argument(position) => {
                last = position.unwrap_or(last + 1);
                let (ty, value) = argument(last)?;
                width = width_of(ctx, *ty, value)?;
            }
        }
        if width < 0 {
            (left, width) = (true, -width);
        }
        last = conversion.position.unwrap_or(last + 1);
        let (ty, value) = argument(last)?;
        let text = converted(ctx, conversion.kind, *ty, value)?;
        let padding = (width as usize).saturating_sub(super::text::char_count(&text));
        let blanks = " ".repeat(padding);
        let parts: [&str; 2] = if left { [&text, &blanks] } else { [&blanks, &text] };
        parts.into_iter().for_each(|part| out.push_str(part));
    }
    out.push_str(rest);
    Ok(Datum::text(out))
}

/// A width from an argument: NULL is none.
fn width_of(ctx: &FunctionContext<'_>, ty: Oid, value: &Datum) -> Result<i64> {
    match value {
        Datum::Null => Ok(0),
        Datum::I32(width) => Ok(i64::from(*width)),
        Datum::I16(width) => Ok(i64::from(*width)),
        other => {
            let mut text = String::new();
            io::output(ty, other, &ctx.session.style, &mut text);
            let input = io::InputContext::new(&ctx.session.style, ctx.session.now());
            match io::input(oid::INT4, -1, &text, &input)? {
                Datum::I32(width) => Ok(i64::from(width)),
                other => super::native::mismatch("I32", &other),
            }
        }
    }
}

fn converted(ctx: &FunctionContext<'_>, kind: char, ty: Oid, value: &Datum) -> Result<String> {
    if value.is_null() {
        return match kind {
            's' => Ok(String::new()),
            'L' => Ok("NULL".to_owned()),
            _ => Err(PgError::new(
                SqlState::NULL_VALUE_NOT_ALLOWED,
                "null values cannot be formatted as an SQL identifier",
            )),
        };
    }
    let mut text = String::new();
    io::output(ty, value, &ctx.session.style, &mut text);
    Ok(match kind {
        's' => text,
        'I' => quote_identifier(&text).into_owned(),
        _ => {
            let mut literal = String::new();
            push_literal(&text, &mut literal);
            literal
        }
    })
}

/// The text of a value as the cast to text has it.
pub(super) fn as_text(ctx: &FunctionContext<'_>, ty: Oid, value: &Datum) -> String {
    let mut text = String::new();
    match value {
        // The only type whose cast to text is not its output.
        Datum::Bool(value) => text.push_str(if *value { "true" } else { "false" }),
        Datum::Text(padded) if ty == oid::BPCHAR => text.push_str(padded.trim_end_matches(' ')),
        _ => io::output(ty, value, &ctx.session.style, &mut text),
    }
    text
}

fn quoted(text: &str) -> Datum {
    let mut out = String::new();
    push_literal(text, &mut out);
    Datum::text(out)
}

/// Functions of this module.
pub(super) const FUNCTIONS: &[&[Entry]] = &[&[
    ("text_concat", Implementation::Scalar(|ctx, args| Ok(concat(ctx, args, 0, "")))),
    (
        "text_concat_ws",
        Implementation::Scalar(|ctx, args| {
            Ok(if args[0].is_null() { Datum::Null } else { concat(ctx, args, 1, text_at(args, 0)) })
        }),
    ),
    ("text_format", Implementation::Scalar(format)),
    ("text_format_nv", Implementation::Scalar(format)),
    string!("quote_ident", |_, name: &str; out| { out.push_str(&quote_identifier(name)); Ok(()) }),
    string!("quote_literal", |_, text: &str; out| { push_literal(text, out); Ok(()) }),
    (
        "quote_nullable",
        Implementation::Scalar(|_, args| {
            Ok(if args[0].is_null() { Datum::text("NULL") } else { quoted(text_at(args, 0)) })
        }),
    ),
]];

/// SQL-language builtins of this module, by `pg_proc.oid`.
pub(super) const SQL_FUNCTIONS: &[(u32, Implementation)] = &[
    // quote_literal(anyelement), quote_nullable(anyelement)
    (1285, Implementation::Scalar(|ctx, args| Ok(quoted(&as_text(ctx, ctx.arg_types[0], &args[0]))))),
    (
        1290,
        Implementation::Scalar(|ctx, args| {
            Ok(if args[0].is_null() { Datum::text("NULL") } else { quoted(&as_text(ctx, ctx.arg_types[0], &args[0])) })
        }),
    ),
    // text || anynonarray, anynonarray || text
    (
        2003,
        Implementation::Scalar(|ctx, args| {
            Ok(Datum::text(format!("{}{}", text_at(args, 0), as_text(ctx, ctx.arg_types[1], &args[1]))))
        }),
    ),
    (
        2004,
        Implementation::Scalar(|ctx, args| {
            Ok(Datum::text(format!("{}{}", as_text(ctx, ctx.arg_types[0], &args[0]), text_at(args, 1))))
        }),
    ),
];
