//! Which flags does the environment set, and which variable is to blame for an error?
//!
//! Every flag `--some-flag` is also the variable `KANA_SOME_FLAG`. clap would take an empty variable for a value, accept
//! only `true` and `false` for a switch, and name the flag where a variable is wrong. So clap reads no variable here:
//! each becomes an argument, as if it had been typed, unless the arguments give or contradict its flag. That holds for
//! every flag of every command, because the flags are found by walking through clap's own description of them.

use std::ffi::{OsStr, OsString};

use clap::builder::{BoolishValueParser, Resettable, StyledStr, TypedValueParser};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, CommandFactory, FromArgMatches};

use super::Cli;

/// Reads a variable of the environment.
pub type Read<'a> = &'a dyn Fn(&OsStr) -> Option<OsString>;

/// A flag that a variable sets.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The flag, such as `--lease`.
    flag: String,
    /// The variable, such as `KANA_LEASE`.
    variable: String,
    /// The variable's value.
    value: OsString,
    /// The argument that says the same, such as `--lease=6s`.
    argument: OsString,
    /// Whether the value must not be shown.
    is_secret: bool,
}

/// Parses the arguments of this process, the program's name first, and the variables that `read` finds. Returns also
/// the flags that variables set.
///
/// # Errors
/// Where a value is wrong, or a request for help: an error that clap prints, and that names each variable to blame.
pub fn parse(arguments: &[OsString], read: Read<'_>) -> Result<(Cli, Vec<Setting>), clap::Error> {
    let settings = settings(arguments, read)?;
    let parsed = matches(&joined(arguments, &settings)).and_then(|found| Cli::from_arg_matches(&found));
    match parsed {
        Ok(cli) => Ok((cli, settings)),
        Err(error) => Err(explained(error, arguments, &settings)),
    }
}

/// Returns a sentence for each variable that the text of an error speaks of, by its flag or by its value.
pub fn notes(settings: &[Setting], text: &str) -> Vec<String> {
    let mentioned = settings.iter().filter(|setting| setting.is_mentioned(text));
    mentioned.map(Setting::note).collect()
}

/// Returns the variables of all flags of a command.
pub fn variables<A: Args>() -> Vec<OsString> {
    let command = A::augment_args(Command::new("variables"));
    command.get_arguments().filter_map(|argument| argument.get_env().map(OsStr::to_owned)).collect()
}

impl Setting {
    fn note(&self) -> String {
        format!("{} is set by the environment variable {}", self.flag, self.variable)
    }

    fn is_mentioned(&self, text: &str) -> bool {
        let value = self.value.to_string_lossy();
        // A mere number stands in many a message that is not about this flag.
        let is_telling = value.parse::<f64>().is_err() && value.chars().count() > 1;
        contains_word(text, &self.flag) || is_telling && contains_word(text, &value)
    }
}

/// Whether `word` stands in `text` and is no part of a longer word, or end of a longer path, there.
fn contains_word(text: &str, word: &str) -> bool {
    let joins = |letter: char| letter.is_alphanumeric() || letter == '-' || letter == '_';
    text.match_indices(word).any(|(at, _)| {
        let (before, after) = (text[..at].chars().next_back(), text[at + word.len()..].chars().next());
        !before.is_some_and(|letter| joins(letter) || letter == '.' || letter == '/') && !after.is_some_and(joins)
    })
}

/// Removes the variables from every flag of a command and of the commands below it.
fn without_variables(command: Command) -> Command {
    command.mut_args(|argument| argument.env(Resettable::Reset)).mut_subcommands(without_variables)
}

fn matches(arguments: &[OsString]) -> Result<ArgMatches, clap::Error> {
    without_variables(Cli::command()).try_get_matches_from(arguments)
}

