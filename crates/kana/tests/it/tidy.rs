//! Does the tree keep the shape that ARCHITECTURE.md draws and CONTRIBUTING.md asks for?
//!
//! What the compiler and Clippy can hold is held there: crates import only downwards, Cargo.toml lists the lints. The
//! rest is here: rooms inside a crate, one home a library, questions, subjects, lengths, and documents that name files
//! which exist.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::project;

/// Rooms of crate `kana` that import nothing but themselves and other crates.
const PLUMBING: &[&str] = &["listen", "pod", "shutdown", "telemetry"];

/// Rooms of crate `kana` that import plumbing, and never each other.
const ROLES: &[&str] = &["gateway", "worker", "cluster", "client"];

/// Libraries that may be named in these rooms only, so that each can be replaced there.
const HOMES: &[(&str, &[&str])] = &[
    ("burn_tensor", &["train"]),
    ("axum", &["gateway", "worker"]),
    ("clap", &["cli", "telemetry"]),
    ("k8s_openapi", &["cluster"]),
    ("kube", &["cluster"]),
    ("prometheus_client", &["gateway", "telemetry", "worker"]),
    ("redis", &["queue"]),
    ("reqwest", &["client", "data"]),
    ("rusqlite", &["queue"]),
    ("utoipa", &["gateway"]),
];

/// Lines of a file before its tests: beyond this it answers more than one question.
const LINES_MAX: usize = 400;

/// Columns of a line of prose, which can be wrapped.
const COLUMNS_MAX: usize = 120;

/// Columns of a row of a table or a line of code, which cannot.
const ROW_COLUMNS_MAX: usize = 150;

/// First words that leave a reader who hovers over one item asking "what does?".
const PRONOUNS: &[&str] = &["It", "This", "That", "These", "Those", "They", "Whose"];

/// One Rust file of one crate.
struct Source {
    path: PathBuf,
    /// The first folder or file below `src`, which the rules speak of.
    room: String,
    text: String,
}

impl Source {
    /// Lines before the unit tests, with their numbers.
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let body = self.text.split("#[cfg(test)]").next().unwrap_or_default();
        body.lines().enumerate().map(|(n, line)| (n + 1, line))
    }

    /// The same without comments.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.lines().map(|(n, line)| (n, line.split("//").next().unwrap_or_default()))
    }

    /// What a broken rule is reported as.
    fn at(&self, line: usize, what: &str) -> String {
        let path = self.path.strip_prefix(project()).unwrap_or(&self.path).display().to_string();
        format!("{path}:{line} {what}")
    }
}

/// Every file below `folder` whose name ends in `.{extension}`.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder that can be read") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The sources of these crates, all of them where none is named.
fn sources(of: &[&str]) -> Vec<Source> {
    let mut sources = Vec::new();
    for member in fs::read_dir(project().join("crates")).expect("crates can be read") {
        let member = member.expect("an entry").path();
        let name = member.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !of.is_empty() && !of.contains(&name.as_str()) {
            continue;
        }
        let root = member.join("src");
        for path in files(&root, "rs") {
            let first = path.strip_prefix(&root).expect("below src").components().next().expect("not empty");
            let room = first.as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned();
            sources.push(Source { room, text: fs::read_to_string(&path).expect("UTF-8"), path });
        }
    }
    sources
}

/// The documents that people read first.
fn documents() -> Vec<(PathBuf, String)> {
    let root = project();
    let mut paths = files(&root.join("docs"), "md");
    paths.extend(
        ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "ui/README.md"].map(|name| root.join(name)),
    );
    paths.into_iter().map(|path| (path.clone(), fs::read_to_string(path).expect("UTF-8"))).collect()
}

fn assert_none(broken: Vec<String>) {
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
}

/// The words of a line, `::` left inside them.
fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':')
}

fn may_import(room: &str, other: &str) -> bool {
    room == other
        || PLUMBING.contains(&other) && (PLUMBING.contains(&room) || ROLES.contains(&room))
        || !PLUMBING.contains(&room) && !ROLES.contains(&room)
}

#[test]
fn rooms_import_only_what_lies_below_them() {
    let mut broken = Vec::new();

    for source in sources(&["kana"]) {
        for (n, line) in source.code() {
            for path in words(line).filter_map(|word| word.strip_prefix("crate::")) {
                let other = path.split("::").next().unwrap_or_default();
                if !may_import(&source.room, other) {
                    broken.push(source.at(n, &format!("{} imports {other}", source.room)));
                }
            }
        }
    }

    assert_none(broken);
}

