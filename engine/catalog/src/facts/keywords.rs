//! The grammar's keywords, and when a name must be quoted.

use std::borrow::Cow;

use helios_env::sync::OnceLock;

use super::table::rows;

/// A word that the grammar knows.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Keyword {
    pub word: &'static str,
    /// `U`nreserved, `C`olumn name, `T`ype or function name, `R`eserved.
    pub category: u8,
    /// Whether it may be a column's alias without AS.
    pub bare_label: bool,
}

/// Every keyword, in alphabetical order.
pub fn keywords() -> &'static [Keyword] {
    static TABLE: OnceLock<Box<[Keyword]>> = OnceLock::new();
    TABLE.get_or_init(|| {
        rows("keywords.tsv", include_str!("../../facts/keywords.tsv"), |f| Keyword {
            word: f.text(),
            category: f.letter(),
            bare_label: f.bool(),
        })
    })
}

/// The name as SQL text: in double quotes unless it reads back as itself without.
pub fn quote_identifier(name: &str) -> Cow<'_, str> {
    let plain_start = name.bytes().next().is_some_and(|first| first.is_ascii_lowercase() || first == b'_');
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let reserved = || {
        let found = keywords().binary_search_by_key(&name, |keyword| keyword.word);
        found.is_ok_and(|index| keywords()[index].category != b'U')
    };
    if plain_start && name.bytes().all(plain) && !reserved() {
        return Cow::Borrowed(name);
    }
    Cow::Owned(format!("\"{}\"", name.replace('"', "\"\"")))
}

/// A qualified name as SQL text.
pub fn quote_qualified(schema: &str, name: &str) -> String {
    format!("{}.{}", quote_identifier(schema), quote_identifier(name))
}
