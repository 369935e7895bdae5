//! The machine that figures were taken on.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// Processor, cores, memory, kernel, and the file system under `directory`.
#[must_use]
pub fn describe(directory: &Path) -> Value {
    let cpuinfo = read("/proc/cpuinfo");
    let value = |line: &str| line.split_once(':').map(|(_, value)| value.trim().to_owned());
    let cpu = cpuinfo.lines().find(|line| line.starts_with("model name")).and_then(value);
    let memory = read("/proc/meminfo").lines().next().and_then(value);
    json!({
        "cpu": cpu.unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "memory": memory.unwrap_or_default(),
        "kernel": read("/proc/sys/kernel/osrelease").trim(),
        "disk": file_system(directory),
    })
}

/// `device, file system` of the longest mount point above `directory`.
fn file_system(directory: &Path) -> String {
    let directory = directory.canonicalize().unwrap_or_else(|_| directory.to_owned());
    let mounts = read("/proc/mounts");
    let fields = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let above = fields.filter(|fields| fields.len() > 2 && directory.starts_with(fields[1]));
    let longest = above.max_by_key(|fields| fields[1].len());
    longest.map_or_else(|| "unknown".to_owned(), |fields| format!("{}, {}", fields[0], fields[2]))
}
