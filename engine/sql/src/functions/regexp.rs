//! The functions and operators of regular expressions: `~`, `substring(... from ...)`, the `regexp_*` family.

use std::sync::Arc;

use helios_types::{Array, Datum, Result, oid};

use super::arguments::{i32_at, text_at};
use super::errors::invalid_parameter;
use super::regex::{Flavor, Match, Options, Regex, Subject};
use super::strings::{string, value};
use super::{Entry, FunctionContext, Implementation, Set};

/// What flag letters ask for.
#[derive(Clone, Copy, Default)]
struct Flags {
    options: Options,
    global: bool,
}

fn flags(letters: &str) -> Result<Flags> {
    let mut flags = Flags::default();
    for letter in letters.chars() {
        if letter == 'g' {
            flags.global = true;
        } else if letter == 'e' {
            // PostgreSQL means to ask for extended expressions here and gets basic ones.
            flags.options.flavor = Flavor::Basic;
        } else if !flags.options.set(letter) {
            return Err(invalid_parameter(format!("invalid regular expression option: \"{letter}\"")));
        }
    }
    Ok(flags)
}

/// Flags of a function that does not know "global".
fn local_flags(letters: &str, function: &str) -> Result<Flags> {
    let flags = flags(letters)?;
    if flags.global {
        return Err(invalid_parameter(format!("{function}() does not support the \"global\" option")));
    }
    Ok(flags)
}

/// The compiled expression, from the call site when it is the same as before.
fn compiled(ctx: &FunctionContext<'_>, pattern: &str, options: Options) -> Result<Arc<Regex>> {
    let letters = [
        (options.fold, 'i'),
        (options.expanded, 'x'),
        (options.newline_stops, 'p'),
        (options.newline_anchors, 'w'),
        (options.flavor == Flavor::Extended, 'e'),
        (options.flavor == Flavor::Basic, 'b'),
        (options.flavor == Flavor::Literal, 'q'),
    ];
    let mut key: String = letters.iter().filter(|(set, _)| *set).map(|(_, letter)| *letter).collect();
    key.push('/');
    key.push_str(pattern);
    ctx.cache.get_or_make(&key, || Regex::new(pattern, options))
}

fn matches(ctx: &FunctionContext<'_>, text: &str, pattern: &str, fold: bool) -> Result<bool> {
    Ok(compiled(ctx, pattern, Options { fold, ..Options::default() })?.is_match(text))
}

fn check_parameter(name: &str, value: i32, valid: bool) -> Result<()> {
    if valid {
        return Ok(());
    }
    Err(invalid_parameter(format!("invalid value for parameter \"{name}\": {value}")))
}

/// Every match from a character on; only the first unless `all`. Without `degenerate`, empty matches at either end of the
/// text or behind another match are left out (they split nothing).
fn every(regex: &Regex, subject: &Subject<'_>, from: usize, all: bool, degenerate: bool) -> Vec<Match> {
    let mut found = Vec::new();
    let (mut at, mut last_end) = (from, 0);
    while at <= subject.len() {
        let Some(spans) = regex.captures(subject, at) else { break };
        let (start, end) = spans[0].expect("the whole match");
        if degenerate || (start < subject.len() && end > last_end) {
            found.push(spans);
        }
        last_end = end;
        if !all {
            break;
        }
        at = if start == end { end + 1 } else { end };
    }
    found
}

/// Appends the replacement, with `\1` and `\&` filled in.
fn push_replacement(replacement: &str, subject: &Subject<'_>, spans: &Match, out: &mut String) {
    let mut rest = replacement;
    while let Some(backslash) = rest.find('\\') {
        out.push_str(&rest[..backslash]);
        let mut behind = rest[backslash + 1..].chars();
        match behind.next() {
            Some(digit @ '1'..='9') => {
                let group = digit as usize - '0' as usize;
                if let Some(Some(span)) = spans.get(group) {
                    out.push_str(subject.slice(*span));
                }
                rest = behind.as_str();
            }
            Some('&') => {
                out.push_str(subject.slice(spans[0].expect("the whole match")));
                rest = behind.as_str();
            }
            Some('\\') => {
                out.push('\\');
                rest = behind.as_str();
            }
            _ => {
                out.push('\\');
                rest = &rest[backslash + 1..];
            }
        }
    }
    out.push_str(rest);
}

