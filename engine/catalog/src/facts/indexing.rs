//! `pg_am`, `pg_opfamily`, `pg_opclass`, `pg_amop`, `pg_amproc`: what indexes and sorting know about types.

use helios_env::sync::OnceLock;
use helios_types::Oid;

use super::table::{Table, rows};

/// `pg_am.oid` of btree.
pub const BTREE: Oid = Oid(403);
/// `pg_am.oid` of hash.
pub const HASH: Oid = Oid(405);

/// btree strategy numbers.
pub mod strategy {
    /// `<`
    pub const LESS: i16 = 1;
    /// `<=`
    pub const LESS_EQUAL: i16 = 2;
    /// `=`
    pub const EQUAL: i16 = 3;
    /// `>=`
    pub const GREATER_EQUAL: i16 = 4;
    /// `>`
    pub const GREATER: i16 = 5;
}

/// A row of `pg_am`.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct AccessMethod {
    pub oid: Oid,
    pub name: &'static str,
    pub handler: Oid,
    /// `i`ndex or `t`able.
    pub kind: u8,
}

/// `pg_am`.
pub fn access_methods() -> &'static Table<AccessMethod> {
    static TABLE: OnceLock<Table<AccessMethod>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let parsed = rows("access_methods.tsv", include_str!("../../facts/access_methods.tsv"), |f| AccessMethod {
            oid: f.oid(),
            name: f.text(),
            handler: f.oid(),
            kind: f.letter(),
        });
        Table::new(parsed, |row| row.oid, |row| row.name)
    })
}

/// A row of `pg_opfamily`.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct OperatorFamily {
    pub oid: Oid,
    pub method: Oid,
    pub name: &'static str,
    pub namespace: Oid,
}

/// `pg_opfamily`.
pub fn operator_families() -> &'static Table<OperatorFamily> {
    static TABLE: OnceLock<Table<OperatorFamily>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let parsed = rows("operator_families.tsv", include_str!("../../facts/operator_families.tsv"), |f| {
            OperatorFamily { oid: f.oid(), method: f.oid(), name: f.text(), namespace: f.oid() }
        });
        Table::new(parsed, |row| row.oid, |row| row.name)
    })
}

/// A row of `pg_opclass`.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct OperatorClass {
    pub oid: Oid,
    pub method: Oid,
    pub name: &'static str,
    pub namespace: Oid,
    pub family: Oid,
    pub input: Oid,
    pub default: bool,
    pub key: Oid,
}

/// `pg_opclass`.
#[derive(Debug)]
pub struct OperatorClasses(Table<OperatorClass>);

impl OperatorClasses {
    /// The class with this OID.
    pub fn by_oid(&self, oid: Oid) -> Option<&OperatorClass> {
        self.0.by_oid(oid)
    }

    /// The class of this name for an access method.
    pub fn by_name(&self, method: Oid, name: &str) -> Option<&OperatorClass> {
        self.0.range(name, |row| row.name).iter().find(|row| row.method == method)
    }

    /// The default class whose input type is exactly this one. See [`crate::resolve::Lookup::default_operator_class`] for what
    /// binary-compatible types fall back to.
    pub fn default_for(&self, method: Oid, input: Oid) -> Option<&OperatorClass> {
        self.0.all().iter().find(|row| row.default && row.method == method && row.input == input)
    }

    /// Every class, in the order of OIDs.
    pub fn all(&self) -> impl Iterator<Item = &OperatorClass> {
        self.0.by_oids()
    }
}

/// The built-in operator classes.
pub fn operator_classes() -> &'static OperatorClasses {
    static TABLE: OnceLock<OperatorClasses> = OnceLock::new();
    TABLE.get_or_init(|| {
        let parsed =
            rows("operator_classes.tsv", include_str!("../../facts/operator_classes.tsv"), |f| OperatorClass {
                oid: f.oid(),
                method: f.oid(),
                name: f.text(),
                namespace: f.oid(),
                family: f.oid(),
                input: f.oid(),
                default: f.bool(),
                key: f.oid(),
            });
        OperatorClasses(Table::new(parsed, |row| row.oid, |row| row.name))
    })
}

/// A row of `pg_amop`: an operator of a family.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct FamilyOperator {
    pub oid: Oid,
    pub family: Oid,
    pub left: Oid,
    pub right: Oid,
    pub strategy: i16,
    /// `s`earch or `o`rdering.
    pub purpose: u8,
    pub operator: Oid,
    pub method: Oid,
    pub sort_family: Oid,
}

/// `pg_amop`.
#[derive(Debug)]
pub struct FamilyOperators {
    /// In the order of family, types and strategy.
    rows: Box<[FamilyOperator]>,
    /// Indexes into `rows` in the order of operators.
    by_operator: Box<[u32]>,
}

impl FamilyOperators {
    /// The operator of a family for two types and a strategy.
    pub fn find(&self, family: Oid, left: Oid, right: Oid, strategy: i16) -> Option<&FamilyOperator> {
        let key = (family, left, right, strategy);
        let found = self.rows.binary_search_by_key(&key, |row| (row.family, row.left, row.right, row.strategy)).ok()?;
        Some(&self.rows[found])
    }

    /// The families that an operator belongs to.
    pub fn of_operator(&self, operator: Oid) -> impl Iterator<Item = &FamilyOperator> {
        let row = |&index: &u32| &self.rows[index as usize];
        let start = self.by_operator.partition_point(|index| row(index).operator < operator);
        self.by_operator[start..].iter().map(row).take_while(move |row| row.operator == operator)
    }

    /// Every row, by family.
    pub fn all(&self) -> &[FamilyOperator] {
        &self.rows
    }
}

/// The built-in members of operator families.
pub fn family_operators() -> &'static FamilyOperators {
    static TABLE: OnceLock<FamilyOperators> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut rows =
            rows("family_operators.tsv", include_str!("../../facts/family_operators.tsv"), |f| FamilyOperator {
                oid: f.oid(),
                family: f.oid(),
                left: f.oid(),
                right: f.oid(),
                strategy: f.number(),
                purpose: f.letter(),
                operator: f.oid(),
                method: f.oid(),
                sort_family: f.oid(),
            });
        rows.sort_by_key(|row| (row.family, row.left, row.right, row.strategy));
        let mut by_operator: Box<[u32]> = (0..).zip(&rows).map(|(index, _)| index).collect();
        by_operator.sort_by_key(|&index| rows[index as usize].operator);
        FamilyOperators { rows, by_operator }
    })
}

/// A row of `pg_amproc`: a support function of a family.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct FamilyProc {
    pub oid: Oid,
    pub family: Oid,
    pub left: Oid,
    pub right: Oid,
    pub number: i16,
    pub function: Oid,
}

/// `pg_amproc`, in the order of family, types and number.
pub fn family_procs() -> &'static [FamilyProc] {
    static TABLE: OnceLock<Box<[FamilyProc]>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut rows = rows("family_procs.tsv", include_str!("../../facts/family_procs.tsv"), |f| FamilyProc {
            oid: f.oid(),
            family: f.oid(),
            left: f.oid(),
            right: f.oid(),
            number: f.number(),
            function: f.oid(),
        });
        rows.sort_by_key(|row| (row.family, row.left, row.right, row.number));
        rows
    })
}
