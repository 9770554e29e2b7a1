//! The `portcullis` command: one file per subcommand, each thin over a library.

mod bundle;
mod changes;
mod check;
mod curl;
mod dev_key;
mod eval;
mod explain;
mod failure;
mod http_file;
mod image;
mod init;
mod input;
mod keys;
mod logs;
mod mask;
mod module;
mod moment;
mod output;
mod place;
mod policy;
mod registry;
mod render;
mod replay;
mod scenario;
mod schema;
mod secrets;
mod serve;
mod sign;
mod terminal;
mod test;
mod token;
mod verify;

use clap::{Parser, Subcommand};
use failure::{Exit, Failure};
use std::{process::ExitCode, sync::LazyLock};

/// The version; and the commit, where `make release` named it.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let commit = option_env!("PORTCULLIS_COMMIT").map(|commit| format!(" ({commit})"));
    env!("CARGO_PKG_VERSION").to_owned() + &commit.unwrap_or_default()
});

/// The gate inside the proxy: verifies what a request claims, asks a Rego policy, enforces its answer
#[derive(Parser)]
#[command(name = "portcullis", version = VERSION.as_str(), max_term_width = 100)]
struct Portcullis {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Init(init::Init),
    Serve(serve::Serve),
    Check(check::Check),
    Eval(eval::Eval),
    Explain(explain::Explain),
    Replay(Box<replay::Replay>),
    Test(Box<test::Test>),
    Input(input::Input),
    Render(render::Render),
    Token(token::Token),
    #[command(subcommand)]
    Keys(Box<keys::Keys>),
    Sign(Box<sign::Sign>),
    Verify(verify::Verify),
    #[command(subcommand)]
    Bundle(bundle::Bundle),
    #[command(subcommand)]
    Image(image::Image),
    Schema(schema::Schema),
    #[command(subcommand)]
    Scenario(scenario::Scenario),
}

fn main() -> ExitCode {
    let parsed = Portcullis::try_parse().map_err(|error| match place::usage(&error) {
        Some(failure) => failure,
        None => error.exit(),
    });
    let done = parsed.and_then(|portcullis| run(portcullis.command));
    done.unwrap_or_else(|failure| {
        terminal::report(&failure);
        Exit::BadInput
    })
    .into()
}

fn run(command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Init(command) => command.run(),
        Command::Serve(command) => command.run(),
        Command::Check(command) => command.run(),
        Command::Eval(command) => command.run(),
        Command::Explain(command) => command.run(),
        Command::Replay(command) => command.run(),
        Command::Test(command) => command.run(),
        Command::Input(command) => command.run(),
        Command::Render(command) => command.run(),
        Command::Token(command) => command.run(),
        Command::Keys(command) => command.run(),
        Command::Sign(command) => command.run(),
        Command::Verify(command) => command.run(),
        Command::Bundle(command) => command.run(),
        Command::Image(command) => command.run(),
        Command::Schema(command) => command.run(),
        Command::Scenario(command) => command.run(),
    }
}
