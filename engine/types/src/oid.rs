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

/// Built-in array types and the types of their elements (`pg_type.typarray`, `pg_type.oid`).
const ARRAYS: &[(u32, u32)] = &[
    (1000, 16),
    (1001, 17),
    (1002, 18),
    (1003, 19),
    (1016, 20),
    (1005, 21),
    (1006, 22),
    (1007, 23),
    (1008, 24),
    (1009, 25),
    (1028, 26),
    (1010, 27),
    (1011, 28),
    (1012, 29),
    (1013, 30),
    (199, 114),
    (143, 142),
    (1017, 600),
    (1018, 601),
    (1019, 602),
    (1020, 603),
    (1027, 604),
    (629, 628),
    (651, 650),
    (1021, 700),
    (1022, 701),
    (719, 718),
    (775, 774),
    (791, 790),
    (1040, 829),
    (1041, 869),
    (1034, 1033),
    (1014, 1042),
    (1015, 1043),
    (1182, 1082),
    (1183, 1083),
    (1115, 1114),
    (1185, 1184),
    (1187, 1186),
    (1270, 1266),
    (1561, 1560),
    (1563, 1562),
    (1231, 1700),
    (2201, 1790),
    (2207, 2202),
    (2208, 2203),
    (2209, 2204),
    (2210, 2205),
    (2211, 2206),
    (2287, 2249),
    (1263, 2275),
    (2951, 2950),
    (2949, 2970),
    (3221, 3220),
    (3643, 3614),
    (3645, 3615),
    (3644, 3642),
    (3735, 3734),
    (3770, 3769),
    (3807, 3802),
    (3905, 3904),
    (3907, 3906),
    (3909, 3908),
    (3911, 3910),
    (3913, 3912),
    (3927, 3926),
    (4073, 4072),
    (4090, 4089),
    (4097, 4096),
    (4192, 4191),
    (6150, 4451),
    (6151, 4532),
    (6152, 4533),
    (6153, 4534),
    (6155, 4535),
    (6157, 4536),
    (5039, 5038),
    (271, 5069),
];

/// The element type of a built-in array type. int2vector and oidvector are not array types in this sense.
pub fn array_element(array: Oid) -> Option<Oid> {
    // The usual ones first.
    match array {
        INT4_ARRAY => Some(INT4),
        TEXT_ARRAY => Some(TEXT),
        _ => ARRAYS.iter().find(|(of, _)| *of == array.0).map(|(_, element)| Oid(*element)),
    }
}

/// The built-in array type over a type.
pub fn array_of(element: Oid) -> Option<Oid> {
    ARRAYS.iter().find(|(_, of)| *of == element.0).map(|(array, _)| Oid(*array))
}

/// The database's default collation (`pg_collation` "default").
pub const DEFAULT_COLLATION: Oid = Oid(100);
/// Collation "C".
pub const C_COLLATION: Oid = Oid(950);
