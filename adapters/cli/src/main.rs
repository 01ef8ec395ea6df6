//! The program `redial`: a demonstration, a pipe that never gives up, and a check.
//!
//! What lives here is what a person at a terminal sees. What keeps a connection alive is
//! `redial`, and what moves the bytes is `redial-tokio`; this program only uses them.

mod args;
mod check;
mod connect;
mod demo;
mod link;
mod pipe;
mod target;
mod words;

use args::{Args, Command};
use clap::Parser;
use std::future::Future;
use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let args = Args::parse();
    log(args.verbose);
    match args.command {
        Command::Demo(options) => run(demo::run(options)),
        Command::Connect(options) => run(connect::run(options)),
        Command::Check(options) => run(check::run(options)),
        Command::DemoServer { listen, store } => demo::serve(listen, &store),
    }
}

/// Runs one command to its exit code; a failure to begin at all is told and is 1.
fn run(command: impl Future<Output = std::io::Result<u8>>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let code = match runtime {
        Ok(runtime) => {
            let code = runtime.block_on(command);
            // A name that is still being looked up must not hold up the end.
            runtime.shutdown_timeout(Duration::ZERO);
            code
        }
        Err(error) => Err(error),
    };
    match code {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            words::complain(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

/// Logs go to stderr: as `RUST_LOG` says, or by the number of `-v`.
fn log(verbose: u8) {
    let level = match verbose {
        0 => "off",
        1 => "redial=info",
        2 => "redial=debug",
        _ => "trace",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
}
