use helios_types::{Oid, oid};

use super::*;

#[test]
fn every_table_parses_and_answers() {
    let int4 = types().by_oid(oid::INT4).unwrap();
    assert_eq!((int4.name.as_ref(), int4.category, int4.preferred, int4.array), ("int4", b'N', false, oid::INT4_ARRAY));
    assert_eq!(types().by_name(PG_CATALOG, "text").unwrap().oid, oid::TEXT);
    assert!(types().by_name(PG_CATALOG, "sql_identifier").is_none());
    assert_eq!(types().by_name(information_schema(), "sql_identifier").unwrap().kind, TypeKind::Domain);
    assert!(types().by_oid(oid::INT4_ARRAY).unwrap().is_true_array());
    assert!(!types().by_oid(oid::NAME).unwrap().is_true_array());
    assert_eq!(ranges().len(), 6);
    assert_eq!(collations().by_oid(Oid(950)).unwrap().name, "C");

    assert_eq!(procs().all().count(), 3413);
    assert_eq!(procs().by_oid(Oid(177)).unwrap().source, "int4pl");
    assert_eq!(procs().by_name("substring").len(), 8);
    assert!(procs().by_name("nothing").is_empty());
    let make_interval = &procs().by_name("make_interval")[0];
    assert_eq!((make_interval.default_count, make_interval.defaults.len()), (7, 7));
    assert_eq!(make_interval.input_names()[1], Some("months"));
    let each = &procs().by_name("json_each")[0];
    assert_eq!(each.output_columns(), [("key", oid::TEXT), ("value", oid::JSON)]);
    assert_eq!(aggregates().by_oid(Oid(2108)).unwrap().transition_type, oid::INT8);
    assert_eq!(languages().by_oid(Oid(12)).unwrap().name, "internal");

    assert_eq!(operators().exact("+", oid::INT4, oid::INT4).unwrap().function, Oid(177));
    assert!(operators().exact("-", Oid::NONE, oid::INT4).unwrap().prefix);
    assert_eq!(casts().find(oid::INT4, oid::INT8).unwrap().context, CastContext::Implicit);
    assert!(casts().find(oid::INT4, oid::TEXT).is_none());

    let class = operator_classes().default_for(BTREE, oid::INT4).unwrap();
    let less = family_operators().find(class.family, oid::INT4, oid::INT4, strategy::LESS).unwrap();
    assert_eq!(operators().by_oid(less.operator).unwrap().name, "<");
    assert_eq!(family_operators().of_operator(less.operator).next().unwrap().family, class.family);
    assert!(!access_methods().all().is_empty() && !operator_families().all().is_empty() && !family_procs().is_empty());

    let pg_class = relations().by_name(PG_CATALOG, "pg_class").unwrap();
    assert_eq!((pg_class.oid, pg_class.kind), (Oid(1259), b'r'));
    let columns = attributes().of(pg_class.oid);
    assert_eq!((columns.len(), columns[1].name), (pg_class.column_count as usize, "relname"));
    assert!(relations().by_name(information_schema(), "columns").is_some());
    assert!(!indexes().is_empty() && !constraints().is_empty());
    assert_eq!(setting("datestyle").unwrap().boot_value, Some("ISO, MDY"));
    assert!(!descriptions().is_empty() && !role_members().is_empty());
    assert_eq!(roles().by_oid(Oid(6171)).unwrap().name, "pg_database_owner");
    for plain in [
        ts_parsers(),
        ts_templates(),
        ts_dictionaries(),
        ts_configurations(),
        ts_configuration_maps(),
        sql_features(),
        sql_sizing(),
        sql_implementation_info(),
    ] {
        assert!(!plain.is_empty());
    }
}

#[test]
fn references_lead_somewhere() {
    for operator in operators().all() {
        assert!(operator.function.is_none() || procs().by_oid(operator.function).is_some(), "{operator:?}");
    }
    for cast in casts().all() {
        assert!(cast.function.is_none() || procs().by_oid(cast.function).is_some(), "{cast:?}");
    }
    for row in types().all() {
        assert!(procs().by_oid(row.input).is_some(), "{row:?}");
        assert!(row.array.is_none() || types().by_oid(row.array).unwrap().element == row.oid, "{row:?}");
    }
    for proc in procs().all() {
        assert_eq!(proc.arg_types.len(), usize::from(proc.arg_count));
        assert_eq!(proc.defaults.len(), usize::from(proc.default_count));
        assert_eq!(proc.input_names().len(), usize::from(proc.arg_count));
    }
    for relation in relations().all() {
        assert_eq!(attributes().of(relation.oid).len(), usize::try_from(relation.column_count).unwrap());
    }
}