#[test]
fn each_library_with_a_home_is_named_only_there() {
    let mut broken = Vec::new();

    for source in sources(&[]) {
        for (n, line) in source.code() {
            for (library, homes) in HOMES {
                let is_named = words(line).any(|word| word.strip_prefix(library).is_some_and(|r| r.starts_with("::")));
                if is_named && !homes.contains(&source.room.as_str()) {
                    broken.push(source.at(n, &format!("names {library} outside {}", homes.join(", "))));
                }
            }
        }
    }

    assert_none(broken);
}

#[test]
fn every_file_opens_with_the_question_that_it_answers() {
    let mut broken = Vec::new();

    for source in sources(&[]).iter().filter(|source| !["lib", "main"].contains(&source.room.as_str())) {
        let opening: String = source.text.lines().map_while(|line| line.strip_prefix("//! ")).collect();
        if !opening.contains('?') {
            broken.push(source.at(1, "does not open with a question"));
        }
    }

    assert_none(broken);
}

#[test]
fn every_doc_comment_names_its_subject() {
    let mut broken = Vec::new();

    for source in sources(&[]) {
        let mut is_inside = false;
        for (n, line) in source.lines() {
            let doc = line.trim_start().strip_prefix("///");
            let first = doc.filter(|_| !is_inside).map(str::trim_start).unwrap_or_default();
            let word = first.split(|c: char| !c.is_alphabetic()).next().unwrap_or_default();
            if PRONOUNS.contains(&word) || first.starts_with("One that") || first.starts_with("One with") {
                broken.push(source.at(n, first));
            }
            is_inside = doc.is_some();
        }
    }

    assert_none(broken);
}

#[test]
fn no_file_answers_more_than_one_question_at_length() {
    let long = |source: &Source| {
        let lines = source.lines().count();
        (lines > LINES_MAX).then(|| source.at(1, &format!("{lines} lines before its tests")))
    };

    assert_none(sources(&[]).iter().filter_map(long).collect());
}

#[test]
fn no_test_sleeps_or_is_skipped() {
    let mut broken = Vec::new();
    // In two parts, so that this file does not name them itself.
    let (sleeps, skipped) = (["sleep", "("].concat(), ["#[", "ignore"].concat());

    for path in files(&project().join("crates/kana/tests"), "rs") {
        let text = fs::read_to_string(&path).expect("UTF-8");
        for (n, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            if code.contains(&skipped) || code.contains(&sleeps) && !code.contains("advance_") {
                broken.push(format!("{}:{} {}", path.display(), n + 1, line.trim()));
            }
        }
    }

    assert_none(broken);
}

#[test]
fn no_line_of_a_document_is_too_long_to_read() {
    let mut broken = Vec::new();

    for (path, text) in documents() {
        let mut is_code = false;
        for (n, line) in text.lines().enumerate() {
            is_code ^= line.starts_with("```");
            let is_prose = !is_code && !line.starts_with('|') && !line.starts_with("    ");
            let (columns, max) = (line.chars().count(), if is_prose { COLUMNS_MAX } else { ROW_COLUMNS_MAX });
            if columns > max {
                broken.push(format!("{}:{} has {columns} columns", path.display(), n + 1));
            }
        }
    }

    assert_none(broken);
}

#[test]
fn every_file_that_a_document_names_exists() {
    let mut broken = Vec::new();
    let tops = ["crates/", "ui/", "charts/", "docs/", "models/", "tools/", "benches/", "tests/"];

    for (path, text) in documents() {
        for word in text.split(|c: char| c.is_whitespace() || "`()[]<>,;:\"'│".contains(c)) {
            let word = word.split('#').next().unwrap_or_default().trim_end_matches(['.', '/']);
            let is_ours = tops.iter().any(|top| word.starts_with(top)) && !word.contains(['*', '…', '{', '$', '=']);
            // Folders that a user makes are named, too; only those that this project would have are checked.
            let is_built =
                word.starts_with("ui/dist") || word.starts_with("models/mine") || word.starts_with("ui/node_modules");
            if is_ours && !is_built && !project().join(word).exists() {
                broken.push(format!("{} names {word}", path.display()));
            }
        }
    }

    assert_none(broken);
}
