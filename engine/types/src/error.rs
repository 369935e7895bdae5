//! The error that every statement ends in when it fails: what PostgreSQL's ErrorResponse carries.

use std::borrow::Cow;
use std::fmt;

/// Result of anything that a statement does.
pub type Result<T> = std::result::Result<T, PgError>;

/// A five-character SQLSTATE. The constants carry the names of PostgreSQL's errcodes.txt.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SqlState(pub [u8; 5]);

macro_rules! sqlstates {
    ($($name:ident = $code:literal,)*) => {
        impl SqlState {
            $(
                #[doc = concat!("`", $code, "`.")]
                pub const $name: SqlState = SqlState(*as_five($code));
            )*
        }
    };
}

const fn as_five(code: &'static str) -> &'static [u8; 5] {
    match code.as_bytes().first_chunk::<5>() {
        Some(five) if code.len() == 5 => five,
        _ => panic!("a SQLSTATE has five characters"),
    }
}

sqlstates! {
    SUCCESSFUL_COMPLETION = "00000", WARNING = "01000", NO_DATA = "02000",
    CONNECTION_EXCEPTION = "08000", CONNECTION_FAILURE = "08006", PROTOCOL_VIOLATION = "08P01",
    FEATURE_NOT_SUPPORTED = "0A000", INVALID_TRANSACTION_INITIATION = "0B000",
    CARDINALITY_VIOLATION = "21000",
    DATA_EXCEPTION = "22000", STRING_DATA_RIGHT_TRUNCATION = "22001", NUMERIC_VALUE_OUT_OF_RANGE = "22003",
    NULL_VALUE_NOT_ALLOWED = "22004", INVALID_DATETIME_FORMAT = "22007", DATETIME_FIELD_OVERFLOW = "22008",
    INVALID_TIME_ZONE_DISPLACEMENT_VALUE = "22009", ESCAPE_CHARACTER_CONFLICT = "2200B",
    INVALID_ESCAPE_CHARACTER = "22019", SUBSTRING_ERROR = "22011", DIVISION_BY_ZERO = "22012",
    INVALID_PRECEDING_OR_FOLLOWING_SIZE = "22013", INTERVAL_FIELD_OVERFLOW = "22015",
    INVALID_ARGUMENT_FOR_LOG = "2201E", INVALID_ARGUMENT_FOR_POWER_FUNCTION = "2201F",
    INVALID_ARGUMENT_FOR_WIDTH_BUCKET_FUNCTION = "2201G", INVALID_ROW_COUNT_IN_LIMIT_CLAUSE = "2201W",
    INVALID_ROW_COUNT_IN_RESULT_OFFSET_CLAUSE = "2201X", INVALID_REGULAR_EXPRESSION = "2201B",
    CHARACTER_NOT_IN_REPERTOIRE = "22021", INVALID_PARAMETER_VALUE = "22023", INVALID_ESCAPE_SEQUENCE = "22025",
    STRING_DATA_LENGTH_MISMATCH = "22026", ARRAY_SUBSCRIPT_ERROR = "2202E",
    SEQUENCE_GENERATOR_LIMIT_EXCEEDED = "2200H", INVALID_TEXT_REPRESENTATION = "22P02",
    INVALID_BINARY_REPRESENTATION = "22P03", BAD_COPY_FILE_FORMAT = "22P04", UNTRANSLATABLE_CHARACTER = "22P05",
    INTEGRITY_CONSTRAINT_VIOLATION = "23000", RESTRICT_VIOLATION = "23001", NOT_NULL_VIOLATION = "23502",
    FOREIGN_KEY_VIOLATION = "23503", UNIQUE_VIOLATION = "23505", CHECK_VIOLATION = "23514",
    INVALID_CURSOR_STATE = "24000", INVALID_TRANSACTION_STATE = "25000", ACTIVE_SQL_TRANSACTION = "25001",
    READ_ONLY_SQL_TRANSACTION = "25006", NO_ACTIVE_SQL_TRANSACTION = "25P01", IN_FAILED_SQL_TRANSACTION = "25P02",
    INVALID_SQL_STATEMENT_NAME = "26000", INVALID_AUTHORIZATION_SPECIFICATION = "28000", INVALID_PASSWORD = "28P01",
    DEPENDENT_OBJECTS_STILL_EXIST = "2BP01", INVALID_TRANSACTION_TERMINATION = "2D000",
    INVALID_CURSOR_NAME = "34000", INVALID_SAVEPOINT_SPECIFICATION = "3B001", INVALID_CATALOG_NAME = "3D000",
    INVALID_SCHEMA_NAME = "3F000", TRANSACTION_ROLLBACK = "40000", SERIALIZATION_FAILURE = "40001",
    STATEMENT_COMPLETION_UNKNOWN = "40003", DEADLOCK_DETECTED = "40P01",
    SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION = "42000", SYNTAX_ERROR = "42601", INSUFFICIENT_PRIVILEGE = "42501",
    CANNOT_COERCE = "42846", GROUPING_ERROR = "42803", WINDOWING_ERROR = "42P20", INVALID_RECURSION = "42P19",
    INVALID_FOREIGN_KEY = "42830", INVALID_NAME = "42602", NAME_TOO_LONG = "42622", RESERVED_NAME = "42939",
    DATATYPE_MISMATCH = "42804", INDETERMINATE_DATATYPE = "42P18", COLLATION_MISMATCH = "42P21",
    INDETERMINATE_COLLATION = "42P22", WRONG_OBJECT_TYPE = "42809", GENERATED_ALWAYS = "428C9",
    UNDEFINED_COLUMN = "42703", UNDEFINED_FUNCTION = "42883", UNDEFINED_TABLE = "42P01", UNDEFINED_PARAMETER = "42P02",
    UNDEFINED_OBJECT = "42704", DUPLICATE_COLUMN = "42701", DUPLICATE_CURSOR = "42P03", DUPLICATE_DATABASE = "42P04",
    DUPLICATE_FUNCTION = "42723", DUPLICATE_PREPARED_STATEMENT = "42P05", DUPLICATE_SCHEMA = "42P06",
    DUPLICATE_TABLE = "42P07", DUPLICATE_ALIAS = "42712", DUPLICATE_OBJECT = "42710", AMBIGUOUS_COLUMN = "42702",
    AMBIGUOUS_FUNCTION = "42725", AMBIGUOUS_PARAMETER = "42P08", AMBIGUOUS_ALIAS = "42P09",
    INVALID_COLUMN_REFERENCE = "42P10", INVALID_COLUMN_DEFINITION = "42611", INVALID_CURSOR_DEFINITION = "42P11",
    INVALID_FUNCTION_DEFINITION = "42P13", INVALID_SCHEMA_DEFINITION = "42P15", INVALID_TABLE_DEFINITION = "42P16",
    INVALID_OBJECT_DEFINITION = "42P17", WITH_CHECK_OPTION_VIOLATION = "44000",
    INSUFFICIENT_RESOURCES = "53000", DISK_FULL = "53100", OUT_OF_MEMORY = "53200", TOO_MANY_CONNECTIONS = "53300",
    PROGRAM_LIMIT_EXCEEDED = "54000", STATEMENT_TOO_COMPLEX = "54001", TOO_MANY_COLUMNS = "54011",
    TOO_MANY_ARGUMENTS = "54023", OBJECT_NOT_IN_PREREQUISITE_STATE = "55000", OBJECT_IN_USE = "55006",
    CANT_CHANGE_RUNTIME_PARAM = "55P02", LOCK_NOT_AVAILABLE = "55P03", QUERY_CANCELED = "57014",
    ADMIN_SHUTDOWN = "57P01", CRASH_SHUTDOWN = "57P02", CANNOT_CONNECT_NOW = "57P03", IO_ERROR = "58030",
    UNDEFINED_FILE = "58P01", DUPLICATE_FILE = "58P02", LOCK_FILE_EXISTS = "F0001",
    INTERNAL_ERROR = "XX000", DATA_CORRUPTED = "XX001", INDEX_CORRUPTED = "XX002",
}

impl SqlState {
    /// The five characters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("XX000")
    }
}

