//! `pg_class` and what hangs on it: columns, defaults, indexes, constraints, sequences, rules.

use helios_types::{Datum, Oid, TypeMod, oid};

use super::value::{Letter, Null, array, int2_vector, oid_vector, row};
use super::{Row, Source};
use crate::facts;
use crate::model::{Column, ConstraintKind, Identity, Index, POSTGRES_ROLE, Table, View};

/// `pg_am.oid` of heap, which is what tables say they are.
const HEAP: Oid = Oid(2);
/// The transaction id that everything old has.
const FIRST_XID: Oid = Oid(3);

/// `pg_class.oid` of `pg_class`.
pub(super) const PG_CLASS: Oid = Oid(1259);
/// `pg_class.oid` of `pg_attrdef`.
pub(super) const PG_ATTRDEF: Oid = Oid(2604);
/// `pg_class.oid` of `pg_constraint`.
pub(super) const PG_CONSTRAINT: Oid = Oid(2606);
/// `pg_class.oid` of `pg_namespace`.
pub(super) const PG_NAMESPACE: Oid = Oid(2615);
/// `pg_class.oid` of `pg_rewrite`.
pub(super) const PG_REWRITE: Oid = Oid(2618);

/// The OID of a column's default: defaults have none of their own, so it is derived. It lies above those of objects.
pub fn attribute_default_oid(table: Oid, attnum: i16) -> Oid {
    Oid(0x8000_0000 | (table.0.wrapping_mul(2048).wrapping_add(u32::from(attnum.unsigned_abs())) & 0x7fff_ffff))
}

/// The OID of a view's rule, derived likewise.
pub(super) fn rule_oid(view: Oid) -> Oid {
    attribute_default_oid(view, 0)
}

/// A row of `pg_class` before it is one.
struct Class<'a> {
    oid: Oid,
    name: &'a str,
    namespace: Oid,
    row_type: Oid,
    owner: Oid,
    access_method: Oid,
    file: Oid,
    tuples: f32,
    has_index: bool,
    shared: bool,
    persistence: u8,
    kind: u8,
    columns: i16,
    checks: i16,
    has_rules: bool,
    replica_identity: u8,
}

impl Class<'_> {
    fn row(self) -> Row {
        let has_storage = matches!(self.kind, b'r');
        let xid = if has_storage { FIRST_XID } else { Oid::NONE };
        let minimum_multixact = Oid(u32::from(has_storage));
        row![
            self.oid,
            self.name,
            self.namespace,
            self.row_type,
            Oid::NONE,
            self.owner,
            self.access_method,
            self.file,
            Oid::NONE,
            0i32,
            self.tuples,
            0i32,
            0i32,
            Oid::NONE,
            self.has_index,
            self.shared,
            Letter(self.persistence),
            Letter(self.kind),
            self.columns,
            self.checks,
            self.has_rules,
            false,
            false,
            false,
            false,
            true,
            Letter(self.replica_identity),
            false,
            Oid::NONE,
            Datum::U32(xid.0),
            Datum::U32(minimum_multixact.0),
            Null,
            Null,
            Null,
        ]
    }
}

fn count(length: usize) -> i16 {
    i16::try_from(length).expect("a relation has fewer than 32768 columns")
}

pub(super) fn pg_class(source: &Source<'_>) -> Vec<Row> {
    let mut rows: Vec<Row> = facts::relations().all().map(system_class).collect();
    for table in source.catalog.tables() {
        let checks = table.constraints.iter().filter(|c| matches!(c.kind, ConstraintKind::Check { .. })).count();
        let class = Class {
            oid: table.oid,
            name: &table.name,
            namespace: table.schema,
            row_type: table.row_type,
            owner: table.owner,
            access_method: HEAP,
            file: table.oid,
            tuples: source.context.row_estimate(table.oid),
            has_index: !table.indexes.is_empty(),
            columns: count(table.columns.len()),
            checks: count(checks),
            ..blank(b'r')
        };
        rows.push(class.row());
    }
    for index in source.catalog.indexes() {
        let class = Class {
            oid: index.oid,
            name: &index.name,
            namespace: index.schema,
            owner: source.catalog.table(index.table).map_or(POSTGRES_ROLE, |table| table.owner),
            access_method: facts::BTREE,
            file: index.oid,
            tuples: 0.0,
            columns: count(index.keys.len() + index.include.len()),
            replica_identity: b'n',
            ..blank(b'i')
        };
        rows.push(class.row());
    }
    for sequence in source.catalog.sequences() {
        let class = Class {
            oid: sequence.oid,
            name: &sequence.name,
            namespace: sequence.schema,
            owner: sequence.owner,
            file: sequence.oid,
            tuples: 1.0,
            columns: 3,
            replica_identity: b'n',
            ..blank(b'S')
        };
        rows.push(class.row());
    }
    for view in source.catalog.views() {
        let class = Class {
            oid: view.oid,
            name: &view.name,
            namespace: view.schema,
            row_type: view.row_type,
            owner: view.owner,
            columns: count(view.columns.len()),
            has_rules: true,
            replica_identity: b'n',
            ..blank(b'v')
        };
        rows.push(class.row());
    }
    rows
}

