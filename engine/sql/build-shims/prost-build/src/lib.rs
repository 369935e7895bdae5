//! Stand-in for prost-build in pg_query's build script: see ../README.md.
//!
//! When it finds `protoc`, pg_query's build script regenerates the protobuf types that the crate already ships, and
//! replaces the shipped file if the result differs. This stand-in generates nothing: it hands the shipped file back,
//! so that the build is the same with and without `protoc` on the machine.

use std::io::{Error, Result};
use std::path::{Path, PathBuf};

/// The part of `prost_build::Config` that the build script uses.
#[derive(Default)]
pub struct Config;

impl Config {
    /// A configuration that generates nothing.
    pub fn new() -> Config {
        Config
    }

    /// Ignored: the shipped file carries its attributes.
    pub fn type_attribute(&mut self, _path: impl AsRef<str>, _attribute: impl AsRef<str>) -> &mut Config {
        self
    }

    /// Copies pg_query's own `src/protobuf.rs` to where the build script looks for the generated file. Refuses for
    /// every other package.
    pub fn compile_protos(&mut self, _protos: &[impl AsRef<Path>], _includes: &[impl AsRef<Path>]) -> Result<()> {
        let variable = |name: &str| std::env::var(name).map_err(Error::other);
        if variable("CARGO_PKG_NAME")? != "pg_query" {
            return Err(Error::other("this prost-build is a stand-in that serves pg_query alone"));
        }
        let shipped = PathBuf::from(variable("CARGO_MANIFEST_DIR")?).join("src/protobuf.rs");
        std::fs::copy(shipped, PathBuf::from(variable("OUT_DIR")?).join("pg_query.rs"))?;
        Ok(())
    }
}