/// Replaces the `n`-th match, all of them for 0.
fn replace(regex: &Regex, text: &str, replacement: &str, start: i32, n: i32, out: &mut String) {
    if !regex.is_match(text) {
        return out.push_str(text);
    }
    let subject = Subject::new(text);
    let mut at = start as usize - 1;
    let (mut copied, mut count) = (0, 0);
    while at <= subject.len() {
        let Some(spans) = regex.captures(&subject, at) else { break };
        let (from, to) = spans[0].expect("the whole match");
        count += 1;
        if n > 0 && count != n {
            at = if from == to { to + 1 } else { to };
            continue;
        }
        out.push_str(subject.slice((copied, from)));
        push_replacement(replacement, &subject, &spans, out);
        copied = to;
        if n > 0 {
            break;
        }
        at = if from == to { to + 1 } else { to };
    }
    out.push_str(subject.slice((copied, subject.len())));
}

/// What `regexp_match` answers for a match: the parentheses, or the whole when there are none.
fn match_array(regex: &Regex, subject: &Subject<'_>, spans: &Match) -> Datum {
    let wanted = if regex.groups() == 0 { &spans[..1] } else { &spans[1..] };
    let elements =
        wanted.iter().map(|span| span.map_or(Datum::Null, |span| Datum::text(subject.slice(span)))).collect();
    Datum::Array(Arc::new(Array::vector(oid::TEXT, elements)))
}

fn regexp_match(ctx: &FunctionContext<'_>, args: &[Datum]) -> Result<Datum> {
    let letters = if args.len() > 2 { text_at(args, 2) } else { "" };
    let flags = flags(letters)?;
    if flags.global {
        return Err(invalid_parameter("regexp_match() does not support the \"global\" option")
            .with_hint("Use the regexp_matches function instead."));
    }
    let regex = compiled(ctx, text_at(args, 1), flags.options)?;
    let subject = Subject::new(text_at(args, 0));
    Ok(regex.captures(&subject, 0).map_or(Datum::Null, |spans| match_array(&regex, &subject, &spans)))
}

fn regexp_matches(
    ctx: &FunctionContext<'_>,
    args: &[Datum],
    emit: &mut dyn FnMut(&[Datum]) -> Result<()>,
) -> Result<()> {
    let flags = flags(if args.len() > 2 { text_at(args, 2) } else { "" })?;
    let regex = compiled(ctx, text_at(args, 1), flags.options)?;
    let subject = Subject::new(text_at(args, 0));
    every(&regex, &subject, 0, flags.global, true)
        .iter()
        .try_for_each(|spans| emit(&[match_array(&regex, &subject, spans)]))
}

/// The pieces between the matches.
fn split(ctx: &FunctionContext<'_>, args: &[Datum], function: &str) -> Result<Vec<Datum>> {
    let flags = local_flags(if args.len() > 2 { text_at(args, 2) } else { "" }, function)?;
    let regex = compiled(ctx, text_at(args, 1), flags.options)?;
    let subject = Subject::new(text_at(args, 0));
    let mut pieces = Vec::new();
    let mut from = 0;
    for spans in every(&regex, &subject, 0, true, false) {
        let (start, end) = spans[0].expect("the whole match");
        pieces.push(Datum::text(subject.slice((from, start))));
        from = end;
    }
    pieces.push(Datum::text(subject.slice((from, subject.len()))));
    Ok(pieces)
}

const SPLIT_TO_TABLE: Set =
    |ctx, args, emit| split(ctx, args, "regexp_split_to_table")?.into_iter().try_for_each(|piece| emit(&[piece]));

const SPLIT_TO_ARRAY: super::Scalar = |ctx, args| {
    let pieces = split(ctx, args, "regexp_split_to_array")?;
    Ok(Datum::Array(Arc::new(Array::vector(oid::TEXT, pieces))))
};

/// `regexp_count(text, pattern [, start [, flags]])`.
fn count(ctx: &FunctionContext<'_>, args: &[Datum]) -> Result<Datum> {
    let start = if args.len() > 2 { i32_at(args, 2) } else { 1 };
    check_parameter("start", start, start > 0)?;
    let flags = local_flags(if args.len() > 3 { text_at(args, 3) } else { "" }, "regexp_count")?;
    let regex = compiled(ctx, text_at(args, 1), flags.options)?;
    let subject = Subject::new(text_at(args, 0));
    Ok(Datum::I32(every(&regex, &subject, start as usize - 1, true, true).len() as i32))
}

