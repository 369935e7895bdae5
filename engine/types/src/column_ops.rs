//! Building columns and cutting them up: what operators do to batches.
//!
//! All operations keep the invariant that a column is either free of NULLs (`nulls` is `None`) or has one bit a row.
//! A gathered or filtered column may keep a bitmap without a set bit: `None` is the fast case, not a promise.

use crate::{Bitmap, ByteColumn, Column, ColumnData, Datum, Interval, Numeric, Oid, Physical};

impl ColumnData {
    /// No rows of this class, with room for `capacity`.
    pub fn with_capacity(physical: Physical, capacity: usize) -> ColumnData {
        match physical {
            Physical::Bool => ColumnData::Bool(Vec::with_capacity(capacity)),
            Physical::I16 => ColumnData::I16(Vec::with_capacity(capacity)),
            Physical::I32 => ColumnData::I32(Vec::with_capacity(capacity)),
            Physical::I64 => ColumnData::I64(Vec::with_capacity(capacity)),
            Physical::U32 => ColumnData::U32(Vec::with_capacity(capacity)),
            Physical::F32 => ColumnData::F32(Vec::with_capacity(capacity)),
            Physical::F64 => ColumnData::F64(Vec::with_capacity(capacity)),
            Physical::Numeric => ColumnData::Numeric(Vec::with_capacity(capacity)),
            Physical::Text => ColumnData::Text(ByteColumn::with_capacity(capacity)),
            Physical::Bytes => ColumnData::Bytes(ByteColumn::with_capacity(capacity)),
            Physical::Interval => ColumnData::Interval(Vec::with_capacity(capacity)),
            Physical::Uuid => ColumnData::Uuid(Vec::with_capacity(capacity)),
            Physical::Any => ColumnData::Any(Vec::with_capacity(capacity)),
        }
    }

    /// Which class this is.
    pub fn physical(&self) -> Physical {
        match self {
            ColumnData::Bool(_) => Physical::Bool,
            ColumnData::I16(_) => Physical::I16,
            ColumnData::I32(_) => Physical::I32,
            ColumnData::I64(_) => Physical::I64,
            ColumnData::U32(_) => Physical::U32,
            ColumnData::F32(_) => Physical::F32,
            ColumnData::F64(_) => Physical::F64,
            ColumnData::Numeric(_) => Physical::Numeric,
            ColumnData::Text(_) => Physical::Text,
            ColumnData::Bytes(_) => Physical::Bytes,
            ColumnData::Interval(_) => Physical::Interval,
            ColumnData::Uuid(_) => Physical::Uuid,
            ColumnData::Any(_) => Physical::Any,
        }
    }

    /// Appends a value that stands at NULL rows.
    fn push_default(&mut self) {
        match self {
            ColumnData::Bool(values) => values.push(false),
            ColumnData::I16(values) => values.push(0),
            ColumnData::I32(values) => values.push(0),
            ColumnData::I64(values) => values.push(0),
            ColumnData::U32(values) => values.push(0),
            ColumnData::F32(values) => values.push(0.0),
            ColumnData::F64(values) => values.push(0.0),
            ColumnData::Numeric(values) => values.push(Numeric::ZERO),
            ColumnData::Text(values) | ColumnData::Bytes(values) => values.push(b""),
            ColumnData::Interval(values) => values.push(Interval::default()),
            ColumnData::Uuid(values) => values.push([0; 16]),
            ColumnData::Any(values) => values.push(Datum::Null),
        }
    }
}

impl ByteColumn {
    /// No rows, with room for `capacity` short ones.
    pub fn with_capacity(capacity: usize) -> ByteColumn {
        let mut offsets = Vec::with_capacity(capacity + 1);
        offsets.push(0);
        ByteColumn { offsets, bytes: Vec::with_capacity(capacity * 8) }
    }

    fn take(&self, rows: impl ExactSizeIterator<Item = usize>) -> ByteColumn {
        let mut taken = ByteColumn { offsets: Vec::with_capacity(rows.len() + 1), bytes: Vec::new() };
        taken.offsets.push(0);
        rows.for_each(|row| taken.push(self.get(row)));
        taken
    }

    fn append(&mut self, other: &ByteColumn) {
        let base = u32::try_from(self.bytes.len()).expect("offsets are 32 bits wide");
        u32::try_from(self.bytes.len() + other.bytes.len()).expect("a batch's strings are smaller than 4 GiB");
        self.bytes.extend_from_slice(&other.bytes);
        self.offsets.extend(other.offsets[1..].iter().map(|offset| base + offset));
    }
}

