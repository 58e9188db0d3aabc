//! A thin solochain node that executes the CareGrid runtime.

#![warn(missing_docs)]

mod chain_spec;
mod cli;
mod command;
mod consensus;
mod rpc;
mod service;

fn main() -> sc_cli::Result<()> {
	command::run()
}
