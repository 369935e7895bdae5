//! Keys sort as values do, for every type, alone and side by side.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::compare::compare;

fn key(type_oid: Oid, value: &Datum) -> Vec<u8> {
    let mut out = Vec::new();
    encode(type_oid, value, false, false, &mut out).unwrap();
    out
}

fn agree(type_oid: Oid, left: &Datum, right: &Datum) {
    let order = compare(type_oid, left, right);
    assert_eq!(key(type_oid, left).cmp(&key(type_oid, right)), order, "{left:?} {right:?}");
    let (mut down_left, mut down_right) = (Vec::new(), Vec::new());
    encode(type_oid, left, true, true, &mut down_left).unwrap();
    encode(type_oid, right, true, true, &mut down_right).unwrap();
    assert_eq!(down_left.cmp(&down_right), order.reverse(), "descending {left:?} {right:?}");
}

/// Any value of a type, by a small random seed.
fn value(type_oid: Oid) -> BoxedStrategy<Datum> {
    let numeric = (any::<i64>(), 0u16..25, any::<i64>(), 0u8..9).prop_map(|(a, scale, b, class)| match class {
        0 => Numeric::NAN,
        1 => Numeric::INFINITY,
        2 => Numeric::NEGATIVE_INFINITY,
        3 => Numeric::new(0, scale),
        4 => Numeric::from_i128(i128::from(a) * i128::from(b), scale),
        5 => Numeric::new(a % 100 * 10_000, scale),
        6 => Numeric::new(a % 1000, scale % 4),
        _ => Numeric::new(a, scale),
    });
    match type_oid {
        oid::BOOL => any::<bool>().prop_map(Datum::Bool).boxed(),
        oid::INT2 => any::<i16>().prop_map(Datum::I16).boxed(),
        oid::INT4 | oid::DATE => prop_oneof![any::<i32>(), -3i32..3].prop_map(Datum::I32).boxed(),
        oid::OID => any::<u32>().prop_map(Datum::U32).boxed(),
        oid::FLOAT4 => prop_oneof![prop::num::f32::ANY, Just(0.0f32), Just(-0.0f32)].prop_map(Datum::F32).boxed(),
        oid::FLOAT8 => prop_oneof![prop::num::f64::ANY, Just(0.0), Just(-0.0)].prop_map(Datum::F64).boxed(),
        oid::NUMERIC => numeric.prop_map(Datum::Numeric).boxed(),
        oid::BYTEA => prop::collection::vec(0u8..3, 0..5).prop_map(|bytes| Datum::Bytes(bytes.into())).boxed(),
        oid::CHAR => any::<u8>().prop_map(|byte| Datum::text(crate::io::char_text(byte))).boxed(),
        oid::UUID => any::<[u8; 16]>().prop_map(Datum::Uuid).boxed(),
        oid::INTERVAL => (-3i32..3, -70i32..70, prop_oneof![any::<i64>(), Just(86_400_000_000)])
            .prop_map(|(months, days, micros)| Datum::Interval(Interval { months, days, micros }))
            .boxed(),
        oid::TIMETZ => (0i64..86_400_000_000, -50_000i32..50_000)
            .prop_map(|(micros, zone)| Datum::TimeTz(TimeTz { micros, zone }))
            .boxed(),
        oid::OIDVECTOR => prop::collection::vec(0u32..4, 0..4)
            .prop_map(|elements| {
                let dimensions = vec![(elements.len() as i32, 0)];
                let elements = elements.into_iter().map(Datum::U32).collect();
                Datum::Array(Arc::new(Array { element_type: oid::OID, dimensions, elements }))
            })
            .boxed(),
        oid::INT4_ARRAY => array(oid::INT4),
        oid::TEXT_ARRAY => array(oid::TEXT),
        oid::TEXT | oid::BPCHAR | oid::NAME => "[a\u{0}-\u{2} é]{0,4}".prop_map(Datum::text).boxed(),
        _ => any::<i64>().prop_map(Datum::I64).boxed(),
    }
}

fn array(element: Oid) -> BoxedStrategy<Datum> {
    let element_or_null = prop_oneof![1 => Just(Datum::Null), 5 => value(element)];
    (prop::collection::vec(element_or_null, 0..5), -1i32..3, any::<bool>())
        .prop_map(move |(elements, lower, nested)| {
            let mut array = Array::vector(element, elements);
            if let Some((length, first)) = array.dimensions.first_mut() {
                *first = lower;
                if nested && *length % 2 == 0 {
                    let half = *length / 2;
                    array.dimensions = vec![(2, 1), (half, lower)];
                }
            }
            Datum::Array(Arc::new(array))
        })
        .boxed()
}

const TYPES: &[Oid] = &[
    oid::BOOL,
    oid::INT2,
    oid::INT4,
    oid::INT8,
    oid::OID,
    oid::XID8,
    oid::FLOAT4,
    oid::FLOAT8,
    oid::NUMERIC,
    oid::TEXT,
    oid::BPCHAR,
    oid::NAME,
    oid::CHAR,
    oid::BYTEA,
    oid::UUID,
    oid::DATE,
    oid::TIMESTAMP,
    oid::INTERVAL,
    oid::TIMETZ,
    oid::OIDVECTOR,
    oid::INT4_ARRAY,
    oid::TEXT_ARRAY,
];

