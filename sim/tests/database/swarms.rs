//! Many worlds for each workload.

use helios_isolation::Isolation;
use helios_sim::{Choices, FaultKind, Swarm, SwarmReport, TraceLevel, Workload, live, swarm};
use helios_workloads::{Bank, Definitions, Disks, Gateway, Histories, Operations};

/// Seeds of a swarm; `HELIOS_SEEDS=n` asks for others.
fn seeds(usual: u64) -> u64 {
    std::env::var("HELIOS_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(usual)
}

fn run(workload: &dyn Workload, usual: u64) -> SwarmReport {
    let config = Swarm { jobs: 2, ..Swarm::new("database", 0..seeds(usual)) };
    let report = swarm(&config, workload);
    println!("{report}");
    report.assert_clean();
    assert!(report.seeds == 1 || report.commits_median >= 100, "{report}");
    assert!(report.crashes >= report.seeds, "{report}");
    report
}

#[test]
fn operations_are_what_the_model_says() {
    run(&Operations::new(Disks::Honest), 120);
}

#[test]
fn the_bank_neither_makes_nor_loses_money() {
    run(&Bank::new(Disks::Honest), 120);
}

#[test]
fn definitions_are_there_as_a_whole_or_not_at_all() {
    run(&Definitions::new(Disks::Honest), 90);
}

fn histories(isolation: Isolation) {
    let workload = Histories::new(Disks::Honest, isolation);
    run(&workload, 40);
    println!("  {}", workload.counts());
}

#[test]
fn histories_are_read_committed() {
    histories(Isolation::ReadCommitted);
}

#[test]
fn histories_are_repeatable_read() {
    histories(Isolation::RepeatableRead);
}

#[test]
fn rotten_disks_are_reported_and_never_believed() {
    let config = Swarm { jobs: 2, ..Swarm::new("database", 0..seeds(60)) };
    let report = swarm(&config, &Operations::new(Disks::Rotten));
    println!("{report}");
    report.assert_clean();
}

#[test]
fn clients_of_the_gateway_are_told_the_truth() {
    let config = Swarm { jobs: 2, ..Swarm::new("database", 0..seeds(60)) };
    let report = swarm(&config, &Gateway::new(Disks::Honest));
    println!("{report}");
    report.assert_clean();
    assert!(report.seeds < 60 || report.commits_median >= 40, "{report}");
    for kind in FaultKind::ALL.iter().filter(|kind| kind.is_of_network()) {
        assert!(report.seeds < 60 || report.faults.of(*kind) > 0, "{} never fired", kind.name());
    }
}

/// No database survives such a disk: an oracle that says so has not looked.
#[test]
fn a_disk_that_ignores_sync_is_caught_by_every_workload() {
    let workloads: [&dyn Workload; 6] = [
        &Operations::new(Disks::Lying),
        &Bank::new(Disks::Lying),
        &Definitions::new(Disks::Lying),
        &Histories::new(Disks::Lying, Isolation::ReadCommitted),
        &Histories::new(Disks::Lying, Isolation::RepeatableRead),
        &Gateway::new(Disks::Lying),
    ];
    for workload in workloads {
        let caught = (0..60u64).find(|seed| live(workload, Choices::seeded(*seed), TraceLevel::Hash).result.is_err());
        let seed = caught.unwrap_or_else(|| panic!("{} believes a disk that ignores sync", workload.name()));
        println!("{}: a disk that ignores sync is caught after {} seeds", workload.name(), seed + 1);
    }
}
