//! Runs what the command line asks for.

use caregrid_runtime::opaque::Block;
use sc_cli::SubstrateCli;
use sc_network::config::NetworkBackendType;
use sp_runtime::traits::Block as BlockT;

use crate::{
	chain_spec,
	cli::{Cli, Subcommand},
	service,
};

impl SubstrateCli for Cli {
	fn impl_name() -> String {
		"CareGrid Node".into()
	}

	fn impl_version() -> String {
		env!("CARGO_PKG_VERSION").into()
	}

	fn description() -> String {
		env!("CARGO_PKG_DESCRIPTION").into()
	}

	fn author() -> String {
		"The CareGrid authors".into()
	}

	fn support_url() -> String {
		"See SECURITY.md and CONTRIBUTING.md in the source".into()
	}

	fn copyright_start_year() -> i32 {
		2026
	}

	fn load_spec(&self, id: &str) -> Result<Box<dyn sc_service::ChainSpec>, String> {
		Ok(match id {
			"dev" => Box::new(chain_spec::development()?),
			"" | "local" => Box::new(chain_spec::local()?),
			path => Box::new(chain_spec::ChainSpec::from_json_file(path.into())?),
		})
	}
}

/// Parse the arguments and do what they say.
pub fn run() -> sc_cli::Result<()> {
	let cli = Cli::from_args();
	match &cli.subcommand {
		Some(Subcommand::Key(command)) => command.run(&cli),
		Some(Subcommand::ExportChainSpec(command)) => {
			let spec = cli.load_spec(&command.chain)?;
			command.run(spec)
		},
		Some(Subcommand::PurgeChain(command)) => {
			cli.create_runner(command)?.sync_run(|config| command.run(config.database))
		},
		None => run_node(&cli),
	}
}

fn run_node(cli: &Cli) -> sc_cli::Result<()> {
	type Libp2p = sc_network::NetworkWorker<Block, <Block as BlockT>::Hash>;
	type Litep2p = sc_network::Litep2pNetworkBackend;

	cli.create_runner(&cli.run)?.run_node_until_exit(|config| async move {
		let started = match config.network.network_backend {
			NetworkBackendType::Libp2p => service::start::<Libp2p>(config),
			NetworkBackendType::Litep2p => service::start::<Litep2p>(config),
		};
		started.map_err(sc_cli::Error::Service)
	})
}