fn blank(kind: u8) -> Class<'static> {
    Class {
        oid: Oid::NONE,
        name: "",
        namespace: Oid::NONE,
        row_type: Oid::NONE,
        owner: Oid::NONE,
        access_method: Oid::NONE,
        file: Oid::NONE,
        tuples: -1.0,
        has_index: false,
        shared: false,
        persistence: b'p',
        kind,
        columns: 0,
        checks: 0,
        has_rules: false,
        replica_identity: b'd',
    }
}

fn system_class(relation: &facts::Relation) -> Row {
    let class = Class {
        oid: relation.oid,
        name: relation.name,
        namespace: relation.namespace,
        row_type: relation.row_type,
        owner: POSTGRES_ROLE,
        access_method: relation.access_method,
        file: if relation.kind == b'v' { Oid::NONE } else { relation.oid },
        has_index: relation.has_index,
        shared: relation.shared,
        persistence: relation.persistence,
        columns: relation.column_count,
        checks: relation.check_count,
        has_rules: relation.has_rules,
        replica_identity: relation.replica_identity,
        ..blank(relation.kind)
    };
    class.row()
}

/// A row of `pg_attribute` before it is one.
struct Attribute<'a> {
    relation: Oid,
    name: &'a str,
    type_oid: Oid,
    number: i16,
    modifier: TypeMod,
    not_null: bool,
    has_default: bool,
    has_missing: bool,
    identity: u8,
    generated: u8,
    dropped: bool,
    collation: Oid,
}

impl Attribute<'_> {
    fn row(self, source: &Source<'_>) -> Row {
        let physical = source.catalog.type_by_oid(self.type_oid);
        let physical = physical.map_or((0, false, b'c', b'p'), |t| (t.length, t.by_value, t.alignment, t.storage));
        self.row_as(physical, 0)
    }

    fn row_as(self, (length, by_value, alignment, storage): (i16, bool, u8, u8), dimensions: i16) -> Row {
        row![
            self.relation,
            self.name,
            self.type_oid,
            length,
            self.number,
            self.modifier,
            dimensions,
            by_value,
            Letter(alignment),
            Letter(storage),
            Letter(0),
            self.not_null,
            self.has_default,
            self.has_missing,
            Letter(self.identity),
            Letter(self.generated),
            self.dropped,
            true,
            0i16,
            self.collation,
            Null,
            Null,
            Null,
            Null,
            Null,
        ]
    }
}

const PLAIN: Attribute<'static> = Attribute {
    relation: Oid::NONE,
    name: "",
    type_oid: Oid::NONE,
    number: 0,
    modifier: -1,
    not_null: false,
    has_default: false,
    has_missing: false,
    identity: 0,
    generated: 0,
    dropped: false,
    collation: Oid::NONE,
};

/// The columns that every table has, by number from -6 to -1.
const SYSTEM_COLUMNS: [(&str, i16, Oid); 6] = [
    ("tableoid", -6, oid::OID),
    ("cmax", -5, oid::CID),
    ("xmax", -4, oid::XID),
    ("cmin", -3, oid::CID),
    ("xmin", -2, oid::XID),
    ("ctid", -1, oid::TID),
];

fn system_columns(source: &Source<'_>, relation: Oid, rows: &mut Vec<Row>) {
    for (name, number, type_oid) in SYSTEM_COLUMNS {
        rows.push(Attribute { relation, name, type_oid, number, not_null: true, ..PLAIN }.row(source));
    }
}

