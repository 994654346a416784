//! How does a person list, show, replay and drop dead letters?
//!
//! Each change is one request a job. A request that was carried out although its response was lost counts as a success.

use std::io::Write;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::Value;

use super::connection::{self, Connection};
use super::{Error, Target};

/// Largest number of dead letters listed, which is what a gateway returns at once.
const LETTERS_MAX: usize = 1_000;

/// Time to keep trying where the gateway does not answer: a person waits.
const PATIENCE: Duration = Duration::from_secs(10);

/// Action on dead letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Prints all dead letters, newest first.
    List,
    /// Prints everything known about the dead letter of this job.
    Show(String),
    /// Queues the jobs of dead letters again; each gets all its attempts anew.
    Replay(Selection),
    /// Deletes the dead letters.
    Drop(Selection),
}

/// The dead letters that an action applies to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// All dead letters, up to a thousand.
    All,
    /// The dead letters of the jobs with these identifiers.
    Jobs(Vec<String>),
}

/// The configuration of `kana dead`.
#[derive(Clone, Debug)]
pub struct Config {
    /// The gateway.
    pub target: Target,
    /// The action.
    pub action: Action,
    /// Prints JSON instead of text: an array for [`Action::List`], an object for [`Action::Show`], and one object a
    /// line for the others.
    pub json: bool,
}

/// Carries out the action and writes its result to `output`.
///
/// # Errors
/// [`Error::Refused`] with status 404 where a selected job has no dead letter; the jobs before it are done.
pub async fn run(config: &Config, output: &mut (impl Write + Send)) -> Result<(), Error> {
    let letters = DeadLetters { connection: Connection::to(&config.target)? };
    match &config.action {
        Action::List if config.json => writeln!(output, "{}", Value::Array(letters.list().await?))?,
        Action::List => print_list(&letters.list().await?, output)?,
        Action::Show(id) if config.json => writeln!(output, "{}", letters.find(id).await?)?,
        Action::Show(id) => print_letter(&letters.find(id).await?, output)?,
        Action::Replay(selection) => {
            for id in letters.ids(selection).await? {
                letters.change("replay a dead letter", Method::POST, &format!("v1/dead/{id}/replay")).await?;
                print_change(config, "queued", &id, output)?;
            }
        }
        Action::Drop(selection) => {
            for id in letters.ids(selection).await? {
                letters.change("drop a dead letter", Method::DELETE, &format!("v1/dead/{id}")).await?;
                print_change(config, "dropped", &id, output)?;
            }
        }
    }
    Ok(())
}

/// The dead letters of a gateway.
struct DeadLetters {
    connection: Connection,
}

impl DeadLetters {
    async fn list(&self) -> Result<Vec<Value>, Error> {
        let action = "list dead letters";
        let path = format!("v1/dead?limit={LETTERS_MAX}");
        self.connection.send(action, PATIENCE, |c| c.request(Method::GET, &path)).await?.json(action)
    }

    async fn find(&self, id: &str) -> Result<Value, Error> {
        let found = self.list().await?.into_iter().find(|letter| text(letter, "id") == id);
        found.ok_or_else(|| Error::Refused {
            action: "show a dead letter".into(),
            status: 404,
            detail: format!("there is no dead letter {id}"),
        })
    }

    async fn ids(&self, selection: &Selection) -> Result<Vec<String>, Error> {
        match selection {
            Selection::Jobs(ids) => Ok(ids.clone()),
            Selection::All => Ok(self.list().await?.iter().map(|letter| text(letter, "id").to_owned()).collect()),
        }
    }

    /// Sends a request that replays or drops a letter. "Not found" on a later attempt is a success: an earlier attempt
    /// arrived, and only its response was lost.
    async fn change(&self, action: &str, method: Method, path: &str) -> Result<(), Error> {
        let response = self.connection.send(action, PATIENCE, |c| c.request(method.clone(), path)).await?;
        let is_gone = response.status == StatusCode::NOT_FOUND && response.attempt > 1;
        if response.status.is_success() || is_gone { Ok(()) } else { Err(connection::refusal(action, &response)) }
    }
}

fn print_list(letters: &[Value], output: &mut impl Write) -> Result<(), Error> {
    if letters.is_empty() {
        writeln!(output, "no dead letters")?;
    }
    for letter in letters {
        let attempts = letter.get("attempts").and_then(Value::as_u64).unwrap_or(0);
        let (id, filename, reason) = (text(letter, "id"), text(letter, "filename"), text(letter, "reason"));
        writeln!(output, "{id}  {attempts} attempts  {filename}  {reason}")?;
    }
    Ok(())
}

fn print_letter(letter: &Value, output: &mut impl Write) -> Result<(), Error> {
    for (name, value) in letter.as_object().into_iter().flatten() {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        writeln!(output, "{name:<10} {value}")?;
    }
    Ok(())
}

fn print_change(config: &Config, state: &str, id: &str, output: &mut impl Write) -> Result<(), Error> {
    if config.json {
        writeln!(output, "{}", serde_json::json!({ "id": id, "state": state }))?;
    } else {
        writeln!(output, "{state} {id}")?;
    }
    Ok(())
}

fn text<'a>(letter: &'a Value, name: &str) -> &'a str {
    letter.get(name).and_then(Value::as_str).unwrap_or("")
}