/// The span that `regexp_instr` and `regexp_substr` speak of.
fn nth(
    ctx: &FunctionContext<'_>,
    subject: &Subject<'_>,
    pattern: &str,
    flags: Flags,
    (start, n, group): (i32, i32, i32),
) -> Result<Option<(usize, usize)>> {
    let regex = compiled(ctx, pattern, flags.options)?;
    if group as usize > regex.groups() {
        return Ok(None);
    }
    let found = every(&regex, subject, start as usize - 1, true, true);
    Ok(found.get(n as usize - 1).and_then(|spans| spans[group as usize]))
}

/// `regexp_instr(text, pattern [, start [, n [, endoption [, flags [, subexpr]]]]])`.
fn instr(ctx: &FunctionContext<'_>, args: &[Datum]) -> Result<Datum> {
    let number = |position: usize, default: i32| if args.len() > position { i32_at(args, position) } else { default };
    let (start, n, end_option, group) = (number(2, 1), number(3, 1), number(4, 0), number(6, 0));
    check_parameter("start", start, start > 0)?;
    check_parameter("n", n, n > 0)?;
    check_parameter("endoption", end_option, end_option == 0 || end_option == 1)?;
    check_parameter("subexpr", group, group >= 0)?;
    let flags = local_flags(if args.len() > 5 { text_at(args, 5) } else { "" }, "regexp_instr")?;
    let subject = Subject::new(text_at(args, 0));
    let span = nth(ctx, &subject, text_at(args, 1), flags, (start, n, group))?;
    let place = span.map_or(0, |(from, to)| if end_option == 1 { to + 1 } else { from + 1 });
    Ok(Datum::I32(place as i32))
}

/// `regexp_substr(text, pattern [, start [, n [, flags [, subexpr]]]])`.
fn substr(ctx: &FunctionContext<'_>, args: &[Datum]) -> Result<Datum> {
    let number = |position: usize, default: i32| if args.len() > position { i32_at(args, position) } else { default };
    let (start, n, group) = (number(2, 1), number(3, 1), number(5, 0));
    check_parameter("start", start, start > 0)?;
    check_parameter("n", n, n > 0)?;
    check_parameter("subexpr", group, group >= 0)?;
    let flags = local_flags(if args.len() > 4 { text_at(args, 4) } else { "" }, "regexp_substr")?;
    let subject = Subject::new(text_at(args, 0));
    let span = nth(ctx, &subject, text_at(args, 1), flags, (start, n, group))?;
    Ok(span.map_or(Datum::Null, |span| Datum::text(subject.slice(span))))
}

/// `substring(text from pattern)`: the first parenthesis, or the whole match.
fn substring(ctx: &FunctionContext<'_>, args: &[Datum]) -> Result<Datum> {
    let regex = compiled(ctx, text_at(args, 1), Options::default())?;
    let subject = Subject::new(text_at(args, 0));
    let Some(spans) = regex.captures(&subject, 0) else { return Ok(Datum::Null) };
    let span = spans[usize::from(regex.groups() > 0)];
    Ok(span.map_or(Datum::Null, |span| Datum::text(subject.slice(span))))
}

/// `substring(text similar pattern escape escape)`, an SQL function in PostgreSQL.
fn substring_similar(ctx: &FunctionContext<'_>, args: &[Datum]) -> Result<Datum> {
    let pattern = super::pattern::similar_with_escape(text_at(args, 1), text_at(args, 2))?;
    substring(ctx, &[args[0].clone(), Datum::text(pattern)])
}

/// An operator: `~` and its kin.
macro_rules! operator {
    ($name:literal, $fold:literal, $negated:literal) => {
        value!($name, |ctx, text: &str, pattern: &str| -> bool { Ok(matches(ctx, text, pattern, $fold)? != $negated) })
    };
}

