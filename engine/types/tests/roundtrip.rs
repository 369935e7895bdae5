//! What is printed or sent must be read back as what it was, in every style.

use std::sync::Arc;

use helios_types::datetime::{DateOrder, DateStyle, IntervalStyle, TimeZone};
use helios_types::io::{
    ByteaOutput, InputContext, Style, char_text, input, output, output_column, receive, send, send_column,
};
use helios_types::{Array, Column, Datum, Interval, Numeric, Oid, TimeTz, oid};
use proptest::prelude::*;

const TYPES: &[Oid] = &[
    oid::BOOL,
    oid::INT2,
    oid::INT4,
    oid::INT8,
    oid::OID,
    oid::XID8,
    oid::TID,
    oid::FLOAT4,
    oid::FLOAT8,
    oid::NUMERIC,
    oid::TEXT,
    oid::NAME,
    oid::CHAR,
    oid::BYTEA,
    oid::UUID,
    oid::DATE,
    oid::TIME,
    oid::TIMETZ,
    oid::TIMESTAMP,
    oid::TIMESTAMPTZ,
    oid::INTERVAL,
    oid::OIDVECTOR,
];

fn numeric() -> impl Strategy<Value = Numeric> {
    (any::<i64>(), 0u16..30, any::<i64>(), 0u8..8).prop_map(|(a, scale, b, class)| match class {
        0 => Numeric::NAN,
        1 => Numeric::INFINITY,
        2 => Numeric::NEGATIVE_INFINITY,
        3 => Numeric::from_i128(i128::from(a) * i128::from(b), scale),
        4 => Numeric::new(a % 100 * 10_000, scale % 9),
        _ => Numeric::new(a, scale),
    })
}

fn value(type_oid: Oid) -> BoxedStrategy<Datum> {
    let timestamp = prop_oneof![
        8 => -60_000_000_000_000_000i64..60_000_000_000_000_000,
        4 => -211_813_488_000_000_000i64..=9_223_371_331_199_999_999,
        1 => Just(i64::MIN),
        1 => Just(i64::MAX),
    ];
    match type_oid {
        oid::BOOL => any::<bool>().prop_map(Datum::Bool).boxed(),
        oid::INT2 => any::<i16>().prop_map(Datum::I16).boxed(),
        oid::INT4 => any::<i32>().prop_map(Datum::I32).boxed(),
        oid::DATE => prop_oneof![8 => -2_451_545i32..=2_145_031_948, 1 => Just(i32::MIN), 1 => Just(i32::MAX)]
            .prop_map(Datum::I32)
            .boxed(),
        oid::OID => any::<u32>().prop_map(Datum::U32).boxed(),
        oid::FLOAT4 => prop::num::f32::ANY.prop_map(Datum::F32).boxed(),
        oid::FLOAT8 => prop::num::f64::ANY.prop_map(Datum::F64).boxed(),
        oid::NUMERIC => numeric().prop_map(Datum::Numeric).boxed(),
        oid::TEXT => "[ a-c\"\\\\{},é\\u{1F600}]{0,6}".prop_map(Datum::text).boxed(),
        oid::NAME => "[a-c é]{0,6}".prop_map(Datum::text).boxed(),
        oid::CHAR => any::<u8>().prop_map(|byte| Datum::text(char_text(byte))).boxed(),
        oid::BYTEA => prop::collection::vec(any::<u8>(), 0..9).prop_map(|bytes| Datum::Bytes(bytes.into())).boxed(),
        oid::UUID => any::<[u8; 16]>().prop_map(Datum::Uuid).boxed(),
        oid::TIME => (0i64..=86_400_000_000).prop_map(Datum::I64).boxed(),
        oid::TIMETZ => (0i64..=86_400_000_000, -57_599i32..57_600)
            .prop_map(|(micros, zone)| Datum::TimeTz(TimeTz { micros, zone }))
            .boxed(),
        oid::TIMESTAMP | oid::TIMESTAMPTZ => timestamp.prop_map(Datum::I64).boxed(),
        oid::TID => (0i64..1 << 48).prop_map(Datum::I64).boxed(),
        oid::INTERVAL => (-3000i32..3000, -4000i32..4000, -200_000_000_000i64..200_000_000_000, 0u8..9)
            .prop_map(|(months, days, micros, class)| match class {
                0 => Datum::Interval(Interval::INFINITY),
                1 => Datum::Interval(Interval::NEGATIVE_INFINITY),
                2 => Datum::Interval(Interval { months, days: 0, micros: 0 }),
                3 => Datum::Interval(Interval { months: 0, days, micros: 0 }),
                4 => Datum::Interval(Interval { months: 0, days: 0, micros }),
                5 => Datum::Interval(Interval { months: 0, days, micros }),
                _ => Datum::Interval(Interval { months, days, micros }),
            })
            .boxed(),
        oid::OIDVECTOR => prop::collection::vec(any::<u32>(), 0..4)
            .prop_map(|elements| {
                let dimensions = vec![(elements.len() as i32, 0)];
                let elements = elements.into_iter().map(Datum::U32).collect();
                Datum::Array(Arc::new(Array { element_type: oid::OID, dimensions, elements }))
            })
            .boxed(),
        _ => any::<i64>().prop_map(Datum::I64).boxed(),
    }
}