/// Collects values of one physical class into a [`Column`].
#[derive(Clone, Debug)]
pub struct ColumnBuilder {
    data: ColumnData,
    nulls: Option<Bitmap>,
    len: usize,
}

macro_rules! typed_pushes {
    ($($name:ident($type:ty) -> $variant:ident: $doc:literal,)*) => {
        $(
            #[doc = concat!("Appends to a column of class ", $doc, "; panics on any other.")]
            #[inline]
            pub fn $name(&mut self, value: $type) {
                match &mut self.data {
                    ColumnData::$variant(values) => values.push(value),
                    other => panic!("{} into a column of {:?}", stringify!($name), other.physical()),
                }
                self.len += 1;
                if let Some(nulls) = &mut self.nulls {
                    nulls.push(false);
                }
            }
        )*
    };
}

impl ColumnBuilder {
    /// An empty column of the class of a type, with room for `capacity` rows.
    pub fn new(type_oid: Oid, capacity: usize) -> ColumnBuilder {
        ColumnBuilder::of_physical(Physical::of(type_oid), capacity)
    }

    /// An empty column of a class.
    pub fn of_physical(physical: Physical, capacity: usize) -> ColumnBuilder {
        ColumnBuilder { data: ColumnData::with_capacity(physical, capacity), nulls: None, len: 0 }
    }

    /// Rows so far.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no rows yet.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Appends NULL.
    pub fn push_null(&mut self) {
        self.data.push_default();
        let len = self.len;
        self.nulls.get_or_insert_with(|| Bitmap::new(len, false)).push(true);
        self.len += 1;
    }

    typed_pushes! {
        push_bool(bool) -> Bool: "Bool",
        push_i16(i16) -> I16: "I16",
        push_i32(i32) -> I32: "I32",
        push_i64(i64) -> I64: "I64",
        push_u32(u32) -> U32: "U32",
        push_f32(f32) -> F32: "F32",
        push_f64(f64) -> F64: "F64",
        push_numeric(Numeric) -> Numeric: "Numeric",
        push_bytes(&[u8]) -> Bytes: "Bytes",
        push_interval(Interval) -> Interval: "Interval",
        push_uuid([u8; 16]) -> Uuid: "Uuid",
        push_any(Datum) -> Any: "Any",
    }

    /// Appends to a column of class Text; panics on any other.
    #[inline]
    pub fn push_str(&mut self, value: &str) {
        match &mut self.data {
            ColumnData::Text(values) => values.push(value.as_bytes()),
            other => panic!("push_str into a column of {:?}", other.physical()),
        }
        self.len += 1;
        if let Some(nulls) = &mut self.nulls {
            nulls.push(false);
        }
    }

    /// Appends a value, which must be NULL or of the column's class.
    pub fn push(&mut self, value: &Datum) {
        if value.is_null() {
            return self.push_null();
        }
        match (&mut self.data, value) {
            (ColumnData::Bool(values), Datum::Bool(value)) => values.push(*value),
            (ColumnData::I16(values), Datum::I16(value)) => values.push(*value),
            (ColumnData::I32(values), Datum::I32(value)) => values.push(*value),
            (ColumnData::I64(values), Datum::I64(value)) => values.push(*value),
            (ColumnData::U32(values), Datum::U32(value)) => values.push(*value),
            (ColumnData::F32(values), Datum::F32(value)) => values.push(*value),
            (ColumnData::F64(values), Datum::F64(value)) => values.push(*value),
            (ColumnData::Numeric(values), Datum::Numeric(value)) => values.push(value.clone()),
            (ColumnData::Text(values), Datum::Text(value)) => values.push(value.as_bytes()),
            (ColumnData::Bytes(values), Datum::Bytes(value)) => values.push(value),
            (ColumnData::Interval(values), Datum::Interval(value)) => values.push(*value),
            (ColumnData::Uuid(values), Datum::Uuid(value)) => values.push(*value),
            (ColumnData::Any(values), value) => values.push(value.clone()),
            (data, value) => panic!("{value:?} into a column of {:?}", data.physical()),
        }
        self.len += 1;
        if let Some(nulls) = &mut self.nulls {
            nulls.push(false);
        }
    }

