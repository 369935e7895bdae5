//! Stand-in for bindgen in pg_query's build script: see ../README.md.
//!
//! pg_query asks bindgen for Rust declarations of its C header, which takes libclang. The header is small and the
//! version of pg_query is pinned, so the declarations are written by hand here (`ffi.rs`).
//!
//! The build script calls this last, when libpg_query's sources and headers lie in `OUT_DIR`: the one moment at which
//! C code that needs PostgreSQL's own headers can be compiled. So HeliosDB's door into the parser (`door.c`, which
//! reports SQLSTATE, detail, hint and notices where libpg_query keeps the message alone) is compiled here too, and
//! linked into the same crate.

use std::fmt;
use std::path::{Path, PathBuf};

const FFI: &str = include_str!("ffi.rs");
const DOOR: &str = include_str!("door.c");

/// What may go wrong.
#[derive(Debug)]
pub struct BindgenError(String);

impl fmt::Display for BindgenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BindgenError {}

/// The part of `bindgen::Builder` that the build script uses.
#[derive(Default)]
pub struct Builder {
    header: PathBuf,
}

/// The part of `bindgen::Bindings` that the build script uses.
pub struct Bindings;

impl Builder {
    /// The C header to declare.
    pub fn header(mut self, path: impl Into<String>) -> Builder {
        self.header = PathBuf::from(path.into());
        self
    }

    /// Fails unless the header is that of the one version that the declarations were written for.
    pub fn generate(self) -> Result<Bindings, BindgenError> {
        let refusal = |why: &str| BindgenError(format!("{}: {why}; see engine/sql/build-shims/README.md", self.header.display()));
        let package = |name: &str| std::env::var(name).unwrap_or_default();
        if (package("CARGO_PKG_NAME").as_str(), package("CARGO_PKG_VERSION").as_str()) != ("pg_query", "18.1.0") {
            return Err(refusal("this bindgen is a stand-in that serves pg_query 18.1.0 alone"));
        }
        Ok(Bindings)
    }
}

impl Bindings {
    /// Writes the declarations, and compiles the door beside them.
    pub fn write_to_file(&self, path: impl AsRef<Path>) -> std::io::Result<()> {
        let path = path.as_ref();
        std::fs::write(path, FFI)?;
        let out = path.parent().ok_or_else(|| std::io::Error::other("the bindings have no directory"))?;
        compile_door(out)
    }
}

fn compile_door(out: &Path) -> std::io::Result<()> {
    let source = out.join("helios_door.c");
    std::fs::write(&source, DOOR)?;
    let mut build = cc::Build::new();
    build.file(&source).warnings(false);
    // As pg_query's own build script compiles its files.
    for include in [".", "src", "vendor", "vendor/upb", "vendor/upb/third_party/utf8_range", "src/postgres/include", "src/include"] {
        build.include(out.join(include));
    }
    if std::env::var("PROFILE").as_deref() == Ok("debug") || std::env::var("DEBUG").as_deref() == Ok("1") {
        build.define("USE_ASSERT_CHECKING", None);
    }
    build.flag("-fno-strict-aliasing").flag("-fwrapv");
    build.try_compile("helios_door").map_err(std::io::Error::other)
}
