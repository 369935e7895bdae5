//! Functions that wait, run SQL or read the catalog: named here, evaluated above.
//!
//! The executor's suspending interpreter hands these to whoever knows the catalog, the settings, the locks and the
//! other sessions: the database. A name in this list promises that the analyzer may use it; what the database does not
//! evaluate fails with 0A000 naming itself.

use super::{Entry, Implementation, Suspending};

macro_rules! catalog {
    ($($name:literal)*) => {
        &[$(($name, Implementation::Suspending(Suspending::Catalog($name))),)*]
    };
}

/// Functions of this module.
pub(super) const FUNCTIONS: &[&[Entry]] = &[
    &[
        ("nextval_oid", Implementation::Suspending(Suspending::Nextval)),
        ("currval_oid", Implementation::Suspending(Suspending::Currval)),
        ("lastval", Implementation::Suspending(Suspending::Lastval)),
        ("setval_oid", Implementation::Suspending(Suspending::Setval)),
        ("setval3_oid", Implementation::Suspending(Suspending::Setval)),
        ("pg_sleep", Implementation::Suspending(Suspending::Sleep)),
    ],
    // Settings and the session.
    catalog! {
        "current_schema" "current_schemas" "show_config_by_name" "show_config_by_name_missing_ok" "set_config_by_name"
        "show_all_settings" "pg_settings_get_flags" "current_query" "system_user" "inet_client_addr" "inet_client_port"
        "inet_server_addr" "inet_server_port" "pg_my_temp_schema" "pg_is_other_temp_schema" "pg_postmaster_start_time"
        "pg_conf_load_time" "pg_cancel_backend" "pg_terminate_backend" "pg_blocking_pids" "pg_trigger_depth" "pg_notify"
        "pg_listening_channels" "pg_prepared_statement" "pg_cursor" "pg_lock_status" "pg_stat_get_activity"
        "pg_timezone_names" "pg_timezone_abbrevs_abbrevs" "pg_timezone_abbrevs_zone" "pg_available_extensions"
        "pg_available_extension_versions" "pg_reload_conf"
    },
    // Names of objects.
    catalog! {
        "to_regclass" "to_regcollation" "to_regnamespace" "to_regoper" "to_regoperator" "to_regproc" "to_regprocedure"
        "to_regrole" "to_regtype" "to_regtypemod" "text_regclass" "format_type" "pg_basetype" "pg_get_userbyid"
        "pg_table_is_visible" "pg_type_is_visible" "pg_function_is_visible" "pg_operator_is_visible"
        "pg_opclass_is_visible" "pg_opfamily_is_visible" "pg_collation_is_visible" "pg_conversion_is_visible"
        "pg_statistics_obj_is_visible" "pg_ts_config_is_visible" "pg_ts_dict_is_visible" "pg_ts_parser_is_visible"
        "pg_ts_template_is_visible" "pg_describe_object" "pg_identify_object" "pg_identify_object_as_address"
        "pg_get_object_address" "pg_collation_for"
    },
    // Definitions.
    catalog! {
        "pg_get_constraintdef" "pg_get_constraintdef_ext" "pg_get_expr" "pg_get_expr_ext" "pg_get_function_arg_default"
        "pg_get_function_arguments" "pg_get_function_identity_arguments" "pg_get_function_result"
        "pg_get_function_sqlbody" "pg_get_functiondef" "pg_get_indexdef" "pg_get_indexdef_ext"
        "pg_get_partition_constraintdef" "pg_get_partkeydef" "pg_get_replica_identity_index" "pg_get_ruledef"
        "pg_get_ruledef_ext" "pg_get_serial_sequence" "pg_get_statisticsobjdef" "pg_get_statisticsobjdef_columns"
        "pg_get_statisticsobjdef_expressions" "pg_get_triggerdef" "pg_get_triggerdef_ext" "pg_get_viewdef"
        "pg_get_viewdef_ext" "pg_get_viewdef_name" "pg_get_viewdef_name_ext" "pg_get_viewdef_wrap" "pg_get_acl"
        "pg_get_publication_tables" "pg_get_catalog_foreign_keys" "pg_sequence_parameters" "pg_sequence_last_value"
        "pg_get_sequence_data" "pg_index_column_has_property" "pg_index_has_property" "pg_indexam_has_property"
        "pg_relation_is_updatable" "pg_column_is_updatable" "pg_relation_is_publishable" "pg_partition_ancestors"
        "pg_partition_root" "pg_partition_tree" "pg_event_trigger_ddl_commands" "pg_options_to_table"
    },
    // Sizes and files.
    catalog! {
        "pg_relation_size" "pg_table_size" "pg_indexes_size" "pg_total_relation_size" "pg_database_size_name"
        "pg_database_size_oid" "pg_tablespace_size_name" "pg_tablespace_size_oid" "pg_tablespace_location"
        "pg_tablespace_databases" "pg_relation_filenode" "pg_relation_filepath" "pg_filenode_relation"
        "pg_column_size"
    },
    // Transactions and locks.
    catalog! {
        "pg_current_xact_id" "pg_current_xact_id_if_assigned" "pg_current_snapshot" "pg_xact_status"
        "pg_advisory_lock_int8" "pg_advisory_lock_int4" "pg_advisory_lock_shared_int8" "pg_advisory_lock_shared_int4"
        "pg_advisory_xact_lock_int8" "pg_advisory_xact_lock_int4" "pg_advisory_xact_lock_shared_int8"
        "pg_advisory_xact_lock_shared_int4" "pg_try_advisory_lock_int8" "pg_try_advisory_lock_int4"
        "pg_try_advisory_lock_shared_int8" "pg_try_advisory_lock_shared_int4" "pg_try_advisory_xact_lock_int8"
        "pg_try_advisory_xact_lock_int4" "pg_try_advisory_xact_lock_shared_int8"
        "pg_try_advisory_xact_lock_shared_int4" "pg_advisory_unlock_int8" "pg_advisory_unlock_int4"
        "pg_advisory_unlock_shared_int8" "pg_advisory_unlock_shared_int4" "pg_advisory_unlock_all"
    },
    // Privileges.
    catalog! {
        "row_security_active" "row_security_active_name"
        "pg_has_role_id" "pg_has_role_id_id" "pg_has_role_id_name" "pg_has_role_name" "pg_has_role_name_id"
        "pg_has_role_name_name"
        "has_any_column_privilege_id" "has_any_column_privilege_id_id" "has_any_column_privilege_id_name"
        "has_any_column_privilege_name" "has_any_column_privilege_name_id" "has_any_column_privilege_name_name"
        "has_column_privilege_id_attnum" "has_column_privilege_id_id_attnum" "has_column_privilege_id_id_name"
        "has_column_privilege_id_name" "has_column_privilege_id_name_attnum" "has_column_privilege_id_name_name"
        "has_column_privilege_name_attnum" "has_column_privilege_name_id_attnum" "has_column_privilege_name_id_name"
        "has_column_privilege_name_name" "has_column_privilege_name_name_attnum"
        "has_column_privilege_name_name_name"
        "has_database_privilege_id" "has_database_privilege_id_id" "has_database_privilege_id_name"
        "has_database_privilege_name" "has_database_privilege_name_id" "has_database_privilege_name_name"
        "has_foreign_data_wrapper_privilege_id" "has_foreign_data_wrapper_privilege_id_id"
        "has_foreign_data_wrapper_privilege_id_name" "has_foreign_data_wrapper_privilege_name"
        "has_foreign_data_wrapper_privilege_name_id" "has_foreign_data_wrapper_privilege_name_name"
        "has_function_privilege_id" "has_function_privilege_id_id" "has_function_privilege_id_name"
        "has_function_privilege_name" "has_function_privilege_name_id" "has_function_privilege_name_name"
        "has_language_privilege_id" "has_language_privilege_id_id" "has_language_privilege_id_name"
        "has_language_privilege_name" "has_language_privilege_name_id" "has_language_privilege_name_name"
        "has_parameter_privilege_id_name" "has_parameter_privilege_name" "has_parameter_privilege_name_name"
        "has_schema_privilege_id" "has_schema_privilege_id_id" "has_schema_privilege_id_name"
        "has_schema_privilege_name" "has_schema_privilege_name_id" "has_schema_privilege_name_name"
        "has_sequence_privilege_id" "has_sequence_privilege_id_id" "has_sequence_privilege_id_name"
        "has_sequence_privilege_name" "has_sequence_privilege_name_id" "has_sequence_privilege_name_name"
        "has_server_privilege_id" "has_server_privilege_id_id" "has_server_privilege_id_name"
        "has_server_privilege_name" "has_server_privilege_name_id" "has_server_privilege_name_name"
        "has_table_privilege_id" "has_table_privilege_id_id" "has_table_privilege_id_name"
        "has_table_privilege_name" "has_table_privilege_name_id" "has_table_privilege_name_name"
        "has_tablespace_privilege_id" "has_tablespace_privilege_id_id" "has_tablespace_privilege_id_name"
        "has_tablespace_privilege_name" "has_tablespace_privilege_name_id" "has_tablespace_privilege_name_name"
        "has_type_privilege_id" "has_type_privilege_id_id" "has_type_privilege_id_name" "has_type_privilege_name"
        "has_type_privilege_name_id" "has_type_privilege_name_name"
    },
];

/// SQL-language builtins of this module, by `pg_proc.oid`: `pg_sleep_for` and `pg_sleep_until`; comments on objects.
pub(super) const SQL_FUNCTIONS: &[(u32, Implementation)] = &[
    (3935, Implementation::Suspending(Suspending::Sleep)),
    (3936, Implementation::Suspending(Suspending::Sleep)),
    (1215, Implementation::Suspending(Suspending::Catalog("obj_description"))),
    (1216, Implementation::Suspending(Suspending::Catalog("col_description"))),
    (1348, Implementation::Suspending(Suspending::Catalog("obj_description"))),
    (1993, Implementation::Suspending(Suspending::Catalog("shobj_description"))),
    (2325, Implementation::Suspending(Suspending::Catalog("pg_relation_size"))),
];