pub(super) fn pg_attribute(source: &Source<'_>) -> Vec<Row> {
    let mut rows = Vec::with_capacity(3_500);
    for relation in facts::relations().all() {
        if relation.kind == b'r' {
            system_columns(source, relation.oid, &mut rows);
        }
        for column in facts::attributes().of(relation.oid) {
            let physical = (column.length, column.by_value, column.alignment, column.storage);
            let attribute = Attribute {
                relation: relation.oid,
                name: column.name,
                type_oid: column.type_oid,
                number: column.number,
                modifier: column.modifier,
                not_null: column.not_null,
                has_default: column.has_default,
                collation: column.collation,
                ..PLAIN
            };
            rows.push(attribute.row_as(physical, column.dimensions));
        }
    }
    for table in source.catalog.tables() {
        system_columns(source, table.oid, &mut rows);
        rows.extend(table.columns.iter().map(|column| column_row(source, table.oid, column)));
    }
    for view in source.catalog.views() {
        rows.extend(view.columns.iter().map(|column| column_row(source, view.oid, column)));
    }
    for index in source.catalog.indexes() {
        index_columns(source, index, &mut rows);
    }
    for sequence in source.catalog.sequences() {
        let relation = sequence.oid;
        system_columns(source, relation, &mut rows);
        for (number, name, type_oid) in [(1, "last_value", oid::INT8), (2, "log_cnt", oid::INT8), (3, "is_called", oid::BOOL)] {
            rows.push(Attribute { relation, name, type_oid, number, not_null: true, ..PLAIN }.row(source));
        }
    }
    rows
}

fn column_row(source: &Source<'_>, relation: Oid, column: &Column) -> Row {
    let attribute = Attribute {
        relation,
        name: &column.name,
        type_oid: if column.dropped { Oid::NONE } else { column.type_oid },
        number: column.attnum,
        modifier: column.typmod,
        not_null: column.not_null && !column.dropped,
        has_default: column_default(column).is_some() && !column.dropped,
        has_missing: column.missing.is_some() && !column.dropped,
        identity: match column.identity {
            _ if column.dropped => 0,
            Some(Identity::Always) => b'a',
            Some(Identity::ByDefault) => b'd',
            None => 0,
        },
        generated: if column.generated.is_some() && !column.dropped { b's' } else { 0 },
        dropped: column.dropped,
        collation: column.collation,
    };
    attribute.row(source)
}

fn index_columns(source: &Source<'_>, index: &Index, rows: &mut Vec<Row>) {
    let Some(table) = source.catalog.table(index.table) else { return };
    let named = |attnum: i16| table.column_by_attnum(attnum);
    let mut expressions = 0;
    let mut number = 0;
    for key in &index.keys {
        number += 1;
        let (name, modifier) = match named(key.attnum).filter(|_| key.expression.is_none()) {
            Some(column) => (column.name.clone(), column.typmod),
            None => {
                expressions += 1;
                (if expressions == 1 { "expr".to_owned() } else { format!("expr{}", expressions - 1) }, -1)
            }
        };
        let attribute = Attribute {
            relation: index.oid,
            name: &name,
            type_oid: key.type_oid,
            number,
            modifier,
            collation: key.collation,
            ..PLAIN
        };
        rows.push(attribute.row(source));
    }
    for column in index.include.iter().filter_map(|&attnum| named(attnum)) {
        number += 1;
        let attribute = Attribute {
            relation: index.oid,
            name: &column.name,
            type_oid: column.type_oid,
            number,
            modifier: column.typmod,
            collation: column.collation,
            ..PLAIN
        };
        rows.push(attribute.row(source));
    }
}

/// The SQL text of what `pg_attrdef` has for a column: its default or generation expression. Identity columns have
/// none.
pub(super) fn column_default(column: &Column) -> Option<&str> {
    if column.identity.is_some() {
        return None;
    }
    column.generated.as_deref().or(column.default.as_deref())
}

/// Tables and their live columns.
pub(super) fn live_columns<'a>(source: &Source<'a>) -> impl Iterator<Item = (&'a Table, &'a Column)> {
    source.catalog.tables().flat_map(|table| table.live_columns().map(move |column| (&**table, column)))
}

pub(super) fn pg_attrdef(source: &Source<'_>) -> Vec<Row> {
    let default = |(table, column): (&Table, &Column)| {
        let text = column_default(column)?;
        Some(row![attribute_default_oid(table.oid, column.attnum), table.oid, column.attnum, text])
    };
    live_columns(source).filter_map(default).collect()
}

