use super::*;
use crate::coding::Reader;

fn layout() -> Layout {
    use PhysicalType::*;
    Layout::new(LayoutId(9), vec![Bool, Bytes, Int16, Int32, Bytes, Int64, Int128, Float32, Float64, Bytes])
}

fn values<'a>(first: &'a [u8], second: Option<&'a [u8]>) -> Vec<ColumnValue<'a>> {
    use ColumnValue::*;
    vec![
        Bool(true),
        Bytes(first),
        Int16(-2),
        Null,
        second.map_or(Null, Bytes),
        Int64(i64::MIN),
        Int128(i128::MAX),
        Float32(1.5),
        Float64(-0.25),
        Bytes(b""),
    ]
}

#[test]
fn every_column_comes_back_alone() {
    let layout = layout();
    let long = vec![7; 70_000];
    let mut builder = RowBuilder::new(&layout);
    for expected in [values(b"x", Some(b"yz")), values(b"", None), values(&long, Some(b"behind"))] {
        for value in &expected {
            builder.push(*value);
        }
        let bytes = builder.finish();
        let row = RowRef::new(&layout, &bytes).unwrap();
        for (column, value) in expected.iter().enumerate().rev() {
            assert_eq!(row.column(column), *value);
            match (value, row.bytes_range(column)) {
                (ColumnValue::Bytes(value), Some(range)) => assert_eq!(&&bytes[range], value),
                (ColumnValue::Bytes(_), None) | (_, Some(_)) => panic!("a range for bytes, and for nothing else"),
                _ => (),
            }
        }
        assert_eq!(row.column(expected.len()), ColumnValue::Absent);
        assert_eq!(RowRef::layout_id(&bytes), Some(LayoutId(9)));
    }
}

#[test]
fn bytes_that_are_no_row_are_refused() {
    let layout = layout();
    let mut builder = RowBuilder::new(&layout);
    values(b"abc", Some(b"def")).into_iter().for_each(|value| builder.push(value));
    let row = builder.finish();
    for len in 0..row.len() {
        assert!(RowRef::new(&layout, &row[..len]).is_err(), "{len} bytes of {}", row.len());
    }
    let other = Layout::new(LayoutId(10), layout.columns().to_vec());
    assert!(matches!(RowRef::new(&other, &row), Err(RowError::OtherLayout { .. })));
    // No single damaged byte makes a reader panic.
    for at in 0..row.len() {
        for bit in 0..8 {
            let mut damaged = row.to_vec();
            damaged[at] ^= 1 << bit;
            if let Ok(row) = RowRef::new(&layout, &damaged) {
                (0..11).for_each(|column| assert_ne!(row.column(column), ColumnValue::Bytes(b"never stored")));
            }
        }
    }
}

#[test]
fn layouts_come_back() {
    let mut bytes = Vec::new();
    layout().encode(&mut bytes);
    assert_eq!(Layout::decode(&mut Reader::new(&bytes)), Some(layout()));
    assert_eq!(Layout::decode(&mut Reader::new(&bytes[..bytes.len() - 1])), None);
    assert_eq!(Layout::decode(&mut Reader::new(&[1, 1, 8])), None);
}

#[test]
fn a_row_without_columns_is_a_row() {
    let layout = Layout::new(LayoutId(1), vec![]);
    let row = RowBuilder::new(&layout).finish();
    assert_eq!(RowRef::new(&layout, &row).unwrap().column(0), ColumnValue::Absent);
}
