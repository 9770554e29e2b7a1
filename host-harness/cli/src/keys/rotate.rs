//! `portcullis keys rotate`: the next key beside the one there is, for as long as it takes.

use super::{
    by_hand::{self, Variable},
    format::{DEFAULT_PREFIX, Prefix},
    handing::Handing,
    new::generate,
    pepper::{self, Pepper},
    record::Record,
    search::{self, Found},
    store::{self, Held},
    when::{self, End},
};
use crate::{
    failure::{Exit, Failure},
    terminal,
};
use clap::Args;
use portcullis_gatefile::{Document, Edit, Unsafe};
use regex::Regex;
use serde_json::{Map, Value, json};
use similar::TextDiff;
use std::{
    path::PathBuf,
    time::{Duration, SystemTime},
};

/// Put the next key beside one that there is, and let that one end after an overlap
///
/// The new key has the subject and the scopes of the old one, and is valid from now on. The file is
/// edited in place: nothing else in it changes, comments and layout neither, or it is left alone.
#[derive(Args)]
#[command(after_help = "Examples:
  portcullis keys rotate acme-2026-11 --config gate.yaml --overlap 7d --key-file acme.key
  portcullis keys rotate acme-2026-11 --file policies/api_keys/data.yaml --key-file acme.key
  portcullis keys rotate acme-2026-11 --dry-run")]
pub struct Rotate {
    /// The id of the key to be replaced
    id: String,
    /// The configuration: it has the record, unless --file does, and says which pepper
    #[arg(long, value_name = "FILE", default_value = "gate.yaml")]
    config: PathBuf,
    /// The file of the policy's data that has the record, YAML or JSON
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// The id of the new key [default: the old one with this month]
    #[arg(long, value_name = "ID")]
    new_id: Option<String>,
    /// How long both keys are good; the old one never gets longer than it has
    #[arg(long, value_name = "DURATION", default_value = "7d", value_parser = when::duration)]
    overlap: Duration,
    /// When the new key ends: `90d` from now, a time, or `never` [default: it lives as long as the
    /// old one was to]
    #[arg(long, value_name = "WHEN")]
    expires: Option<End>,
    /// What the new key begins with: 2 to 16 of a-z and 0-9
    #[arg(long, default_value = DEFAULT_PREFIX, value_parser = Prefix::parse)]
    prefix: Prefix,
    /// Show what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    pepper: Pepper,
    #[command(flatten)]
    handing: Handing,
}

/// What is read of the old key's record.
struct Old {
    hash: String,
    subject: String,
    scopes: Vec<String>,
    not_before: Option<SystemTime>,
    expires: Option<SystemTime>,
    is_revoked: bool,
}

impl Rotate {
    pub fn run(self) -> Result<Exit, Failure> {
        let file = self.file.as_ref().unwrap_or(&self.config);
        let writes = match self.dry_run {
            true => None,
            false => Some((self.handing.hand()?, Held::take(file)?)),
        };
        let now = when::now();
        let document = Document::read(file)?;
        let found = search::find(&document, &self.id)?;
        store::check(&document, &found.way)?;
        let old = Old::read(found.item, now);
        self.is_worth_it(&old, now)?;
        let pepper = self.pepper_of(&old)?;
        let key = generate(&self.prefix)?;
        let next = Record {
            id: self.next_id(&found, now)?,
            hash: portcullis_engine::api_key_hash(key.expose(), pepper.as_deref()),
            subject: old.subject.clone(),
            scopes: old.scopes.clone(),
            not_before: Some(when::written(now)),
            expires: self.end(&old, now)?.map(when::written),
        };
        let end = when::after(now, self.overlap);
        let is_sooner = old.expires.is_none_or(|expires| end < expires);
        let end = when::written(old.expires.filter(|_| !is_sooner).unwrap_or(end));
        let edit = Edit {
            item: &found.way,
            set: is_sooner.then(|| ("expires", end.clone().into())),
            next: &next.fields(),
        };
        let text = document
            .edited(&edit)
            .map_err(|Unsafe| self.by_hand(&document, &found, &next, &end))?;
        let edited = Document::parse(file, text)?;
        store::check(&edited, &found.way)?;
        let Some((hand, held)) = writes else {
            let (was, is) = (document.text(), edited.text());
            let name = file.display().to_string();
            let diff = TextDiff::from_lines(was, is);
            let diff = diff.unified_diff().header(&name, &name).to_string();
            terminal::print(diff.trim_end())?;
            terminal::say("nothing was written, and the key of this hash is no more");
            return Ok(Exit::Fine);
        };
        hand.keep(&key)?;
        if let Err(failure) = held.replace(&document, edited.text()) {
            hand.drop_it();
            return Err(failure);
        }
        terminal::say(&format!(
            "{}: `{}` is there from now on; `{}` expires {end}",
            file.display(),
            next.id,
            self.id
        ));
        let json = Map::from_iter([
            ("record".to_owned(), next.to_json()),
            (
                "replaces".to_owned(),
                json!({"id": self.id, "expires": end}),
            ),
        ]);
        hand.print(self.handing.format, &key, "", json)
    }

    /// A key that is of no use any more has nothing to overlap with.
    fn is_worth_it(&self, old: &Old, now: SystemTime) -> Result<(), Failure> {
        let over = if old.is_revoked {
            "is revoked"
        } else if old.expires.is_some_and(|expires| expires <= now) {
            "has expired"
        } else {
            return Ok(());
        };
        let id = &self.id;
        Err(Failure::new(format!(
            "the key `{id}` {over}, so there is nothing to overlap with"
        ))
        .hint("`portcullis keys new` makes a key"))
    }

