//! A request as curl takes it: the options that shape it, and the command that sends it. What curl
//! would send otherwise than it is written is refused, since another request would be signed.

use crate::{failure::Failure, http_file::HttpFile};
use clap::{Args, Parser, error::ErrorKind};
use std::fmt::Write as _;

/// The options have curl's own names.
#[derive(Args, Clone, Debug)]
pub struct Curl {
    /// The request's URL
    #[arg(value_name = "URL")]
    url: String,
    /// The method [default: GET, or POST with a body]
    #[arg(short = 'X', long = "request", value_name = "METHOD")]
    method: Option<String>,
    /// A header line
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
    /// The body, as a form has it
    #[arg(short, long, value_name = "TEXT", visible_alias = "data-binary")]
    data: Option<String>,
    /// The same, where it starts with `@`
    #[arg(long, value_name = "TEXT", conflicts_with = "data")]
    data_raw: Option<String>,
    /// The body, as JSON
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["data", "data_raw"])]
    json: Option<String>,
}

/// A whole command line, with the options that do not shape the request.
#[derive(Parser)]
#[command(name = "curl", disable_help_flag = true, disable_version_flag = true)]
struct Command {
    #[command(flatten)]
    curl: Curl,
    #[arg(short, long)]
    silent: bool,
    #[arg(short = 'S', long)]
    show_error: bool,
    #[arg(short, long)]
    include: bool,
    #[arg(short, long)]
    verbose: bool,
    #[arg(short = 'k', long)]
    insecure: bool,
    #[arg(short, long)]
    fail: bool,
    #[arg(short, long)]
    output: Option<String>,
    #[arg(short, long)]
    write_out: Option<String>,
}

impl Curl {
    /// Reads a command line, in one argument or in many.
    pub fn from_command(arguments: &[String]) -> Result<Curl, Failure> {
        let hint = "it reads -X, -H, -d, --data-raw, --json and a URL, and passes over -s, -S, -i, \
                    -v, -k, -f, -o and -w";
        let words = match arguments {
            [one] => shlex::split(&in_one_line(one))
                .ok_or_else(|| Failure::new("the command has a quote that is not closed"))?,
            many => many.to_vec(),
        };
        let named = words.first().is_some_and(|word| word == "curl");
        let name = (!named).then(|| "curl".to_owned());
        Command::try_parse_from(name.into_iter().chain(words))
            .map(|command| command.curl)
            .map_err(|error| {
                if error.kind() == ErrorKind::MissingRequiredArgument {
                    // Clap has what is missing on lines of its own: the URL, and nothing else can be.
                    return Failure::new("the curl command: there is no URL in it").hint(hint);
                }
                let text = error.to_string();
                let first = text.lines().next().unwrap_or_default();
                let first = first.strip_prefix("error: ").unwrap_or(first);
                Failure::new(format!("the curl command: {first}")).hint(hint)
            })
    }

    pub fn body(&self) -> Option<&str> {
        let all = [&self.data, &self.data_raw, &self.json];
        all.into_iter().flatten().next().map(String::as_str)
    }

    fn method(&self) -> &str {
        match (&self.method, self.body()) {
            (Some(method), _) => method,
            (None, Some(_)) => "POST",
            (None, None) => "GET",
        }
    }

    /// The request that curl would send, as far as it can be told: of its own headers only those
    /// that go with a body.
    pub fn request(&self) -> Result<HttpFile, Failure> {
        let files = [("-d", &self.data), ("--json", &self.json)];
        for (option, text) in files {
            if text.as_ref().is_some_and(|text| text.starts_with('@')) {
                let message = format!("{option}: curl reads a file where the text starts with `@`");
                return Err(Failure::new(message).hint("give the text itself, or --data-raw"));
            }
        }
        let mut headers = self
            .headers
            .iter()
            .map(|line| header(line))
            .collect::<Result<Vec<_>, _>>()?;
        let own = match (&self.json, self.body()) {
            (_, None) => Vec::new(),
            (Some(_), _) => vec![("content-type", JSON), ("accept", JSON)],
            (None, _) => vec![("content-type", "application/x-www-form-urlencoded")],
        };
        let length = self.body().map(|body| body.len().to_string());
        let length = length.as_deref().map(|length| ("content-length", length));
        for (name, value) in own.into_iter().chain(length) {
            if !headers.iter().any(|(found, _)| found == name) {
                headers.push((name.to_owned(), value.to_owned()));
            }
        }
        // Curl's own word for whom the request is for, wherever it goes.
        let host = headers.iter().find(|(name, _)| name == "host");
        let target = target(&self.url, host.map(|(_, host)| host.as_str()))?;
        headers.retain(|(name, _)| name != "host");
        let body = self.body().unwrap_or_default();
        HttpFile::new(self.method(), &target, &headers, body)
    }

