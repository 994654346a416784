//! What does this process take of its machine?
//!
//! The metrics have the names that Prometheus's own clients give them, so that common dashboards and alerts find them. A
//! figure that the system does not tell is left out: all come from Linux, some from other systems.

use std::fmt;
use std::path::Path;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, text};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};
use rustix::process::{Resource, getrlimit};

/// Writes the metrics of this process in the OpenMetrics text format, without the end mark.
///
/// # Errors
/// None in practice: writing to a string does not fail.
pub fn encode(to: &mut String) -> fmt::Result {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Process));
    text::encode_registry(to, &registry)
}

/// Figures that the kernel keeps of a process.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Figures {
    cpu_seconds: f64,
    resident_bytes: u64,
    threads: u64,
    /// Seconds since 1970.
    started: f64,
}

#[derive(Debug)]
struct Process;

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let mut write = |name: &str, help: &str, unit: Option<&Unit>, metric: &dyn Encode| {
            metric.encode(encoder.encode_descriptor(name, help, unit, metric.kind())?)
        };
        if let Some(Figures { cpu_seconds, resident_bytes, threads, started }) = figures() {
            let help = "Time that processors spent on this process";
            write("process_cpu", help, Some(&Unit::Seconds), &ConstCounter::new(cpu_seconds))?;
            let help = "Memory of this process that is in the machine's memory";
            write("process_resident_memory", help, Some(&Unit::Bytes), &ConstGauge::new(gauge(resident_bytes)))?;
            write("process_threads", "Threads of this process", None, &ConstGauge::new(gauge(threads)))?;
            let help = "Start of this process, since 1970";
            write("process_start_time", help, Some(&Unit::Seconds), &ConstGauge::new(started))?;
        }
        if let Some(open) = descriptors() {
            write("process_open_fds", "File descriptors in use", None, &ConstGauge::new(gauge(open)))?;
        }
        if let Some(most) = getrlimit(Resource::Nofile).current {
            write("process_max_fds", "File descriptors that may be in use", None, &ConstGauge::new(gauge(most)))?;
        }
        Ok(())
    }
}

/// A constant metric, whatever the type of its number.
trait Encode {
    fn encode(&self, encoder: prometheus_client::encoding::MetricEncoder) -> fmt::Result;
    fn kind(&self) -> prometheus_client::metrics::MetricType;
}

impl<T: EncodeMetric> Encode for T {
    fn encode(&self, encoder: prometheus_client::encoding::MetricEncoder) -> fmt::Result {
        EncodeMetric::encode(self, encoder)
    }

    fn kind(&self) -> prometheus_client::metrics::MetricType {
        self.metric_type()
    }
}

fn gauge(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Counts the open descriptors, without the one that counting takes.
fn descriptors() -> Option<u64> {
    let folder = ["/proc/self/fd", "/dev/fd"].map(Path::new).into_iter().find(|folder| folder.is_dir())?;
    let entries = std::fs::read_dir(folder).ok()?.count() as u64;
    Some(entries.saturating_sub(1))
}

#[cfg(target_os = "linux")]
fn figures() -> Option<Figures> {
    parse(&std::fs::read_to_string("/proc/self/stat").ok()?, &std::fs::read_to_string("/proc/stat").ok()?)
}

#[cfg(not(target_os = "linux"))]
fn figures() -> Option<Figures> {
    None
}

/// Reads the figures from `/proc/PID/stat` and the machine's boot time from `/proc/stat`; proc(5) numbers the fields.
#[cfg(target_os = "linux")]
fn parse(stat: &str, machine: &str) -> Option<Figures> {
    use rustix::param::{clock_ticks_per_second, page_size};

    // The second field, the program's name, is in parentheses and may hold any character.
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    let booted = machine.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse::<u64>().ok()?;
    let seconds = |ticks: u64| ticks as f64 / clock_ticks_per_second() as f64;
    Some(Figures {
        cpu_seconds: seconds(field(14)? + field(15)?),
        threads: field(20)?,
        started: booted as f64 + seconds(field(22)?),
        resident_bytes: field(24)? * page_size() as u64,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_figure_of_a_running_process_is_written_by_its_usual_name() {
        let mut text = String::new();

        encode(&mut text).unwrap();

        let names = ["process_open_fds", "process_max_fds"];
        let of_linux = [
            "process_cpu_seconds_total",
            "process_resident_memory_bytes",
            "process_start_time_seconds",
            "process_threads",
        ];
        for name in names.into_iter().chain(of_linux.into_iter().filter(|_| cfg!(target_os = "linux"))) {
            let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            let value: f64 = value.unwrap_or_else(|| panic!("{name} is missing in\n{text}")).parse().unwrap();
            assert!(value > 0.0 || name == "process_cpu_seconds_total", "{name} is {value}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_programs_name_may_hold_spaces_and_parentheses() {
        let stat = "7 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 150 50 13 14 15 16 9 18 300 20 21 22";

        let figures = parse(stat, "cpu 1 2\nbtime 1000\n").unwrap();

        let ticks = rustix::param::clock_ticks_per_second() as f64;
        assert_eq!((figures.cpu_seconds, figures.threads), (200.0 / ticks, 9));
        assert_eq!(figures.started, 1_000.0 + 300.0 / ticks);
        assert_eq!(figures.resident_bytes, 21 * rustix::param::page_size() as u64);
    }
}
