//! Which role does the command line ask for, and with which configuration?
//!
//! Every command is parsed into the configuration of one role, and run with a runtime of that role's size. Nothing
//! else in the program reads flags or the environment. Data goes to standard output, everything else to standard error;
//! the exit code is 0 for success, 1 for failure, 2 for wrong usage.

mod client;
mod data;
mod environment;
mod evaluate;
mod export;
mod flags;
mod kubernetes;
mod print;
mod report;
mod serve;
mod train;

use std::ffi::{OsStr, OsString};
use std::future::Future;
use std::io;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::telemetry::{self, Format};
use environment::Setting;

/// Exit code of a command that failed.
const FAILED: u8 = 1;

/// Exit code for wrong usage, the same as clap's.
const WRONG_USAGE: u8 = 2;

/// Trains an image classifier, serves it behind a durable queue, and scales it without losing a request.
#[derive(Debug, Parser)]
#[command(name = "kana", version, max_term_width = 100, arg_required_else_help = true)]
pub struct Cli {
    /// Log lines to write to standard error: a level (error, warn, info, debug, trace), or levels by module such as
    /// info,kana_queue=debug
    #[arg(long, env = "KANA_LOG", default_value = "info", value_name = "FILTER", global = true)]
    log: String,

    /// Format of log lines
    #[arg(long, env = "KANA_LOG_FORMAT", value_name = "FORMAT", value_enum, default_value_t, global = true)]
    log_format: telemetry::Format,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run everything on this machine: gateway, page, queue and workers
    Up(serve::Up),
    /// Run a gateway: it accepts images over HTTP and puts them into a queue that workers share
    Gateway(serve::Gateway),
    /// Run one worker: it claims images from a queue, classifies them and stores the outcomes
    Worker(serve::Worker),
    /// Train a model from labelled images
    Train(train::Train),
    /// Write the report of a finished training run: one HTML file, and its figures as JSON
    Report(report::Report),
    /// Measure the accuracy of a model on labelled images
    Evaluate(evaluate::Evaluate),
    /// Classify image files in this process, without a service
    Predict(evaluate::Predict),
    /// Write a model in a format that other programs compute
    Export(export::Export),
    /// Send image files to a running service and print their outcomes, one JSON line each
    Submit(client::Submit),
    /// Download data sets, or write sample images
    #[command(subcommand)]
    Data(data::Data),
    /// List, show, replay or drop dead letters: jobs whose every attempt failed
    #[command(subcommand)]
    Dead(client::Dead),
    /// Send requests to a running service and print its throughput and latencies
    Bench(client::Bench),
    /// Print the description of the HTTP interface
    #[command(hide = true)]
    Openapi,
}

/// An error for arguments that are valid one by one but not together.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

/// Runs the command that this process was started with.
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let variable = |name: &OsStr| std::env::var_os(name);
    let (cli, settings) = match environment::parse(&arguments, &variable) {
        Ok(parsed) => parsed,
        Err(error) => return report_unparsed(&error, wants_json(&arguments, &variable)),
    };
    match cli.run() {
        Ok(code) => code,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            report(&error, &settings);
            let wrong = error.downcast_ref::<Usage>().is_some();
            ExitCode::from(if wrong { WRONG_USAGE } else { FAILED })
        }
    }
}

