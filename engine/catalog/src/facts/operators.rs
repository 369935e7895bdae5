//! `pg_operator`, `pg_cast`.

use helios_env::hash::HashMap;
use helios_env::sync::OnceLock;
use helios_types::Oid;

use super::table::{Table, rows};

/// A row of `pg_operator`.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Operator {
    pub oid: Oid,
    pub name: &'static str,
    pub namespace: Oid,
    /// `oprkind = 'l'`: one argument, on the right.
    pub prefix: bool,
    pub can_merge: bool,
    pub can_hash: bool,
    /// None for prefix operators.
    pub left: Oid,
    pub right: Oid,
    pub result: Oid,
    pub commutator: Oid,
    pub negator: Oid,
    /// `oprcode`: the function that it calls.
    pub function: Oid,
    pub restriction: Oid,
    pub join: Oid,
}

/// `pg_operator`.
#[derive(Debug)]
pub struct Operators(Table<Operator>);

impl Operators {
    /// The operator with this OID.
    pub fn by_oid(&self, oid: Oid) -> Option<&Operator> {
        self.0.by_oid(oid)
    }

    /// The operators of this name, in any schema and of either kind.
    pub fn by_name(&self, name: &str) -> &[Operator] {
        self.0.range(name, |row| row.name)
    }

    /// The operator of exactly these types; `left` is none for prefix operators.
    pub fn exact(&self, name: &str, left: Oid, right: Oid) -> Option<&Operator> {
        self.by_name(name).iter().find(|row| (row.left, row.right) == (left, right))
    }

    /// Every operator, in the order of OIDs.
    pub fn all(&self) -> impl Iterator<Item = &Operator> {
        self.0.by_oids()
    }
}

/// The built-in operators.
pub fn operators() -> &'static Operators {
    static TABLE: OnceLock<Operators> = OnceLock::new();
    TABLE.get_or_init(|| {
        let parsed = rows("operators.tsv", include_str!("../../facts/operators.tsv"), |f| Operator {
            oid: f.oid(),
            name: f.text(),
            namespace: f.oid(),
            prefix: f.letter() == b'l',
            can_merge: f.bool(),
            can_hash: f.bool(),
            left: f.oid(),
            right: f.oid(),
            result: f.oid(),
            commutator: f.oid(),
            negator: f.oid(),
            function: f.oid(),
            restriction: f.oid(),
            join: f.oid(),
        });
        Operators(Table::new(parsed, |row| row.oid, |row| row.name))
    })
}

/// `pg_cast.castcontext`: from what happens by itself to what must be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum CastContext {
    Implicit,
    Assignment,
    Explicit,
}

impl CastContext {
    /// The letter that `pg_cast` has.
    pub fn letter(self) -> char {
        match self {
            CastContext::Implicit => 'i',
            CastContext::Assignment => 'a',
            CastContext::Explicit => 'e',
        }
    }
}

/// `pg_cast.castmethod`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum CastMethod {
    Function,
    Binary,
    InOut,
}

impl CastMethod {
    /// The letter that `pg_cast` has.
    pub fn letter(self) -> char {
        match self {
            CastMethod::Function => 'f',
            CastMethod::Binary => 'b',
            CastMethod::InOut => 'i',
        }
    }
}

/// A row of `pg_cast`.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Cast {
    pub oid: Oid,
    pub source: Oid,
    pub target: Oid,
    pub function: Oid,
    pub context: CastContext,
    pub method: CastMethod,
}

/// `pg_cast`.
#[derive(Debug)]
pub struct Casts {
    rows: Box<[Cast]>,
    by_types: HashMap<(Oid, Oid), u32>,
}

impl Casts {
    /// The cast from one type to another.
    pub fn find(&self, source: Oid, target: Oid) -> Option<&Cast> {
        self.by_types.get(&(source, target)).map(|&index| &self.rows[index as usize])
    }

    /// Every cast, in the order of OIDs.
    pub fn all(&self) -> &[Cast] {
        &self.rows
    }
}

/// The built-in casts.
pub fn casts() -> &'static Casts {
    static TABLE: OnceLock<Casts> = OnceLock::new();
    TABLE.get_or_init(|| {
        let rows = rows("casts.tsv", include_str!("../../facts/casts.tsv"), |f| Cast {
            oid: f.oid(),
            source: f.oid(),
            target: f.oid(),
            function: f.oid(),
            context: match f.letter() {
                b'i' => CastContext::Implicit,
                b'a' => CastContext::Assignment,
                b'e' => CastContext::Explicit,
                other => panic!("casts.tsv: unknown castcontext {other}"),
            },
            method: match f.letter() {
                b'f' => CastMethod::Function,
                b'b' => CastMethod::Binary,
                b'i' => CastMethod::InOut,
                other => panic!("casts.tsv: unknown castmethod {other}"),
            },
        });
        let by_types = (0..).zip(&rows).map(|(index, row)| ((row.source, row.target), index)).collect();
        Casts { rows, by_types }
    })
}
