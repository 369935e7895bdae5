//! Object identifiers of the built-in types that code names. All others come from the catalog facts.

/// An object identifier; 0 is "none".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Oid(pub u32);

impl Oid {
    /// PostgreSQL's InvalidOid.
    pub const NONE: Oid = Oid(0);

    /// Whether this names no object.
    pub fn is_none(self) -> bool {
        self.0 == 0
    }
}

impl std::fmt::Debug for Oid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl std::fmt::Display for Oid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

macro_rules! type_oids {
    ($($name:ident = $oid:literal,)*) => {
        $(
            #[doc = concat!("`pg_type.oid` ", stringify!($oid), ".")]
            pub const $name: Oid = Oid($oid);
        )*
    };
}

type_oids! {
    BOOL = 16, BYTEA = 17, CHAR = 18, NAME = 19, INT8 = 20, INT2 = 21, INT2VECTOR = 22, INT4 = 23, REGPROC = 24,
    TEXT = 25, OID = 26, TID = 27, XID = 28, CID = 29, OIDVECTOR = 30, JSON = 114, XML = 142, PG_NODE_TREE = 194,
    POINT = 600, FLOAT4 = 700, FLOAT8 = 701, UNKNOWN = 705, MONEY = 790, MACADDR = 829, INET = 869, CIDR = 650,
    BOOL_ARRAY = 1000, BYTEA_ARRAY = 1001, CHAR_ARRAY = 1002, NAME_ARRAY = 1003, INT2_ARRAY = 1005, INT4_ARRAY = 1007,
    TEXT_ARRAY = 1009, BPCHAR_ARRAY = 1014, VARCHAR_ARRAY = 1015, INT8_ARRAY = 1016, FLOAT4_ARRAY = 1021,
    FLOAT8_ARRAY = 1022, OID_ARRAY = 1028, ACLITEM = 1033, ACLITEM_ARRAY = 1034,
    BPCHAR = 1042, VARCHAR = 1043, DATE = 1082, TIME = 1083, TIMESTAMP = 1114, TIMESTAMP_ARRAY = 1115,
    DATE_ARRAY = 1182, TIME_ARRAY = 1183, TIMESTAMPTZ = 1184, TIMESTAMPTZ_ARRAY = 1185, INTERVAL = 1186,
    INTERVAL_ARRAY = 1187, NUMERIC_ARRAY = 1231, TIMETZ = 1266, BIT = 1560, VARBIT = 1562, NUMERIC = 1700,
    REFCURSOR = 1790, REGPROCEDURE = 2202, REGOPER = 2203, REGOPERATOR = 2204, REGCLASS = 2205, REGTYPE = 2206,
    RECORD = 2249, CSTRING = 2275, ANY = 2276, ANYARRAY = 2277, VOID = 2278, TRIGGER = 2279, INTERNAL = 2281,
    ANYELEMENT = 2283, RECORD_ARRAY = 2287, ANYNONARRAY = 2776, UUID = 2950, UUID_ARRAY = 2951, ANYENUM = 3500,
    JSONB = 3802, REGCONFIG = 3734, REGDICTIONARY = 3769, ANYRANGE = 3831, EVENT_TRIGGER = 3838,
    REGNAMESPACE = 4089, REGROLE = 4096, REGCOLLATION = 4191, XID8 = 5069, ANYCOMPATIBLE = 5077,
    ANYCOMPATIBLEARRAY = 5078, ANYCOMPATIBLENONARRAY = 5079, ANYCOMPATIBLERANGE = 5080,
}

/// The database's default collation (`pg_collation` "default").
pub const DEFAULT_COLLATION: Oid = Oid(100);
/// Collation "C".
pub const C_COLLATION: Oid = Oid(950);
