//! Does the tree keep the shape that ARCHITECTURE.md draws?

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const VOCABULARY: &[&str] = &["image", "job", "pod", "prediction"];
const PLUMBING: &[&str] = &["clock", "shutdown", "telemetry"];
const LEVELS: &[&str] = &["queue", "model", "data"];
const ROLES: &[&str] = &["gateway", "worker", "train", "cluster"];

/// Libraries that may be named in these rooms only, so that each can be replaced there.
const HOMES: &[(&str, &[&str])] = &[
    ("rusqlite", &["queue"]),
    ("redis", &["queue"]),
    ("kube", &["cluster"]),
    ("k8s_openapi", &["cluster"]),
    ("burn", &["train"]),
    ("axum", &["gateway", "worker"]),
    ("clap", &["cli", "main", "telemetry"]),
];

struct Source {
    path: PathBuf,
    /// The first folder or file below `src`: what the rules speak of.
    room: String,
    text: String,
}

impl Source {
    /// Code lines with their numbers; comments and unit tests left out.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let body = self.text.split("#[cfg(test)]").next().unwrap_or_default();
        body.lines().enumerate().map(|(n, line)| (n + 1, line.split("//").next().unwrap_or_default()))
    }
}

fn sources() -> Vec<Source> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).expect("src is readable") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(path);
            }
        }
    }
    let crates = crate::support::project().join("crates");
    let mut paths = Vec::new();
    for member in fs::read_dir(crates).expect("crates is readable") {
        walk(&member.expect("an entry").path().join("src"), &mut paths);
    }
    paths.sort();
    let read = |path: PathBuf| {
        let below = path.components().skip_while(|c| c.as_os_str() != "crates").nth(3).expect("below src");
        let room = below.as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned();
        Source { room, text: fs::read_to_string(&path).expect("utf-8"), path }
    };
    paths.into_iter().map(read).collect()
}

/// The rooms that a line of code names by `crate::ROOM`.
fn rooms_named(line: &str) -> impl Iterator<Item = &str> {
    line.split("crate::")
        .skip(1)
        .map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or(""))
}

fn may_name(room: &str, other: &str) -> bool {
    let below = |rooms: &[&[&str]]| rooms.iter().any(|r| r.contains(&other));
    match room {
        _ if room == other => true,
        _ if VOCABULARY.contains(&room) || PLUMBING.contains(&room) => below(&[VOCABULARY, PLUMBING]),
        _ if LEVELS.contains(&room) => below(&[VOCABULARY, PLUMBING, LEVELS]),
        _ if ROLES.contains(&room) || room == "client" => below(&[VOCABULARY, PLUMBING, LEVELS]),
        _ => true,
    }
}

#[test]
fn rooms_import_only_what_lies_below_them() {
    let sources = sources();

    let mut broken = Vec::new();
    for source in &sources {
        for (n, line) in source.code() {
            for other in rooms_named(line).filter(|other| !may_name(&source.room, other)) {
                broken.push(format!("{}:{n} {} names {other}", source.path.display(), source.room));
            }
        }
    }

    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn each_library_with_a_home_is_named_only_there() {
    let sources = sources();

    let mut broken = Vec::new();
    for source in &sources {
        for (n, line) in source.code() {
            for (library, homes) in HOMES {
                let named = line
                    .split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':')
                    .any(|word| word.strip_prefix(library).is_some_and(|rest| rest.starts_with("::")));
                if named && !homes.contains(&source.room.as_str()) {
                    broken.push(format!("{}:{n} names {library}", source.path.display()));
                }
            }
        }
    }

    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn every_file_opens_with_the_question_that_it_answers() {
    let sources = sources();

    let silent: Vec<_> =
        sources.iter().filter(|s| !s.text.starts_with("//! ")).map(|s| s.path.display().to_string()).collect();

    assert!(silent.is_empty(), "no module docs: {}", silent.join(", "));
}

#[test]
fn no_file_answers_more_than_fits_three_hundred_lines() {
    const LINES_MAX: usize = 300;
    let sources = sources();

    let long: BTreeMap<_, _> = sources
        .iter()
        .map(|s| (s.path.display().to_string(), s.code().count()))
        .filter(|(_, lines)| *lines > LINES_MAX)
        .collect();

    assert!(long.is_empty(), "{long:?}");
}
