//! The command line.

use sc_cli::RunCmd;

/// Arguments of the node: run it, or one of the subcommands.
#[derive(Debug, clap::Parser)]
pub struct Cli {
	/// What to do instead of running the node.
	#[command(subcommand)]
	pub subcommand: Option<Subcommand>,

	/// How to run the node.
	#[clap(flatten)]
	pub run: RunCmd,
}

/// What the node can do besides running.
#[derive(Debug, clap::Subcommand)]
#[allow(clippy::large_enum_variant, reason = "built once, by the argument parser")]
pub enum Subcommand {
	/// Generate and inspect keys.
	#[command(subcommand)]
	Key(sc_cli::KeySubcommand),

	/// Print a chain spec; `--raw` for the form that a network starts from.
	ExportChainSpec(sc_cli::ExportChainSpecCmd),

	/// Remove the node's chain data.
	PurgeChain(sc_cli::PurgeChainCmd),
}