    /// Appends a row of a column of the same class, without making a [`Datum`] of it.
    pub fn push_row(&mut self, column: &Column, row: usize) {
        if column.is_null(row) {
            return self.push_null();
        }
        match (&mut self.data, &column.data) {
            (ColumnData::Bool(values), ColumnData::Bool(from)) => values.push(from[row]),
            (ColumnData::I16(values), ColumnData::I16(from)) => values.push(from[row]),
            (ColumnData::I32(values), ColumnData::I32(from)) => values.push(from[row]),
            (ColumnData::I64(values), ColumnData::I64(from)) => values.push(from[row]),
            (ColumnData::U32(values), ColumnData::U32(from)) => values.push(from[row]),
            (ColumnData::F32(values), ColumnData::F32(from)) => values.push(from[row]),
            (ColumnData::F64(values), ColumnData::F64(from)) => values.push(from[row]),
            (ColumnData::Numeric(values), ColumnData::Numeric(from)) => values.push(from[row].clone()),
            (ColumnData::Text(values), ColumnData::Text(from)) => values.push(from.get(row)),
            (ColumnData::Bytes(values), ColumnData::Bytes(from)) => values.push(from.get(row)),
            (ColumnData::Interval(values), ColumnData::Interval(from)) => values.push(from[row]),
            (ColumnData::Uuid(values), ColumnData::Uuid(from)) => values.push(from[row]),
            (ColumnData::Any(values), ColumnData::Any(from)) => values.push(from[row].clone()),
            (data, from) => panic!("a row of {:?} into a column of {:?}", from.physical(), data.physical()),
        }
        self.len += 1;
        if let Some(nulls) = &mut self.nulls {
            nulls.push(false);
        }
    }

    /// The column.
    pub fn finish(self) -> Column {
        Column { data: self.data, nulls: self.nulls }
    }
}

impl Bitmap {
    /// The bits of these rows.
    pub fn gather(&self, rows: impl Iterator<Item = usize>) -> Bitmap {
        let mut gathered = Bitmap::default();
        rows.for_each(|row| gathered.push(self.get(row)));
        gathered
    }

    /// The positions of the bits that are one.
    pub fn ones(&self) -> impl Iterator<Item = usize> + '_ {
        self.words().iter().enumerate().flat_map(|(index, word)| {
            std::iter::successors((*word != 0).then_some(*word), |rest| {
                let rest = rest & (rest - 1);
                (rest != 0).then_some(rest)
            })
            .map(move |rest| index * 64 + rest.trailing_zeros() as usize)
        })
    }

    /// Appends all bits of another.
    pub fn append(&mut self, other: &Bitmap) {
        (0..other.len()).for_each(|row| self.push(other.get(row)));
    }
}

macro_rules! map_data {
    ($data:expr, $values:ident => $fixed:expr, $bytes:ident => $variable:expr) => {
        match $data {
            ColumnData::Bool($values) => ColumnData::Bool($fixed),
            ColumnData::I16($values) => ColumnData::I16($fixed),
            ColumnData::I32($values) => ColumnData::I32($fixed),
            ColumnData::I64($values) => ColumnData::I64($fixed),
            ColumnData::U32($values) => ColumnData::U32($fixed),
            ColumnData::F32($values) => ColumnData::F32($fixed),
            ColumnData::F64($values) => ColumnData::F64($fixed),
            ColumnData::Numeric($values) => ColumnData::Numeric($fixed),
            ColumnData::Interval($values) => ColumnData::Interval($fixed),
            ColumnData::Uuid($values) => ColumnData::Uuid($fixed),
            ColumnData::Any($values) => ColumnData::Any($fixed),
            ColumnData::Text($bytes) => ColumnData::Text($variable),
            ColumnData::Bytes($bytes) => ColumnData::Bytes($variable),
        }
    };
}

fn repeated<T: Clone>(value: &T, len: usize) -> Vec<T> {
    vec![value.clone(); len]
}

fn gathered<T: Clone>(values: &[T], rows: &[u32]) -> Vec<T> {
    rows.iter().map(|row| values[*row as usize].clone()).collect()
}

impl Column {
    /// No rows of a type.
    pub fn empty(type_oid: Oid) -> Column {
        ColumnBuilder::new(type_oid, 0).finish()
    }

    /// `len` rows of one value.
    pub fn constant(type_oid: Oid, value: &Datum, len: usize) -> Column {
        let mut builder = ColumnBuilder::new(type_oid, 1);
        builder.push(value);
        if len == 1 {
            return builder.finish();
        }
        let single = builder.finish();
        Column {
            data: map_data!(&single.data, values => repeated(&values[0], len),
                            bytes => bytes.take(std::iter::repeat_n(0, len))),
            nulls: value.is_null().then(|| Bitmap::new(len, true)),
        }
    }