impl Cli {
    fn run(self) -> anyhow::Result<ExitCode> {
        telemetry::start(self.log_format, &self.log)
            .map_err(|error| Usage(format!("invalid value {:?} for '--log <FILTER>': {error}", self.log)))?;
        match self.command {
            Command::Up(up) => up.run(&self.log, self.log_format),
            Command::Gateway(gateway) => gateway.run(),
            Command::Worker(worker) => worker.run(),
            Command::Train(train) => train.run(),
            Command::Report(report) => report.run(),
            Command::Evaluate(evaluate) => evaluate.run(),
            Command::Predict(predict) => predict.run(),
            Command::Export(export) => export.run(),
            Command::Submit(submit) => submit.run(),
            Command::Data(data) => data.run(),
            Command::Dead(dead) => dead.run(),
            Command::Bench(bench) => bench.run(),
            Command::Openapi => {
                print::text(&crate::gateway::openapi_text()?)?;
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}

/// The number of threads of a role's reactor.
#[derive(Clone, Copy, Debug)]
enum Threads {
    /// One thread, for a role that mostly waits for a queue or a server.
    One,
    /// One thread for two cores, for many connections: every further one costs more to wake than it saves.
    Many,
}

/// Cores for one thread of a reactor. On two cores, one thread serves a request at a time with three quarters of the
/// processor time that two threads take, and 32 at a time equally fast.
const CORES_PER_THREAD: usize = 2;

/// Threads for blocking calls in a role that makes few of them.
const BLOCKING_FEW: usize = 4;

/// Stack of a reactor's thread; only touched pages are paid for.
const STACK_BYTES: usize = 1024 * 1024;

/// Runs `role` to its end.
fn block_on<F: Future>(threads: Threads, role: F) -> anyhow::Result<F::Output> {
    let mut builder = match threads {
        // All in this one, so that no task of the role has to wake another thread.
        Threads::One => tokio::runtime::Builder::new_current_thread(),
        Threads::Many => tokio::runtime::Builder::new_multi_thread(),
    };
    builder.enable_all().thread_stack_size(STACK_BYTES).thread_name("kana");
    match threads {
        Threads::One => builder.max_blocking_threads(BLOCKING_FEW),
        Threads::Many => {
            let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
            builder.worker_threads(cores.div_ceil(CORES_PER_THREAD))
        }
    };
    let runtime = builder.build()?;
    let output = runtime.block_on(role);
    // A thread that still blocks is not waited for: a stuck engine, a slow disk.
    runtime.shutdown_background();
    Ok(output)
}

/// Whether the error is a closed output, as after `| head`.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let kind = |cause: &(dyn std::error::Error + 'static)| cause.downcast_ref::<io::Error>().map(io::Error::kind);
    error.chain().any(|cause| kind(cause) == Some(io::ErrorKind::BrokenPipe))
}

/// Reports an error that ends this process, and the variables that it is about.
fn report(error: &anyhow::Error, settings: &[Setting]) {
    let causes: Vec<String> = error.chain().skip(1).map(ToString::to_string).collect();
    let notes = environment::notes(settings, &format!("{error}\n{}", causes.join("\n")));
    if telemetry::format() == Format::Json {
        let (message, causes, notes) = (error.to_string(), causes.join(": "), notes.join("; "));
        let fields = [("error", &*causes), ("note", &*notes)];
        telemetry::write_line(tracing::Level::ERROR, &message, &fields);
        return;
    }
    let mut text = format!("error: {error}\n");
    causes.iter().for_each(|cause| text.push_str(&format!("  because: {cause}\n")));
    notes.iter().for_each(|note| text.push_str(&format!("  note: {note}\n")));
    print::note(&text);
}

/// Reports arguments that were not understood, or prints the help that they ask for.
fn report_unparsed(error: &clap::Error, json: bool) -> ExitCode {
    if json && error.use_stderr() {
        telemetry::write_line_as(Format::Json, tracing::Level::ERROR, &environment::cause(error), &[]);
    } else {
        // A closed output is no failure when help is printed.
        let _ = error.print();
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(WRONG_USAGE))
}

/// Whether the log is to be JSON, by arguments that could not be parsed as a whole.
fn wants_json(arguments: &[OsString], variable: environment::Read<'_>) -> bool {
    let mut values = arguments.iter().enumerate().filter_map(|(at, argument)| match argument.to_str()? {
        "--log-format" => arguments.get(at + 1)?.to_str(),
        argument => argument.strip_prefix("--log-format="),
    });
    values.next().map_or_else(|| variable("KANA_LOG_FORMAT".as_ref()) == Some("json".into()), |value| value == "json")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn every_flag_can_come_from_the_environment_by_its_own_name() {
        fn check(command: &clap::Command) {
            for argument in command.get_arguments().filter(|argument| !argument.is_positional()) {
                let Some(long) = argument.get_long().filter(|long| !["help", "version"].contains(long)) else {
                    continue;
                };
                let expected = format!("KANA_{}", long.to_uppercase().replace('-', "_"));
                let found = argument.get_env().map(|name| name.to_string_lossy().into_owned());
                assert_eq!(found, Some(expected), "--{long} of {}", command.get_name());
            }
            command.get_subcommands().for_each(check);
        }

        check(&Cli::command());
    }

    #[test]
    fn the_command_line_is_free_of_contradictions() {
        Cli::command().debug_assert();
    }
}