    /// The command with these headers added, quoted for a shell.
    pub fn command(&self, added: &[(&str, String)]) -> String {
        let quoted = |text: &str| {
            shlex::try_quote(text).map_or_else(|_| "''".to_owned(), |text| text.into_owned())
        };
        let mut command = "curl".to_owned();
        if self.method() != "GET" {
            let _ = write!(command, " -X {}", quoted(self.method()));
        }
        for line in &self.headers {
            let _ = write!(command, " \\\n  -H {}", quoted(line));
        }
        for (name, value) in added {
            let _ = write!(command, " \\\n  -H {}", quoted(&format!("{name}: {value}")));
        }
        if let Some(body) = self.body() {
            let option = if self.json.is_some() {
                "--json"
            } else {
                "--data-raw"
            };
            let _ = write!(command, " \\\n  {option} {}", quoted(body));
        }
        let _ = write!(command, " \\\n  {}", quoted(&self.url));
        command
    }
}

const JSON: &str = "application/json";

fn header(line: &str) -> Result<(String, String), Failure> {
    let (name, value) = line
        .split_once(':')
        .ok_or_else(|| Failure::new(format!("-H '{line}': a header is `name: value`")))?;
    if value.trim().is_empty() {
        let message = format!("-H '{line}': curl sends no header for a name without a value");
        return Err(Failure::new(message));
    }
    Ok((name.trim().to_ascii_lowercase(), value.trim().to_owned()))
}

/// The URL as curl sends it: without its fragment, with a slash where there is no path, for the host
/// that a header names.
fn target(url: &str, host: Option<&str>) -> Result<String, Failure> {
    let refuse = |why: &str| Err(Failure::new(format!("{url}: curl {why}")));
    let url = url.split_once('#').map_or(url, |(start, _)| start);
    let Some((scheme, rest)) = url.split_once("://") else {
        return Err(Failure::new(format!(
            "{url}: a URL starts with http:// or https://"
        )));
    };
    let (path, query) = match rest.split_once('?') {
        Some((path, query)) => (path, format!("?{query}")),
        None => (rest, String::new()),
    };
    let (authority, path) = match path.split_once('/') {
        Some((authority, path)) => (authority, format!("/{path}")),
        None => (path, "/".to_owned()),
    };
    if [&path, &query]
        .iter()
        .any(|text| text.contains(['{', '}', '[', ']']))
    {
        return refuse(
            "reads braces and brackets as several URLs; write them as %7B, %7D, %5B, %5D",
        );
    }
    if path.split('/').any(|segment| matches!(segment, "." | "..")) {
        return refuse("takes dot segments out of a path; write it without them");
    }
    if authority.contains('@') {
        return refuse("makes a header of user and password; leave them out");
    }
    let authority = host.unwrap_or(authority);
    Ok(format!("{scheme}://{authority}{path}{query}"))
}

/// A command over several lines as one: a shell takes `\` and the line's end away, but between
/// quotes.
fn in_one_line(command: &str) -> String {
    let mut line = String::with_capacity(command.len());
    let (mut single, mut double) = (false, false);
    let mut letters = command.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\'' if !double => single = !single,
            '"' if !single => double = !double,
            '\\' if !single => {
                match letters.next() {
                    Some('\n') => {}
                    other => line.extend(['\\'].into_iter().chain(other)),
                }
                continue;
            }
            _ => {}
        }
        line.push(letter);
    }
    line
}