/// Functions of this module.
pub(super) const FUNCTIONS: &[&[Entry]] = &[&[
    operator!("textregexeq", false, false),
    operator!("textregexne", false, true),
    operator!("texticregexeq", true, false),
    operator!("texticregexne", true, true),
    operator!("nameregexeq", false, false),
    operator!("nameregexne", false, true),
    operator!("nameicregexeq", true, false),
    operator!("nameicregexne", true, true),
    value!("regexp_like_no_flags", |ctx, text: &str, pattern: &str| -> bool { matches(ctx, text, pattern, false) }),
    value!("regexp_like", |ctx, text: &str, pattern: &str, letters: &str| -> bool {
        let flags = local_flags(letters, "regexp_like")?;
        Ok(compiled(ctx, pattern, flags.options)?.is_match(text))
    }),
    string!("textregexreplace_noopt", |ctx, text: &str, pattern: &str, new: &str; out| {
        replace(&*compiled(ctx, pattern, Options::default())?, text, new, 1, 1, out);
        Ok(())
    }),
    string!("textregexreplace", |ctx, text: &str, pattern: &str, new: &str, letters: &str; out| {
        if letters.starts_with(|first: char| first.is_ascii_digit()) {
            return Err(invalid_parameter(format!(
                "invalid regular expression option: \"{}\"",
                letters.chars().take(1).collect::<String>()
            ))
            .with_hint(
                "If you meant to use regexp_replace() with a start parameter, cast the fourth argument to integer \
                 explicitly.",
            ));
        }
        let flags = flags(letters)?;
        let n = i32::from(!flags.global);
        replace(&*compiled(ctx, pattern, flags.options)?, text, new, 1, n, out);
        Ok(())
    }),
    string!("textregexreplace_extended",
    |ctx, text: &str, pattern: &str, new: &str, start: i32, n: i32, letters: &str; out| {
        check_parameter("start", start, start > 0)?;
        check_parameter("n", n, n >= 0)?;
        replace(&*compiled(ctx, pattern, flags(letters)?.options)?, text, new, start, n, out);
        Ok(())
    }),
    string!("textregexreplace_extended_no_flags",
    |ctx, text: &str, pattern: &str, new: &str, start: i32, n: i32; out| {
        check_parameter("start", start, start > 0)?;
        check_parameter("n", n, n >= 0)?;
        replace(&*compiled(ctx, pattern, Options::default())?, text, new, start, n, out);
        Ok(())
    }),
    string!("textregexreplace_extended_no_n", |ctx, text: &str, pattern: &str, new: &str, start: i32; out| {
        check_parameter("start", start, start > 0)?;
        replace(&*compiled(ctx, pattern, Options::default())?, text, new, start, 1, out);
        Ok(())
    }),
    ("textregexsubstr", Implementation::Scalar(substring)),
    ("regexp_match", Implementation::Scalar(regexp_match)),
    ("regexp_match_no_flags", Implementation::Scalar(regexp_match)),
    ("regexp_matches", Implementation::Set(regexp_matches)),
    ("regexp_matches_no_flags", Implementation::Set(regexp_matches)),
    ("regexp_split_to_table", Implementation::Set(SPLIT_TO_TABLE)),
    ("regexp_split_to_table_no_flags", Implementation::Set(SPLIT_TO_TABLE)),
    ("regexp_split_to_array", Implementation::Scalar(SPLIT_TO_ARRAY)),
    ("regexp_split_to_array_no_flags", Implementation::Scalar(SPLIT_TO_ARRAY)),
    ("regexp_count", Implementation::Scalar(count)),
    ("regexp_count_no_flags", Implementation::Scalar(count)),
    ("regexp_count_no_start", Implementation::Scalar(count)),
    ("regexp_instr", Implementation::Scalar(instr)),
    ("regexp_instr_no_endoption", Implementation::Scalar(instr)),
    ("regexp_instr_no_flags", Implementation::Scalar(instr)),
    ("regexp_instr_no_n", Implementation::Scalar(instr)),
    ("regexp_instr_no_start", Implementation::Scalar(instr)),
    ("regexp_instr_no_subexpr", Implementation::Scalar(instr)),
    ("regexp_substr", Implementation::Scalar(substr)),
    ("regexp_substr_no_flags", Implementation::Scalar(substr)),
    ("regexp_substr_no_n", Implementation::Scalar(substr)),
    ("regexp_substr_no_start", Implementation::Scalar(substr)),
    ("regexp_substr_no_subexpr", Implementation::Scalar(substr)),
]];

/// SQL-language builtins of this module, by `pg_proc.oid`.
pub(super) const SQL_FUNCTIONS: &[(u32, Implementation)] = &[(2074, Implementation::Scalar(substring_similar))];