/// Returns the flags that variables set, for the command that the arguments name.
fn settings(arguments: &[OsString], read: Read<'_>) -> Result<Vec<Setting>, clap::Error> {
    // Errors are ignored for now: those of the arguments are found, and reported, once all arguments are known.
    let lenient = without_variables(Cli::command()).ignore_errors(true).try_get_matches_from(arguments);
    let Ok(root) = lenient else { return Ok(Vec::new()) };
    let mut all = Cli::command();
    all.build();
    let (mut command, mut given) = (&all, &root);
    while let Some((name, below)) = given.subcommand() {
        let Some(found) = command.find_subcommand(name) else { break };
        (command, given) = (found, below);
    }
    if command.has_subcommands() {
        return Ok(Vec::new());
    }
    let is_typed = |argument: &Arg| given.value_source(argument.get_id().as_str()) == Some(ValueSource::CommandLine);
    let typed: Vec<&Arg> = command.get_arguments().filter(|argument| is_typed(argument)).collect();
    let mut settings = Vec::new();
    for argument in command.get_arguments().filter(|argument| !is_typed(argument)) {
        let contradicts = |other: &&Arg| {
            let (by_it, by_other) = (command.get_arg_conflicts_with(argument), command.get_arg_conflicts_with(other));
            by_it.iter().any(|it| it.get_id() == other.get_id())
                || by_other.iter().any(|it| it.get_id() == argument.get_id())
        };
        if !typed.iter().any(contradicts) {
            settings.extend(setting(command, argument, read)?);
        }
    }
    Ok(settings)
}

/// Returns what the flag's variable sets; `None` where the variable is unset or empty, and for a switch that is off.
fn setting(command: &Command, argument: &Arg, read: Read<'_>) -> Result<Option<Setting>, clap::Error> {
    let (Some(flag), Some(name)) = (argument.get_long(), argument.get_env()) else { return Ok(None) };
    let Some(value) = read(name).filter(|value| !value.is_empty()) else { return Ok(None) };
    let (flag, variable) = (format!("--{flag}"), name.to_string_lossy().into_owned());
    let mut typed = OsString::from(&flag);
    if matches!(argument.get_action(), ArgAction::SetTrue) {
        match BoolishValueParser::new().parse_ref(command, None, &value) {
            Ok(true) => {}
            Ok(false) => return Ok(None),
            Err(_) => {
                let text = format!("invalid value {value:?} for {variable}, which sets the switch {flag}");
                let text = format!("{text}: expected 1, yes, true or on, or 0, no, false or off\n");
                return Err(clap::Error::raw(ErrorKind::InvalidValue, text));
            }
        }
    } else {
        typed.push("=");
        typed.push(&value);
    }
    let is_secret = argument.is_hide_env_values_set();
    Ok(Some(Setting { flag, variable, value, argument: typed, is_secret }))
}

/// Adds what variables set to the arguments: before `--`, after which flags are names of files.
fn joined(arguments: &[OsString], settings: &[Setting]) -> Vec<OsString> {
    let end = arguments.iter().position(|argument| argument == "--").unwrap_or(arguments.len());
    let (before, after) = arguments.split_at(end);
    let added = settings.iter().map(|setting| &setting.argument);
    before.iter().chain(added).chain(after).cloned().collect()
}

/// Adds to an error the variables without which it would be another one, or none.
fn explained(mut error: clap::Error, arguments: &[OsString], settings: &[Setting]) -> clap::Error {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand) {
        // Help shows the variables and their values, which only the whole description of the commands has.
        let shown = Cli::command().try_get_matches_from(arguments).err();
        return shown.filter(|shown| shown.kind() == error.kind()).unwrap_or(error);
    }
    if error.kind() == ErrorKind::InvalidUtf8 {
        return not_utf8(arguments, settings).unwrap_or(error);
    }
    let cause = cause(&error);
    let is_to_blame = |at: usize| {
        let others = [&settings[..at], &settings[at + 1..]].concat();
        matches(&joined(arguments, &others)).err().is_none_or(|other| self::cause(&other) != cause)
    };
    let blamed = (0..settings.len()).filter(|at| is_to_blame(*at));
    let notes: Vec<String> = blamed.map(|at| settings[at].note()).collect();
    if notes.is_empty() {
        return error;
    }
    if error.context().next().is_none() {
        // An error of kana's own, which is text alone.
        return clap::Error::raw(error.kind(), format!("{cause}\n\n  tip: {}\n", notes.join("\n  tip: ")));
    }
    let mut tips: Vec<StyledStr> = notes.into_iter().map(StyledStr::from).collect();
    if let Some(ContextValue::StyledStrs(known)) = error.get(ContextKind::Suggested) {
        tips.extend(known.iter().cloned());
    }
    error.insert(ContextKind::Suggested, ContextValue::StyledStrs(tips));
    error
}

