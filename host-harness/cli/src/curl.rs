//! A request as curl takes it: the options that shape it, and the command that sends it.

use crate::{failure::Failure, http_file::HttpFile};
use clap::{Args, Parser};
use std::fmt::Write as _;

/// The options have curl's own names.
#[derive(Args, Clone, Debug)]
pub struct Curl {
    /// The request's URL
    #[arg(value_name = "URL")]
    pub url: String,
    /// The method [default: GET, or POST with --data]
    #[arg(short = 'X', long = "request", value_name = "METHOD")]
    pub method: Option<String>,
    /// A header line
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    pub headers: Vec<String>,
    /// The body
    #[arg(short, long, value_name = "TEXT", visible_aliases = ["data-raw", "data-binary", "json"])]
    pub data: Option<String>,
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
        let hint = "it reads -X, -H, -d and a URL, and passes over -s, -i, -v, -k, -f, -o and -w";
        let words = match arguments {
            // Lines that go on are words that part: shlex makes an empty word of `\` and its line's end.
            [one] => shlex::split(&one.replace("\\\n", " "))
                .ok_or_else(|| Failure::new("the command has a quote that is not closed"))?,
            many => many.to_vec(),
        };
        let named = words.first().is_some_and(|word| word == "curl");
        let name = (!named).then(|| "curl".to_owned());
        Command::try_parse_from(name.into_iter().chain(words))
            .map(|command| command.curl)
            .map_err(|error| {
                let text = error.to_string();
                let first = text.lines().next().unwrap_or_default();
                let first = first.strip_prefix("error: ").unwrap_or(first);
                Failure::new(format!("the curl command: {first}")).hint(hint)
            })
    }

    pub fn method(&self) -> &str {
        match (&self.method, &self.data) {
            (Some(method), _) => method,
            (None, Some(_)) => "POST",
            (None, None) => "GET",
        }
    }

    /// The request that curl would send, as far as it can be told: of its own headers only those
    /// that go with a body.
    pub fn request(&self) -> Result<HttpFile, Failure> {
        let mut headers = Vec::new();
        for line in &self.headers {
            let (name, value) = line
                .split_once(':')
                .ok_or_else(|| Failure::new(format!("-H '{line}': a header is `name: value`")))?;
            headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
        let has = |name: &str| headers.iter().any(|(found, _)| found == name);
        let mut more = Vec::new();
        if let Some(data) = &self.data {
            if !has("content-type") {
                let form = "application/x-www-form-urlencoded".to_owned();
                more.push(("content-type".to_owned(), form));
            }
            if !has("content-length") {
                more.push(("content-length".to_owned(), data.len().to_string()));
            }
        }
        headers.extend(more);
        HttpFile::new(self.method(), &self.url, &headers)
    }

    /// The command with these headers added, quoted for a shell.
    pub fn command(&self, added: &[(&str, &str)]) -> String {
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
        if let Some(data) = &self.data {
            let _ = write!(command, " \\\n  --data-raw {}", quoted(data));
        }
        let _ = write!(command, " \\\n  {}", quoted(&self.url));
        command
    }
}
