//! What failed for good, and what is to be done with it?

use std::io::Write;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::Value;

use super::connection::Connection;
use super::{Error, Target};

/// Dead letters listed at most: what a gateway gives at once.
const LETTERS_MAX: usize = 1_000;

/// How long to go on trying where the gateway does not answer: a person waits.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is to be done with dead letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Show which there are, newest first.
    List,
    /// Show all that is known of one.
    Show(String),
    /// Queue these again, with every attempt before them.
    Replay(Letters),
    /// Forget these.
    Drop(Letters),
}

/// Some dead letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Letters {
    /// All that there are, up to a thousand.
    All,
    /// The jobs of these names.
    These(Vec<String>),
}

/// What to do where, and how to tell of it.
#[derive(Clone, Debug)]
pub struct Config {
    /// The gateway.
    pub target: Target,
    /// What to do.
    pub action: Action,
    /// JSON instead of words: an array for [`Action::List`], an object for [`Action::Show`], and one line a letter
    /// for the others.
    pub json: bool,
}

/// Does it and writes what came of it to `output`.
///
/// # Errors
/// [`Error::Refused`] with status 404 where a letter named is none; those named before it are done.
pub async fn run(config: &Config, output: &mut (impl Write + Send)) -> Result<(), Error> {
    let desk = Desk { connection: Connection::to(&config.target)? };
    match &config.action {
        Action::List if config.json => writeln!(output, "{}", Value::Array(desk.letters().await?))?,
        Action::List => list(&desk.letters().await?, output)?,
        Action::Show(id) => show(&desk.letter(id).await?, config.json, output)?,
        Action::Replay(letters) => {
            for id in desk.named(letters).await? {
                desk.ask("replay a dead letter", Method::POST, &format!("v1/dead/{id}/replay")).await?;
                tell(config.json, "queued", &id, output)?;
            }
        }
        Action::Drop(letters) => {
            for id in desk.named(letters).await? {
                desk.ask("drop a dead letter", Method::DELETE, &format!("v1/dead/{id}")).await?;
                tell(config.json, "dropped", &id, output)?;
            }
        }
    }
    Ok(())
}

struct Desk {
    connection: Connection,
}

impl Desk {
    async fn letters(&self) -> Result<Vec<Value>, Error> {
        let action = "list dead letters";
        let path = format!("v1/dead?limit={LETTERS_MAX}");
        self.connection.send(action, PATIENCE, |c| c.request(Method::GET, &path)).await?.json(action)
    }

    async fn letter(&self, id: &str) -> Result<Value, Error> {
        let found = self.letters().await?.into_iter().find(|letter| text(letter, "id") == id);
        found.ok_or_else(|| Error::Refused {
            action: "show a dead letter".into(),
            status: 404,
            detail: format!("there is no dead letter {id}"),
        })
    }

    async fn named(&self, letters: &Letters) -> Result<Vec<String>, Error> {
        match letters {
            Letters::These(ids) => Ok(ids.clone()),
            Letters::All => Ok(self.letters().await?.iter().map(|letter| text(letter, "id").to_owned()).collect()),
        }
    }

    /// Sends a request whose repetition does no harm: a letter that an attempt without an answer has dealt with is none
    /// any more when the next one comes, and that is as good as done.
    async fn ask(&self, action: &str, method: Method, path: &str) -> Result<(), Error> {
        let answer = self.connection.send(action, PATIENCE, |c| c.request(method.clone(), path)).await?;
        let is_gone = answer.status == StatusCode::NOT_FOUND && answer.attempt > 1;
        if answer.status.is_success() || is_gone { Ok(()) } else { Err(super::connection::refusal(action, &answer)) }
    }
}

fn list(letters: &[Value], output: &mut impl Write) -> Result<(), Error> {
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

fn show(letter: &Value, json: bool, output: &mut impl Write) -> Result<(), Error> {
    if json {
        writeln!(output, "{letter}")?;
        return Ok(());
    }
    for (name, value) in letter.as_object().into_iter().flatten() {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        writeln!(output, "{name:<10} {value}")?;
    }
    Ok(())
}

fn tell(json: bool, what: &str, id: &str, output: &mut impl Write) -> Result<(), Error> {
    if json {
        writeln!(output, "{}", serde_json::json!({ "id": id, "state": what }))?;
    } else {
        writeln!(output, "{what} {id}")?;
    }
    Ok(())
}

fn text<'a>(letter: &'a Value, name: &str) -> &'a str {
    letter.get(name).and_then(Value::as_str).unwrap_or("")
}