/// Returns what is wrong, without the usage and the way to help.
pub fn cause(error: &clap::Error) -> String {
    let text = error.to_string();
    let cause = ["\n\nUsage:", "\n\nFor more information"]
        .iter()
        .fold(&*text, |text, end| text.split_once(end).map_or(text, |(cause, _)| cause));
    cause.trim_start_matches("error: ").trim_end().to_owned()
}

/// Returns the error for the first argument or variable whose bytes should have been text.
fn not_utf8(arguments: &[OsString], settings: &[Setting]) -> Option<clap::Error> {
    let mut tried = joined(arguments, settings);
    for at in 0..tried.len() {
        if tried[at].to_str().is_some() {
            continue;
        }
        let given = tried[at].clone();
        tried[at] = given.to_string_lossy().into_owned().into();
        if !is_utf8_error(&tried) {
            let variable = settings.iter().find(|setting| setting.argument == given);
            let what = match variable {
                Some(Setting { variable, is_secret: true, .. }) => format!("the value of {variable}"),
                Some(Setting { variable, value, .. }) => format!("the value {value:?} of {variable}"),
                None => format!("the argument {given:?}"),
            };
            let text = format!("{what} is not valid UTF-8, which everything but a path must be\n");
            return Some(clap::Error::raw(ErrorKind::InvalidUtf8, text));
        }
    }
    None
}

fn is_utf8_error(arguments: &[OsString]) -> bool {
    matches(arguments).is_err_and(|error| error.kind() == ErrorKind::InvalidUtf8)
}

#[cfg(test)]
mod tests {
    use std::any::TypeId;
    use std::os::unix::ffi::OsStrExt as _;
    use std::path::PathBuf;

    use super::*;

    /// Calls `check` with the arguments that name each command, and with each of its flags that a variable sets.
    fn for_each_flag(mut check: impl FnMut(&[OsString], &Arg, &OsStr)) -> usize {
        fn walk(command: &Command, path: &[OsString], check: &mut dyn FnMut(&[OsString], &Arg, &OsStr)) -> usize {
            let below =
                command.get_subcommands().map(|below| walk(below, &[path, &[below.get_name().into()]].concat(), check));
            let below: usize = below.sum();
            if command.has_subcommands() {
                return below;
            }
            let flags = command.get_arguments().filter_map(|flag| Some((flag, flag.get_env()?)));
            below + flags.map(|(flag, variable)| check(path, flag, variable)).count()
        }
        let mut all = without_help(Cli::command());
        all.build();
        walk(&all, &["kana".into()], &mut check)
    }

    fn without_help(command: Command) -> Command {
        command.disable_help_subcommand(true).mut_subcommands(without_help)
    }

    /// Parses with one variable set.
    fn parse_with(path: &[OsString], variable: &OsStr, value: &[u8]) -> Result<(Cli, Vec<Setting>), clap::Error> {
        let read = |name: &OsStr| (name == variable).then(|| OsStr::from_bytes(value).to_owned());
        parse(path, &read)
    }

    fn error_with(path: &[OsString], variable: &OsStr, value: &[u8]) -> Option<clap::Error> {
        parse_with(path, variable, value).err()
    }

    fn args(words: &[&str]) -> Vec<OsString> {
        words.iter().map(OsString::from).collect()
    }

    fn names(error: &clap::Error, variable: &OsStr) -> bool {
        contains_word(&error.to_string(), &variable.to_string_lossy())
    }

    fn is_switch(flag: &Arg) -> bool {
        !flag.get_action().takes_values()
    }

    #[test]
    fn an_empty_variable_is_an_unset_one_for_every_flag() {
        let flags = for_each_flag(|path, _, variable| {
            let unset = error_with(path, variable, b"").map(|error| error.to_string());

            assert_eq!(unset, parse(path, &|_| None).err().map(|error| error.to_string()), "{variable:?} of {path:?}");
        });

        assert!(flags > 60, "{flags} flags");
    }

    #[test]
    fn a_wrong_value_is_refused_by_the_name_of_its_variable_for_every_flag() {
        let mut refused = 0;

        for_each_flag(|path, flag, variable| {
            let Some(error) = error_with(path, variable, b"?!") else { return };
            if matches!(error.kind(), ErrorKind::ValueValidation | ErrorKind::InvalidValue) {
                assert!(names(&error, variable), "{variable:?} of {path:?}: {error}");
                refused += 1;
            } else {
                assert!(!is_switch(flag), "{variable:?} of {path:?}: {error}");
            }
        });

        assert!(refused > 40, "{refused} refused");
    }