fn style() -> impl Strategy<Value = Style> {
    let zones = ["UTC", "America/New_York", "Europe/Berlin", "Asia/Kolkata", "Australia/Sydney", "<-03:30>+03:30"];
    (
        prop::sample::select(&[DateStyle::Iso, DateStyle::Sql, DateStyle::Postgres, DateStyle::German][..]),
        prop::sample::select(&[DateOrder::Mdy, DateOrder::Dmy, DateOrder::Ymd][..]),
        prop::sample::select(
            &[
                IntervalStyle::Postgres,
                IntervalStyle::PostgresVerbose,
                IntervalStyle::Iso8601,
                IntervalStyle::SqlStandard,
            ][..],
        ),
        prop::sample::select(zones.to_vec()),
        any::<bool>(),
    )
        .prop_map(|(date_style, date_order, interval_style, zone, escape)| Style {
            date_style,
            // Days are printed first in German dates, and years never before ISO ones.
            date_order: match date_style {
                DateStyle::German => DateOrder::Dmy,
                DateStyle::Iso => date_order,
                _ if date_order == DateOrder::Ymd => DateOrder::Mdy,
                _ => date_order,
            },
            interval_style,
            time_zone: TimeZone::named(zone).expect("a zone"),
            extra_float_digits: 1,
            bytea_output: if escape { ByteaOutput::Escape } else { ByteaOutput::Hex },
        })
}

fn typed() -> impl Strategy<Value = (Oid, Datum)> {
    prop::sample::select(TYPES).prop_flat_map(|type_oid| (Just(type_oid), value(type_oid)))
}

/// The same to the last bit, whatever equality says.
fn same(left: &Datum, right: &Datum) -> bool {
    match (left, right) {
        (Datum::F32(left), Datum::F32(right)) => left.to_bits() == right.to_bits() || (left.is_nan() && right.is_nan()),
        (Datum::F64(left), Datum::F64(right)) => left.to_bits() == right.to_bits() || (left.is_nan() && right.is_nan()),
        (Datum::Numeric(left), Datum::Numeric(right)) => left == right && left.scale() == right.scale(),
        (Datum::Array(left), Datum::Array(right)) => {
            left.dimensions == right.dimensions
                && left.element_type == right.element_type
                && left.elements.iter().zip(&right.elements).all(|(left, right)| same(left, right))
        }
        _ => left == right,
    }
}