pub(super) fn pg_index(source: &Source<'_>) -> Vec<Row> {
    let mut rows: Vec<Row> = facts::indexes()
        .iter()
        .map(|index| {
            row![
                index.index,
                index.relation,
                index.column_count,
                index.key_count,
                index.unique,
                index.nulls_not_distinct,
                index.primary,
                false,
                index.immediate,
                false,
                true,
                false,
                true,
                true,
                false,
                int2_vector(index.keys.iter().copied()),
                oid_vector(index.collations.iter().copied()),
                oid_vector(index.classes.iter().copied()),
                int2_vector(index.options.iter().copied()),
                Null,
                Null,
            ]
        })
        .collect();
    for index in source.catalog.indexes() {
        let keys = &index.keys;
        let expressions: Vec<&str> = keys.iter().filter_map(|key| key.expression.as_deref()).collect();
        let attnums = keys.iter().map(|key| key.attnum).chain(index.include.iter().copied());
        let option = |descending: bool, nulls_first: bool| i16::from(descending) | i16::from(nulls_first) << 1;
        rows.push(row![
            index.oid,
            index.table,
            count(keys.len() + index.include.len()),
            count(keys.len()),
            index.unique,
            index.nulls_not_distinct,
            index.primary,
            false,
            true,
            false,
            true,
            false,
            true,
            true,
            false,
            int2_vector(attnums),
            oid_vector(keys.iter().map(|key| key.collation)),
            oid_vector(keys.iter().map(|key| key.opclass)),
            int2_vector(keys.iter().map(|key| option(key.descending, key.nulls_first))),
            (!expressions.is_empty()).then(|| expressions.join(", ")),
            index.predicate.as_deref(),
        ]);
    }
    rows
}

/// A row of `pg_constraint`.
#[allow(clippy::too_many_arguments)]
fn constraint_row(
    (oid, name, namespace): (Oid, &str, Oid),
    kind: u8,
    relation: Oid,
    domain: Oid,
    index: Oid,
    keys: Vec<i16>,
    expression: Option<&str>,
) -> Row {
    let keys = if keys.is_empty() { Datum::Null } else { array(oid::INT2, keys) };
    row![
        oid,
        name,
        namespace,
        Letter(kind),
        false,
        false,
        true,
        true,
        relation,
        domain,
        index,
        Oid::NONE,
        Oid::NONE,
        Letter(b' '),
        Letter(b' '),
        Letter(b' '),
        true,
        0i16,
        matches!(kind, b'p' | b'u'),
        false,
        keys,
        Null,
        Null,
        Null,
        Null,
        Null,
        Null,
        expression,
    ]
}

pub(super) fn pg_constraint(source: &Source<'_>) -> Vec<Row> {
    let mut rows: Vec<Row> = facts::constraints()
        .iter()
        .map(|c| {
            let expression = c.definition.strip_prefix("CHECK (").and_then(|text| text.strip_suffix(')'));
            let keys = c.keys.to_vec();
            constraint_row((c.oid, c.name, c.namespace), c.kind, c.relation, c.domain, c.index, keys, expression)
        })
        .collect();
    for table in source.catalog.tables() {
        for constraint in &table.constraints {
            let by_index = |index: Oid| {
                let keys = source.catalog.index(index).map(|index| index.keys.iter().map(|key| key.attnum).collect());
                (index, keys.unwrap_or_default())
            };
            let (kind, (index, keys), expression): (u8, (Oid, Vec<i16>), Option<&str>) = match &constraint.kind {
                ConstraintKind::Check { expression, columns } => {
                    (b'c', (Oid::NONE, columns.clone()), Some(expression.as_str()))
                }
                ConstraintKind::NotNull { column } => (b'n', (Oid::NONE, vec![*column]), None),
                ConstraintKind::PrimaryKey { index } => (b'p', by_index(*index), None),
                ConstraintKind::Unique { index } => (b'u', by_index(*index), None),
            };
            let identity = (constraint.oid, constraint.name.as_str(), table.schema);
            rows.push(constraint_row(identity, kind, table.oid, Oid::NONE, index, keys, expression));
        }
    }
    rows
}

pub(super) fn pg_sequence(source: &Source<'_>) -> Vec<Row> {
    source
        .catalog
        .sequences()
        .map(|s| row![s.oid, s.type_oid, s.start, s.increment, s.max, s.min, s.cache, s.cycle])
        .collect()
}

pub(super) fn pg_rewrite(source: &Source<'_>) -> Vec<Row> {
    let rule = |view: &View| {
        let (event, enabled) = (Letter(b'1'), Letter(b'O'));
        row![rule_oid(view.oid), "_RETURN", view.oid, event, enabled, true, "<>", view.query.as_str()]
    };
    source.catalog.views().map(|view| rule(view)).collect()
}