impl fmt::Debug for SqlState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for SqlState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A failed statement, in PostgreSQL's terms. One pointer wide, so that `Result`s in hot loops stay small.
#[derive(Clone)]
pub struct PgError(Box<Fields>);

/// The fields of an ErrorResponse.
#[derive(Clone, Debug)]
struct Fields {
    code: SqlState,
    message: Cow<'static, str>,
    detail: Option<String>,
    hint: Option<String>,
    /// Byte offset into the statement's text; turned into a character position at the face.
    position: Option<usize>,
    context: Option<String>,
    schema: Option<String>,
    table: Option<String>,
    column: Option<String>,
    constraint: Option<String>,
    data_type: Option<String>,
}

macro_rules! text_fields {
    ($($field:ident / $with:ident: $doc:literal,)*) => {
        $(
            #[doc = concat!("The ", $doc, ", if any.")]
            pub fn $field(&self) -> Option<&str> {
                self.0.$field.as_deref()
            }
            #[doc = concat!("The same error with this ", $doc, ".")]
            #[must_use]
            pub fn $with(mut self, text: impl Into<String>) -> PgError {
                self.0.$field = Some(text.into());
                self
            }
        )*
    };
}

impl PgError {
    /// An error of severity ERROR.
    pub fn new(code: SqlState, message: impl Into<Cow<'static, str>>) -> PgError {
        PgError(Box::new(Fields {
            code,
            message: message.into(),
            detail: None,
            hint: None,
            position: None,
            context: None,
            schema: None,
            table: None,
            column: None,
            constraint: None,
            data_type: None,
        }))
    }

    /// 0A000: a feature that HeliosDB does not have, named.
    pub fn unsupported(feature: impl fmt::Display) -> PgError {
        PgError::new(SqlState::FEATURE_NOT_SUPPORTED, format!("{feature} is not supported"))
    }

    /// XX000: a state that our own code must never reach.
    pub fn internal(what: impl fmt::Display) -> PgError {
        PgError::new(SqlState::INTERNAL_ERROR, format!("internal error: {what}"))
    }

    /// SQLSTATE.
    pub fn code(&self) -> SqlState {
        self.0.code
    }

    /// The primary message.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Byte offset into the statement's text.
    pub fn position(&self) -> Option<usize> {
        self.0.position
    }

    /// The same error at this byte offset of the statement; an offset that is set already stays.
    #[must_use]
    pub fn at(mut self, position: impl Into<Option<usize>>) -> PgError {
        self.0.position = self.0.position.or(position.into());
        self
    }

    /// The same error about no place in the statement's text.
    #[must_use]
    pub fn without_position(mut self) -> PgError {
        self.0.position = None;
        self
    }

    text_fields! {
        detail / with_detail: "detail",
        hint / with_hint: "hint",
        context / with_context: "context",
        schema / with_schema: "schema name",
        table / with_table: "table name",
        column / with_column: "column name",
        constraint / with_constraint: "constraint name",
        data_type / with_data_type: "data type name",
    }
}

impl fmt::Debug for PgError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for PgError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (SQLSTATE {})", self.0.message, self.0.code)
    }
}

impl std::error::Error for PgError {}
