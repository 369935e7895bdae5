//! The objects of `schema.sql`, described by hand.

use helios_catalog::CatalogSnapshot;
use helios_catalog::model::{
    Change, Column, Constraint, ConstraintKind, Identity, Index, IndexKey, Object, PUBLIC_SCHEMA, Schema, Sequence,
    Table, View,
};
use helios_types::{Oid, oid};

const OWNER: Oid = Oid(10);
const S2: Oid = Oid(20_000);

fn column(attnum: i16, name: &str, type_oid: Oid) -> Column {
    let collated = matches!(type_oid, oid::TEXT | oid::VARCHAR);
    Column {
        attnum,
        name: name.to_owned(),
        type_oid,
        typmod: -1,
        collation: if collated { oid::DEFAULT_COLLATION } else { Oid::NONE },
        not_null: false,
        default: None,
        identity: None,
        generated: None,
        sequence: None,
        missing: None,
        dropped: false,
    }
}

fn key(attnum: i16, expression: Option<&str>, type_oid: Oid, opclass: u32) -> IndexKey {
    IndexKey {
        attnum,
        expression: expression.map(str::to_owned),
        type_oid,
        collation: Oid::NONE,
        opclass: Oid(opclass),
        descending: false,
        nulls_first: false,
    }
}

fn unique_index(oid: u32, table: u32, name: &str, primary: bool, key: IndexKey) -> Index {
    Index {
        oid: Oid(oid),
        table: Oid(table),
        schema: PUBLIC_SCHEMA,
        name: name.to_owned(),
        storage: u64::from(oid),
        unique: true,
        primary,
        nulls_not_distinct: false,
        keys: vec![key],
        include: Vec::new(),
        predicate: None,
    }
}

fn table(oid: u32, schema: Oid, name: &str, columns: Vec<Column>) -> Table {
    Table {
        oid: Oid(oid),
        row_type: Oid(oid + 1),
        schema,
        name: name.to_owned(),
        owner: OWNER,
        storage: u64::from(oid),
        columns,
        constraints: Vec::new(),
        indexes: Vec::new(),
        primary_key: Vec::new(),
        layouts: Vec::new(),
    }
}

fn sequence(oid: u32, name: &str, type_oid: Oid) -> Sequence {
    Sequence {
        oid: Oid(oid),
        schema: PUBLIC_SCHEMA,
        name: name.to_owned(),
        owner: OWNER,
        state: u64::from(oid),
        type_oid,
        start: 1,
        first: 1,
        increment: 1,
        min: 1,
        max: i64::MAX,
        cache: 1,
        cycle: false,
        owned_by: None,
        identity: false,
    }
}

fn constraint(oid: u32, name: &str, kind: ConstraintKind) -> Constraint {
    Constraint { oid: Oid(oid), name: name.to_owned(), kind }
}

/// The catalog after `schema.sql`.
pub(super) fn catalog() -> CatalogSnapshot {
    // Operator classes int4_ops and date_ops.
    let (int4_ops, date_ops) = (1978, 3122);
    let mut t = table(
        20_100,
        PUBLIC_SCHEMA,
        "t",
        vec![
            Column { not_null: true, ..column(1, "a", oid::INT4) },
            column(2, "b", oid::TEXT),
            Column { typmod: (10 << 16 | 2) + 4, default: Some("5".to_owned()), ..column(3, "c", oid::NUMERIC) },
            Column { default: Some("now()".to_owned()), ..column(4, "d", oid::TIMESTAMPTZ) },
            column(5, "e", oid::INT4_ARRAY),
            Column { typmod: 14, ..column(6, "f", oid::VARCHAR) },
        ],
    );
    t.primary_key = vec![1];
    t.indexes = vec![Oid(20_110)];
    t.constraints = vec![constraint(20_111, "t_pkey", ConstraintKind::PrimaryKey { index: Oid(20_110) })];

    let mut u = table(
        20_200,
        PUBLIC_SCHEMA,
        "u",
        vec![
            Column {
                not_null: true,
                identity: Some(Identity::Always),
                sequence: Some(Oid(20_250)),
                ..column(1, "id", oid::INT8)
            },
            column(2, "t_a", oid::INT4),
            Column { not_null: true, ..column(3, "name", oid::TEXT) },
            column(4, "v", oid::FLOAT8),
            Column { generated: Some("(t_a * 2)".to_owned()), ..column(5, "g", oid::INT4) },
        ],
    );
    u.primary_key = vec![1];
    u.indexes = vec![Oid(20_210)];
    u.constraints = vec![constraint(20_211, "u_pkey", ConstraintKind::PrimaryKey { index: Oid(20_210) })];

    let mut w = table(
        20_300,
        PUBLIC_SCHEMA,
        "w",
        vec![
            Column {
                not_null: true,
                default: Some("nextval('public.w_id_seq'::regclass)".to_owned()),
                sequence: Some(Oid(20_350)),
                ..column(1, "id", oid::INT4)
            },
            column(2, "x", oid::INT4),
            column(3, "y", oid::DATE),
            column(4, "z", oid::BOOL),
            Column {
                not_null: true,
                identity: Some(Identity::ByDefault),
                sequence: Some(Oid(20_351)),
                ..column(5, "k", oid::INT8)
            },
        ],
    );
    w.indexes = vec![Oid(20_310), Oid(20_311), Oid(20_312)];
    w.constraints = vec![constraint(20_313, "w_x_key", ConstraintKind::Unique { index: Oid(20_310) })];

    let s2_t = table(20_400, S2, "t", vec![column(1, "a", oid::INT4), column(2, "q", oid::TEXT)]);
    let v = View {
        oid: Oid(20_500),
        row_type: Oid(20_501),
        schema: PUBLIC_SCHEMA,
        name: "v".to_owned(),
        owner: OWNER,
        columns: vec![column(1, "a", oid::INT4), column(2, "b", oid::TEXT)],
        query: "SELECT t.a, t.b FROM public.t WHERE (t.a > 5)".to_owned(),
        depends_on: vec![Oid(20_100)],
    };

    let objects: Vec<Object> = vec![
        Schema { oid: S2, name: "s2".to_owned(), owner: OWNER }.into(),
        t.into(),
        unique_index(20_110, 20_100, "t_pkey", true, key(1, None, oid::INT4, int4_ops)).into(),
        u.into(),
        unique_index(20_210, 20_200, "u_pkey", true, key(1, None, oid::INT8, 3124)).into(),
        w.into(),
        unique_index(20_310, 20_300, "w_x_key", false, key(2, None, oid::INT4, int4_ops)).into(),
        Index {
            predicate: Some("z".to_owned()),
            ..unique_index(20_311, 20_300, "w_y", false, key(3, None, oid::DATE, date_ops))
        }
        .into(),
        unique_index(20_312, 20_300, "w_x1", false, key(0, Some("(x + 1)"), oid::INT4, int4_ops)).into(),
        sequence(20_250, "u_id_seq", oid::INT8).into(),
        sequence(20_350, "w_id_seq", oid::INT4).into(),
        sequence(20_351, "w_k_seq", oid::INT8).into(),
        s2_t.into(),
        v.into(),
    ];
    let changes: Vec<Change> = objects.into_iter().map(Change::Put).collect();
    CatalogSnapshot::initial().apply(&changes)
}
