//! Reading the `.tsv` files: rows of fields, and tables with their indexes.

use helios_types::Oid;

/// The fields of one line, taken from left to right.
pub(super) struct Fields {
    file: &'static str,
    rest: std::str::Split<'static, char>,
}

impl Fields {
    /// The next field; `None` for `\N`.
    pub(super) fn optional(&mut self) -> Option<&'static str> {
        let field = self.rest.next().unwrap_or_else(|| panic!("{}: a line has too few fields", self.file));
        (field != "\\N").then_some(field)
    }

    /// The next field, NULL as the empty text.
    pub(super) fn text(&mut self) -> &'static str {
        self.optional().unwrap_or("")
    }

    pub(super) fn oid(&mut self) -> Oid {
        Oid(self.number())
    }

    pub(super) fn number<N: std::str::FromStr>(&mut self) -> N {
        let field = self.text();
        field.parse().unwrap_or_else(|_| panic!("{}: {field:?} is not a number", self.file))
    }

    pub(super) fn bool(&mut self) -> bool {
        self.text() == "t"
    }

    /// A "char": one ASCII character.
    pub(super) fn letter(&mut self) -> u8 {
        self.text().bytes().next().unwrap_or(0)
    }

    /// Blank-separated numbers.
    pub(super) fn numbers<N: std::str::FromStr>(&mut self) -> Box<[N]> {
        self.numbers_or_none().unwrap_or_default()
    }

    /// Blank-separated numbers, or NULL.
    pub(super) fn numbers_or_none<N: std::str::FromStr>(&mut self) -> Option<Box<[N]>> {
        let (file, field) = (self.file, self.optional()?);
        let number = |word: &str| word.parse().unwrap_or_else(|_| panic!("{file}: {word:?} is not a number"));
        Some(field.split_ascii_whitespace().map(number).collect())
    }

    /// Blank-separated OIDs.
    pub(super) fn oids(&mut self) -> Box<[Oid]> {
        self.oids_or_none().unwrap_or_default()
    }

    /// Blank-separated OIDs, or NULL.
    pub(super) fn oids_or_none(&mut self) -> Option<Box<[Oid]>> {
        Some(self.numbers_or_none::<u32>()?.into_iter().map(Oid).collect())
    }

    /// Texts separated by U+001F, or NULL.
    pub(super) fn texts(&mut self) -> Option<Box<[&'static str]>> {
        Some(self.optional()?.split('\u{1f}').collect())
    }
}

/// Parses a file: a line of column names, then a row a line.
pub(super) fn rows<T>(file: &'static str, content: &'static str, row: impl Fn(&mut Fields) -> T) -> Box<[T]> {
    let parse = |line: &'static str| {
        let mut fields = Fields { file, rest: line.split('\t') };
        let parsed = row(&mut fields);
        assert!(fields.rest.next().is_none(), "{file}: a line has too many fields");
        parsed
    };
    content.lines().skip(1).map(parse).collect()
}

/// Rows that are found by OID, kept in the order of another key.
#[derive(Debug)]
pub struct Table<T: 'static> {
    rows: Box<[T]>,
    /// OID and index into `rows`, by OID.
    by_oid: Box<[(Oid, u32)]>,
}

impl<T> Table<T> {
    /// A table whose rows are in the order of `key`.
    pub(super) fn new<K: Ord>(mut rows: Box<[T]>, oid: impl Fn(&T) -> Oid, key: impl Fn(&T) -> K) -> Table<T> {
        rows.sort_by_key(&key);
        let mut by_oid: Box<[(Oid, u32)]> = (0..).zip(&rows).map(|(index, row)| (oid(row), index)).collect();
        by_oid.sort_unstable_by_key(|entry| entry.0);
        Table { rows, by_oid }
    }

    /// Every row.
    pub fn all(&self) -> &[T] {
        &self.rows
    }

    /// Every row in the order of OIDs, which is that of PostgreSQL's catalogs.
    pub fn by_oids(&self) -> impl Iterator<Item = &T> {
        self.by_oid.iter().map(|&(_, index)| &self.rows[index as usize])
    }

    /// The row with this OID.
    pub fn by_oid(&self, oid: Oid) -> Option<&T> {
        let found = self.by_oid.binary_search_by_key(&oid, |entry| entry.0).ok()?;
        Some(&self.rows[self.by_oid[found].1 as usize])
    }

    /// The rows whose key equals `key`, by the key that the table is ordered by.
    pub(super) fn range<K: Ord + ?Sized>(&self, key: &K, of: impl Fn(&T) -> &K) -> &[T] {
        let start = self.rows.partition_point(|row| of(row) < key);
        let length = self.rows[start..].partition_point(|row| of(row) == key);
        &self.rows[start..start + length]
    }
}