    /// The new hash is of the old one's kind, or of the pepper that was named.
    fn pepper_of(&self, old: &Old) -> Result<Option<Vec<u8>>, Failure> {
        let named = self.pepper.named()?;
        if named.is_some() || !old.hash.starts_with("hmac-") {
            return Ok(named);
        }
        let hint = "`--pepper-env NAME` names its variable";
        let config =
            Document::read(&self.config).map_err(|error| Failure::from(error).hint(hint))?;
        match config.value.pointer("/api_keys/pepper") {
            Some(secret) => pepper::resolved(secret).map(Some),
            None => {
                let message = format!("{}: there is no `api_keys.pepper`", self.config.display());
                Err(Failure::new(message).hint(hint))
            }
        }
    }

    /// When the new key ends.
    fn end(&self, old: &Old, now: SystemTime) -> Result<Option<SystemTime>, Failure> {
        let end = match (self.expires, old.not_before, old.expires) {
            (Some(end), ..) => end.time(now),
            (None, _, None) => None,
            (None, Some(from), Some(until)) => {
                let life = until.duration_since(from).unwrap_or_default();
                Some(when::after(now, life))
            }
            (None, None, Some(_)) => {
                let message = "the old key expires, and how long it was to live is not known";
                return Err(Failure::new(message)
                    .hint("`--expires 90d` says how long the new one lives, `--expires never` that it does"));
            }
        };
        match end.is_some_and(|end| end <= now) {
            true => Err(Failure::new("--expires: the key would never be valid")),
            false => Ok(end),
        }
    }

    /// `acme-2026-11` becomes `acme-2026-12`, or, where there is such a key, `acme-2026-12-24`.
    fn next_id(&self, found: &Found<'_>, now: SystemTime) -> Result<String, Failure> {
        let is_taken = |id: &str| {
            let ids = found
                .list
                .iter()
                .filter_map(|item| item.get("id")?.as_str());
            ids.into_iter().any(|other| other == id)
        };
        if let Some(id) = &self.new_id {
            return match is_taken(id) {
                true => Err(Failure::new(format!(
                    "--new-id: there is a key `{id}` already"
                ))),
                false => Ok(id.clone()),
            };
        }
        let day: String = when::written(now)
            .chars()
            .take("2026-12-24".len())
            .collect();
        let month: String = day.chars().take("2026-12".len()).collect();
        let base = match Regex::new(r"-\d{4}-\d{2}(-\d{2})?$") {
            Ok(date) => date.replace(&self.id, "").into_owned(),
            Err(_) => self.id.clone(),
        };
        [month, day]
            .iter()
            .map(|date| format!("{base}-{date}"))
            .find(|id| !is_taken(id))
            .ok_or_else(|| {
                Failure::new("there is a key of this month's id and of today's already")
                    .hint("`--new-id ID` names another one")
            })
    }

    /// What to do where the file is laid out so that it is not edited.
    fn by_hand(&self, document: &Document, found: &Found<'_>, next: &Record, end: &str) -> Failure {
        let place = document.place(&search::shown(&found.way));
        let (variable, first) = match next.hash.starts_with("hmac-") {
            true => self.pepper_by_hand(),
            false => (None, ""),
        };
        let then = match by_hand::command(next, &self.prefix, variable.as_ref()) {
            Some(command) => format!("{first}paste what this prints: {command}"),
            None => format!(
                "{first}paste what `portcullis keys new` prints for the same subject and scopes; \
                 they have a control character, so no command is shown"
            ),
        };
        Failure::new(format!(
            "{place}: the record is laid out so that it cannot be edited safely; nothing was written"
        ))
        .hint(format!(
            "by hand: give `{}` an `expires: {end}`, and {then}",
            self.id
        ))
    }

    /// The variable that has the pepper, and what is to be done before it has.
    fn pepper_by_hand(&self) -> (Option<Variable>, &'static str) {
        let configured = || {
            let config = Document::read(&self.config).ok()?;
            pepper::variable(config.value.pointer("/api_keys/pepper")?)
        };
        match self.pepper.variable().or_else(configured) {
            Some(variable) => (Some(variable), ""),
            None => {
                let variable = Variable {
                    name: "GATE_PEPPER".into(),
                    is_base64: false,
                };
                let first = "put the pepper, which stands in the configuration and not in the \
                             environment, into the variable GATE_PEPPER, and ";
                (Some(variable), first)
            }
        }
    }
}

impl Old {
    /// Of a record that was checked.
    fn read(item: &Value, now: SystemTime) -> Old {
        let text = |name: &str| item.get(name).and_then(Value::as_str);
        let time = |name: &str| text(name).and_then(|it| humantime::parse_rfc3339(it).ok());
        let scopes = item.get("scopes").and_then(Value::as_array);
        let scopes = scopes.into_iter().flatten().filter_map(Value::as_str);
        Old {
            hash: text("hash").unwrap_or_default().to_owned(),
            subject: text("subject").unwrap_or_default().to_owned(),
            scopes: scopes.map(str::to_owned).collect(),
            not_before: time("not_before"),
            expires: time("expires"),
            is_revoked: item.get("revoked") == Some(&Value::Bool(true))
                || text("revoked") == Some("true")
                || time("revoked").is_some_and(|from| from <= now),
        }
    }
}