    #[test]
    fn bytes_that_are_no_text_are_refused_by_the_name_of_their_variable_for_every_flag_but_paths() {
        for_each_flag(|path, flag, variable| {
            let error = error_with(path, variable, b"caf\xe9");

            let of_a_value = [ErrorKind::InvalidUtf8, ErrorKind::ValueValidation, ErrorKind::InvalidValue];
            let refused = error.filter(|error| of_a_value.contains(&error.kind()));
            let is_path = flag.get_value_parser().type_id() == TypeId::of::<PathBuf>();
            assert_eq!(refused.is_some(), !is_path, "{variable:?} of {path:?}");
            assert!(refused.is_none_or(|error| names(&error, variable)), "{variable:?} of {path:?}");
        });
    }

    #[test]
    fn a_switch_is_set_and_not_set_by_the_usual_words() {
        let switches = for_each_flag(|path, flag, variable| {
            let is_set = |word: &str| {
                let read = |name: &OsStr| (name == variable).then(|| word.into());
                settings(path, &read).is_ok_and(|settings| !settings.is_empty())
            };
            if is_switch(flag) {
                assert!(["1", "yes", "TRUE", "On"].iter().all(|word| is_set(word)), "{variable:?}");
                assert!(!["0", "no", "FALSE", "Off", "", "maybe"].iter().any(|word| is_set(word)), "{variable:?}");
            }
        });

        assert!(switches > 0);
    }

    #[test]
    fn a_switch_that_is_off_contradicts_nothing() {
        assert!(parse_with(&args(&["kana", "dead", "drop", "7"]), "KANA_ALL".as_ref(), b"no").is_ok());
        assert!(parse_with(&args(&["kana", "dead", "drop"]), "KANA_ALL".as_ref(), b"no").is_err());
    }

    #[test]
    fn arguments_win_over_the_environment_also_where_they_contradict_it() {
        let typed = parse_with(&args(&["kana", "up", "--lease", "7s"]), "KANA_LEASE".as_ref(), b"wrong");
        let contradicted = parse_with(&args(&["kana", "bench", "--rate", "5"]), "KANA_CONCURRENCY".as_ref(), b"3");

        assert!(typed.is_ok() && contradicted.is_ok(), "{typed:?} {contradicted:?}");
    }

    #[test]
    fn two_variables_that_contradict_each_other_are_both_named() {
        let both =
            |name: &OsStr| ["KANA_RATE", "KANA_CONCURRENCY"].iter().any(|known| name == *known).then(|| "5".into());

        let error = parse(&args(&["kana", "bench"]), &both).unwrap_err();

        assert!(names(&error, "KANA_RATE".as_ref()) && names(&error, "KANA_CONCURRENCY".as_ref()), "{error}");
    }

    #[test]
    fn a_wrong_argument_is_not_blamed_on_a_variable() {
        let error = parse_with(&args(&["kana", "up", "--min", "few"]), "KANA_MAX".as_ref(), b"5").unwrap_err();

        assert!(!names(&error, "KANA_MAX".as_ref()), "{error}");
    }

    #[test]
    fn variables_are_read_before_the_names_of_files_too() {
        let read = |name: &OsStr| (name == "KANA_JSON").then(|| "1".into());

        let settings = settings(&args(&["kana", "predict", "--", "--json"]), &read).unwrap();

        let all = joined(&args(&["kana", "predict", "--", "--json"]), &settings);
        assert_eq!(all, args(&["kana", "predict", "--json", "--", "--json"]));
    }

    #[test]
    fn an_error_is_about_a_variable_where_it_has_the_flag_or_the_value() {
        let setting = |flag: &str, value: &str| Setting {
            flag: flag.into(),
            variable: "KANA_X".into(),
            value: value.into(),
            argument: OsString::new(),
            is_secret: false,
        };

        assert!(setting("--min", "5").is_mentioned("invalid range --min 5 --max 2"));
        assert!(setting("--data-dir", "/data").is_mentioned("could not use /data as data directory"));
        assert!(!setting("--data-dir", "/data").is_mentioned("could not use /database"));
        assert!(!setting("--max", "1").is_mentioned("could not listen on 127.0.0.1:80"));
        assert!(!setting("--log-format", "json").is_mentioned("could not read /model/card.json"));
    }
}
