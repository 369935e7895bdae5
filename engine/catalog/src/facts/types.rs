//! `pg_type`, `pg_range`, `pg_collation`.

use std::borrow::Cow;

use helios_env::sync::OnceLock;
use helios_types::{Oid, TypeMod};

use super::table::{Table, rows};

/// `pg_type.typtype`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum TypeKind {
    Base,
    Composite,
    Domain,
    Enum,
    Multirange,
    Pseudo,
    Range,
}

impl TypeKind {
    /// The letter that `pg_type` has.
    pub fn letter(self) -> char {
        match self {
            TypeKind::Base => 'b',
            TypeKind::Composite => 'c',
            TypeKind::Domain => 'd',
            TypeKind::Enum => 'e',
            TypeKind::Multirange => 'm',
            TypeKind::Pseudo => 'p',
            TypeKind::Range => 'r',
        }
    }
}

/// A row of `pg_type`. Users' row types and array types have one too, which is why the name may be owned.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Type {
    pub oid: Oid,
    pub name: Cow<'static, str>,
    pub namespace: Oid,
    /// `typlen`: bytes, -1 for varlena, -2 for cstring.
    pub length: i16,
    pub by_value: bool,
    pub kind: TypeKind,
    /// `typcategory`: `b'N'` for numbers, `b'S'` for strings, ...
    pub category: u8,
    /// `typispreferred`.
    pub preferred: bool,
    pub defined: bool,
    /// `typdelim`: what separates elements in an array's text.
    pub delimiter: u8,
    /// `typrelid`: the relation of a composite type.
    pub relation: Oid,
    /// `typsubscript`: the function that handles `[]`.
    pub subscript: Oid,
    /// `typelem`. Not only arrays have it: see [`Type::is_true_array`].
    pub element: Oid,
    /// `typarray`.
    pub array: Oid,
    pub input: Oid,
    pub output: Oid,
    pub receive: Oid,
    pub send: Oid,
    pub modifier_input: Oid,
    pub modifier_output: Oid,
    pub analyze: Oid,
    pub alignment: u8,
    pub storage: u8,
    pub not_null: bool,
    /// `typbasetype`: what a domain is over.
    pub base: Oid,
    pub base_modifier: TypeMod,
    pub dimensions: i32,
    pub collation: Oid,
    pub default: Option<&'static str>,
}

/// `array_subscript_handler`: what the types have that are arrays.
pub(crate) const ARRAY_SUBSCRIPT_HANDLER: Oid = Oid(6179);

impl Type {
    /// Whether this is an array type proper (not `name`, `point`, `oidvector`, ..., which have elements too).
    pub fn is_true_array(&self) -> bool {
        !self.element.is_none() && self.subscript == ARRAY_SUBSCRIPT_HANDLER
    }
}

/// `pg_type`.
#[derive(Debug)]
pub struct Types(Table<Type>);

impl Types {
    /// The type with this OID.
    pub fn by_oid(&self, oid: Oid) -> Option<&Type> {
        self.0.by_oid(oid)
    }

    /// The type of this name in this schema.
    pub fn by_name(&self, namespace: Oid, name: &str) -> Option<&Type> {
        self.0.range(name, |row| row.name.as_ref()).iter().find(|row| row.namespace == namespace)
    }

    /// Every type, in the order of OIDs.
    pub fn all(&self) -> impl Iterator<Item = &Type> {
        self.0.by_oids()
    }
}

/// The built-in types.
pub fn types() -> &'static Types {
    static TABLE: OnceLock<Types> = OnceLock::new();
    TABLE.get_or_init(|| {
        let parsed = rows("types.tsv", include_str!("../../facts/types.tsv"), |f| Type {
            oid: f.oid(),
            name: Cow::Borrowed(f.text()),
            namespace: f.oid(),
            length: f.number(),
            by_value: f.bool(),
            kind: match f.letter() {
                b'b' => TypeKind::Base,
                b'c' => TypeKind::Composite,
                b'd' => TypeKind::Domain,
                b'e' => TypeKind::Enum,
                b'm' => TypeKind::Multirange,
                b'p' => TypeKind::Pseudo,
                b'r' => TypeKind::Range,
                other => panic!("types.tsv: unknown typtype {other}"),
            },
            category: f.letter(),
            preferred: f.bool(),
            defined: f.bool(),
            delimiter: f.letter(),
            relation: f.oid(),
            subscript: f.oid(),
            element: f.oid(),
            array: f.oid(),
            input: f.oid(),
            output: f.oid(),
            receive: f.oid(),
            send: f.oid(),
            modifier_input: f.oid(),
            modifier_output: f.oid(),
            analyze: f.oid(),
            alignment: f.letter(),
            storage: f.letter(),
            not_null: f.bool(),
            base: f.oid(),
            base_modifier: f.number(),
            dimensions: f.number(),
            collation: f.oid(),
            default: f.optional(),
        });
        Types(Table::new(parsed, |row| row.oid, |row| row.name.clone()))
    })
}

/// A row of `pg_range`.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Range {
    pub range: Oid,
    pub subtype: Oid,
    pub multirange: Oid,
    pub collation: Oid,
    pub opclass: Oid,
    pub canonical: Oid,
    pub difference: Oid,
}

/// `pg_range`, in the order of range types.
pub fn ranges() -> &'static [Range] {
    static TABLE: OnceLock<Box<[Range]>> = OnceLock::new();
    TABLE.get_or_init(|| {
        rows("ranges.tsv", include_str!("../../facts/ranges.tsv"), |f| Range {
            range: f.oid(),
            subtype: f.oid(),
            multirange: f.oid(),
            collation: f.oid(),
            opclass: f.oid(),
            canonical: f.oid(),
            difference: f.oid(),
        })
    })
}

/// A row of `pg_collation`.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Collation {
    pub oid: Oid,
    pub name: &'static str,
    pub namespace: Oid,
    /// `b`uiltin, `c` for libc, `d`efault.
    pub provider: u8,
    pub deterministic: bool,
    pub encoding: i32,
    pub collate: Option<&'static str>,
    pub ctype: Option<&'static str>,
    pub locale: Option<&'static str>,
}

/// `pg_collation`, without those of ICU.
pub fn collations() -> &'static Table<Collation> {
    static TABLE: OnceLock<Table<Collation>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let parsed = rows("collations.tsv", include_str!("../../facts/collations.tsv"), |f| Collation {
            oid: f.oid(),
            name: f.text(),
            namespace: f.oid(),
            provider: f.letter(),
            deterministic: f.bool(),
            encoding: f.number(),
            collate: f.optional(),
            ctype: f.optional(),
            locale: f.optional(),
        });
        Table::new(parsed, |row| row.oid, |row| row.name)
    })
}
