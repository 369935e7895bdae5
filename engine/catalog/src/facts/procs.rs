//! `pg_proc`, `pg_aggregate`, `pg_language`.

use helios_env::sync::OnceLock;
use helios_types::Oid;

use super::table::{Table, rows};

/// `pg_proc.prokind`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum ProcKind {
    Function,
    Procedure,
    Aggregate,
    Window,
}

impl ProcKind {
    /// The letter that `pg_proc` has.
    pub fn letter(self) -> char {
        match self {
            ProcKind::Function => 'f',
            ProcKind::Procedure => 'p',
            ProcKind::Aggregate => 'a',
            ProcKind::Window => 'w',
        }
    }
}

/// `pg_proc.provolatile`, from what may be folded to what may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum Volatility {
    Immutable,
    Stable,
    Volatile,
}

impl Volatility {
    /// The letter that `pg_proc` has.
    pub fn letter(self) -> char {
        match self {
            Volatility::Immutable => 'i',
            Volatility::Stable => 's',
            Volatility::Volatile => 'v',
        }
    }
}

/// A row of `pg_proc`.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Proc {
    pub oid: Oid,
    pub name: &'static str,
    pub namespace: Oid,
    pub language: Oid,
    /// In units of `cpu_operator_cost`.
    pub cost: f32,
    pub rows: f32,
    /// Element type of the VARIADIC parameter (`ANY` for VARIADIC "any"), or none.
    pub variadic: Oid,
    pub support: Oid,
    pub kind: ProcKind,
    pub security_definer: bool,
    pub leakproof: bool,
    pub strict: bool,
    pub returns_set: bool,
    pub volatility: Volatility,
    /// `s`afe, `r`estricted or `u`nsafe.
    pub parallel: u8,
    /// `pronargs`: number of input parameters.
    pub arg_count: u16,
    /// How many of the last input parameters have defaults.
    pub default_count: u16,
    pub result: Oid,
    /// Types of the input parameters; of VARIADIC ones the array's.
    pub arg_types: Box<[Oid]>,
    /// Types of all parameters, when there are others than IN.
    pub all_arg_types: Option<Box<[Oid]>>,
    /// A letter a parameter of `all_arg_types`: `i`n, `o`ut, `b`oth, `v`ariadic, `t`able.
    pub arg_modes: Option<&'static str>,
    /// Names of all parameters; empty where one has none.
    pub arg_names: Option<Box<[&'static str]>>,
    /// The last `default_count` input parameters' defaults, as SQL text.
    pub defaults: Box<[&'static str]>,
    /// `prosrc`: for internal functions the symbol that names the implementation.
    pub source: &'static str,
    /// `probin`: the library of a C function.
    pub library: Option<&'static str>,
    /// The body of an SQL-standard SQL function.
    pub sql_body: Option<&'static str>,
}

impl Proc {
    /// The names of the input parameters, in order; `None` where one has no name.
    pub fn input_names(&self) -> Vec<Option<&'static str>> {
        let Some(names) = &self.arg_names else { return vec![None; usize::from(self.arg_count)] };
        let modes = self.arg_modes.map(str::as_bytes);
        let input = |index: usize| modes.is_none_or(|modes| !matches!(modes[index], b'o' | b't'));
        let name = |name: &'static str| (!name.is_empty()).then_some(name);
        names.iter().enumerate().filter(|&(index, _)| input(index)).map(|(_, text)| name(text)).collect()
    }

    /// Name and type of each output column of a function with OUT, INOUT or TABLE parameters; empty without.
    pub fn output_columns(&self) -> Vec<(&'static str, Oid)> {
        let (Some(types), Some(modes)) = (&self.all_arg_types, self.arg_modes) else { return Vec::new() };
        let name = |index: usize| self.arg_names.as_ref().map_or("", |names| names[index]);
        let output = |&(_, mode): &(usize, u8)| matches!(mode, b'o' | b'b' | b't');
        modes.bytes().enumerate().filter(output).map(|(index, _)| (name(index), types[index])).collect()
    }
}

/// `pg_proc`.
#[derive(Debug)]
pub struct Procs(Table<Proc>);

impl Procs {
    /// The function with this OID.
    pub fn by_oid(&self, oid: Oid) -> Option<&Proc> {
        self.0.by_oid(oid)
    }

    /// The functions of this name in any schema.
    pub fn by_name(&self, name: &str) -> &[Proc] {
        self.0.range(name, |row| row.name)
    }