fn typed() -> impl Strategy<Value = (Oid, Datum, Datum)> {
    let with_null = |type_oid| prop_oneof![1 => Just(Datum::Null), 9 => value(type_oid)];
    prop::sample::select(TYPES)
        .prop_flat_map(move |type_oid| (Just(type_oid), with_null(type_oid), with_null(type_oid)))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn order_agrees_for_every_type((type_oid, left, right) in typed()) {
        agree(type_oid, &left, &right);
    }

    #[test]
    fn composites_agree((a, a1, a2) in typed(), (b, b1, b2) in typed(), descending: (bool, bool)) {
        let tuple = |first: &Datum, second: &Datum| {
            let mut out = Vec::new();
            encode(a, first, descending.0, descending.0, &mut out).unwrap();
            encode(b, second, descending.1, descending.1, &mut out).unwrap();
            out
        };
        let directed = |order: std::cmp::Ordering, down: bool| if down { order.reverse() } else { order };
        let order = directed(compare(a, &a1, &a2), descending.0).then(directed(compare(b, &b1, &b2), descending.1));
        prop_assert_eq!(tuple(&a1, &b1).cmp(&tuple(&a2, &b2)), order);
    }

    #[test]
    fn values_come_back_or_are_stepped_over((type_oid, value, next) in typed(), descending: bool) {
        let mut out = Vec::new();
        encode(type_oid, &value, descending, false, &mut out).unwrap();
        let length = out.len();
        encode(type_oid, &next, descending, false, &mut out).unwrap();
        prop_assert_eq!(skip(type_oid, &out, descending).unwrap(), length);
        match decode(type_oid, &out, descending).unwrap() {
            Some((back, taken)) => {
                prop_assert_eq!(back, value);
                prop_assert_eq!(taken, length);
            }
            None => prop_assert!(!is_invertible(type_oid)),
        }
    }

    #[test]
    fn equal_values_hash_alike((type_oid, left, right) in typed()) {
        if compare(type_oid, &left, &right).is_eq() {
            prop_assert_eq!(crate::hash_datum(type_oid, &left), crate::hash_datum(type_oid, &right));
        }
    }

    #[test]
    fn columns_agree_with_values((type_oid, left, right) in typed(), descending: bool) {
        let column = Column::from_datums(type_oid, [&left, &right]);
        prop_assert_eq!(crate::compare_rows(type_oid, &column, 0, &column, 1), compare(type_oid, &left, &right));
        let mut hashes = [0, 0];
        crate::hash_column(type_oid, &column, &mut hashes);
        if compare(type_oid, &left, &right).is_eq() {
            prop_assert_eq!(hashes[0], hashes[1]);
        }
        let (mut by_row, mut by_value) = (Vec::new(), Vec::new());
        encode_row(type_oid, &column, 0, descending, false, &mut by_row).unwrap();
        encode(type_oid, &left, descending, false, &mut by_value).unwrap();
        prop_assert_eq!(by_row, by_value);
    }

    #[test]
    fn integers(a: i64, b: i64) {
        agree(oid::INT8, &Datum::I64(a), &Datum::I64(b));
        agree(oid::INT4, &Datum::I32(a as i32), &Datum::I32(b as i32));
        agree(oid::INT2, &Datum::I16(a as i16), &Datum::I16(b as i16));
    }

    #[test]
    fn floats(a in prop::num::f64::ANY, b in prop::num::f64::ANY) {
        agree(oid::FLOAT8, &Datum::F64(a), &Datum::F64(b));
        agree(oid::FLOAT4, &Datum::F32(a as f32), &Datum::F32(b as f32));
    }

    #[test]
    fn strings(a in ".{0,6}", b in ".{0,6}") {
        agree(oid::TEXT, &Datum::text(a.as_str()), &Datum::text(b.as_str()));
    }

    #[test]
    fn bytes(a in prop::collection::vec(0u8..3, 0..5), b in prop::collection::vec(0u8..3, 0..5)) {
        agree(oid::BYTEA, &Datum::Bytes(a.into()), &Datum::Bytes(b.into()));
    }

    #[test]
    fn numerics(a in -99_999i64..99_999, s in 0u16..7, b in -99_999i64..99_999, t in 0u16..7) {
        agree(oid::NUMERIC, &Datum::Numeric(Numeric::new(a, s)), &Datum::Numeric(Numeric::new(b, t)));
    }

    #[test]
    fn tuples(a in ".{0,3}", b: i32, c in ".{0,3}", d: i32) {
        let tuple = |text: &str, number: i32| {
            let mut out = key(oid::TEXT, &Datum::text(text));
            encode(oid::INT4, &Datum::I32(number), false, false, &mut out).unwrap();
            out
        };
        prop_assert_eq!(tuple(&a, b).cmp(&tuple(&c, d)), (a.as_bytes(), b).cmp(&(c.as_bytes(), d)));
    }
}

#[test]
fn zeros_and_scales_are_one_key() {
    assert_eq!(key(oid::FLOAT8, &Datum::F64(0.0)), key(oid::FLOAT8, &Datum::F64(-0.0)));
    let one = key(oid::NUMERIC, &Datum::Numeric(Numeric::new(10, 1)));
    assert_eq!(one, key(oid::NUMERIC, &Datum::Numeric(Numeric::new(100, 2))));
}

#[test]
fn nulls_go_where_they_are_told() {
    let one = Datum::I32(1);
    for (descending, nulls_first) in [(false, false), (false, true), (true, false), (true, true)] {
        let (mut null, mut value) = (Vec::new(), Vec::new());
        encode(oid::INT4, &Datum::Null, descending, nulls_first, &mut null).unwrap();
        encode(oid::INT4, &one, descending, nulls_first, &mut value).unwrap();
        assert_eq!(null < value, nulls_first);
    }
}
