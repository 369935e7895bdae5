//! Text and bytes as values of every type.
//!
//! What a type accepts it prints, and reads back as the same value: in the style it was read in, in the default style, and in
//! binary. What it does not accept it refuses with an error.
#![no_main]

use arbitrary::Arbitrary;
use helios_fuzz::value::{TYPES, same};
use helios_types::datetime::{DateOrder, DateStyle, IntervalStyle, TimeZone};
use helios_types::io::{ByteaOutput, InputContext, Style, input, output, output_column, receive, send, send_column};
use helios_types::{Column, Datum, Oid, oid};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Case<'a> {
    of: u8,
    array: bool,
    style: u8,
    form: Form<'a>,
}

#[derive(Arbitrary, Debug)]
enum Form<'a> {
    Text(&'a str),
    Binary(&'a [u8]),
}

fuzz_target!(|case: Case<'_>| {
    let element = TYPES[usize::from(case.of) % TYPES.len()];
    let type_oid = if case.array { oid::array_of(element).unwrap_or(element) } else { element };
    let style = style(case.style);
    let read = match case.form {
        // PostgreSQL's strings end at a NUL, so none arrives here.
        Form::Text(text) => input(type_oid, -1, &text.replace('\0', ""), &InputContext::new(&style, 0)),
        Form::Binary(bytes) => receive(type_oid, bytes),
    };
    let Ok(value) = read else { return };
    if !is_readable(&value) {
        return;
    }
    binary(type_oid, &value);
    text(type_oid, &value, &Style::default());
    // Zones by name, and dates without an order, say less than the value.
    if style.date_style == DateStyle::Iso || ![oid::TIMESTAMPTZ, oid::TIMETZ].contains(&element) {
        text(type_oid, &value, &style);
    }
});

/// What PostgreSQL prints and does not read back either: a timetz in a zone of POSIX's form, which reaches up to 167 hours;
/// an interval whose days or months have no negative, where "ago" takes their sign.
fn is_readable(value: &Datum) -> bool {
    match value {
        Datum::TimeTz(value) => value.zone.abs() < 16 * 3600,
        Datum::Interval(value) => value.days != i32::MIN && value.months != i32::MIN && value.micros != i64::MIN,
        Datum::Array(array) => array.elements.iter().all(is_readable),
        _ => true,
    }
}

fn text(type_oid: Oid, value: &Datum, style: &Style) {
    let mut text = String::new();
    output(type_oid, value, style, &mut text);
    let mut from_column = Vec::new();
    output_column(type_oid, &Column::from_datums(type_oid, [value]), 0, style, &mut from_column);
    assert_eq!(text.as_bytes(), from_column, "{value:?} prints otherwise in a column");
    match input(type_oid, -1, &text, &InputContext::new(style, 0)) {
        Ok(back) => assert!(same(&back, value), "{value:?} prints as {text:?}, which is {back:?}"),
        Err(error) => panic!("{value:?} prints as {text:?}: {error}"),
    }
}

fn binary(type_oid: Oid, value: &Datum) {
    let (mut bytes, mut from_column) = (Vec::new(), Vec::new());
    send(type_oid, value, &mut bytes).expect("what was read can be sent");
    send_column(type_oid, &Column::from_datums(type_oid, [value]), 0, &mut from_column).expect("what was read");
    assert_eq!(bytes, from_column, "{value:?} is sent otherwise from a column");
    match receive(type_oid, &bytes) {
        Ok(back) => assert!(same(&back, value), "{value:?} is sent as {bytes:?}, which is {back:?}"),
        Err(error) => panic!("{value:?} is sent as {bytes:?}: {error}"),
    }
}

/// A session's settings, by number.
fn style(number: u8) -> Style {
    let one_of = |shift: u8, count: u8| usize::from((number >> shift) % count);
    let date_style = [DateStyle::Iso, DateStyle::Sql, DateStyle::Postgres, DateStyle::German][one_of(0, 4)];
    let zones = ["UTC", "America/New_York", "Asia/Kolkata", "<-03:30>+03:30"];
    Style {
        date_style,
        date_order: match date_style {
            DateStyle::German => DateOrder::Dmy,
            DateStyle::Iso => [DateOrder::Mdy, DateOrder::Dmy, DateOrder::Ymd][one_of(2, 3)],
            _ => [DateOrder::Mdy, DateOrder::Dmy][one_of(2, 2)],
        },
        interval_style: [
            IntervalStyle::Postgres,
            IntervalStyle::PostgresVerbose,
            IntervalStyle::Iso8601,
            IntervalStyle::SqlStandard,
        ][one_of(4, 4)],
        time_zone: TimeZone::named(zones[one_of(6, 4)]).expect("a zone"),
        extra_float_digits: 1,
        bytea_output: if number & 4 == 0 { ByteaOutput::Hex } else { ByteaOutput::Escape },
    }
}