/// Whether a style prints everything of a value: zones by name lose the displacement of local mean times, and say
/// nothing of which of several ones a name meant.
fn is_faithful(type_oid: Oid, value: &Datum, style: &Style) -> bool {
    match value {
        Datum::I64(moment) if type_oid == oid::TIMESTAMPTZ && style.date_style != DateStyle::Iso => {
            // Between 1970 and 2037 all of these zones have unambiguous names.
            (-946_000_000_000_000..1_160_000_000_000_000).contains(moment)
        }
        _ => true,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6000, max_shrink_iters: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn text((type_oid, value) in typed(), style in style()) {
        let mut text = String::new();
        output(type_oid, &value, &style, &mut text);
        let mut bytes = Vec::new();
        output_column(type_oid, &Column::from_datums(type_oid, [&value]), 0, &style, &mut bytes);
        prop_assert_eq!(text.as_bytes(), bytes.as_slice());
        if is_faithful(type_oid, &value, &style) {
            let back = input(type_oid, -1, &text, &InputContext::new(&style, 0)).unwrap();
            prop_assert!(same(&back, &value), "{} {:?} {:?}", text, back, value);
        }
    }

    #[test]
    fn binary((type_oid, value) in typed()) {
        let (mut bytes, mut from_column) = (Vec::new(), Vec::new());
        send(type_oid, &value, &mut bytes).unwrap();
        send_column(type_oid, &Column::from_datums(type_oid, [&value]), 0, &mut from_column).unwrap();
        prop_assert_eq!(&bytes, &from_column);
        let back = receive(type_oid, &bytes).unwrap();
        prop_assert!(same(&back, &value), "{:?} {:?}", back, value);
    }

    #[test]
    fn arrays(
        (element, first) in typed(),
        rest in prop::collection::vec(any::<bool>(), 0..4),
        lower in -2i32..3,
        style in style(),
    ) {
        prop_assume!(oid::array_of(element).is_some() && is_faithful(element, &first, &style));
        let mut elements = vec![first.clone()];
        elements.extend(rest.iter().map(|null| if *null { Datum::Null } else { first.clone() }));
        let mut array = Array::vector(element, elements);
        array.dimensions[0].1 = lower;
        let type_oid = oid::array_of(element).unwrap();
        let value = Datum::Array(Arc::new(array));
        let mut text = String::new();
        output(type_oid, &value, &style, &mut text);
        let back = input(type_oid, -1, &text, &InputContext::new(&style, 0)).unwrap();
        prop_assert!(same(&back, &value), "{} {:?} {:?}", text, back, value);
        let mut bytes = Vec::new();
        send(type_oid, &value, &mut bytes).unwrap();
        prop_assert!(same(&receive(type_oid, &bytes).unwrap(), &value));
    }

    #[test]
    fn any_bytes_are_refused_or_read(type_oid in prop::sample::select(TYPES), bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        // Must not panic; and arrays must not trust the counts that they announce.
        let _ = receive(type_oid, &bytes);
        if let Some(array) = oid::array_of(type_oid) {
            let _ = receive(array, &bytes);
        }
    }

    #[test]
    fn any_text_is_refused_or_read(
        type_oid in prop::sample::select(TYPES),
        text in "[-+0-9a-zA-Z:./ {},\"\\\\é]{0,24}",
        style in style(),
    ) {
        let context = InputContext::new(&style, 0);
        for of in [Some(type_oid), oid::array_of(type_oid), Some(oid::JSON)].into_iter().flatten() {
            if let Ok(value) = input(of, -1, &text, &context) {
                let mut printed = String::new();
                output(of, &value, &style, &mut printed);
            }
        }
    }
}

#[test]
fn records_print_and_send_their_fields() {
    let types = vec![oid::INT4, oid::TEXT, oid::NUMERIC];
    let values = vec![Datum::I32(1), Datum::text("a b"), Datum::Null];
    let record = Datum::record(types.clone(), values);
    let mut text = String::new();
    output(oid::RECORD, &record, &Style::default(), &mut text);
    assert_eq!(text, "(1,\"a b\",)");
    let mut bytes = Vec::new();
    send(oid::RECORD, &record, &mut bytes).unwrap();
    assert_eq!(helios_types::io::receive_record(&types, &bytes).unwrap(), record);
}