    /// Every function, in the order of OIDs.
    pub fn all(&self) -> impl Iterator<Item = &Proc> {
        self.0.by_oids()
    }
}

/// The built-in functions.
pub fn procs() -> &'static Procs {
    static TABLE: OnceLock<Procs> = OnceLock::new();
    TABLE.get_or_init(|| {
        let parsed = rows("procs.tsv", include_str!("../../facts/procs.tsv"), |f| Proc {
            oid: f.oid(),
            name: f.text(),
            namespace: f.oid(),
            language: f.oid(),
            cost: f.number(),
            rows: f.number(),
            variadic: f.oid(),
            support: f.oid(),
            kind: match f.letter() {
                b'f' => ProcKind::Function,
                b'p' => ProcKind::Procedure,
                b'a' => ProcKind::Aggregate,
                b'w' => ProcKind::Window,
                other => panic!("procs.tsv: unknown prokind {other}"),
            },
            security_definer: f.bool(),
            leakproof: f.bool(),
            strict: f.bool(),
            returns_set: f.bool(),
            volatility: match f.letter() {
                b'i' => Volatility::Immutable,
                b's' => Volatility::Stable,
                b'v' => Volatility::Volatile,
                other => panic!("procs.tsv: unknown provolatile {other}"),
            },
            parallel: f.letter(),
            arg_count: f.number(),
            default_count: f.number(),
            result: f.oid(),
            arg_types: f.oids(),
            all_arg_types: f.oids_or_none(),
            arg_modes: f.optional(),
            arg_names: f.texts(),
            defaults: f.texts().unwrap_or_default(),
            source: f.text(),
            library: f.optional(),
            sql_body: f.optional(),
        });
        Procs(Table::new(parsed, |row| row.oid, |row| row.name))
    })
}

/// A row of `pg_aggregate`.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Aggregate {
    pub function: Oid,
    /// `n`ormal, `o`rdered-set or `h`ypothetical-set.
    pub kind: u8,
    pub direct_arg_count: u16,
    pub transition: Oid,
    pub final_function: Oid,
    pub combine: Oid,
    pub serialize: Oid,
    pub deserialize: Oid,
    pub moving_transition: Oid,
    pub moving_inverse: Oid,
    pub moving_final: Oid,
    pub final_extra: bool,
    pub moving_final_extra: bool,
    pub final_modify: u8,
    pub moving_final_modify: u8,
    pub sort_operator: Oid,
    pub transition_type: Oid,
    pub transition_space: i32,
    pub moving_transition_type: Oid,
    pub moving_transition_space: i32,
    pub initial_value: Option<&'static str>,
    pub moving_initial_value: Option<&'static str>,
}

/// `pg_aggregate`, by function.
pub fn aggregates() -> &'static Table<Aggregate> {
    static TABLE: OnceLock<Table<Aggregate>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let parsed = rows("aggregates.tsv", include_str!("../../facts/aggregates.tsv"), |f| Aggregate {
            function: f.oid(),
            kind: f.letter(),
            direct_arg_count: f.number(),
            transition: f.oid(),
            final_function: f.oid(),
            combine: f.oid(),
            serialize: f.oid(),
            deserialize: f.oid(),
            moving_transition: f.oid(),
            moving_inverse: f.oid(),
            moving_final: f.oid(),
            final_extra: f.bool(),
            moving_final_extra: f.bool(),
            final_modify: f.letter(),
            moving_final_modify: f.letter(),
            sort_operator: f.oid(),
            transition_type: f.oid(),
            transition_space: f.number(),
            moving_transition_type: f.oid(),
            moving_transition_space: f.number(),
            initial_value: f.optional(),
            moving_initial_value: f.optional(),
        });
        Table::new(parsed, |row| row.function, |row| row.function)
    })
}

/// A row of `pg_language`.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Language {
    pub oid: Oid,
    pub name: &'static str,
    pub procedural: bool,
    pub trusted: bool,
    pub call_handler: Oid,
    pub inline: Oid,
    pub validator: Oid,
}

/// `pg_language`.
pub fn languages() -> &'static Table<Language> {
    static TABLE: OnceLock<Table<Language>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let parsed = rows("languages.tsv", include_str!("../../facts/languages.tsv"), |f| Language {
            oid: f.oid(),
            name: f.text(),
            procedural: f.bool(),
            trusted: f.bool(),
            call_handler: f.oid(),
            inline: f.oid(),
            validator: f.oid(),
        });
        Table::new(parsed, |row| row.oid, |row| row.name)
    })
}
