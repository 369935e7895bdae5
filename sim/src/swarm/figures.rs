//! What a swarm saw, as data: for tables in reports, and for whoever runs swarms and has to know how they ended.

use std::io::Write as _;

use serde_json::{Map, Value, json};

use super::{Failure, SwarmReport};

/// Where figures go: the name of a file, in the process's environment.
const VARIABLE: &str = "HELIOS_SIM_FIGURES";

impl SwarmReport {
    /// The report as a JSON object: its counters, `faults` and `marks` by name, and `failures`, each with the seeds and
    /// seconds until it was found and what shrinking made of its decisions.
    pub fn figures(&self) -> Value {
        let faults: Map<String, Value> =
            self.faults.fired().map(|(kind, fired)| (kind.name().to_owned(), fired.into())).collect();
        let marks: Map<String, Value> = self.marks.iter().map(|(mark, hits)| (mark.to_owned(), hits.into())).collect();
        json!({
            "workload": self.workload,
            "seeds": self.seeds,
            "seconds": self.elapsed.as_secs_f64(),
            "commits": self.commits,
            "commits_median": self.commits_median,
            "checks": self.checks,
            "crashes": self.crashes,
            "io_events": self.io_events,
            "faults": faults,
            "marks": marks,
            "marks_missing": self.marks_missing,
            "failures": self.failures.iter().map(Failure::figures).collect::<Vec<_>>(),
        })
    }
}

impl Failure {
    fn figures(&self) -> Value {
        let (seeds, time) = self.found_after;
        let shrunk = &self.shrunk;
        json!({
            "seed": self.seed,
            "seeds": seeds,
            "seconds": time.as_secs_f64(),
            "violation": self.violation.message,
            "decisions": shrunk.decisions,
            "interesting": shrunk.interesting,
            "shrink_runs": shrunk.runs,
            "shrink_seconds": shrunk.elapsed.as_secs_f64(),
        })
    }
}

/// Appends a swarm's figures to the file that the environment names, if it names one.
pub(super) fn publish(swarm: &str, report: &SwarmReport) {
    let Some(path) = std::env::var_os(VARIABLE) else { return };
    let mut figures = report.figures();
    figures["swarm"] = swarm.into();
    let appended = std::fs::OpenOptions::new().create(true).append(true).open(&path);
    let written = appended.and_then(|mut file| file.write_all(format!("{figures}\n").as_bytes()));
    if let Err(error) = written {
        eprintln!("the figures of {swarm} are not in {}: {error}", path.display());
    }
}