    /// The values, each NULL or of the type's class.
    pub fn from_datums<'a>(type_oid: Oid, values: impl IntoIterator<Item = &'a Datum>) -> Column {
        let values = values.into_iter();
        let mut builder = ColumnBuilder::new(type_oid, values.size_hint().0);
        values.for_each(|value| builder.push(value));
        builder.finish()
    }

    /// Rows `from .. from + len`.
    pub fn slice(&self, from: usize, len: usize) -> Column {
        let rows = from..from + len;
        Column {
            data: map_data!(&self.data, values => values[rows.clone()].to_vec(), bytes => {
                let base = bytes.offsets[from];
                ByteColumn {
                    offsets: bytes.offsets[from..=from + len].iter().map(|offset| offset - base).collect(),
                    bytes: bytes.bytes[base as usize..bytes.offsets[from + len] as usize].to_vec(),
                }
            }),
            nulls: self.nulls.as_ref().map(|nulls| nulls.gather(rows.clone())),
        }
    }

    /// The rows at these positions, in this order.
    pub fn gather(&self, rows: &[u32]) -> Column {
        Column {
            data: map_data!(&self.data,
                values => gathered(values, rows),
                bytes => bytes.take(rows.iter().map(|row| *row as usize))),
            nulls: self.nulls.as_ref().map(|nulls| nulls.gather(rows.iter().map(|row| *row as usize))),
        }
    }

    /// The rows at these positions; NULL where the position is `u32::MAX` (an outer join's missing side).
    pub fn gather_or_null(&self, rows: &[u32]) -> Column {
        if !rows.contains(&u32::MAX) {
            return self.gather(rows);
        }
        let mut builder = ColumnBuilder::of_physical(self.data.physical(), rows.len());
        for row in rows {
            if *row == u32::MAX {
                builder.push_null();
            } else {
                builder.push_row(self, *row as usize);
            }
        }
        builder.finish()
    }

    /// The rows whose bit is one.
    pub fn filter(&self, keep: &Bitmap) -> Column {
        assert_eq!(keep.len(), self.len(), "a filter has one bit a row");
        let rows: Vec<u32> = keep.ones().map(|row| row as u32).collect();
        self.gather(&rows)
    }

    /// Appends the rows of a column of the same class.
    pub fn append(&mut self, other: &Column) {
        let before = self.len();
        match (&mut self.data, &other.data) {
            (ColumnData::Bool(values), ColumnData::Bool(more)) => values.extend_from_slice(more),
            (ColumnData::I16(values), ColumnData::I16(more)) => values.extend_from_slice(more),
            (ColumnData::I32(values), ColumnData::I32(more)) => values.extend_from_slice(more),
            (ColumnData::I64(values), ColumnData::I64(more)) => values.extend_from_slice(more),
            (ColumnData::U32(values), ColumnData::U32(more)) => values.extend_from_slice(more),
            (ColumnData::F32(values), ColumnData::F32(more)) => values.extend_from_slice(more),
            (ColumnData::F64(values), ColumnData::F64(more)) => values.extend_from_slice(more),
            (ColumnData::Numeric(values), ColumnData::Numeric(more)) => values.extend_from_slice(more),
            (ColumnData::Text(values), ColumnData::Text(more)) => values.append(more),
            (ColumnData::Bytes(values), ColumnData::Bytes(more)) => values.append(more),
            (ColumnData::Interval(values), ColumnData::Interval(more)) => values.extend_from_slice(more),
            (ColumnData::Uuid(values), ColumnData::Uuid(more)) => values.extend_from_slice(more),
            (ColumnData::Any(values), ColumnData::Any(more)) => values.extend_from_slice(more),
            (data, more) => panic!("rows of {:?} to a column of {:?}", more.physical(), data.physical()),
        }
        match (&mut self.nulls, &other.nulls) {
            (None, None) => {}
            (Some(nulls), Some(more)) => nulls.append(more),
            (Some(nulls), None) => nulls.append(&Bitmap::new(other.len(), false)),
            (None, Some(more)) => {
                let mut nulls = Bitmap::new(before, false);
                nulls.append(more);
                self.nulls = Some(nulls);
            }
        }
    }

    /// All rows of some columns of one class.
    pub fn concat(physical: Physical, columns: &[Column]) -> Column {
        let capacity = columns.iter().map(Column::len).sum();
        let mut all = ColumnBuilder::of_physical(physical, capacity).finish();
        columns.iter().for_each(|column| all.append(column));
        all
    }

    /// How many rows are NULL.
    pub fn null_count(&self) -> usize {
        self.nulls.as_ref().map_or(0, Bitmap::count_ones)
    }

    /// About how many bytes the column occupies.
    pub fn memory(&self) -> usize {
        fn of<T>(values: &[T]) -> usize {
            size_of_val(values)
        }
        let data = match &self.data {
            ColumnData::Bool(values) => of(values),
            ColumnData::I16(values) => of(values),
            ColumnData::I32(values) => of(values),
            ColumnData::I64(values) => of(values),
            ColumnData::U32(values) => of(values),
            ColumnData::F32(values) => of(values),
            ColumnData::F64(values) => of(values),
            ColumnData::Interval(values) => of(values),
            ColumnData::Uuid(values) => of(values),
            ColumnData::Text(values) | ColumnData::Bytes(values) => of(&values.offsets) + values.bytes.len(),
            ColumnData::Numeric(values) => of(values) + values.iter().map(Numeric::heap_memory).sum::<usize>(),
            ColumnData::Any(values) => of(values) + values.iter().map(Datum::heap_memory).sum::<usize>(),
        };
        data + self.nulls.as_ref().map_or(0, |nulls| size_of_val(nulls.words())) + size_of::<Column>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oid;

    fn numbers(values: &[Option<i32>]) -> Column {
        let datums: Vec<Datum> = values.iter().map(|value| value.map_or(Datum::Null, Datum::I32)).collect();
        Column::from_datums(oid::INT4, &datums)
    }

    fn words(values: &[Option<&str>]) -> Column {
        let datums: Vec<Datum> = values.iter().map(|value| value.map_or(Datum::Null, Datum::text)).collect();
        Column::from_datums(oid::TEXT, &datums)
    }

    fn datums(column: &Column) -> Vec<Datum> {
        (0..column.len()).map(|row| column.get(row)).collect()
    }

    #[test]
    fn operations_keep_values_and_nulls() {
        let all = [Some("a"), None, Some(""), Some("bcd"), None, Some("é")];
        let column = words(&all);
        assert_eq!(datums(&column.slice(1, 3)), datums(&words(&all[1..4])));
        assert_eq!(datums(&column.gather(&[5, 1, 0, 0])), datums(&words(&[all[5], all[1], all[0], all[0]])));
        let mut keep = Bitmap::new(6, false);
        [0, 3, 4].iter().for_each(|row| keep.set(*row, true));
        assert_eq!(datums(&column.filter(&keep)), datums(&words(&[all[0], all[3], all[4]])));
        assert_eq!(datums(&column.gather_or_null(&[0, u32::MAX, 3])), datums(&words(&[all[0], None, all[3]])));
        let mut both = column.slice(0, 2);
        both.append(&column.slice(2, 4));
        assert_eq!(datums(&both), datums(&column));
        assert_eq!(column.null_count(), 2);
    }

    #[test]
    fn appending_grows_a_bitmap_only_where_needed() {
        let mut plain = numbers(&[Some(1), Some(2)]);
        plain.append(&numbers(&[Some(3)]));
        assert_eq!(plain.nulls, None);
        plain.append(&numbers(&[None, Some(4)]));
        plain.append(&numbers(&[Some(5)]));
        assert_eq!(datums(&plain), datums(&numbers(&[Some(1), Some(2), Some(3), None, Some(4), Some(5)])));
        let joined = Column::concat(Physical::I32, &[plain.slice(0, 3), plain.slice(3, 3)]);
        assert_eq!(datums(&joined), datums(&plain));
    }

    #[test]
    fn constants_repeat() {
        assert_eq!(datums(&Column::constant(oid::TEXT, &Datum::text("xy"), 3)), vec![Datum::text("xy"); 3]);
        let nothing = Column::constant(oid::NUMERIC, &Datum::Null, 2);
        assert_eq!(datums(&nothing), vec![Datum::Null; 2]);
        assert!(Column::constant(oid::INT8, &Datum::I64(1), 0).is_empty());
        assert!(Column::empty(oid::UUID).is_empty());
    }

    #[test]
    fn bitmaps_list_their_ones() {
        let mut bitmap = Bitmap::new(200, false);
        let rows = [0, 1, 63, 64, 65, 127, 128, 199];
        rows.iter().for_each(|row| bitmap.set(*row, true));
        assert_eq!(bitmap.ones().collect::<Vec<_>>(), rows);
        assert_eq!(Bitmap::new(70, true).ones().count(), 70);
        assert_eq!(Bitmap::default().ones().count(), 0);
    }

    #[test]
    #[should_panic(expected = "into a column of")]
    fn another_class_is_refused() {
        ColumnBuilder::new(oid::INT4, 1).push(&Datum::text("1"));
    }
}
